/** A list of whole numbers of 32 bits, four bytes each, which doubles its room when it is full. */
export class GrowingInts {
  #values = new Int32Array(1_024)
  #length = 0

  get length(): number {
    return this.#length
  }

  at(index: number): number {
    return this.#values[index]!
  }

  set(index: number, value: number): void {
    this.#values[index] = value
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = new Int32Array(this.#values.length * 2)
      larger.set(this.#values)
      this.#values = larger
    }
    this.#values[this.#length++] = value
  }
}
