const newline = 10

/** Reads a stream of lines, as COPY sends it, without cutting it into strings. Memory is a chunk, or one line where that is longer. */
export class LineReader {
  /** Lines passed so far. */
  lines = 0
  readonly #chunks: AsyncIterator<Buffer>
  #buffer: Buffer = Buffer.alloc(0)
  /** Start of the current line. */
  #start = 0
  /** End of the last complete line in the buffer. */
  #end = 0

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** Makes the current line available; false at the end of the stream. */
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

  /** The current line without its end. */
  line(): string {
    return this.#buffer.toString('utf8', this.#start, this.#lineEnd())
  }

  /** Passes the current line. */
  skip(): void {
    this.#start = this.#lineEnd() + 1
    this.lines += 1
  }

  /** Reads and forgets what is left. */
  async drain(): Promise<void> {
    for (;;) if ((await this.#chunks.next()).done === true) return
  }

  /** Passes the lines both readers have available and that are the same, byte for byte, up to the first that is not. */
  skipEqual(other: LineReader): void {
    const length = Math.min(this.#end - this.#start, other.#end - other.#start)
    if (this.#equals(other, length)) {
      const lines = countLines(this.#buffer.subarray(this.#start, this.#start + length))
      this.#pass(lines, length)
      other.#pass(lines, length)
      return
    }
    // The difference lies in this stretch, so both readers still have a line at every turn.
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
