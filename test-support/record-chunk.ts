import { ChunkWriter, type RecordChunk } from '#localstack/event-source-mapping/polling/record-queue.ts'

/** Records as a fetch brings them: at least one, each as the JSON that it is delivered as. */
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
