import type { MSKEvent, MSKRecord } from 'aws-lambda'
import { expect, test } from 'vitest'
import type { LedgerFile } from '#adapters/postgres/archive-ledger.ts'
import type { Progress } from '#core/delivery.ts'
import { readParquet } from '#test-support/archive/archived-rows.ts'
import { makeMemoryStore } from '#test-support/archive/memory-store.ts'
import { type ArchiveChangesOptions, type ArchiveProgress, makeArchiveChanges } from './archive-changes.ts'

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

function makeWorld(changes: Partial<ArchiveChangesOptions> = {}, progress: Partial<ArchiveProgress> = {}) {
  const store = makeMemoryStore()
  const noted: Noted[] = []
  const commits: number[] = []
  const lines: string[] = []
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
  return { archive, store, noted, commits, lines }
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

test('what is archived already is not written again', async () => {
  const read = async () => ({ nextOffset: 2, lastDigest: null, newestTimestampMs: null })
  const { archive, noted } = makeWorld({}, { read })

  await archive(event(record(2), record(3)))

  expect(noted.map(({ from, to }) => [from, to])).toEqual([[2, 3]])
})

test('a topic partition that fails does not keep another one from being archived, and the event fails', async () => {
  const { archive, noted } = makeWorld(
    {},
    {
      read: async ({ topic }) => {
        if (topic === 'changes') throw new Error('the database is gone')
        return { nextOffset: 0, lastDigest: null, newestTimestampMs: null }
      },
    },
  )

  const outcome = archive(event(record(0), record(0, { topic: 'user-events' })))

  await expect(outcome).rejects.toThrow('the database is gone')
  expect(noted).toHaveLength(1)
})

test('without a place to write to nothing is noted, and the event fails', async () => {
  const location = () => Promise.reject(new Error('the catalog does not answer'))
  const { archive, noted, store } = makeWorld({ location })

  await expect(archive(event(record(0)))).rejects.toThrow('the catalog does not answer')
  expect([noted.length, store.objects.size]).toEqual([0, 0])
})

test('a file that cannot be stored is not noted', async () => {
  const put = () => Promise.reject(new Error('no space'))
  const { archive, noted } = makeWorld({ store: { put } })

  await expect(archive(event(record(0)))).rejects.toThrow('no space')
  expect(noted).toEqual([])
})

test('a record of a topic that is not archived is refused by name', async () => {
  const { archive } = makeWorld()

  await expect(archive(event(record(0, { topic: 'other' })))).rejects.toThrow('topic other')
})

test.each([
  ['who writes the first file that waits calls the committer', { files: 1, bytes: 1, oldestAgeMs: 0 }, 1_000, 1],
  ['who finds others waiting does not', { files: 9, bytes: 1, oldestAgeMs: 10 }, 1_000, 0],
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
