import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { makeWindows } from '#adapters/postgres/windows/windows.ts'
import { ChangeLog, columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { putWindow } from '#test-support/windows/definitions.ts'
import { type CompareWindowsOptions, compareWindows, countWindowMismatches } from './compare-windows.ts'
import { explainWindow, type WindowQuestion } from './explain-window.ts'
import { describeWindowsComparison } from './windows-report.ts'

const place = { topic: 'changes', topicPartition: 0 }

let target: TestDatabase

beforeEach(async () => {
  target = await createDatabase('target')
})

afterEach(() => target.drop())

const columns = [
  columnContract(1, 'id', 'bigint', { key: 1, nullable: false }),
  columnContract(2, 'at', 'timestamp without time zone'),
  columnContract(3, 'zone', 'integer'),
  columnContract(4, 'fare', 'numeric(12,2)'),
  columnContract(5, 'distance', 'double precision'),
]
const rides = ordersContract({ table: 'rides', columns })
const keylessRides = ordersContract({
  table: 'rides',
  columns: columns.map((column) => ({ ...column, key: null })),
})

const definition = (more = '', having = '') => `-- source: public.rides
-- event time: at
-- window: tumbling 1 hour
-- watermark: 1 hour
${more}
select zone, count(*) as trips, sum(fare) as earnings, sum(distance) as distance
from rides
group by zone
${having};`

/** Microseconds since 1970 of a time on 2024-01-01, as Debezium sends a timestamp. */
const at = (time: string) => Date.parse(`2024-01-01T${time}:00Z`) * 1000
const ride = (id: number, time: string | null, zone: number | null, fare: string) => ({
  ...{ id, zone, fare, distance: id * 0.1 },
  at: time === null ? null : at(time),
})

let lsn = 10
const origin = () => ({ table: 'rides', committedAtMs: Date.parse('2024-01-01T12:00:00Z'), lsn: lsn++ })

async function feed(log: ChangeLog, from = 0) {
  const records = log.records.slice(from)
  await makeLatestState(target.pool).apply({ consumer: 'tidemark-latest-state', ...place }, records)
  const windows = makeWindows(target.pool)
  await windows.apply(place, records)
  await windows.maintain(5_000)
}

/** Rides of which one is late, one is ahead, one has no time and two have no zone. */
async function feedRides(contract = rides) {
  const log = new ChangeLog().contract(contract)
  if (contract === keylessRides) log.start()
  await feed(log)
  const before = log.records.length
  const rows = [
    ride(1, '10:05', 7, '10.00'),
    ride(2, '10:15', 7, '5.50'),
    ride(3, '12:30', 8, '1.00'),
    ride(4, '10:45', 7, '2.00'),
    ride(5, '11:45', 8, '4.00'),
    ride(6, null, 8, '4.00'),
    ride(7, '11:50', null, '3.00'),
    { ...ride(8, null, 7, '9.00'), at: at('12:00') + 3 * 86_400_000_000 },
  ]
  for (const row of rows) log.create(row, origin())
  await feed(log, before)
}

const compare = (options: Partial<CompareWindowsOptions> = {}) =>
  compareWindows({ target: target.url, waitMs: 20_000, ...options })

async function explain(question: Partial<WindowQuestion>) {
  const client = new pg.Client({ connectionString: target.url })
  await client.connect()
  const asked = { name: 'rides', window: undefined, keys: {}, limit: 50, ...question }
  return explainWindow(client, asked).finally(() => client.end())
}

const everyKind: [string, string, string][] = [
  ['tumbling windows', '', ''],
  ['groups that having leaves out', '', 'having count(*) >= 2'],
  ['late rows that are set aside', '-- late rows: set aside', ''],
  ['rows ahead that are set aside', '-- future rows: set aside after 1 day', ''],
  ['windows that are emitted once', '-- emit: on close\n-- allowed lateness: 10 minutes', ''],
]

test.each(everyKind)('%s are what batch SQL computes', async (_name, header, having) => {
  await putWindow(target, 'rides', definition(header, having))
  await feedRides()

  const comparison = await compare()

  expect(comparison.definitions).toMatchObject([{ name: 'rides', state: 'shown', ofTarget: [], ofSource: null }])
  expect(comparison.definitions[0]!.groups).toBeGreaterThan(0)
  expect(countWindowMismatches(comparison)).toBe(0)
})

test('hopping windows are, and so are those of a table without a key, whose equal rows each count', async () => {
  const hopping = definition('-- late rows: set aside').replace('tumbling 1 hour', 'hopping 1 hour every 15 minutes')
  await putWindow(target, 'rides', hopping)
  await feedRides(keylessRides)

  const comparison = await compare()

  expect(countWindowMismatches(comparison)).toBe(0)
  expect(comparison.definitions[0]!.groups).toBeGreaterThan(8)
})

test('a group that differs is shown beside what batch SQL computes, also one that is missing', async () => {
  await putWindow(target, 'rides', definition())
  await feedRides()
  const { rows } = await target.pool.query(`select id from tidemark.window_definition`)
  const groups = `tidemark_window_rows.w${rows[0].id}_groups`
  await target.pool.query(`update ${groups} set r1 = r1 + 1 where g1 = 7 and window_start = '2024-01-01 10:00'`)
  await target.pool.query(`delete from ${groups} where g1 is null`)

  const comparison = await compare({ name: 'rides' })

  expect(countWindowMismatches(comparison)).toBe(2)
  expect(describeWindowsComparison(comparison).join('\n')).toContain(
    `rides, 2024-01-01 10:00:00, zone = 7
  kept                trips = 4, earnings = 17.5, distance = 0.7000000000000001
  rows of the target  trips = 3, earnings = 17.5, distance = 0.7000000000000001`,
  )
  expect(describeWindowsComparison(comparison).join('\n')).toContain('zone = null\n  kept                no such group')
})

test('the rows of the source are compared, once their beacon is in windows', async () => {
  await putWindow(target, 'rides', definition('-- future rows: set aside after 1 day'))
  await feedRides()
  const source = await createDatabase('source')
  await source.pool.query(`
    select tidemark.configure(1, '{"schemas":["none"],"includeTables":[],"excludeTables":[],"excludeColumns":[]}');
    create table public.rides (id bigint primary key, at timestamp, zone integer, fare numeric(12,2), distance float8)`)
  const { rows } = await target.pool.query('select * from public.rides')
  for (const { id, at: time, zone, fare, distance } of rows) {
    await source.pool.query('insert into public.rides values ($1, $2, $3, $4, $5)', [id, time, zone, fare, distance])
  }
  const stop = new AbortController()
  const beacons = confirmBeacons(source, stop.signal)

  const equal = await compare({ source: source.url })
  await source.pool.query('update public.rides set fare = 100 where id = 2; delete from public.rides where id = 5')
  const differing = await compare({ source: source.url })

  stop.abort()
  await beacons
  await source.drop()
  expect(equal.definitions).toMatchObject([{ ofTarget: [], ofSource: [] }])
  expect(differing.definitions[0]!.ofTarget).toEqual([])
  expect(differing.definitions[0]!.ofSource).toMatchObject([
    { windowStart: expect.stringContaining('2024'), kept: expect.anything() },
    { windowStart: expect.stringContaining('2024'), kept: expect.anything() },
  ])
})

/** Confirms each beacon of the source in the target for both consumers. */
async function confirmBeacons(source: TestDatabase, signal: AbortSignal) {
  for (; !signal.aborted; await setTimeout(2)) {
    const { rows } = await source.pool.query('select number from tidemark.beacon where slot = 0')
    await target.pool.query('update tidemark.progress set beacon_number = $1, beacon_epoch = 1', [rows[0].number])
  }
}

test('a definition that waits for its table is no difference, and one that is stopped is', async () => {
  await putWindow(target, 'waiting', definition().replaceAll('rides', 'walks'))
  await putWindow(target, 'rides', definition())
  await feedRides()
  await target.pool.query(
    `select tidemark.stop_window(id, 'its column is gone') from tidemark.window_definition where name = 'rides'`,
  )

  const comparison = await compare()

  expect(comparison.definitions).toMatchObject([
    { name: 'rides', state: 'stopped', ofTarget: [] },
    { name: 'waiting', state: 'awaiting table', groups: null },
  ])
  expect(countWindowMismatches(comparison)).toBe(1)
})

test('a name that no definition has is refused with those that there are', async () => {
  await putWindow(target, 'rides', definition())

  await expect(compare({ name: 'ridez' })).rejects.toThrow(
    'There is no definition ridez in the target. There are: rides.',
  )
})

test('a window is explained by its groups and rows, each with the reason why it is there', async () => {
  await putWindow(target, 'rides', definition('', 'having count(*) >= 2'))
  await feedRides()

  const explanation = await explain({ window: '2024-01-01T10:59', keys: { zone: '7' } })

  expect(explanation).toMatchObject({
    windowStart: '2024-01-01 10:00:00',
    windowEnd: '2024-01-01 11:00:00',
    groups: [{ keys: { zone: '7' }, state: 'revised', rows: 3, lateRows: 1, isShown: true, why: 'in the result' }],
    rowCount: 3,
  })
  expect(explanation.rows.map(({ values, standing, why }) => [values['id'], standing, why])).toEqual([
    ['1', 'counted', 'counted: it came while the window was open'],
    ['2', 'counted', 'counted: it came while the window was open'],
    ['4', 'late', 'counted: at least 15 minutes late, the watermark had passed 2024-01-01 11:00:00'],
  ])
})

test('what is set aside is explained too, and a group that having leaves out', async () => {
  const header = '-- late rows: set aside\n-- future rows: set aside after 1 day'
  await putWindow(target, 'rides', definition(header, 'having count(*) >= 2'))
  await feedRides()

  const late = await explain({ window: '2024-01-01 10:00', keys: { zone: '7' } })
  const ahead = await explain({ window: '2024-01-04 12:00' })
  const nobody = await explain({ window: '2024-01-01 11:10', keys: { zone: '' } })

  expect(late.rows.at(-1)).toMatchObject({
    standing: 'late',
    isCounted: false,
    why: expect.stringMatching(/^set aside/),
  })
  expect(ahead).toMatchObject({
    groups: [],
    rows: [{ standing: 'future', why: 'set aside: its event time is more than 1 day ahead of its commit' }],
  })
  expect(nobody.groups).toMatchObject([
    { keys: { zone: null }, isShown: false, why: 'not in the result: having count(*) >= 2 does not hold' },
  ])
})

test('without a window the newest of the group is explained, and what is not there is said', async () => {
  await putWindow(target, 'rides', definition())
  await feedRides()

  expect(await explain({ keys: { zone: '8' } })).toMatchObject({ windowStart: '2024-01-01 12:00:00' })
  await expect(explain({ keys: { zone: '9' } })).rejects.toThrow('rides has no group with zone = 9')
  await expect(explain({ keys: { borough: '9' } })).rejects.toThrow('rides has no key borough: its keys are zone')
  await expect(explain({ window: 'noon' })).rejects.toThrow("'noon' is not a time such as 2025-12-01T10:00")
  await expect(explain({ name: 'ridez' })).rejects.toThrow('There is no definition ridez')
})
