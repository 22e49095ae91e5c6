import { isUtf8 } from 'node:buffer'
import { archiveTableName } from '#adapters/iceberg/archive/archive-catalog.ts'
import { readScannedFile, type ScannedRecord, scanArchive } from '#adapters/iceberg/archive/archive-scan.ts'
import { type SurveyedStream, surveyArchive } from '#adapters/iceberg/archive/archive-survey.ts'
import { archiveMarks } from '#adapters/iceberg/archive/archive-table.ts'
import type { DataFileMetrics } from '#adapters/iceberg/archive/data-file-metrics.ts'
import { commitsOf } from '#adapters/iceberg/archive/known-table.ts'
import type { TableMetadata } from '#adapters/iceberg/table/table-metadata.ts'
import type { WaitingRange } from '#adapters/postgres/archive/archived-ranges.ts'
import type { LedgerFile } from '#adapters/postgres/archive/ledger-file.ts'
import { type DeliveredRecord, digestOf } from '../../archive-changes/archived-record.ts'
import { makeDataFiles } from '../../archive-changes/data-files.ts'
import type { RecoveryTools } from './recovery-tools.ts'

/**
 * Enters what the table has into a ledger that knows less: the offsets, the number of records, and the offset after
 * which the archive goes on. Of waiting ranges, only the records after that offset are kept.
 */
export async function adoptTable(tools: RecoveryTools, metadata: TableMetadata): Promise<void> {
  const { store, ledger, place, onProgress, signal } = tools
  const scan = await scanArchive(store, metadata)
  const { streams } = await surveyArchive(store, scan, {
    ...{ signal, onFile: (read, files) => onProgress(`reading what the table holds: data file ${read} of ${files}`) },
  })
  const committed = await ledger.committed()
  const ends = JSON.parse(metadata.properties[archiveMarks.offsets] ?? '{}') as Record<string, Record<string, number>>
  const adopted = []
  for (const stream of streams) {
    const { topic, topicPartition, records, newestTimestampMs, spans } = stream
    const before = committed.find((each) => each.topic === topic && each.topicPartition === topicPartition)
    const last = spans.at(-1)!.to
    adopted.push({
      ...{ topic, topicPartition, records, newestTimestampMs },
      from: Math.min(spans[0]!.from, before?.from ?? Number.POSITIVE_INFINITY),
      to: Math.max(last, ends[topic]?.[topicPartition] ?? 0),
      lastDigest: await lastDigestOf(store, stream, last - 1),
    })
  }
  const trimmed: WaitingRange<DataFileMetrics>[] = []
  for (const range of await ledger.waitingRanges()) {
    const end = adopted.find((each) => each.topic === range.topic && each.topicPartition === range.topicPartition)?.to
    if (end === undefined || end <= range.from || end >= range.to) continue
    trimmed.push(await trim(tools, metadata.location, range, end))
  }
  const number = commitsOf(metadata)
  const snapshotId = BigInt(metadata.properties[archiveMarks.snapshot]!)
  await ledger.adopt({ number, snapshotId, streams: adopted, trimmed })
  const { namespace, name } = archiveTableName(place)
  await ledger.bindTable({
    name: `${namespace}.${name}`,
    uuid: metadata['table-uuid'],
    location: metadata.location,
  })
}

/** The digest of the record as it was delivered; null when the record was erased since. */
async function lastDigestOf(
  store: RecoveryTools['store'],
  { topic, topicPartition, lastFile }: SurveyedStream,
  offset: number,
): Promise<string | null> {
  for await (const records of readScannedFile(store, lastFile)) {
    const last = records.find((r) => r.topic === topic && r.topicPartition === topicPartition && r.offset === offset)
    if (last !== undefined) return last.encoding === 'erased' ? null : digestOf(asDelivered(last))
  }
  return null
}

/** A record that could only be archived as its bytes is in base64, even when its bytes are text. */
function asDelivered({ timestampMs, key, value, encoding }: ScannedRecord) {
  if (encoding !== 'base64') return { timestampMs, key, value }
  const bytes = [key, value].map((text) => (text === null ? null : Buffer.from(text, 'base64')))
  if (!bytes.every((each) => each === null || isUtf8(each))) return { timestampMs, key, value }
  const [plainKey = null, plainValue = null] = bytes.map((each) => each?.toString('utf8') ?? null)
  return { timestampMs, key: plainKey, value: plainValue }
}

/** The part of a waiting range that lies after the table's end, in data files of its own. */
async function trim(
  { store, now }: RecoveryTools,
  location: string,
  range: WaitingRange<DataFileMetrics>,
  end: number,
): Promise<WaitingRange<DataFileMetrics>> {
  const records: DeliveredRecord[] = []
  for (const { path, records: count, bytes } of range.files) {
    const file = {
      path,
      records: count,
      bytes,
      sequenceNumber: 0,
      earliestUs: 0,
      deleted: new Set<number>(),
      holds: '',
    }
    for await (const rows of readScannedFile(store, file)) {
      for (const row of rows) {
        if (row.offset < end || row.encoding === 'erased') continue
        records.push({ ...row, encoding: row.encoding, digest: () => digestOf(row) })
      }
    }
  }
  records.sort((a, b) => a.offset - b.offset)
  const files = makeDataFiles(location, records, now())
  for (const { path, content } of files) await store.put(path, content)
  const kept = files.map(({ content: _, ...file }): LedgerFile<DataFileMetrics> => file)
  return { ...range, from: end, records: records.length, files: kept }
}
