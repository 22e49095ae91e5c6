import type { Choice } from '../histories/choice.ts'

/** The clock of a source that a seed makes. It begins `days` before `endMs`, and is set back now and then. */
export class SourceClock {
  readonly #choice: Choice
  readonly #latestMs: number
  readonly #stepMs: number
  #nowMs: number

  constructor(choice: Choice, { endMs, days }: { endMs: number; days: number }, latestMs = Number.POSITIVE_INFINITY) {
    this.#choice = choice
    this.#latestMs = latestMs
    this.#stepMs = (days * 86_400_000) / 90
    this.#nowMs = endMs - days * 86_400_000
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** The time of the next commit. Sometimes it is the same as before, or earlier. */
  tick(): number {
    const { below, chance } = this.#choice
    if (chance(2)) this.#nowMs -= below(3 * 86_400_000)
    else if (chance(8)) this.#nowMs -= below(2 * this.#stepMs)
    else if (!chance(10)) this.#nowMs += 1 + below(2 * this.#stepMs)
    this.#nowMs = Math.min(this.#nowMs, this.#latestMs)
    return this.#nowMs
  }
}
