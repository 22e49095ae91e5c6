import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readAvro } from '../avro/reader.ts'
import type { AvroSchema } from '../avro/schema.ts'
import {
  ADDED,
  addedEntry,
  type DataFile,
  EXISTING,
  inherit,
  type ManifestEntry,
  readManifest,
  writeManifest,
} from './manifest.ts'
import { type ManifestFile, readManifestList, writeManifestList } from './manifest-list.ts'
import { encodeSingleValue } from './single-value.ts'
import type { PartitionSpec, TableSchema } from './table-metadata.ts'

const schema: TableSchema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'table_name', required: false, type: 'string', doc: 'of a row' },
    { id: 2, name: 'lsn', required: false, type: 'long' },
    { id: 10, name: 'kafka_ts', required: true, type: 'timestamptz' },
  ],
}
const spec: PartitionSpec = {
  'spec-id': 0,
  fields: [{ name: 'kafka_ts_day', transform: 'day', 'source-id': 10, 'field-id': 1000 }],
}

const file: DataFile = {
  content: 0,
  file_path: 's3://bucket/data/a.parquet',
  file_format: 'PARQUET',
  partition: { kafka_ts_day: 20_000 },
  record_count: 7,
  file_size_in_bytes: 1_234,
  column_sizes: new Map([[1, 100]]),
  value_counts: new Map([[1, 7]]),
  null_value_counts: new Map([[1, 0]]),
  lower_bounds: new Map([[1, encodeSingleValue('string', 'a')]]),
  upper_bounds: new Map([[1, encodeSingleValue('string', 'b')]]),
  split_offsets: [4, 2 ** 33],
  sort_order_id: 1,
}

const day = (days: number): Uint8Array => encodeSingleValue('date', days)

const byJava = (name: string): Uint8Array => readFileSync(new URL(`fixtures/${name}.avro`, import.meta.url))

/** The schema without members that do not change how values are stored. */
function bare(schema: AvroSchema): unknown {
  return JSON.parse(JSON.stringify(schema), (key, value) => (key === 'doc' ? undefined : value))
}

test('a manifest has the Avro schema that Java writes, but for the fields of delete files', () => {
  const java = JSON.stringify(bare(readAvro(byJava('manifest')).schema))

  const ours = JSON.stringify(bare(readAvro(writeManifest({ schema, spec, entries: [] })).schema))

  const ofDeletes = [135, 143].map(
    (id) => new RegExp(`,\\{"name":"[a-z_]+","type":\\[[^\\]]*\\],"default":null,"field-id":${id}\\}`),
  )
  expect(sortedKeys(JSON.parse(ours))).toEqual(
    sortedKeys(JSON.parse(ofDeletes.reduce((text, field) => text.replace(field, ''), java))),
  )
  expect(java).toMatch(ofDeletes[0]!)
})

test('a manifest list has the Avro schema that Java writes', () => {
  const list = writeManifestList({ snapshotId: 1n, parentSnapshotId: undefined, sequenceNumber: 1, manifests: [] })

  expect(bare(readAvro(list).schema)).toEqual(bare(readAvro(byJava('manifest-list')).schema))
})

test("a manifest's key-values are those of the specification, the partition spec as its fields alone", () => {
  const { metadata } = readAvro(writeManifest({ schema, spec, entries: [] }))

  expect(metadata).toMatchObject({
    schema: JSON.stringify(schema),
    'schema-id': '0',
    'partition-spec': '[{"name":"kafka_ts_day","transform":"day","source-id":10,"field-id":1000}]',
    'partition-spec-id': '0',
    'format-version': '2',
    content: 'data',
  })
})

test('a manifest of Java is read, its snapshot ids exact', () => {
  const manifest = readManifest(byJava('manifest'))

  expect(manifest).toMatchObject({ content: 'data', formatVersion: 2, schema, spec })
  expect(manifest.entries).toMatchObject([
    {
      status: 1,
      snapshot_id: 6838723292707092922n,
      sequence_number: null,
      data_file: {
        file_path: 's3://bucket/data/added.parquet',
        partition: { kafka_ts_day: 20_000 },
        record_count: 7,
        split_offsets: [4, 400],
      },
    },
    { status: 0, snapshot_id: 42n, sequence_number: 5, file_sequence_number: 5 },
    { status: 2, sequence_number: 4, data_file: { partition: { kafka_ts_day: null } } },
  ])
  expect(manifest.entries[0]!.data_file.value_counts).toEqual(
    new Map([
      [1, 10],
      [2, 1],
    ]),
  )
  expect(manifest.entries[0]!.data_file.lower_bounds!.get(2)).toEqual(encodeSingleValue('long', -5))
})

test('files of format version 1 have the sequence number 0', () => {
  const { formatVersion, entries } = readManifest(byJava('manifest-v1'))

  expect(formatVersion).toBe(1)
  expect(entries).toMatchObject([{ status: 1, sequence_number: 0, file_sequence_number: 0, data_file: { content: 0 } }])
})

test('what Java wrote is read and written again without a change', () => {
  const { entries } = readManifest(byJava('manifest'))
  const carried = entries.filter(({ status }) => status === EXISTING)

  expect(readManifest(writeManifest({ schema, spec, entries: carried })).entries).toEqual(carried)
})

