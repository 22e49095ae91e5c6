import type { MSKEvent, MSKRecord } from 'aws-lambda'
import { expect, test } from 'vitest'
import type { LedgerFile } from '#adapters/postgres/archive/ledger-file.ts'
import type { Progress } from '#core/delivery.ts'
import { readParquet } from '#test-support/archive/archived-rows.ts'
import { makeMemoryStore } from '#test-support/archive/memory-store.ts'
import { type ArchiveChangesOptions, makeArchiveChanges } from './archive-changes.ts'
import { makeDataFiles } from './data-files.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')

const record = (offset: number, changes: Partial<MSKRecord> = {}): MSKRecord => ({
  ...{ topic: 'changes', partition: 0, offset, timestamp: 1_795_201_857_603, timestampType: 'CREATE_TIME' },
  ...{ key: base64(`{"id":${offset}}`), value: base64(`{"op":"c","n":${offset}}`), headers: [] },
  ...changes,
})

const event = (...records: MSKRecord[]): MSKEvent => {
  const byPlace = Map.groupBy(records, ({ topic, partition }) => `${topic}-${partition}`)
  return { eventSource: 'aws:kafka', records: Object.fromEntries(byPlace) } as unknown as MSKEvent
}

type Noted = { from: number; to: number; files: readonly LedgerFile<unknown>[] }

type Progresses = ArchiveChangesOptions['progress']

function makeWorld(changes: Partial<ArchiveChangesOptions> = {}, progress: Partial<Progresses> = {}) {
  const store = makeMemoryStore()
  const noted: Noted[] = []
  const commits: number[] = []
  const lines: string[] = []
  const failures: string[] = []
  const start: Progress = { nextOffset: 0, lastDigest: null, newestTimestampMs: null }
  const archive = makeArchiveChanges({
    topics: new Map([
      ['changes', 'contiguous'],
      ['user-events', 'sparse'],
    ]),
    progress: {
      read: async () => start,
      advance: async (_key, _rule, _records, fresh, files) => {
        noted.push({ from: fresh[0]!.offset, to: fresh.at(-1)!.offset, files })
        return { kind: 'applied', duplicates: 0, effect: { records: fresh.length } }
      },
      noteFailure: async ({ topic, topicPartition }, { first, last }, reason) =>
        void failures.push(`${topic}-${topicPartition} ${first}-${last} ${reason}`),
      waiting: async () => ({ files: 1, bytes: 1, oldestAgeMs: 0 }),
      ...progress,
    },
    store,
    location: async () => 's3://archive/changes',
    requestCommit: async () => void commits.push(1),
    commit: { afterMs: 1_000, afterBytes: 1 << 20 },
    now: () => 1_795_201_900_000,
    print: (line) => lines.push(line),
    ...changes,
  })
  return { archive, store, noted, commits, lines, failures }
}

test('the records of a topic partition are written to a file of their day, and noted with its path, size and count', async () => {
  const { archive, store, noted } = makeWorld()

  await archive(event(record(0), record(1), record(2, { timestamp: 1_795_201_857_603 + 86_400_000 })))

  const { files } = noted[0]!
  expect(files.map(({ path }) => path.replace(/-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, ''))).toEqual([
    's3://archive/changes/data/kafka_ts_day=2026-11-20/changes-0-0-1.parquet',
    's3://archive/changes/data/kafka_ts_day=2026-11-21/changes-0-2-2.parquet',
  ])
  expect(files.map(({ records, bytes }) => [records, bytes])).toEqual(
    [2, 1].map((count, i) => [count, store.objects.get(files[i]!.path)!.length]),
  )
  const rows = await readParquet(store.objects.get(files[0]!.path)!)
  expect(rows).toMatchObject([
    { key: '{"id":0}', value: '{"op":"c","n":0}', op: 'c', kafka_offset: 0n, topic: 'changes' },
    { key: '{"id":1}', kafka_offset: 1n, ingested_at: new Date(1_795_201_900_000) },
  ])
})

