const newline = 10

/**
 * Reads a stream of lines from COPY without converting it to strings. Memory is needed for one chunk, or for one line
 * if that is longer.
 */
export class LineReader {
  /** The number of lines passed so far. */
  lines = 0
  readonly #chunks: AsyncIterator<Buffer>
  #buffer: Buffer = Buffer.alloc(0)
  /** The start of the current line. */
  #start = 0
  /** The end of the last complete line in the buffer. */
  #end = 0

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** Makes the current line available. Returns false at the end of the stream. */
  async ready(): Promise<boolean> {
    if (this.#start < this.#end) return true
    const pieces = [this.#buffer.subarray(this.#end)]
    for (let complete = false; !complete; ) {
      const next = await this.#chunks.next()
      if (next.done === true) break
      pieces.push(next.value)
      complete = next.value.includes(newline)
    }
    this.#buffer = Buffer.concat(pieces)
    this.#start = 0
    this.#end = this.#buffer.lastIndexOf(newline) + 1
    return this.#end > 0
  }

  /** The current line without its newline. */
  line(): string {
    return this.#buffer.toString('utf8', this.#start, this.#lineEnd())
  }

  /** Passes the current line. */
  skip(): void {
    this.#start = this.#lineEnd() + 1
    this.lines += 1
  }

  /** Reads and discards the rest of the stream. */
  async drain(): Promise<void> {
    for (;;) if ((await this.#chunks.next()).done === true) return
  }

  /**
   * Passes lines that are equal byte for byte in both readers, up to the first that differs or is not available yet.
   */
  skipEqual(other: LineReader): void {
    const length = Math.min(this.#end - this.#start, other.#end - other.#start)
    if (this.#equals(other, length)) {
      const lines = countLines(this.#buffer.subarray(this.#start, this.#start + length))
      this.#pass(lines, length)
      other.#pass(lines, length)
      return
    }
    // The difference is inside of this part, so both readers have a line in every iteration.
    for (;;) {
      const size = this.#lineEnd() + 1 - this.#start
      if (!this.#equals(other, size)) return
      this.#pass(1, size)
      other.#pass(1, size)
    }
  }

  #equals(other: LineReader, length: number): boolean {
    const otherEnd = Math.min(other.#start + length, other.#end)
    return this.#buffer.compare(other.#buffer, other.#start, otherEnd, this.#start, this.#start + length) === 0
  }

  #pass(lines: number, bytes: number): void {
    this.lines += lines
    this.#start += bytes
  }

  #lineEnd(): number {
    return this.#buffer.indexOf(newline, this.#start)
  }
}

function countLines(bytes: Buffer): number {
  let lines = 0
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) lines += 1
  return lines
}
