import type { RowChange } from '../envelope.ts'

/** What is the same of a streamed change at each delivery, in the order in which the source's transactions commit. */
export type ChangePlace = {
  readonly epoch: number
  readonly committedAtMs: number
  readonly lsn: number
  /** False of a delete, which at one Lsn precedes the change that makes the row anew. */
  readonly live: boolean
}

/** How far a topic partition has come, and how much its times can be relied on. */
export type FenceState = {
  /** The furthest place of a streamed change. */
  readonly newest: ChangePlace | null
  /** The latest time of all, and how far one was before the latest, at most: clocks are set back. */
  readonly latestMs: number
  readonly backMs: number
}

/** Before the first change. */
export const nothingPassed: FenceState = { newest: null, latestMs: 0, backMs: 0 }

/**
 * Tells which streamed changes of a topic partition are new for certain: those behind every one that came before them. One
 * that capture sends again never is. One that is not may be new all the same, since commit times of transactions that end
 * together, and a clock that is set back, are not in the order of the log: such a change has to be looked up.
 */
export class ChangeFence {
  #newest: ChangePlace | null
  #latestMs: number
  #backMs: number
  #wasNew = false

  /** `state`: that behind all that was applied before. */
  constructor({ newest, latestMs, backMs }: FenceState = nothingPassed) {
    this.#newest = newest
    this.#latestMs = latestMs
    this.#backMs = backMs
  }

  get state(): FenceState {
    return { newest: this.#newest, latestMs: this.#latestMs, backMs: this.#backMs }
  }

  /**
   * Takes a change, in the order of the topic partition, and says whether it is new for certain. A read is: one that is sent
   * again comes from another reading.
   */
  pass({ position: { epoch, phase, lsn }, committedAtMs, op }: RowChange): boolean {
    this.#latestMs = Math.max(this.#latestMs, committedAtMs)
    this.#backMs = Math.max(this.#backMs, this.#latestMs - committedAtMs)
    if (phase === 0) return true
    const place = { epoch, committedAtMs, lsn, live: op !== 'delete' }
    const order = this.#newest === null ? 1 : comparePlaces(place, this.#newest)
    // Rows of one COPY have one place, and follow each other.
    this.#wasNew = order > 0 || (order === 0 && this.#wasNew)
    if (order > 0) this.#newest = place
    return this.#wasNew
  }

  /** Capture has started anew: what it sends from here on may have been sent before. */
  restart(): void {
    this.#wasNew = false
  }
}

const comparePlaces = (a: ChangePlace, b: ChangePlace): number =>
  a.epoch - b.epoch || a.committedAtMs - b.committedAtMs || a.lsn - b.lsn || Number(a.live) - Number(b.live)
