import { randomUUID } from 'node:crypto'
import { dayOf } from '#adapters/iceberg/archive/archive-table.ts'
import type { DataFileMetrics } from '#adapters/iceberg/archive/data-file-metrics.ts'
import { dataFileUrl } from '#adapters/iceberg/archive/file-locations.ts'
import { writeDataFile } from '#adapters/iceberg/archive/parquet-data-file.ts'
import type { LedgerFile } from '#adapters/postgres/archive/ledger-file.ts'
import { archiveRow } from '#core/archive-row.ts'
import type { DeliveredRecord } from './archived-record.ts'

/** A data file with what the ledger stores of it. */
export type DataFile = LedgerFile<DataFileMetrics> & { readonly content: Uint8Array }

/** `parsed`: rows have the facts that their records state. `raw`: rows have only the bytes of their records. */
export type RowForm = 'parsed' | 'raw'

/** The data files for records of a topic partition: one for each day of their timestamps. */
export function makeDataFiles(
  location: string,
  records: readonly DeliveredRecord[],
  ingestedAtMs: number,
  form: RowForm = 'parsed',
): DataFile[] {
  const byDay = Map.groupBy(records, ({ timestampMs }) => dayOf(timestampMs))
  return Array.from(byDay, ([day, ofDay]) => {
    const file = writeDataFile(
      ofDay.map((record) => archiveRow(form === 'raw' ? asBytes(record) : record, ingestedAtMs)),
    )
    const { topic, topicPartition, offset } = ofDay[0]!
    const name = `${topic}-${topicPartition}-${offset}-${ofDay.at(-1)!.offset}-${randomUUID()}`
    return {
      path: dataFileUrl(location, day, name),
      day,
      records: file.records,
      bytes: file.bytes.length,
      metrics: file.metrics,
      content: file.bytes,
    }
  })
}

/** The record with its key and value in base64, so that nothing of them is parsed. */
function asBytes(record: DeliveredRecord): DeliveredRecord {
  const base64 = (text: string | null) => text && Buffer.from(text).toString('base64')
  return record.encoding === 'base64'
    ? record
    : { ...record, key: base64(record.key), value: base64(record.value), encoding: 'base64' }
}
