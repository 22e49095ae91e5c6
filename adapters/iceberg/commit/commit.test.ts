import { expect, test } from 'vitest'
import { addedEntry, type DataFile, readManifest, writeManifest } from '../table/manifest.ts'
import { readManifestList, writeManifestList } from '../table/manifest-list.ts'
import { encodeSingleValue } from '../table/single-value.ts'
import { type TableMetadata, TableMetadataError } from '../table/table-metadata.ts'
import { prepareAppend } from './append.ts'
import { type CommitInput, holdsManifest, newSnapshotId, type PreparedCommit } from './commit.ts'
import { prepareExpiry } from './expiry.ts'
import { prepareRewriteManifests } from './rewrite-manifests.ts'
import { describeManifest, mergeManifests, type StoredManifest } from './staged-manifest.ts'

const day = (days: number) => encodeSingleValue('date', days)

const emptyTable: TableMetadata = {
  'format-version': 2,
  'table-uuid': '9c12d441-03fe-4693-9a96-a0705ddf69c1',
  location: 's3://bucket/table',
  'last-sequence-number': 0,
  'last-updated-ms': 1_000,
  schemas: [
    {
      type: 'struct',
      'schema-id': 0,
      fields: [{ id: 10, name: 'kafka_ts', required: true, type: 'timestamptz' }],
    },
  ],
  'current-schema-id': 0,
  'partition-specs': [
    { 'spec-id': 0, fields: [{ name: 'kafka_ts_day', transform: 'day', 'source-id': 10, 'field-id': 1000 }] },
  ],
  'default-spec-id': 0,
  'sort-orders': [],
  'default-sort-order-id': 0,
  properties: {},
  'current-snapshot-id': undefined,
  snapshots: [],
  refs: {},
}

/** Changes the metadata as a catalog does for a commit. */
function apply(metadata: TableMetadata, commit: PreparedCommit): TableMetadata {
  const { snapshot } = commit
  return {
    ...metadata,
    'last-sequence-number': snapshot['sequence-number'],
    'last-updated-ms': snapshot['timestamp-ms'],
    'current-snapshot-id': snapshot['snapshot-id'],
    snapshots: [...metadata.snapshots, snapshot],
    refs: { ...metadata.refs, main: { 'snapshot-id': snapshot['snapshot-id'], type: 'branch' } },
  }
}

const dataFile = (name: string, records: number, kafkaTsDay: number): DataFile => ({
  content: 0,
  file_path: `s3://bucket/table/data/${name}.parquet`,
  file_format: 'PARQUET',
  partition: { kafka_ts_day: kafkaTsDay },
  record_count: records,
  file_size_in_bytes: records * 100,
})

function manifestOf(path: string, files: DataFile[]) {
  const [schema] = emptyTable.schemas
  const [spec] = emptyTable['partition-specs']
  const bytes = writeManifest({ schema: schema!, spec: spec!, entries: files.map((file) => addedEntry(file)) })
  return { bytes, staged: describeManifest(path, bytes) }
}

const input = (metadata: TableMetadata, snapshotId: bigint): CommitInput => ({
  metadata,
  snapshotId,
  manifestListPath: `s3://bucket/table/metadata/list-${snapshotId}.avro`,
  existingManifests: [],
  timestampMs: 2_000,
})

/** A table with two commits, one with one file and one with two, and its manifests. */
function tableOfTwoCommits() {
  const first = manifestOf('s3://bucket/m1.avro', [dataFile('a', 7, 20_000)])
  const second = manifestOf('s3://bucket/m2.avro', [dataFile('b', 2, 20_001), dataFile('c', 1, 20_003)])
  const one = prepareAppend({ ...input(emptyTable, 11n), manifests: [first.staged] })
  const afterOne = apply(emptyTable, one)
  const two = prepareAppend({
    ...input(afterOne, 12n),
    manifests: [second.staged],
    existingManifests: one.manifests,
    timestampMs: 3_000,
  })
  const bytes = new Map([
    ['s3://bucket/m1.avro', first.bytes],
    ['s3://bucket/m2.avro', second.bytes],
  ])
  const stored = two.manifests.map((file): StoredManifest => ({ file, bytes: bytes.get(file.manifest_path)! }))
  return { metadata: apply(afterOne, two), afterOne, one, two, stored, second }
}

