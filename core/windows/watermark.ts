import type { EventTime } from './event-time.ts'

/** How far one topic partition has come. Times of the source are in microseconds since 1970. */
export type PartitionTime = {
  /** The newest event time that it has had; undefined when it has had none. */
  readonly newestEvent: EventTime | undefined
  /** When the source committed its last row. */
  readonly lastRowAt: bigint | undefined
  /** When the source emitted its newest beacon. */
  readonly beaconAt: bigint | undefined
}

/** What a definition says about time, in microseconds. */
export type TimeRules = { readonly boundMicros: bigint; readonly idleAfterMicros: bigint }

/** Event times before this one are not: a watermark that would be earlier is none. It is in 4714 BC, where the timestamps of Postgres begin. */
const EARLIEST = -210_866_803_200_000_000n

/**
 * Whether a topic partition has had no rows for so long that it does not hold the watermark back. The source's own clock
 * decides: a beacon comes behind every row that was committed before it, so that a delivery that is late is not taken
 * for silence.
 */
export function isIdle({ lastRowAt, beaconAt }: PartitionTime, { idleAfterMicros }: TimeRules): boolean {
  return lastRowAt !== undefined && beaconAt !== undefined && beaconAt - lastRowAt >= idleAfterMicros
}

/**
 * The watermark of a definition: the least of those topic partitions that are not idle and have had an event time.
 * Where all of these are idle, nothing is under way, and the greatest counts. Undefined: there is no watermark yet.
 */
export function watermarkOf(partitions: readonly PartitionTime[], rules: TimeRules): EventTime | undefined {
  let leastActive: EventTime | undefined
  let greatest: EventTime | undefined
  for (const partition of partitions) {
    const { newestEvent } = partition
    if (newestEvent === undefined) continue
    if (greatest === undefined || newestEvent > greatest) greatest = newestEvent
    if (!isIdle(partition, rules) && (leastActive === undefined || newestEvent < leastActive)) leastActive = newestEvent
  }
  const newest = leastActive ?? greatest
  return newest === undefined || newest - rules.boundMicros < EARLIEST ? undefined : newest - rules.boundMicros
}

/**
 * The watermark of a definition while the records of one topic partition are taken in order. The other topic partitions
 * stay as they were when the batch began. A watermark never goes back, also when an idle topic partition goes on.
 */
export class DefinitionClock {
  #own: PartitionTime
  #reached: EventTime | undefined
  readonly #others: readonly PartitionTime[]
  readonly #rules: TimeRules

  constructor(own: PartitionTime, others: readonly PartitionTime[], reached: EventTime | undefined, rules: TimeRules) {
    this.#own = own
    this.#others = withoutSlower(others, rules)
    this.#rules = rules
    this.#reached = reached
    this.#reach()
  }

  /** The time of the topic partition after what was taken. */
  get own(): PartitionTime {
    return this.#own
  }

  get watermark(): EventTime | undefined {
    return this.#reached
  }

  takeBeacon(emittedAt: bigint): void {
    this.#own = { ...this.#own, beaconAt: emittedAt }
    this.#reach()
  }

  /** A row without an event time, or one whose event time is set aside, still shows that the topic partition is not idle. */
  takeRow(event: EventTime | undefined, committedAt: bigint): void {
    const { newestEvent, lastRowAt, beaconAt } = this.#own
    this.#own = {
      newestEvent: event === undefined ? newestEvent : later(newestEvent, event),
      lastRowAt: later(lastRowAt, committedAt),
      beaconAt,
    }
    this.#reach()
  }

  #reach(): void {
    const watermark = watermarkOf([this.#own, ...this.#others], this.#rules)
    if (watermark !== undefined) this.#reached = later(this.#reached, watermark)
  }
}

/** The later of two times, one of which may be missing. */
export const later = (a: bigint | undefined, b: bigint): bigint => (a === undefined || b > a ? b : a)

/**
 * Of the others only the slowest that is active and the greatest that is idle decide, so that a row costs as much with
 * a thousand topic partitions as with one.
 */
function withoutSlower(others: readonly PartitionTime[], rules: TimeRules): PartitionTime[] {
  let active: PartitionTime | undefined
  let greatest: PartitionTime | undefined
  for (const one of others) {
    if (one.newestEvent === undefined) continue
    if (greatest === undefined || one.newestEvent > greatest.newestEvent!) greatest = one
    if (!isIdle(one, rules) && (active === undefined || one.newestEvent < active.newestEvent!)) active = one
  }
  return [active, greatest].filter((one) => one !== undefined)
}

/** What is known of a window. */
export type WindowTimes = {
  readonly end: EventTime
  readonly allowedLatenessMicros: bigint
  /** Whether rows later than allowed leave the window as it is: they are set aside, or the window is emitted once. */
  readonly closes: boolean
}

/** The state of a window. A window whose late rows all count never closes. */
export function windowState(
  { end, allowedLatenessMicros, closes }: WindowTimes,
  watermark: EventTime | undefined,
  lateRows: number,
): 'open' | 'final' | 'revised' | 'closed' {
  if (watermark === undefined || watermark < end) return 'open'
  if (closes && watermark >= end + allowedLatenessMicros) return 'closed'
  return lateRows > 0 ? 'revised' : 'final'
}
