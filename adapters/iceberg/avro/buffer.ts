const encoder = new TextEncoder()

/** A buffer that grows while values are appended in Avro's binary encoding. */
export class AvroBuffer {
  #bytes = new Uint8Array(1_024)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Returns what was written. The buffer must not be used after that. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  bytes(bytes: Uint8Array): void {
    this.long(bytes.length)
    this.raw(bytes)
  }

  string(text: string): void {
    this.bytes(encoder.encode(text))
  }

  /** Appends an integer of 64 bits in zigzag and variable-length form. The caller has checked its range. */
  long(value: number | bigint): void {
    // Beyond 2^51 the zigzag form might not be exact as a number.
    if (typeof value === 'bigint' || Math.abs(value) >= 2 ** 51) {
      this.#bigLong(BigInt(value))
      return
    }
    let rest = value >= 0 ? value * 2 : -value * 2 - 1
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80)
      rest = Math.floor(rest / 0x80)
    }
    this.byte(rest)
  }

  float(value: number): void {
    this.#reserve(4)
    this.#view().setFloat32(this.#length, value, true)
    this.#length += 4
  }

  double(value: number): void {
    this.#reserve(8)
    this.#view().setFloat64(this.#length, value, true)
    this.#length += 8
  }

  #bigLong(value: bigint): void {
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
    while (rest >= 0x80n) {
      this.byte(Number(rest & 0x7fn) | 0x80)
      rest >>= 7n
    }
    this.byte(Number(rest))
  }

  #view(): DataView {
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset)
  }

  #reserve(more: number): void {
    const needed = this.#length + more
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}
