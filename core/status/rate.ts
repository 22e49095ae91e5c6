/** The growth of a counter per second, over the last `keptMs`. */
export class Rate {
  readonly #keptMs: number
  #readings: { atMs: number; total: number }[] = []

  constructor(keptMs: number) {
    this.#keptMs = keptMs
  }

  /**
   * Takes a reading of the counter, and returns its growth per second. When the counter has fallen, it was reset, and
   * the earlier readings are dropped.
   */
  perSecond(total: number, nowMs: number): number {
    if (total < (this.#readings.at(-1)?.total ?? 0)) this.#readings = []
    this.#readings.push({ atMs: nowMs, total })
    // The oldest reading that is kept is the last one from before the measured time.
    while (this.#readings.length > 2 && this.#readings[1]!.atMs <= nowMs - this.#keptMs) this.#readings.shift()
    const first = this.#readings[0]!
    return nowMs === first.atMs ? 0 : ((total - first.total) * 1_000) / (nowMs - first.atMs)
  }
}
