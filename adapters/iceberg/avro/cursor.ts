import { AvroError } from './schema.ts'

/**
 * Invalid UTF-8 is refused, and a byte order mark at the start of a text is kept. Otherwise a path or a bound could
 * change without an error.
 */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The number of bytes up to which the value of a long is exact as a number. */
const EXACT_BYTES = 7

/** The number of bytes of the longest long. */
const LONGEST = 10

/** Reads values in Avro's binary encoding. Throws an AvroError if the bytes end too early. */
export class AvroCursor {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #offset = 0

  constructor(bytes: Uint8Array) {
    // A plain Uint8Array, because views of a Buffer are Buffers too, and values should be of one class for every source
    // of bytes.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get atEnd(): boolean {
    return this.#offset >= this.#bytes.length
  }

  /** Returns a view of the next bytes, not a copy. */
  raw(length: number): Uint8Array {
    const start = this.#advance(length)
    return this.#bytes.subarray(start, start + length)
  }

  bytes(): Uint8Array {
    return this.raw(this.length())
  }

  string(): string {
    const bytes = this.bytes()
    try {
      return decoder.decode(bytes)
    } catch (cause) {
      throw new AvroError('a string in Avro is not UTF-8', { cause })
    }
  }

  boolean(): boolean {
    return this.#bytes[this.#advance(1)] !== 0
  }

  float(): number {
    return this.#view.getFloat32(this.#advance(4), true)
  }

  double(): number {
    return this.#view.getFloat64(this.#advance(8), true)
  }

  /** Reads a long that is a length, a count or an index, which must be exact as a number. */
  length(): number {
    const value = this.long()
    if (typeof value === 'number') return value
    throw new AvroError(`${value} is not a length in Avro`)
  }

  /** Reads an integer of 64 bits. It is a bigint if it is not a safe integer. */
  long(): number | bigint {
    let value = 0
    let scale = 1
    for (let i = 0; i < EXACT_BYTES; i++) {
      const byte = this.#bytes[this.#advance(1)]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      scale *= 0x80
    }
    return this.#longFrom(BigInt(value))
  }

  #longFrom(low: bigint): number | bigint {
    let value = low
    for (let i = EXACT_BYTES; i < LONGEST; i++) {
      const byte = this.#bytes[this.#advance(1)]!
      value |= BigInt(byte & 0x7f) << BigInt(7 * i)
      if (byte >= 0x80) continue
      const long = BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n))
      const short = Number(long)
      return Number.isSafeInteger(short) ? short : long
    }
    throw new AvroError('a long in Avro has more than 64 bits')
  }

  #advance(length: number): number {
    const start = this.#offset
    if (length < 0 || start + length > this.#bytes.length) throw new AvroError('Avro ends before its last value')
    this.#offset = start + length
    return start
  }
}
