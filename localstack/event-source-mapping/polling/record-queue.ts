const comma = 0x2c

/** Encoded records of one fetch, in offset order, with a comma between them. */
export type RecordChunk = {
  bytes: Buffer
  /**
   * For each record: its offset in the topic partition, its time in milliseconds since 1970, and where its bytes end.
   */
  offsets: number[]
  timestamps: number[]
  ends: number[]
  /** Milliseconds of the monotonic clock. */
  arrivedAt: number
}

/** Consecutive records of a chunk. */
type Run = { chunk: RecordChunk; from: number; to: number }

/** Records of one topic partition that were taken from its queue, oldest first. */
export type RecordRun = {
  runs: Run[]
  count: number
  /** Length of their JSON, with the commas between the records. */
  bytes: number
  firstOffset: number
  lastOffset: number
  firstTimestamp: number
  lastTimestamp: number
}

/**
 * Writes encoded records one after the other into one buffer. Each text is copied when it is added, so that it becomes
 * garbage at once. If the texts lived until the end of a fetch, the garbage collector would have to move them.
 */
export class ChunkWriter {
  #bytes: Buffer
  #end = -1
  readonly #offsets: number[] = []
  readonly #timestamps: number[] = []
  readonly #ends: number[] = []

  /** `expectedBytes`: the length of all records together. A wrong guess costs a copy. */
  constructor(expectedBytes: number) {
    this.#bytes = Buffer.allocUnsafe(expectedBytes)
  }

  /** `record` is ASCII and not empty; `timestamp` is in milliseconds since 1970. */
  add(record: string, offset: number, timestamp: number): void {
    const needed = this.#end + 1 + record.length
    if (needed > this.#bytes.length) this.#grow(needed)
    if (this.#end >= 0) this.#bytes[this.#end] = comma
    this.#end += 1 + this.#bytes.write(record, this.#end + 1, 'latin1')
    this.#offsets.push(offset)
    this.#timestamps.push(timestamp)
    this.#ends.push(this.#end)
  }

  /**
   * The records that were added; undefined when there are none. `arrivedAt` is in milliseconds of the monotonic clock.
   */
  finish(arrivedAt: number): RecordChunk | undefined {
    if (this.#ends.length === 0) return undefined
    const bytes = this.#bytes.subarray(0, this.#end)
    return { bytes, offsets: this.#offsets, timestamps: this.#timestamps, ends: this.#ends, arrivedAt }
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length))
    this.#bytes.copy(larger, 0, 0, Math.max(0, this.#end))
    this.#bytes = larger
  }
}

/** The JSON of the records, without brackets. */
export function runBytes(run: RecordRun): Buffer[] {
  return run.runs.flatMap(({ chunk, from, to }, index) => {
    const bytes = chunk.bytes.subarray(startOf(chunk, from), chunk.ends[to - 1])
    return index === 0 ? [bytes] : [Buffer.of(comma), bytes]
  })
}

/** The JSON of each record. */
export function recordTexts(run: RecordRun): string[] {
  return run.runs.flatMap(({ chunk, from, to }) =>
    Array.from({ length: to - from }, (_, index) =>
      chunk.bytes.toString('latin1', startOf(chunk, from + index), chunk.ends[from + index]),
    ),
  )
}

/** The records for which `keep` returns true; undefined when there are none. */
export function selectRecords(
  run: RecordRun,
  keep: (offset: number, timestamp: number) => boolean,
): RecordRun | undefined {
  const kept: Run[] = []
  for (const { chunk, from, to } of run.runs) {
    let open: Run | undefined
    for (let index = from; index < to; index++) {
      if (!keep(chunk.offsets[index]!, chunk.timestamps[index]!)) {
        open = undefined
      } else if (open === undefined) {
        open = { chunk, from: index, to: index + 1 }
        kept.push(open)
      } else {
        open.to = index + 1
      }
    }
  }
  return kept.length === 0 ? undefined : describe(kept)
}

/** Records of one topic partition that wait for a batch. */
export class RecordQueue {
  readonly #chunks: { chunk: RecordChunk; from: number }[] = []
  #count = 0
  #bytes = 0

  get count(): number {
    return this.#count
  }

  /** Length of their JSON, with a comma after each record. */
  get bytes(): number {
    return this.#bytes
  }

  /** When the oldest record arrived; undefined when the queue is empty. */
  get oldestArrival(): number | undefined {
    return this.#chunks[0]?.chunk.arrivedAt
  }

  /** Length of the oldest record; 0 when the queue is empty. */
  get oldestBytes(): number {
    const oldest = this.#chunks[0]
    return oldest === undefined ? 0 : oldest.chunk.ends[oldest.from]! - startOf(oldest.chunk, oldest.from)
  }

  push(chunk: RecordChunk): void {
    this.#chunks.push({ chunk, from: 0 })
    this.#count += chunk.offsets.length
    this.#bytes += chunk.bytes.length + 1
  }

  /** Takes the oldest records within both limits; undefined when not even the first one fits. */
  take(maximumCount: number, maximumBytes: number): RecordRun | undefined {
    const runs: Run[] = []
    let count = 0
    let bytes = -1
    while (this.#chunks.length > 0) {
      const first = this.#chunks[0]!
      const { chunk, from } = first
      const start = startOf(chunk, from)
      let to = from
      while (to < chunk.offsets.length && count < maximumCount && bytes + 1 + chunk.ends[to]! - start <= maximumBytes) {
        to++
        count++
      }
      if (to === from) break
      bytes += 1 + chunk.ends[to - 1]! - start
      runs.push({ chunk, from, to })
      first.from = to
      if (to < chunk.offsets.length) break
      this.#chunks.shift()
    }
    if (runs.length === 0) return undefined
    this.#count -= count
    this.#bytes -= bytes + 1
    return describe(runs)
  }
}

function startOf(chunk: RecordChunk, index: number): number {
  return index === 0 ? 0 : chunk.ends[index - 1]! + 1
}

function describe(runs: Run[]): RecordRun {
  const lengths = runs.map(({ chunk, from, to }) => chunk.ends[to - 1]! - startOf(chunk, from))
  const [first, last] = [runs[0]!, runs.at(-1)!]
  return {
    runs,
    count: runs.reduce((sum, { from, to }) => sum + to - from, 0),
    bytes: lengths.reduce((sum, length) => sum + length, runs.length - 1),
    firstOffset: first.chunk.offsets[first.from]!,
    lastOffset: last.chunk.offsets[last.to - 1]!,
    firstTimestamp: first.chunk.timestamps[first.from]!,
    lastTimestamp: last.chunk.timestamps[last.to - 1]!,
  }
}
