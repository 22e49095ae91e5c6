// Is a change certain to be new, so that history stores it without a look-up?

import type { RowChange } from '../wire/change.ts'

/**
 * The place of a streamed change in the order in which the source's transactions commit. It is the same at each
 * delivery.
 */
export type ChangePlace = {
  readonly epoch: number
  readonly committedAtMs: number
  readonly lsn: number
  /** False for a delete. At the same Lsn, a delete precedes the change that creates the row again. */
  readonly live: boolean
}

/** How far a topic partition has come, and how far its commit times may be out of order. */
export type FenceState = {
  /** The newest place of a streamed change; null before the first. */
  readonly newest: ChangePlace | null
  /**
   * `latestMs` is the latest commit time. `backMs` is the most that a commit time was before the latest one: clocks can
   * be set back.
   */
  readonly latestMs: number
  readonly backMs: number
}

/** The state before the first change. */
export const nothingPassed: FenceState = { newest: null, latestMs: 0, backMs: 0 }

/**
 * Decides which streamed changes of a topic partition are certainly new: those with a later place than every change
 * before them. A change that capture sends again is never certain. A new change may be uncertain as well, because
 * commit times are not always in the order of the log: transactions may end at the same time, and a clock may be set
 * back. History has to look up an uncertain change.
 */
export class ChangeFence {
  #newest: ChangePlace | null
  #latestMs: number
  #backMs: number
  #wasNew = false

  /** `state` is the state after everything that was applied before. */
  constructor({ newest, latestMs, backMs }: FenceState = nothingPassed) {
    this.#newest = newest
    this.#latestMs = latestMs
    this.#backMs = backMs
  }

  get state(): FenceState {
    return { newest: this.#newest, latestMs: this.#latestMs, backMs: this.#backMs }
  }

  /**
   * Takes a change, in the order of the topic partition, and returns whether it is certainly new. A read always is: if
   * it is sent again, it comes from another snapshot.
   */
  pass({ position: { epoch, phase, lsn }, committedAtMs, op }: RowChange): boolean {
    this.#latestMs = Math.max(this.#latestMs, committedAtMs)
    this.#backMs = Math.max(this.#backMs, this.#latestMs - committedAtMs)
    if (phase === 0) return true
    const place = { epoch, committedAtMs, lsn, live: op !== 'delete' }
    const order = this.#newest === null ? 1 : comparePlaces(place, this.#newest)
    // Rows of one COPY have the same place, and follow each other directly.
    this.#wasNew = order > 0 || (order === 0 && this.#wasNew)
    if (order > 0) this.#newest = place
    return this.#wasNew
  }

  /** Capture has started again, so changes that it sends from here on may have been sent before. */
  restart(): void {
    this.#wasNew = false
  }
}

const comparePlaces = (a: ChangePlace, b: ChangePlace): number =>
  a.epoch - b.epoch || a.committedAtMs - b.committedAtMs || a.lsn - b.lsn || Number(a.live) - Number(b.live)
