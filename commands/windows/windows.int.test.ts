import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { notePublishProblem } from '#adapters/postgres/windows/window-outbox.ts'
import { makeWindows } from '#adapters/postgres/windows/windows.ts'
import { ChangeLog, columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { putWindow } from '#test-support/windows/definitions.ts'
import { tripsContract } from '#test-support/windows/taxi-log.ts'
import { main } from '../windows.ts'

let target: TestDatabase
let folder: string
let out: string[]
let err: string[]

beforeEach(async () => {
  target = await createDatabase('target')
  folder = mkdtempSync(join(tmpdir(), 'tidemark-windows-'))
  out = []
  err = []
  vi.spyOn(console, 'log').mockImplementation((line) => void out.push(...String(line).split('\n')))
  vi.spyOn(console, 'error').mockImplementation((line) => void err.push(line))
})

afterEach(async () => {
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true })
  await target.drop()
})

const run = (...args: string[]) => main([...args, '--target', target.url])

const definition = (select = 'count(*) as trips, sum(fare) as earnings') => `-- source: public.rides
-- event time: at
-- window: tumbling 1 hour
-- watermark: 1 hour
select zone, ${select}
from rides
group by zone`

/** Three rides of two zones in two hours, of which the last one is late. */
async function feedRides() {
  const columns = [
    columnContract(1, 'id', 'bigint', { key: 1, nullable: false }),
    columnContract(2, 'at', 'timestamp without time zone'),
    columnContract(3, 'zone', 'integer'),
    columnContract(4, 'fare', 'numeric(12,2)'),
  ]
  const place = { topic: 'changes', topicPartition: 0 }
  const log = new ChangeLog().contract(ordersContract({ table: 'rides', columns }))
  const feed = async (records: typeof log.records) => {
    await makeLatestState(target.pool).apply({ consumer: 'tidemark-latest-state', ...place }, records)
    const windows = makeWindows(target.pool)
    await windows.apply(place, records)
    await windows.maintain(5_000)
  }
  await feed(log.records)
  const committedAtMs = Date.parse('2024-01-01T12:00:00Z')
  for (const [id, time, zone, fare] of [
    [1, '10:05', 7, '10.00'],
    [2, '12:30', 8, '1.00'],
    [3, '10:45', 7, '2.50'],
  ] as const) {
    const at = Date.parse(`2024-01-01T${time}:00Z`) * 1000
    log.create({ id, at, zone, fare }, { table: 'rides', committedAtMs, lsn: 10 + id })
  }
  await feed(log.records.slice(1))
}

test('the definitions are listed with what is in their windows, and why one is not shown', async () => {
  await putWindow(target, 'rides', definition())
  await putWindow(target, 'walks', definition().replaceAll('rides', 'walks'))
  await feedRides()

  expect(await run('list')).toBe(0)

  expect(out).toEqual([
    'name   state           open  final  revised  closed  late  ahead  no time  watermark',
    'rides  shown              1      0        1       0     1      0        0  2024-01-01 11:30',
    'walks  awaiting table     -      -        -       -     -      -        -  -',
    '',
    'walks: the target has no table public.walks yet',
  ])
})

test('why a topic does not have all of a definition is listed', async () => {
  await putWindow(target, 'rides', definition().replace('select', '-- publish: rides-by-zone\nselect'))
  await feedRides()
  await notePublishProblem(target.pool, 'rides-by-zone', 'topic rides-by-zone exists with cleanup.policy=delete', 0)

  await run('list')

  expect(out.slice(2)).toEqual(['', 'rides is not published: topic rides-by-zone exists with cleanup.policy=delete'])
})

test('the definition that ships is printed as a job of Flink once its table sends whole rows', async () => {
  const key = { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }
  const log = new ChangeLog().contract(tripsContract(1))
  await makeLatestState(target.pool).apply(key, log.records)

  expect(await run('flink', 'trips_by_zone', '--brokers', 'b-1:9098', '--iam')).toBe(1)
  expect(err.join('\n')).toContain('alter table public.green_trips replica identity full')
  log.contract({ ...tripsContract(1), version: 2, replicaIdentity: 'full' })
  await makeLatestState(target.pool).apply(key, log.records.slice(1))

  expect(await run('flink', 'trips_by_zone', '--brokers', 'b-1:9098', '--iam')).toBe(0)
  expect(out.join('\n')).toContain(
    `'properties.bootstrap.servers' = 'b-1:9098',\n  'properties.security.protocol' = 'SASL_SSL'`,
  )
  expect(await run('flink', 'no_such')).toBe(2)
})

