/** A transaction, and the number of the beacon that preceded it. */
export type PassedTransaction = readonly [txId: number, beacon: number]

/** The transactions that were applied as a whole and may come again. */
export class PassedTransactions {
  #passed: Map<number, number>
  /** Whether a copy may have the same map. Then the map is copied before it is changed. */
  #isShared = false
  readonly #added: PassedTransaction[] = []
  readonly #pruned: number[] = []

  constructor(passed: Iterable<PassedTransaction>) {
    this.#passed = new Map(passed)
  }

  /** The same transactions without changes yet. Neither of the two changes the other. */
  copy(): PassedTransactions {
    const copy = new PassedTransactions([])
    copy.#passed = this.#passed
    copy.#isShared = true
    this.#isShared = true
    return copy
  }

  has(txId: number): boolean {
    return this.#passed.has(txId)
  }

  add(txId: number, beacon: number): void {
    this.#own().set(txId, beacon)
    this.#added.push([txId, beacon])
  }

  /** Forgets the transactions that an earlier beacon than this one preceded. */
  forgetBefore(beacon: number): void {
    for (const [txId, before] of this.#passed) {
      if (before >= beacon) continue
      this.#own().delete(txId)
      this.#pruned.push(txId)
    }
  }

  forgetAll(): void {
    this.#pruned.push(...this.#passed.keys())
    this.#passed = new Map()
    this.#isShared = false
  }

  /** What has changed since these were made or copied. */
  changes(): { readonly added: readonly PassedTransaction[]; readonly pruned: readonly number[] } {
    return { added: this.#added.filter(([txId]) => this.#passed.has(txId)), pruned: [...this.#pruned] }
  }

  #own(): Map<number, number> {
    if (this.#isShared) this.#passed = new Map(this.#passed)
    this.#isShared = false
    return this.#passed
  }
}
