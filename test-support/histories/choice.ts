/** Makes decisions from a given number, so that a history is the same whenever its seed is. */
export type Choice = {
  /** A number n with 0 ≤ n < limit. */
  below(limit: number): number
  of<T>(items: readonly T[]): T | undefined
  chance(percent: number): boolean
}

/** The decisions that follow from one number (mulberry32). */
export function makeChoice(seed: number): Choice {
  let state = seed | 0
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    below,
    of: (items) => items[below(items.length)],
    chance: (percent) => below(100) < percent,
  }
}