test('a window is explained on the terminal and as JSON', async () => {
  await putWindow(target, 'rides', definition())
  await feedRides()

  expect(await run('explain', 'rides', '2024-01-01T10:30', 'zone=7')).toBe(0)
  expect(out).toEqual([
    'rides: 2024-01-01 10:00:00 to 2024-01-01 11:00:00, watermark 2024-01-01 11:30:00',
    '',
    'zone = 7: revised, 2 rows, 1 late; in the result',
    '  trips = 2, earnings = 12.50',
    '',
    expect.stringMatching(/^event time {11}why {2,}id {2}at {19}zone {2}fare$/),
    expect.stringMatching(/^2024-01-01 10:05:00 {2}counted: it came while the window was open {2,}1 .* {5}10\.00$/),
    expect.stringMatching(/^2024-01-01 10:45:00 {2}counted: at least 15 minutes late, .* {2}3 .* 2\.50$/),
  ])

  out = []
  expect(await run('explain', 'rides', '--json', '--limit', '1')).toBe(0)
  expect(JSON.parse(out.join('\n'))).toMatchObject({ windowStart: '2024-01-01 12:00:00', rowCount: 1 })
})

test('groups are compared with batch SQL, and the exit code says whether they are equal', async () => {
  await putWindow(target, 'rides', definition())
  await feedRides()

  expect(await run('compare')).toBe(0)
  expect(out.slice(0, 2)).toEqual([
    'windows  groups  differ from the target  differ from the source',
    'rides         2                       0                       -',
  ])
  expect(out.at(-1)).toMatch(/^equal: every group is what batch SQL computes/)

  const { rows } = await target.pool.query('select id from tidemark.window_definition')
  await target.pool.query(`update tidemark_window_rows.w${rows[0].id}_groups set r1 = 9 where g1 = 7`)
  expect(await run('compare', 'rides', '--json')).toBe(1)
})

test('a rebuilt definition is shown again once maintain-windows has computed it', async () => {
  await putWindow(target, 'rides', definition())
  await feedRides()

  expect(await run('rebuild', 'rides')).toBe(0)
  expect(out).toEqual([
    'rides: is being filled from the rows; it is shown once it is complete: npm run windows -- list',
  ])
  await makeWindows(target.pool).maintain(5_000)
  out = []
  expect(await run('compare')).toBe(0)
  expect(out[1]).toBe('rides         2                       0                       -')
})

test('files are checked by themselves and by the target, which keeps nothing of them', async () => {
  await feedRides()
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }

  expect(await run('check', write('good.sql', definition()))).toBe(0)
  expect(await run('check', write('bad.sql', definition('count(*) as n, max(at)')))).toBe(2)
  expect(await run('check', write('unknown.sql', definition('sum(fair) as earnings')))).toBe(2)
  expect(await run('check', join(folder, 'absent.sql'))).toBe(2)

  expect(out).toEqual(['1 definition well, by the files and the target.'])
  expect(err).toEqual([
    `${join(folder, 'bad.sql')}:5: an item has no name: write max(at) as name`,
    expect.stringMatching(/unknown\.sql:5: column "fair" does not exist/),
    expect.stringContaining('absent.sql'),
  ])
  expect((await target.pool.query('select from tidemark.window_definition')).rowCount).toBe(0)
})

test('apply makes the definitions those of the folder windows', async () => {
  await putWindow(target, 'former', definition())

  expect(await run('apply', '--json')).toBe(0)

  expect(JSON.parse(out.join('\n'))).toEqual({
    changed: ['trips_by_zone'],
    removed: ['former'],
    versions: [
      { name: 'trips_by_zone', state: 'awaiting table', reason: 'the target has no table public.green_trips yet' },
    ],
  })
})

test.each([
  [['expalin'], 'Say what to do: list, explain, check, apply, rebuild, compare, flink.'],
  [['explain'], 'Which definition?'],
  [['explain', 'rides'], 'There is no definition rides in the target. There is none.'],
  [['explain', 'rides', 'a', 'b'], 'One word says which window. Left over: b'],
  [['rebuild'], 'Which definition?'],
  [['rebuild', 'rides'], 'there are no windows rides'],
  [['compare', 'rides'], 'There is no definition rides in the target.'],
  [['list', 'rides'], 'list takes no names. Left over: rides'],
  [['list', '--limit', '0'], '--limit 0 is not a whole number from 1'],
  [['list', '--unknown'], "Unknown option '--unknown'"],
])('%j is refused with exit code 2', async (args, message) => {
  expect(await run(...args)).toBe(2)
  expect(err.join('\n')).toContain(message)
})
