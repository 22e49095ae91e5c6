import { expect, test } from 'vitest'
import {
  currentSchema,
  currentSnapshot,
  parseTableMetadata,
  partitionSpecOf,
  readTableMetadata,
  TableMetadataError,
} from './table-metadata.ts'

/** A metadata file as Java writes it. The members are inserted as text, because JSON.stringify would round them. */
const metadataFile = (members = '"current-snapshot-id": -1, "refs": {}, "snapshots": []') => `{
  "format-version": 2, "table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1", "location": "s3://bucket/table",
  "last-sequence-number": 34, "last-updated-ms": 1602638573590, "last-column-id": 1, "current-schema-id": 0,
  "schemas": [{"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "x", "required": true, "type": "long"}]}],
  "default-spec-id": 0, "partition-specs": [{"spec-id": 0, "fields": []}], "last-partition-id": 1000,
  "default-sort-order-id": 0, "sort-orders": [{"order-id": 0, "fields": []}],
  "properties": {"owner": "x"}, "snapshot-log": [], "metadata-log": [], ${members}
}`

const snapshot = (id: string, rest = '') => `{
  "snapshot-id": ${id}, "timestamp-ms": 1515100955770, "sequence-number": 1, "manifest-list": "s3://bucket/list.avro",
  "summary": {"operation": "append"} ${rest}
}`

test('ids of table snapshots are exact, and bigint whatever their size', () => {
  const metadata = parseTableMetadata(
    metadataFile(`
      "current-snapshot-id": 6838723292707092922,
      "refs": {"main": {"snapshot-id": 6838723292707092922, "type": "branch"}},
      "snapshots": [${snapshot('41')}, ${snapshot('6838723292707092922', ', "parent-snapshot-id": 41')}]`),
  )

  expect(metadata.snapshots.map((each) => each['snapshot-id'])).toEqual([41n, 6838723292707092922n])
  expect(metadata.refs['main']!['snapshot-id']).toBe(6838723292707092922n)
  expect(currentSnapshot(metadata)).toMatchObject({ 'snapshot-id': 6838723292707092922n, 'parent-snapshot-id': 41n })
})

test.each([
  ['-1, as Java writes it', '"current-snapshot-id": -1, "snapshots": []'],
  ['null', '"current-snapshot-id": null, "snapshots": null'],
  ['nothing', '"properties": {}'],
])('a table without a table snapshot is one that says %s', (_, members) => {
  const metadata = parseTableMetadata(metadataFile(members))

  expect(metadata['current-snapshot-id']).toBeUndefined()
  expect(currentSnapshot(metadata)).toBeUndefined()
})

test('schema and partition spec are found by their ids', () => {
  const metadata = parseTableMetadata(metadataFile())

  expect(currentSchema(metadata).fields).toMatchObject([{ id: 1, name: 'x' }])
  expect(partitionSpecOf(metadata)).toMatchObject({ 'spec-id': 0, fields: [] })
  expect(() => partitionSpecOf(metadata, 7)).toThrow(TableMetadataError)
})

test.each([
  ['a current table snapshot that is not among the others', '"current-snapshot-id": 5, "snapshots": []', '5'],
  [
    'a branch main that is elsewhere',
    `"current-snapshot-id": 5, "refs": {"main": {"snapshot-id": 6, "type": "branch"}}, "snapshots": [${snapshot('5')}]`,
    'branch main is at table snapshot 6',
  ],
])('%s is refused: appending to it would lose rows', (_, members, message) => {
  const metadata = parseTableMetadata(metadataFile(members))

  expect(() => currentSnapshot(metadata)).toThrow(message)
})

test('JSON that is not table metadata is refused with the members that are wrong', () => {
  expect(() => readTableMetadata(null)).toThrow(TableMetadataError)
  expect(() => parseTableMetadata(metadataFile('"table-uuid": 5'))).toThrow('wrong: table-uuid')
})
