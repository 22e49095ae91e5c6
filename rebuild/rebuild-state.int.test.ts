import { afterEach, beforeEach, expect, test } from 'vitest'
import { UNAVAILABLE_PLACEHOLDER } from '#core/codecs/unavailable.ts'
import type { TableContract } from '#core/contract.ts'
import { ArchivedSource, type MadeChange } from '#test-support/archive/archived-source.ts'
import { type MemoryCatalog, makeMemoryCatalog } from '#test-support/archive/memory-catalog.ts'
import { type MemoryStore, makeMemoryStore } from '#test-support/archive/memory-store.ts'
import { columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { parseCut } from './cut.ts'
import { describeCompared, describePublished } from './rebuild-report.ts'
import { rebuildAndCompare, rebuildAndPublish } from './rebuild-state.ts'
import { isEqualState } from './state-comparison.ts'

let target: TestDatabase
let catalog: MemoryCatalog
let store: MemoryStore
let source: ArchivedSource

beforeEach(async () => {
  target = await createDatabase('target')
  catalog = makeMemoryCatalog()
  store = makeMemoryStore()
  source = new ArchivedSource(target.pool, { catalog, store, namespace: 'tidemark_test' })
})
afterEach(() => target.drop())

const options = () => ({
  archive: { catalog, store, table: { namespace: 'tidemark_test', name: 'changes' }, target: target.url },
  tables: [],
  onProgress: () => undefined,
})
const compare = () => rebuildAndCompare({ ...options(), examples: 5, waitMs: 10_000 })
const publish = (until: string, schema: string, changes = {}) =>
  rebuildAndPublish({ ...options(), cut: parseCut(until), schema, replace: false, ...changes })
const rows = async (text: string) => (await target.pool.query(text)).rows
const scratchDatabases = () => rows(`select datname from pg_database where datname like 'tidemark_rebuild_%'`)

const tripsContract = (changes: Partial<TableContract> = {}) =>
  ordersContract({
    relation: 100,
    table: 'green_trips',
    columns: [
      columnContract(1, 'id', 'bigint', { key: 1, nullable: false }),
      columnContract(2, 'pickup', 'timestamp with time zone'),
      columnContract(3, 'fare', 'numeric(10,2)'),
      columnContract(4, 'note', 'text'),
    ],
    ...changes,
  })
const artistsContract = ordersContract({
  relation: 200,
  table: 'artist',
  columns: [columnContract(1, 'artist_id', 'integer', { key: 1 }), columnContract(2, 'name', 'text')],
})
const logContract = ordersContract({
  relation: 300,
  table: 'log',
  replicaIdentity: 'full',
  columns: [columnContract(1, 'line', 'text'), columnContract(2, 'at', 'numeric')],
})

const trip = (id: number, fare: string, note: string | null = null) => ({
  id,
  pickup: '2026-11-27T10:00:00.000001Z',
  fare,
  note,
})
const createTrip = (id: number, fare: string, note?: string) =>
  ({ table: 'green_trips', op: 'c', key: { id }, after: trip(id, fare, note) }) as const
const updateTrip = (id: number, fare: string, note: string | null = null) =>
  ({ table: 'green_trips', op: 'u', key: { id }, after: trip(id, fare, note) }) as const
const createArtist = (artist_id: number, name: string) =>
  ({ table: 'artist', op: 'c', key: { artist_id }, after: { artist_id, name } }) as const
const writeLine = (line: string) => ({ table: 'log', op: 'c', after: { line, at: null } }) as const

/** Changes the key of a trip, which moves it to another topic partition, and does not touch its note. */
const moveTrip = (from: number, to: number): MadeChange[] => [
  {
    ...{ table: 'green_trips', op: 'd', key: { id: from }, before: { id: from } },
    headers: { '__debezium.newkey': { id: to } },
  },
  {
    ...{ table: 'green_trips', op: 'c', key: { id: to }, after: trip(to, '6.50', UNAVAILABLE_PLACEHOLDER) },
    headers: { '__debezium.oldkey': { id: from } },
  },
]

/** Creates trips, artists and lines in three topic partitions. */
function begin(): void {
  for (const contract of [tripsContract(), artistsContract, logContract]) source.contract(contract)
  source.beacon()
  source.commit(Array.from({ length: 40 }, (_, i) => createTrip(i, `${i}.50`, i % 3 === 0 ? 'large ü "q"' : undefined)))
  source.commit([createArtist(1, 'AC/DC'), createArtist(2, 'Accept'), createArtist(3, 'Aerosmith')])
  source.commit([writeLine('a'), writeLine('a'), writeLine('b')])
  source.delta({ id: 7, op: 'insert', event_order: 1, name: 'Ann' })
}

/** All kinds of later changes to these tables. */
function goOn(): void {
  source.commit([updateTrip(3, '99.99', UNAVAILABLE_PLACEHOLDER), updateTrip(4, '1.00', 'new')])
  source.commit([{ table: 'green_trips', op: 'd', key: { id: 5 }, before: { id: 5 } }])
  source.commit(moveTrip(10, 605))
  source.commit([{ table: 'log', op: 'd', before: { line: 'a', at: null } }])
  source.commit([{ table: 'artist', op: 't' }])
  source.commit([createArtist(9, 'Audioslave')])
  const columns = [...tripsContract().columns, columnContract(5, 'tip', 'numeric', { missing: '0' })]
  source.contract(tripsContract({ version: 2, columns }))
  source.commit([{ table: 'green_trips', op: 'u', key: { id: 7 }, after: { ...trip(7, '7.00'), tip: '1.5' } }])
  source.delta({ id: 7, op: 'update', event_order: 2, name: 'Bea' })
  source.delta({ id: 8, op: 'insert', event_order: 3, name: 'Cid' })
}

test('the state that is rebuilt from the archive is the live one, whatever was done to the tables', async () => {
  begin()
  await source.apply()
  await source.archive()
  goOn()
  await source.apply()
  // The topic partition to which the row moves has a lower number than the one that it leaves.
  source.commit(
    moveTrip(6, 600).map((change) => ({ ...change, ...(change.after && { after: { ...change.after, tip: '0' } }) })),
  )
  for (const topicPartition of [2, 1, 0]) await source.apply(topicPartition)
  await source.archive()

  const rebuilt = await compare()

  expect(isEqualState(rebuilt), describeCompared(rebuilt)).toBe(true)
  expect(rebuilt.tables.map(({ table, liveRows, differing }) => [table, liveRows, differing])).toEqual([
    ['public.artist', 1, 0],
    ['public.green_trips', 39, 0],
    ['public.log', 2, 0],
    ['tidemark.latest_user_state', 2, 0],
  ])
  expect(rebuilt.replayed).toBe(rebuilt.records)
  expect(await scratchDatabases()).toEqual([])
})

test('rows that a snapshot read again as another generation are rebuilt', async () => {
  begin()
  source.contract(tripsContract({ version: 2, generation: 2, complete: false }))
  source.commit(
    Array.from({ length: 40 }, (_, i) => ({ ...createTrip(i, `${i}.75`), op: 'r', snapshot: 'incremental' }) as const),
  )
  source.commit([updateTrip(3, '0.01')])
  source.contract(tripsContract({ version: 3, generation: 2 }))
  // The truncate in one topic partition must not be applied before the reads in another one, live or rebuilt.
  await source.apply()
  source.commit([{ table: 'green_trips', op: 't' }])
  source.commit([createTrip(1, '5.00')])
  await source.apply()
  await source.archive()

  const rebuilt = await compare()

  expect(isEqualState(rebuilt), describeCompared(rebuilt)).toBe(true)
  expect(rebuilt.tables.find(({ table }) => table === 'public.green_trips')).toMatchObject({ liveRows: 1 })
})

test('what was captured of a log that broke off is passed over, as the live target did, and the next epoch is rebuilt', async () => {
  begin()
  source.beacon()
  await source.apply()
  source.loseBeacon()
  source.commit([createTrip(900, '9.00'), updateTrip(3, '9.99')])
  source.beacon()
  for (const topicPartition of [0, 1, 2]) {
    await expect(source.apply(topicPartition)).rejects.toThrow('changes of the source are missing')
  }
  await rows(`select tidemark.order_epoch(2, 'for a test', false)`)
  source.beginEpoch()
  source.contract(tripsContract({ version: 2, generation: 2, complete: false }))
  source.commit([{ ...createTrip(3, '3.33'), op: 'r', snapshot: 'incremental' }])
  source.contract(tripsContract({ version: 3, generation: 2 }))
  source.beacon()
  source.commit([createTrip(4, '4.44')])
  await source.apply()
  await source.archive()

  const rebuilt = await compare()

  expect(isEqualState(rebuilt), describeCompared(rebuilt)).toBe(true)
  expect(rebuilt.tables.find(({ table }) => table === 'public.green_trips')).toMatchObject({ liveRows: 2 })
})

test('an archive that began with a topic that was created again is rebuilt from the epoch after', async () => {
  source.contract(tripsContract())
  source.commit([createTrip(3, '3.33')])
  await source.apply()
  const remade = new ArchivedSource(target.pool, { catalog, store, namespace: 'tidemark_test' })
  remade.commit([createTrip(900, '9.00'), updateTrip(3, '9.99')])
  await rows(`select tidemark.order_epoch(2, 'for a test', true)`)
  remade.beginEpoch(true)
  remade.contract(tripsContract({ version: 2, generation: 2, complete: false }))
  remade.commit([{ ...createTrip(3, '9.99'), op: 'r', snapshot: 'incremental' }])
  remade.contract(tripsContract({ version: 3, generation: 2 }))
  remade.beacon()
  remade.commit([createTrip(4, '4.44')])
  await remade.apply()
  await remade.archive()

  const rebuilt = await compare()

  expect(isEqualState(rebuilt), describeCompared(rebuilt)).toBe(true)
  expect(rebuilt.tables.find(({ table }) => table === 'public.green_trips')).toMatchObject({ liveRows: 2 })
})

test('a live row that is not what the changes made of it is shown with both values', async () => {
  begin()
  await source.apply()
  await source.archive()
  await target.pool.query(`update tidemark_rows.t100_1 set c4 = 'tampered' where c1 = 2`)
  await target.pool.query(`delete from tidemark_rows.t100_1 where c1 = 4`)

  const rebuilt = await compare()

  expect(isEqualState(rebuilt)).toBe(false)
  const trips = rebuilt.tables.find(({ table }) => table === 'public.green_trips')!
  expect(trips).toMatchObject({ rebuiltRows: 40, liveRows: 39, differing: 2 })
  expect(describeCompared(rebuilt)).toMatch(/green_trips, id = 2\n.*\n\s+note\s+NULL\s+tampered/)
  expect(describeCompared(rebuilt)).toContain('not equal: 2 rows differ')
})

test('the archive may be further than the live state, and the topic partitions differently far', async () => {
  begin()
  await source.apply()
  goOn()
  await source.apply(1)
  await source.archive()

  const rebuilt = await compare()

  expect(isEqualState(rebuilt), describeCompared(rebuilt)).toBe(true)
  expect(rebuilt.replayed).toBeLessThan(rebuilt.records)
})

test('what is applied and not yet archived is waited for', async () => {
  begin()
  await source.apply()
  await source.archive()
  goOn()
  await source.apply()
  let waited = ''
  let archiving: Promise<void> | undefined
  const onProgress = (what: string) => {
    if (!what.startsWith('waiting')) return
    waited = what
    archiving ??= source.archive()
  }

  const rebuilt = await rebuildAndCompare({ ...options(), examples: 5, waitMs: 10_000, onProgress })
  await archiving

  expect(waited).toMatch(/the archive to commit changes-\d to offset \d+ \(now at \d+\)/)
  expect(isEqualState(rebuilt), describeCompared(rebuilt)).toBe(true)
})

test('an archive that ends before the cut is reported with the offset', async () => {
  begin()
  await source.apply()
  await source.archive()
  source.commit([createTrip(100, '1.00')])
  await source.apply()

  const rebuilding = rebuildAndCompare({ ...options(), examples: 5, waitMs: 50 })

  await expect(rebuilding).rejects.toThrow(/gave up waiting for the archive to commit changes-\d to offset/)
  expect(await scratchDatabases()).toEqual([])
})

test('a table that is stopped in the live target is named and not compared', async () => {
  begin()
  await source.apply()
  await target.pool.query(`select tidemark.stop_table(200, 1, 'public', 'artist', 'for a test', 'accept', false)`)
  goOn()
  await source.apply()
  await source.archive()

  const rebuilt = await compare()

  expect(isEqualState(rebuilt)).toBe(false)
  expect(rebuilt.tables.filter(({ differing }) => differing > 0)).toEqual([])
  expect(rebuilt.tables.map(({ table }) => table)).not.toContain('public.artist')
  expect(describeCompared(rebuilt)).toContain('stopped in the live target, not compared\n  public.artist  for a test')
})

test('the state before a beacon is what the target showed then, as tables of a schema', async () => {
  begin()
  const beacon = source.beacon()
  await source.apply()
  const shown = await rows('select * from public.green_trips order by id')
  const artists = await rows('select * from public.artist order by 1')
  goOn()
  source.beacon()
  await source.apply()
  await source.archive()

  const rebuilt = await publish(String(beacon), 'then')

  expect(rebuilt.tables.map(({ name, rows }) => [name, rows])).toEqual([
    ['artist', 3],
    ['green_trips', 40],
    ['log', 3],
    ['latest_user_state', 1],
  ])
  expect(rebuilt.unfinished, describePublished(rebuilt)).toEqual([])
  expect(await rows('select * from "then".green_trips order by id')).toEqual(shown)
  expect(await rows('select * from "then".artist order by 1')).toEqual(artists)
  expect(await rows('select name from "then".latest_user_state')).toEqual([{ name: 'Ann' }])
  expect(
    await rows(`select format_type(atttypid, atttypmod) as type from pg_attribute
      where attrelid = '"then".green_trips'::regclass and attnum > 0 order by attnum`),
  ).toEqual(tripsContract().columns.map(({ type }) => ({ type })))
  expect(await rows(`select has_table_privilege('tidemark_read', '"then".log', 'select') as readable`)).toEqual([
    { readable: true },
  ])
})

test('the state at a time has every transaction that was committed by then, whole, and none that came later', async () => {
  begin()
  const at = source.commit([createTrip(50, '1.00'), createTrip(51, '2.00'), createTrip(52, '3.00')])
  source.commit([createTrip(60, '1.00'), updateTrip(50, '9.00'), updateTrip(51, '9.00')], at + 1)
  source.beacon()
  await source.apply()
  await source.archive()

  await publish(new Date(at).toISOString(), 'then')

  expect(await rows('select id::int, fare from "then".green_trips where id >= 50 order by id')).toEqual([
    { id: 50, fare: '1.00' },
    { id: 51, fare: '2.00' },
    { id: 52, fare: '3.00' },
  ])
})

test.each([
  [
    'a time that the archive does not reach',
    '2026-11-27T13:00',
    /does not reach .* yet, in changes-0, changes-1, changes-2/,
  ],
  ['a time from before the archive', '2020-01-01', 'the archive begins at 2026-11-27T12:00:'],
  ['a beacon that was not archived', '99', 'beacon 99 is not in the archive, in changes-0'],
])('%s is refused', async (_, until, message) => {
  begin()
  await source.apply()
  await source.archive()

  await expect(publish(until, 'then')).rejects.toThrow(message)
  expect(await rows(`select from pg_namespace where nspname = 'then'`)).toEqual([])
})

test('only a schema of an earlier rebuild is replaced, and only when asked to', async () => {
  begin()
  const beacon = `${source.beacon()}`
  await source.apply()
  await source.archive()
  await target.pool.query('create schema mine')

  await publish(beacon, 'then')

  await expect(publish(beacon, 'then')).rejects.toThrow('give --replace')
  await expect(publish(beacon, 'mine', { replace: true })).rejects.toThrow('was not made by a rebuild')
  await expect(publish(beacon, 'public', { replace: true })).rejects.toThrow('a rebuild may not use the schema')
  const { tables } = await publish(beacon, 'then', { replace: true, tables: ['public.artist'] })
  expect(tables).toEqual([{ name: 'artist', from: 'public.artist', rows: 3 }])
  await expect(publish(beacon, 'other', { tables: ['public.none'] })).rejects.toThrow(
    'public.none was not captured at that time',
  )
})

test('a record that is missing in the archive ends the rebuild with its place', async () => {
  begin()
  await source.apply()
  source.lose(1, 2)
  await source.archive()

  await expect(compare()).rejects.toThrow('the archive lacks record 2 of changes-1')
  expect(await scratchDatabases()).toEqual([])
})