test('bytes that are not text, headers and tombstones are kept as they came', async () => {
  const { archive, store, noted } = makeWorld()
  const bytes = Buffer.from([0xff, 0x00, 0x80]).toString('base64')
  const headers = [{ name: [...Buffer.from('ü')].map((byte) => (byte << 24) >> 24) }, { raw: [-1] }]

  await archive(event(record(0, { value: bytes }), record(1, { headers }), record(2, { value: null as never })))

  const rows = await readParquet(store.objects.get(noted[0]!.files[0]!.path)!)
  const byOffset = new Map(rows.map((row) => [Number(row['kafka_offset']), row]))
  expect(byOffset.get(0)).toMatchObject({ encoding: 'base64', value: bytes, key: base64('{"id":0}') })
  expect(byOffset.get(1)!['headers']).toBe('[["name","ü"],["raw",{"base64":"/w=="}]]')
  expect(byOffset.get(2)).not.toHaveProperty('value')
})

test('records that are archived already are not written again', async () => {
  const read = async () => ({ nextOffset: 2, lastDigest: null, newestTimestampMs: null })
  const { archive, noted } = makeWorld({}, { read })

  await archive(event(record(2), record(3)))

  expect(noted.map(({ from, to }) => [from, to])).toEqual([[2, 3]])
})

const reported = (...places: [partition: string, offset: number][]) => ({
  batchItemFailures: places.map(([partition, offset]) => ({ itemIdentifier: { partition, offset } })),
})

test('a topic partition that fails is reported whole and noted with the reason, and the others are archived', async () => {
  const { archive, noted, failures, lines } = makeWorld(
    {},
    {
      read: async ({ topic }) => {
        if (topic === 'changes') throw new Error('the database is gone')
        return { nextOffset: 0, lastDigest: null, newestTimestampMs: null }
      },
    },
  )

  const response = await archive(event(record(0), record(1), record(0, { topic: 'user-events' })))

  expect(response).toEqual(reported(['changes-0', 0], ['changes-0', 1]))
  expect(noted).toHaveLength(1)
  expect(failures).toEqual(['changes-0 0-1 the database is gone'])
  expect(lines[0]).toContain('changes-0 is not archived: Error: the database is gone')
  expect(JSON.parse(lines[1]!)).toMatchObject({ ArchivedRecords: 1, FailedTopicPartitions: 1 })
})

test('without a place to write to nothing is archived, and all records are reported', async () => {
  let asked = 0
  const location = () => Promise.reject(new Error(`the catalog does not answer ${++asked}`))
  const { archive, noted, store, failures } = makeWorld({ location })

  const response = await archive(event(record(0), record(0, { topic: 'user-events' })))

  expect(response).toEqual(reported(['changes-0', 0], ['user-events-0', 0]))
  expect([noted.length, store.objects.size, asked]).toEqual([0, 0, 1])
  expect(failures).toHaveLength(2)
})

test('a file that cannot be stored is not noted', async () => {
  const put = () => Promise.reject(new Error('no space'))
  const { archive, noted } = makeWorld({ store: { put } })

  expect(await archive(event(record(0)))).toEqual(reported(['changes-0', 0]))
  expect(noted).toEqual([])
})

const isPoison = ({ key }: { key: string | null }) => key?.includes('poison') ?? false
const poison = base64('poison')
/** Field id of the column `op`. */
const OP = 2

