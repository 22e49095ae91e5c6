/** Something that works on records of topic partitions, such as a delivery. */
export type LaneUser = {
  /** Whether it has failed. If so, no later batch may overtake it in its topic partitions. */
  isInTrouble: boolean
}

type Place = { user: LaneUser; from: number }
type Lane = { places: Place[]; end: number; reported: number }

/**
 * The batches of each topic partition that are in flight, and the offset below which all records have been processed.
 */
export type Lanes = {
  /** Whether another batch of the topic partition may start. */
  isFree(name: string): boolean
  /** Notes that the user works on the offsets from `from` on, below `next`. */
  hold(user: LaneUser, name: string, from: number, next: number): void
  /**
   * Notes that the user has processed its part of the topic partition below `from`; undefined means all of its part.
   */
  advance(user: LaneUser, name: string, from: number | undefined): void
  /** Gives what the user has not processed of the topic partition to another user. */
  hand(user: LaneUser, to: LaneUser, name: string): void
  /** Gives up what the user has not processed. */
  release(user: LaneUser): void
}

/**
 * Allows at most `perLane` batches of a topic partition at once. `onProcessed` is called when everything below `next`
 * has been processed.
 */
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
