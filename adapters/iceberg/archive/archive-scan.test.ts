import { parquetWriteBuffer } from 'hyparquet-writer'
import { expect, test } from 'vitest'
import { type ArchivedRecord, archiveRow } from '#core/archive-row.ts'
import { makeMemoryStore } from '#test-support/archive/memory-store.ts'
import { writeAvro } from '../avro/writer.ts'
import { type ManifestFile, writeManifestList } from '../table/manifest-list.ts'
import { manifestEntrySchema } from '../table/manifest-schema.ts'
import { readTableMetadata } from '../table/table-metadata.ts'
import { writeArchiveManifest } from './archive-manifest.ts'
import { readScannedFile, scanArchive } from './archive-scan.ts'
import { archivePartitionSpec, archiveSchema } from './archive-table.ts'
import { writeDataFile } from './parquet-data-file.ts'

const DAY = 20_784
const metadata = readTableMetadata({
  'format-version': 2,
  'table-uuid': 'a',
  location: 's3://archive/changes',
  'last-sequence-number': 2,
  'last-updated-ms': 0,
  schemas: [archiveSchema as never],
  'current-schema-id': 0,
  'partition-specs': [archivePartitionSpec as never],
  'default-spec-id': 0,
  'current-snapshot-id': 1,
  snapshots: [{ 'snapshot-id': 1, 'sequence-number': 2, 'timestamp-ms': 0, 'manifest-list': 's3://archive/list.avro' }],
})

const envelope = (id: number) =>
  `{"before":null,"after":{"id":${id}},"source":{"name":"tidemark_e1","schema":"public","table":"pets","lsn":${id},"ts_us":5000001},"op":"c"}`
const record = (offset: number, changes: Partial<ArchivedRecord> = {}): ArchivedRecord => ({
  ...{ topic: 'changes', topicPartition: 0, offset, timestampMs: DAY * 86_400_000 + offset },
  ...{ key: `{"id":${offset}}`, value: envelope(offset), headers: null, encoding: null, ...changes },
})

/** A table with one data file, and if rows are deleted, a later commit with a file of deleted positions. */
async function tableOf(records: readonly object[], { deleted = [] as number[], content = 1 } = {}) {
  const store = makeMemoryStore()
  const path = 's3://archive/changes/data/a.parquet'
  const file = writeDataFile(records.map((one) => ({ ...archiveRow(one as ArchivedRecord, 0), ...pick(one) })))
  await store.put(path, file.bytes)
  await store.put(
    's3://archive/m.avro',
    writeArchiveManifest(
      metadata,
      [{ path, day: DAY, records: file.records, bytes: file.bytes.length, metrics: file.metrics, sorted: true }],
      1n,
    ),
  )
  const manifests = [line('s3://archive/m.avro', 0, 1)]
  if (deleted.length > 0) {
    const places = new Uint8Array(
      parquetWriteBuffer({
        columnData: [
          { name: 'file_path', data: deleted.map(() => path), type: 'STRING' },
          { name: 'pos', data: deleted.map(BigInt), type: 'INT64' },
        ],
      }),
    )
    await store.put('s3://archive/d.parquet', places)
    await store.put(
      's3://archive/d.avro',
      deleteManifest('s3://archive/d.parquet', places.length, deleted.length, content),
    )
    manifests.push(line('s3://archive/d.avro', 1, 2))
  }
  const list = { snapshotId: 1n, parentSnapshotId: undefined, sequenceNumber: 2, manifests }
  await store.put('s3://archive/list.avro', writeManifestList(list))
  return store
}

/** An erasure writes rows that the archive itself never writes. */
const pick = (one: object) => ('erased' in one ? { encoding: 'erased' as never } : {})