test('a record that cannot be written to a data file is archived as its bytes, and the others are archived as usual', async () => {
  const makeFiles: typeof makeDataFiles = (location, records, ...rest) => {
    if (rest[1] === 'parsed' && records.some(isPoison)) throw new RangeError('a bug')
    return makeDataFiles(location, records, ...rest)
  }
  const { archive, noted, store, lines } = makeWorld({ makeFiles })
  const records = Array.from({ length: 9 }, (_, offset) => record(offset, offset === 4 ? { key: poison } : {}))

  const response = await archive(event(...records))

  expect(response).toEqual(reported())
  const files = noted.flatMap(({ files }) => files.map(({ path }) => store.objects.get(path)!))
  const rows = (await Promise.all(files.map(readParquet))).flat()
  const byOffset = rows.toSorted((a, b) => Number(a['kafka_offset']) - Number(b['kafka_offset']))
  expect(byOffset.map((row) => row['kafka_offset'])).toEqual(records.map(({ offset }) => BigInt(offset)))
  expect(byOffset[4]).toMatchObject({ encoding: 'base64', key: poison, value: records[4]!.value })
  expect(byOffset[4]).not.toHaveProperty('op')
  expect(byOffset.filter((row) => row['op'] === 'c')).toHaveLength(8)
  expect(JSON.parse(lines[0]!)).toMatchObject({
    ArchivedRecords: 9,
    RecordsArchivedAsBytes: 1,
    ArchivedBytes: expect.any(Number),
  })
})

test('a record that the database does not take is archived as its bytes', async () => {
  const taken: [offset: number, named: boolean][] = []
  const advance: Progresses['advance'] = async (_key, _rule, _records, fresh, files) => {
    const named = files.some(({ metrics }) => metrics.nullCounts[OP] === 0)
    if (named && fresh.some(isPoison)) {
      throw Object.assign(new Error('unsupported Unicode escape sequence'), { code: '22P05', severity: 'ERROR' })
    }
    taken.push(...fresh.map(({ offset }) => [offset, named] as [number, boolean]))
    return { kind: 'applied', duplicates: 0, effect: { records: fresh.length } }
  }
  const { archive } = makeWorld({}, { advance })

  const response = await archive(event(record(0), record(1), record(2, { key: poison }), record(3)))

  expect(response).toEqual(reported())
  expect(taken).toEqual([
    [0, true],
    [1, true],
    [2, false],
    [3, true],
  ])
})

test('a record that fails as its bytes too is reported with those behind it, and those before it are archived', async () => {
  const makeFiles: typeof makeDataFiles = (location, records, ...rest) => {
    if (records.some(isPoison)) throw new RangeError('a bug')
    return makeDataFiles(location, records, ...rest)
  }
  const { archive, noted, failures } = makeWorld({ makeFiles })

  const response = await archive(event(record(0), record(1), record(2, { key: poison }), record(3)))

  expect(response).toEqual(reported(['changes-0', 0], ['changes-0', 1], ['changes-0', 2], ['changes-0', 3]))
  expect(noted.map(({ from, to }) => [from, to])).toEqual([[0, 1]])
  expect(failures).toEqual(['changes-0 0-3 no data file can be made of the records: a bug'])
})

test('a record of a topic that is not archived is refused by name', async () => {
  const { archive, lines } = makeWorld()

  expect(await archive(event(record(0, { topic: 'other' })))).toEqual(reported(['other-0', 0]))
  expect(lines[0]).toContain('topic other')
})

test.each([
  [
    'the function that writes the first waiting file calls the committer',
    { files: 1, bytes: 1, oldestAgeMs: 0 },
    1_000,
    1,
  ],
  ['a function that finds other files waiting does not', { files: 9, bytes: 1, oldestAgeMs: 10 }, 1_000, 0],
  ['enough bytes call it', { files: 9, bytes: 1 << 20, oldestAgeMs: 10 }, 1_000, 1],
  ['what is overdue calls it', { files: 9, bytes: 1, oldestAgeMs: 2_000 }, 1_000, 1],
  ['where its schedule is soon enough, the first file does not', { files: 1, bytes: 1, oldestAgeMs: 0 }, 60_000, 0],
])('%s', async (_, waiting, afterMs, expected) => {
  const { archive, commits } = makeWorld({ commit: { afterMs, afterBytes: 1 << 20 } }, { waiting: async () => waiting })

  await archive(event(record(0)))

  expect(commits).toHaveLength(expected)
})

test('a line of metrics counts what was archived', async () => {
  const { archive, lines } = makeWorld()

  await archive(event(record(0), record(1)))

  expect(JSON.parse(lines[0]!)).toMatchObject({ Capability: 'archive', ArchivedRecords: 2, DuplicateRecords: 0 })
})
