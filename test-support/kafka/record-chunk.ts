import { ChunkWriter, type RecordChunk } from '#localstack/event-source-mapping/polling/record-queue.ts'

/** The chunk of a fetch, from at least one record. Each record is the JSON with which it is delivered. */
export function makeChunk(
  records: readonly string[],
  offsets: readonly number[],
  timestamps: readonly number[],
  arrivedAt: number,
): RecordChunk {
  const writer = new ChunkWriter(0)
  for (const [i, record] of records.entries()) writer.add(record, offsets[i]!, timestamps[i]!)
  return writer.finish(arrivedAt)!
}