const line = (manifest_path: string, content: number, sequence: number): ManifestFile => ({
  ...{ manifest_path, manifest_length: 1, partition_spec_id: 0, content },
  ...{ sequence_number: sequence, min_sequence_number: sequence, added_snapshot_id: 1n },
  ...{ added_files_count: 1, existing_files_count: 0, deleted_files_count: 0 },
  ...{ added_rows_count: 1, existing_rows_count: 0, deleted_rows_count: 0 },
})

function deleteManifest(file_path: string, bytes: number, records: number, content: number): Uint8Array {
  const none = { column_sizes: null, value_counts: null, null_value_counts: null, nan_value_counts: null }
  const data_file = {
    ...{ content, file_path, file_format: 'PARQUET', partition: { kafka_ts_day: DAY } },
    ...{ record_count: records, file_size_in_bytes: bytes, ...none, lower_bounds: null, upper_bounds: null },
    ...{ key_metadata: null, split_offsets: null, sort_order_id: null },
  }
  const entry = { status: 1, snapshot_id: null, sequence_number: null, file_sequence_number: null, data_file }
  return writeAvro(manifestEntrySchema(archiveSchema, archivePartitionSpec), [entry], {
    schema: JSON.stringify(archiveSchema),
    'partition-spec': JSON.stringify(archivePartitionSpec.fields),
    'partition-spec-id': '0',
    'format-version': '2',
    content: 'deletes',
  })
}

async function readAll(store: Awaited<ReturnType<typeof tableOf>>) {
  const { files, records } = await scanArchive(store, metadata)
  const found = []
  for (const file of files) for await (const portion of readScannedFile(store, file)) found.push(...portion)
  return { files, records, found: found.sort((a, b) => a.offset - b.offset) }
}

test('records come back as they were archived', async () => {
  const headers = '[["__debezium.newkey","{\\"id\\":2}"]]'
  const store = await tableOf([record(1, { headers }), record(2, { value: null }), record(3, { value: 'no JSON' })])

  const { found, files } = await readAll(store)

  const place = { topic: 'changes', topicPartition: 0, encoding: null }
  expect(found).toMatchObject([
    { ...place, offset: 1, key: '{"id":1}', value: envelope(1), headers, tableName: 'public.pets', op: 'c', lsn: 1 },
    { ...place, offset: 2, value: null, tableName: null, sourceTsUs: null },
    { ...place, offset: 3, value: 'no JSON' },
  ])
  expect(found[0]).toMatchObject({ sourceTsUs: 5_000_001, timestampMs: DAY * 86_400_000 + 1 })
  expect(files).toMatchObject([{ records: 3, sequenceNumber: 1, earliestUs: (DAY * 86_400_000 + 1) * 1000 }])
})

test('rows that another engine deleted by their place are left out', async () => {
  const store = await tableOf([record(1), record(2), record(3)], { deleted: [0, 2] })

  const { records, found } = await readAll(store)

  expect(records).toBe(1)
  expect(found.map(({ offset }) => offset)).toEqual([2])
})

test('a record that was erased keeps its place and says nothing', async () => {
  const store = await tableOf([record(1), { ...record(2), erased: true }])

  const { records, found } = await readAll(store)

  expect(records).toBe(2)
  expect(found[1]).toMatchObject({ offset: 2, encoding: 'erased', key: null, value: null, headers: null })
})

test('rows that are deleted by their values are refused with what helps', async () => {
  const store = await tableOf([record(1)], { deleted: [0], content: 2 })

  await expect(scanArchive(store, metadata)).rejects.toThrow(
    /d\.parquet, which is no Parquet file of positions.*rewrite_data_files/,
  )
})

test('a data file that is gone or of another size is an error', async () => {
  const store = await tableOf([record(1)])
  const [file] = (await scanArchive(store, metadata)).files
  const read = async (bytes: Uint8Array | undefined) => {
    for await (const _ of readScannedFile({ get: async () => bytes }, file!));
  }

  await expect(read(undefined)).rejects.toThrow('a.parquet of the archive table is gone')
  await expect(read(new Uint8Array(3))).rejects.toThrow('a.parquet has 3 bytes')
})
