import { zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { expect, test } from 'vitest'
import { type ArchiveRow, archiveRow, compareArchiveRows, recordValue } from '#core/archive-row.ts'
import { archiveColumns } from './archive-table.ts'
import { boundBytes } from './data-file-metrics.ts'
import { joinDataFiles, type ParquetDataFile, writeDataFile } from './parquet-data-file.ts'

const envelope = (id: number, text: string) =>
  JSON.stringify({
    before: null,
    after: { id, text },
    source: { name: 'tidemark_e1', ts_us: 1_795_201_857_578_545 + id, schema: 'public', table: 't', txId: 7, lsn: id },
    op: 'c',
    ts_ms: 1,
  })

const row = (offset: number, value: string | null, key: string | null = `{"id":${offset}}`): ArchiveRow =>
  archiveRow(
    {
      ...{ topic: 'changes', topicPartition: 1, offset, timestampMs: 1_795_201_857_603, key, value },
      ...{ headers: null, encoding: null },
    },
    1_795_201_860_000,
  )

async function readRows({ bytes }: ParquetDataFile) {
  const file = bytes.slice().buffer
  const compressors = { ZSTD: (input: Uint8Array) => zstdDecompressSync(input) }
  return (await parquetReadObjects({ file, compressors })) as Record<string, unknown>[]
}

const asWritten = (rows: readonly ArchiveRow[]) =>
  rows.map((each) =>
    Object.fromEntries(
      archiveColumns.map(({ name, type, read }) => {
        const value = read(each)
        if (value === null || typeof value === 'string' || type === 'int') return [name, value ?? undefined]
        return [name, type === 'timestamptz' ? new Date(Number(value) / 1000) : BigInt(value)]
      }),
    ),
  )

const withoutAbsent = (rows: Record<string, unknown>[]) =>
  rows.map((each) => Object.fromEntries(Object.entries(each).map(([name, value]) => [name, value ?? undefined])))

test('a file holds every row as it was, in the order of the archive', async () => {
  const rows = [row(3, envelope(3, 'ü😀')), row(1, null), row(2, '{"id":1}', null), row(4, envelope(1, ''))]

  const file = writeDataFile(rows)

  expect(withoutAbsent(await readRows(file))).toEqual(asWritten(rows.toSorted(compareArchiveRows)))
  expect(file.records).toBe(4)
})

test('joined files hold the rows of each, in row groups of their own', async () => {
  const parts = [[row(1, envelope(1, 'a')), row(2, envelope(2, 'b'))], [row(3, '{"id":1}')], [row(4, envelope(4, 'c'))]]

  const joined = joinDataFiles(parts.map(writeDataFile))
  const again = joinDataFiles([joined, writeDataFile([row(5, null)])])

  expect(withoutAbsent(await readRows(again))).toEqual(asWritten([...parts.flat(), row(5, null)]))
  expect(again.records).toBe(5)
  expect(parquetMetadata(again.bytes.slice().buffer).row_groups).toHaveLength(4)
})

test('joining keeps the statistics of a row group byte for byte', () => {
  const alone = writeDataFile([row(1, envelope(1, 'a'), 'k'.repeat(100)), row(2, envelope(2, 'b'), '😀'.repeat(40))])
  const raw = { timestampFromMicroseconds: (value: bigint) => value, stringFromBytes: (value: Uint8Array) => value }
  const statisticsOf = ({ bytes }: ParquetDataFile) =>
    parquetMetadata(bytes.slice().buffer, { parsers: raw as never })
      .row_groups.at(-1)!
      .columns.map(({ meta_data }) => meta_data!.statistics)

  const joined = joinDataFiles([writeDataFile([row(9, null)]), alone])

  expect(statisticsOf(joined)).toEqual(statisticsOf(alone))
})

test('the metrics of joined files are those of one file with all the rows, but for sizes and cut bounds', () => {
  const parts = [[row(1, envelope(1, 'a')), row(2, null)], [row(3, '{"id":1}', null)]]

  const joined = joinDataFiles(parts.map(writeDataFile)).metrics

  const { columnSizes, ...whole } = writeDataFile(parts.flat()).metrics
  expect(joined).toMatchObject(whole)
  expect(Object.keys(joined.columnSizes)).toEqual(Object.keys(columnSizes))
})

test('bounds enclose every value, of any text, also where they are cut', () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 })

  fc.assert(
    fc.property(fc.array(fc.option(text), { minLength: 1 }), (keys) => {
      const { metrics } = writeDataFile(keys.map((key, offset) => row(offset, null, key)))
      const [lower, upper] = [metrics.lowerBounds[3], metrics.upperBounds[3]]
      for (const key of keys.filter((each) => each !== null)) {
        expect(Buffer.compare(boundBytes(lower!), Buffer.from(key))).toBeLessThanOrEqual(0)
        if (upper !== undefined) {
          expect(Buffer.compare(boundBytes(upper), Buffer.from(key))).toBeGreaterThanOrEqual(0)
        }
      }
    }),
  )
})

test('a value put together from a file is that of the record', async () => {
  const values = [envelope(1, 'a'), '{"id":1}', null]

  const [a, b, c] = await readRows(writeDataFile(values.map((value, offset) => row(offset, value, 'k'))))

  const read = [a, b, c].map((each) =>
    recordValue({
      before: (each!['before'] as string | undefined) ?? null,
      after: (each!['after'] as string | undefined) ?? null,
      source: (each!['source'] as string | undefined) ?? null,
      envelopeTail: (each!['envelope_tail'] as string | undefined) ?? null,
      value: (each!['value'] as string | undefined) ?? null,
    }),
  )
  expect(read.toSorted()).toEqual(values.toSorted())
})

test('the footer names its writer as parquet-java wants it, which otherwise leaves the bounds of texts unused', () => {
  const { created_by } = parquetMetadata(writeDataFile([row(1, null)]).bytes.slice().buffer)

  // This is the pattern of VersionParser in parquet-java 1.15.
  expect(created_by).toMatch(/^(.*?)\s+version\s*(?:([^(]*?)\s*(?:\(\s*build\s*([^)]*?)\s*\))?)?$/)
})