test('a manifest is described from its bytes: counts, size, and what its table partitions span', () => {
  const { bytes, staged } = manifestOf('s3://bucket/m.avro', [dataFile('a', 7, 20_001), dataFile('b', 2, 20_000)])

  expect(staged).toEqual({
    file: {
      manifest_path: 's3://bucket/m.avro',
      manifest_length: bytes.length,
      partition_spec_id: 0,
      content: 0,
      added_files_count: 2,
      existing_files_count: 0,
      deleted_files_count: 0,
      added_rows_count: 9,
      existing_rows_count: 0,
      deleted_rows_count: 0,
      partitions: [{ contains_null: false, contains_nan: false, lower_bound: day(20_000), upper_bound: day(20_001) }],
    },
    minSequenceNumber: undefined,
    addedBytes: 900,
    changedTablePartitions: new Set(['["20001"]', '["20000"]']),
  })
})

test('the first append asserts that there is no branch main, and its totals begin at zero', () => {
  const { staged } = manifestOf('s3://bucket/m1.avro', [dataFile('a', 7, 20_000), dataFile('b', 2, 20_000)])

  const commit = prepareAppend({
    ...input(emptyTable, 11n),
    manifests: [staged],
    summary: { 'tidemark.commit': 'c1', operation: 'ours comes second' },
    properties: { 'tidemark.last': 'c1' },
  })

  expect(commit.requirements).toEqual([
    { type: 'assert-table-uuid', uuid: emptyTable['table-uuid'] },
    { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': null },
  ])
  expect(commit.snapshot).toEqual({
    'snapshot-id': 11n,
    'sequence-number': 1,
    'timestamp-ms': 2_000,
    'manifest-list': 's3://bucket/table/metadata/list-11.avro',
    'schema-id': 0,
    summary: {
      operation: 'append',
      'tidemark.commit': 'c1',
      'added-data-files': '2',
      'added-records': '9',
      'added-files-size': '900',
      'changed-partition-count': '1',
      'total-records': '9',
      'total-files-size': '900',
      'total-data-files': '2',
      'total-delete-files': '0',
      'total-position-deletes': '0',
      'total-equality-deletes': '0',
    },
  })
  expect(commit.updates).toEqual([
    { action: 'add-snapshot', snapshot: commit.snapshot },
    { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 11n },
    { action: 'set-properties', updates: { 'tidemark.last': 'c1' } },
  ])
})

test('a further append keeps every manifest before it and adds to the totals', () => {
  const { one, two } = tableOfTwoCommits()

  expect(two.requirements).toContainEqual({ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 11n })
  expect(two.snapshot).toMatchObject({ 'parent-snapshot-id': 11n, 'sequence-number': 2 })
  expect(two.snapshot.summary).toMatchObject({
    'added-records': '3',
    'changed-partition-count': '2',
    'total-records': '10',
    'total-files-size': '1000',
    'total-data-files': '3',
  })
  expect(two.manifests.slice(1)).toEqual(one.manifests)
  expect(two.manifests[0]).toMatchObject({ sequence_number: 2, min_sequence_number: 2, added_snapshot_id: 12n })
  expect(one.manifests[0]).toMatchObject({ sequence_number: 1, min_sequence_number: 1, added_snapshot_id: 11n })
})

test('after a conflict the same staged manifest is committed on top of what came in between', () => {
  const { metadata, afterOne, one, two } = tableOfTwoCommits()
  const { staged } = manifestOf('s3://bucket/m3.avro', [dataFile('d', 5, 20_005)])

  const lost = prepareAppend({ ...input(afterOne, 13n), manifests: [staged], existingManifests: one.manifests })
  const won = prepareAppend({ ...input(metadata, 13n), manifests: [staged], existingManifests: two.manifests })

  expect(lost.snapshot).toMatchObject({ 'parent-snapshot-id': 11n, 'sequence-number': 2 })
  expect(won.snapshot).toMatchObject({ 'parent-snapshot-id': 12n, 'sequence-number': 3 })
  expect(won.manifests).toHaveLength(3)
  expect(won.manifests[0]).toMatchObject({ sequence_number: 3, added_snapshot_id: 13n })
})

test('a total that the parent does not have is not made up', () => {
  const { metadata, two } = tableOfTwoCommits()
  const parent = { ...two.snapshot, summary: { operation: 'append', 'total-records': '10' } }
  const { staged } = manifestOf('s3://bucket/m3.avro', [dataFile('d', 5, 20_005)])

  const { snapshot } = prepareAppend({
    ...input({ ...metadata, snapshots: [parent] }, 13n),
    manifests: [staged],
    existingManifests: two.manifests,
  })

  expect(snapshot.summary).toMatchObject({ 'total-records': '15' })
  expect(snapshot.summary).not.toHaveProperty('total-data-files')
})

test('a clock that is behind does not give a time before the last change', () => {
  const { metadata, two } = tableOfTwoCommits()
  const { staged } = manifestOf('s3://bucket/m3.avro', [])

  const commit = prepareAppend({
    ...input(metadata, 13n),
    manifests: [staged],
    existingManifests: two.manifests,
    timestampMs: 5,
  })

  expect(commit.snapshot['timestamp-ms']).toBe(3_000)
})

test('a manifest that is in the table already is found, and refused', () => {
  const { metadata, two, second } = tableOfTwoCommits()

  expect(holdsManifest(two.manifests, 's3://bucket/m2.avro')).toBe(true)
  expect(holdsManifest(two.manifests, 's3://bucket/m3.avro')).toBe(false)
  expect(() =>
    prepareAppend({ ...input(metadata, 13n), manifests: [second.staged], existingManifests: two.manifests }),
  ).toThrow('would double its rows')
})

test.each<[string, Partial<CommitInput>, string]>([
  ['no manifests of the table', { existingManifests: [] }, 'manifests of table snapshot 12 are missing'],
  ['manifests of a table without any', { metadata: emptyTable }, 'without any'],
  ['manifests of a later table snapshot', { metadata: tableOfTwoCommits().afterOne }, 'newer than table snapshot 11'],
  ['an id that is taken', { snapshotId: 11n }, 'table snapshot 11 is in the table already'],
  ['another format version', { metadata: { ...emptyTable, 'format-version': 3 } }, 'format version 3'],
])('an append with %s is refused', (_, change, message) => {
  const { metadata, two } = tableOfTwoCommits()
  const { staged } = manifestOf('s3://bucket/m3.avro', [dataFile('d', 5, 20_005)])
  const base = { ...input(metadata, 13n), existingManifests: two.manifests }

  const prepare = () => prepareAppend({ ...base, ...change, manifests: [staged] })

  expect(prepare).toThrow(TableMetadataError)
  expect(prepare).toThrow(message)
})

test('merged manifests hold the same files with the ids and sequence numbers that they had', () => {
  const { metadata, stored } = tableOfTwoCommits()

  const merged = readManifest(mergeManifests(metadata, stored))

  expect(merged.entries).toMatchObject([
    { status: 0, snapshot_id: 12n, sequence_number: 2, file_sequence_number: 2, data_file: dataFile('b', 2, 20_001) },
    { status: 0, snapshot_id: 12n, sequence_number: 2, file_sequence_number: 2, data_file: dataFile('c', 1, 20_003) },
    { status: 0, snapshot_id: 11n, sequence_number: 1, file_sequence_number: 1, data_file: dataFile('a', 7, 20_000) },
  ])
})

test('a merge of merged manifests keeps the ids as well', () => {
  const { metadata, stored, two } = tableOfTwoCommits()
  const bytes = mergeManifests(metadata, stored)
  const merged = describeManifest('s3://bucket/merged.avro', bytes)
  const replaced = new Set(stored.map(({ file }) => file.manifest_path))
  const commit = prepareRewriteManifests({
    ...input(metadata, 13n),
    existingManifests: two.manifests,
    merged,
    replaced,
  })!

  const again = mergeManifests(apply(metadata, commit), [{ file: commit.manifests[0]!, bytes }])

  expect(readManifest(again).entries).toEqual(readManifest(bytes).entries)
})

test('replacing manifests changes no total and keeps the others', () => {
  const { metadata, stored, two } = tableOfTwoCommits()
  const merged = describeManifest('s3://bucket/merged.avro', mergeManifests(metadata, stored.slice(1)))

  const commit = prepareRewriteManifests({
    ...input(metadata, 13n),
    existingManifests: two.manifests,
    merged,
    replaced: new Set([stored[1]!.file.manifest_path]),
  })!

  expect(commit.manifests.map((each) => each.manifest_path)).toEqual(['s3://bucket/merged.avro', 's3://bucket/m2.avro'])
  expect(commit.manifests[0]).toMatchObject({
    sequence_number: 3,
    min_sequence_number: 1,
    added_snapshot_id: 13n,
    added_files_count: 0,
    existing_files_count: 1,
    existing_rows_count: 7,
  })
  expect(commit.snapshot.summary).toEqual({
    operation: 'replace',
    'manifests-created': '1',
    'manifests-kept': '1',
    'manifests-replaced': '1',
    'entries-processed': '1',
    'changed-partition-count': '0',
    'total-records': '10',
    'total-files-size': '1000',
    'total-data-files': '3',
    'total-delete-files': '0',
    'total-position-deletes': '0',
    'total-equality-deletes': '0',
  })
})

test('a rewrite of manifests that are no longer in the table has to be prepared again', () => {
  const { metadata, stored, two } = tableOfTwoCommits()
  const merged = describeManifest('s3://bucket/merged.avro', mergeManifests(metadata, stored))

  const commit = prepareRewriteManifests({
    ...input(metadata, 13n),
    existingManifests: two.manifests.slice(0, 1),
    merged,
    replaced: new Set(stored.map(({ file }) => file.manifest_path)),
  })

  expect(commit).toBeUndefined()
})

test('a rewrite that would lose or double files is refused', () => {
  const { metadata, stored, two } = tableOfTwoCommits()
  const tooFew = describeManifest('s3://bucket/merged.avro', mergeManifests(metadata, stored.slice(1)))
  const all = new Set(stored.map(({ file }) => file.manifest_path))
  const base = { ...input(metadata, 13n), existingManifests: two.manifests, merged: tooFew }
  const cut = { ...stored[0]!, bytes: stored[1]!.bytes }

  expect(() => prepareRewriteManifests({ ...base, replaced: all })).toThrow('holds 1 files and 7 rows')
  expect(() => prepareRewriteManifests({ ...base, replaced: new Set(['s3://bucket/m2.avro']) })).toThrow(RangeError)
  expect(() => mergeManifests(metadata, [cut])).toThrow('its line says 2 and 3')
})

test('the manifest list of a commit is written and read as it was prepared', () => {
  const { two } = tableOfTwoCommits()

  const bytes = writeManifestList({
    snapshotId: two.snapshot['snapshot-id'],
    parentSnapshotId: two.snapshot['parent-snapshot-id'],
    sequenceNumber: two.snapshot['sequence-number'],
    manifests: two.manifests,
  })

  expect(readManifestList(bytes)).toEqual(two.manifests)
})

/** A table with ten commits, at 1000, 2000, … 10000 ms. */
function tableOfTenCommits(): TableMetadata {
  const snapshots = Array.from({ length: 10 }, (_, index) => ({
    ...tableOfTwoCommits().one.snapshot,
    'snapshot-id': BigInt(index + 1),
    'timestamp-ms': (index + 1) * 1_000,
    ...(index === 0 ? {} : { 'parent-snapshot-id': BigInt(index) }),
  }))
  const refs = { main: { 'snapshot-id': 10n, type: 'branch' }, audit: { 'snapshot-id': 3n, type: 'tag' } }
  return { ...emptyTable, snapshots, refs, 'current-snapshot-id': 10n }
}

test('table snapshots expire by age, but for those that are named or among the last', () => {
  const expiry = prepareExpiry({ metadata: tableOfTenCommits(), olderThanMs: 7_000, keepLast: 2 })!

  expect(expiry.updates).toEqual([{ action: 'remove-snapshots', 'snapshot-ids': [1n, 2n, 4n, 5n, 6n] }])
  expect(expiry.expired.map((each) => each['snapshot-id'])).toEqual([1n, 2n, 4n, 5n, 6n])
  expect(expiry.requirements).toEqual([
    { type: 'assert-table-uuid', uuid: emptyTable['table-uuid'] },
    { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 10n },
    { type: 'assert-ref-snapshot-id', ref: 'audit', 'snapshot-id': 3n },
  ])
})

test('the last table snapshots stay however old they are, the current one always', () => {
  const metadata = tableOfTenCommits()

  const lastFive = prepareExpiry({ metadata, olderThanMs: 1e9, keepLast: 5 })!
  const none = prepareExpiry({ metadata, olderThanMs: 1e9, keepLast: 0 })!

  expect(lastFive.expired.map((each) => each['snapshot-id'])).toEqual([1n, 2n, 4n, 5n])
  expect(none.expired).toHaveLength(8)
  expect(none.expired.map((each) => each['snapshot-id'])).not.toContain(10n)
})

test('where nothing is old enough there is nothing to commit', () => {
  expect(prepareExpiry({ metadata: tableOfTenCommits(), olderThanMs: 1_000, keepLast: 1 })).toBeUndefined()
  expect(prepareExpiry({ metadata: emptyTable, olderThanMs: 1e9, keepLast: 1 })).toBeUndefined()
})

test('new ids are positive, of 63 bits, and not the same', () => {
  const ids = Array.from({ length: 1_000 }, newSnapshotId)

  expect(ids.every((id) => id > 0n && id < 2n ** 63n)).toBe(true)
  expect(new Set(ids).size).toBe(1_000)
  expect(ids.some((id) => id > 2n ** 62n)).toBe(true)
})
