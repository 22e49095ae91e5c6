/** Something that works on records of topic partitions. */
export type LaneUser = {
  /** It has failed: nothing of its topic partitions may overtake it any more. */
  isInTrouble: boolean
}

type Place = { user: LaneUser; from: number }
type Lane = { places: Place[]; end: number; reported: number }

/** Which batches of each topic partition are in flight, and how far it is processed without a gap. */
export type Lanes = {
  /** Whether another batch of the topic partition may begin. */
  isFree(name: string): boolean
  /** Records from `from` on, below `next`, are being worked on. */
  hold(user: LaneUser, name: string, from: number, next: number): void
  /** The user has processed all its records of the topic partition below `from`; undefined: all of them. */
  advance(user: LaneUser, name: string, from: number | undefined): void
  /** Another user takes over what the user has not processed of the topic partition. */
  hand(user: LaneUser, to: LaneUser, name: string): void
  /** The user gives up what it has not processed. */
  release(user: LaneUser): void
}

/** At most `perLane` batches of a topic partition at once. `onProcessed`: everything below `next` is processed. */
export function makeLanes(perLane: number, onProcessed: (name: string, next: number) => void): Lanes {
  const lanes = new Map<string, Lane>()

  function leave(lane: Lane, name: string, user: LaneUser): void {
    lane.places = lane.places.filter((place) => place.user !== user)
    if (lane.places.length === 0) lanes.delete(name)
  }

  return {
    isFree(name) {
      const places = lanes.get(name)?.places ?? []
      return places.length < perLane && !places.some(({ user }) => user.isInTrouble)
    },
    hold(user, name, from, next) {
      const lane = lanes.get(name) ?? { places: [], end: next, reported: from }
      lanes.set(name, lane)
      lane.places.push({ user, from })
      lane.end = next
    },
    advance(user, name, from) {
      const lane = lanes.get(name)
      const place = lane?.places.find((each) => each.user === user)
      if (lane === undefined || place === undefined) return
      if (from === undefined) leave(lane, name, user)
      else place.from = from
      const processed = lane.places.length === 0 ? lane.end : Math.min(...lane.places.map((each) => each.from))
      if (processed === lane.reported) return
      lane.reported = processed
      onProcessed(name, processed)
    },
    hand(user, to, name) {
      for (const place of lanes.get(name)?.places ?? []) if (place.user === user) place.user = to
    },
    release(user) {
      for (const [name, lane] of lanes) leave(lane, name, user)
    },
  }
}