test('a manifest list of Java is read', () => {
  expect(readManifestList(byJava('manifest-list'))).toMatchObject([
    {
      manifest_path: 's3://bucket/metadata/manifest.avro',
      sequence_number: 9,
      min_sequence_number: 5,
      added_snapshot_id: 6838723292707092922n,
      added_files_count: 1,
      existing_files_count: 1,
      deleted_files_count: 1,
      added_rows_count: 7,
      existing_rows_count: 3,
      partitions: [{ contains_null: true, lower_bound: day(19_999), upper_bound: day(20_000) }],
    },
    { added_files_count: 1, added_rows_count: 1 },
  ])
})

test('added entries inherit id and sequence number from their line of the manifest list', () => {
  const [, line] = readManifestList(byJava('manifest-list'))

  const [entry] = inherit(readManifest(byJava('inheriting')).entries, line!)

  expect(entry).toMatchObject({
    status: ADDED,
    snapshot_id: 6838723292707092922n,
    sequence_number: 9,
    file_sequence_number: 9,
  })
})

test('an existing entry without a sequence number is refused: it would be taken for newer than it is', () => {
  const [line] = readManifestList(byJava('manifest-list'))
  const entry: ManifestEntry = { ...addedEntry(file), status: EXISTING }

  expect(() => inherit([entry], line!)).toThrow('has no sequence number')
})

test('an added data file comes back as it was', () => {
  const bytes = writeManifest({ schema, spec, entries: [addedEntry(file)] })

  const { entries } = readManifest(bytes)

  expect(entries).toEqual([
    {
      status: ADDED,
      snapshot_id: null,
      sequence_number: null,
      file_sequence_number: null,
      data_file: file,
    },
  ])
})

test('table partitions of every type come back as they were', () => {
  const types = { b: 'boolean', i: 'int', l: 'long', d: 'date', t: 'timestamptz', 's-1': 'string', '2y': 'binary' }
  const names = Object.keys(types)
  const fields = Object.entries(types).map(([name, type], index) => ({ id: index + 1, name, required: false, type }))
  const identity = names.map((name, index) => ({
    name,
    transform: 'identity',
    'source-id': index + 1,
    'field-id': 1000 + index,
  }))
  const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => {
    return Number.isSafeInteger(Number(value)) ? Number(value) : value
  })
  const values = fc.tuple(
    ...[fc.boolean(), fc.integer(), long, fc.integer(), long, fc.string(), fc.uint8Array()].map(
      (each: fc.Arbitrary<boolean | number | bigint | string | Uint8Array>) => fc.option(each),
    ),
  )

  fc.assert(
    fc.property(values, (each) => {
      const partition = Object.fromEntries(each.map((value, index) => [names[index]!, value]))
      const bytes = writeManifest({
        schema: { type: 'struct', fields },
        spec: { 'spec-id': 3, fields: identity },
        entries: [addedEntry({ ...file, partition })],
      })

      expect(readManifest(bytes).entries[0]!.data_file.partition).toEqual(partition)
    }),
  )
})

test.each<[string, Partial<ManifestEntry>, string]>([
  ['an added entry with a sequence number', { sequence_number: 3 }, 'inherit'],
  ['an existing entry without an id of a table snapshot', { status: EXISTING, sequence_number: 3 }, 'inherit'],
  ['an existing entry without ids', { status: EXISTING }, 'their own'],
  ['a file without a value of a partition field', { data_file: { ...file, partition: {} } }, 'kafka_ts_day'],
  ['a delete file', { data_file: { ...file, content: 1 } }, 'is not a data file'],
  ['a count that is no longer exact', { data_file: { ...file, record_count: 2 ** 53 } }, 'record_count'],
])('%s is refused', (_, change, message) => {
  const entry = { ...addedEntry(file), ...change }

  expect(() => writeManifest({ schema, spec, entries: [entry] })).toThrow(message)
})

test('a manifest list comes back as it was, with its key-values', () => {
  const line: ManifestFile = {
    manifest_path: 's3://bucket/metadata/a.avro',
    manifest_length: 7_000,
    partition_spec_id: 0,
    content: 0,
    sequence_number: 3,
    min_sequence_number: 2,
    added_snapshot_id: 2n ** 63n - 1n,
    added_files_count: 1,
    existing_files_count: 2,
    deleted_files_count: 3,
    added_rows_count: 4,
    existing_rows_count: 5,
    deleted_rows_count: 2 ** 40,
    partitions: [{ contains_null: true, contains_nan: false }],
  }
  const lines = Array.from({ length: 300 }, (_, index) => ({ ...line, manifest_length: index }))

  const bytes = writeManifestList({ snapshotId: 2n ** 62n, parentSnapshotId: 5n, sequenceNumber: 3, manifests: lines })

  expect(readManifestList(bytes)).toEqual(lines)
  expect(readAvro(bytes).metadata).toMatchObject({
    'snapshot-id': '4611686018427387904',
    'parent-snapshot-id': '5',
    'sequence-number': '3',
    'format-version': '2',
    'avro.codec': 'deflate',
  })
})

function sortedKeys(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, part) =>
      typeof part === 'object' && part !== null && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).sort())
        : part,
    ),
  )
}
