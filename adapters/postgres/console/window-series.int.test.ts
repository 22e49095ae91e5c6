import { afterEach, beforeEach, expect, test } from 'vitest'
import type { WindowSeries } from '#core/console/archive.ts'
import { ChangeLog } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { putWindow } from '#test-support/windows/definitions.ts'
import { ridesContract } from '#test-support/windows/ride-life.ts'
import { complete, feed, origin, ride, ridesHead } from '#test-support/windows/ride-log.ts'
import { readSlotLimit } from './slot-limit.ts'
import { readWindowSeries, type SeriesRequest } from './window-series.ts'

let target: TestDatabase
beforeEach(async () => {
  target = await createDatabase('target')
})
afterEach(() => target.drop())

async function begin(select: string): Promise<void> {
  const log = new ChangeLog().contract(ridesContract())
  await feed(target, log)
  await putWindow(target, 'by_zone', `${ridesHead()} ${select}`)
  await complete(target)
  log
    .create(ride(1, '10:05:00', 7, '10.00'), origin(10))
    .create(ride(2, '10:15:00', 7, '5.50'), origin(11))
    .create(ride(3, '11:15:00', 8, '1.00'), origin(12))
    .create(ride(4, '11:20:00', null, '3.00'), origin(13))
  await feed(target, log, 1)
}

const byZone = 'select zone, count(*) as trips, sum(fare) as earnings, max(at) as last_ride from rides group by zone;'

const read = (more: Partial<SeriesRequest> = {}) =>
  readWindowSeries(target.pool, { name: 'by_zone', measure: null, groups: [], from: null, to: null, ...more })

const [ten, eleven] = ['2024-01-01 10:00:00', '2024-01-01 11:00:00']

test('a series has the sums of all groups, and the largest groups by name', async () => {
  await begin(byZone)

  const series = (await read()) as WindowSeries

  expect(series).toMatchObject({
    measures: ['trips', 'earnings', 'late_rows'],
    groupedBy: ['zone'],
    starts: [ten, eleven],
  })
  expect(series.lines).toEqual([
    { group: 'all groups', values: [2, 2] },
    { group: '7', values: [2, null] },
    { group: '8', values: [null, 1] },
    { group: 'null', values: [null, 1] },
  ])
  expect(series.newest).toHaveLength(3)
  expect(series.newest.at(-1)).toMatchObject({
    window_start: ten,
    zone: '7',
    trips: '2',
    earnings: '15.50',
    state: 'open',
  })
})

test('a number that is no double is no point of a line', async () => {
  await begin('select zone, count(*) as trips, sum(fare) * 1e300 as huge from rides group by zone;')

  const { lines } = (await read({ measure: 'huge' })) as WindowSeries

  expect(lines[0]).toEqual({ group: 'all groups', values: [null, null] })
  expect(lines.find(({ group }) => group === '8')?.values).toEqual([null, 1e300])
})

test('groups and times are chosen', async () => {
  await begin(byZone)

  expect(((await read({ groups: ['8', 'null'] })) as WindowSeries).lines.map(({ group }) => group)).toEqual([
    '8',
    'null',
  ])
  expect(((await read({ to: eleven })) as WindowSeries).starts).toEqual([ten])
  expect(((await read({ from: '2024-01-01T10:30' })) as WindowSeries).starts).toEqual([eleven])
  expect(((await read({ to: '2020-01-01' })) as WindowSeries).newest).toEqual([])
})

test('a definition without keys has one line', async () => {
  await begin('select count(*) as trips from rides;')

  expect(await read()).toMatchObject({ groupedBy: [], lines: [{ group: 'all groups', values: [2, 2] }] })
})

test('names that need quotes and a view that leaves out columns are read', async () => {
  await begin(`select zone as "a""b", count(*) as "select" from rides group by "a""b";
-- view
select w.window_start, w."a""b", w."select" * 2 as "select" from windows w;`)

  expect(await read()).toMatchObject({
    measures: ['select'],
    groupedBy: ['a"b'],
    lines: [{ values: [4, 4] }, { group: '7' }, {}, {}],
  })
})

test('a view without the begin of windows has rows and no series', async () => {
  await begin(`${byZone}
-- view
select w.zone, w.trips from windows w;`)

  const series = (await read()) as WindowSeries
  expect([series.starts, series.lines, series.newest.length]).toEqual([[], [], 3])
})

test('an unknown measure names those that can be drawn, and an unknown definition is an outcome', async () => {
  await begin(byZone)

  expect(await read({ measure: 'last_ride' })).toEqual({
    unknownMeasure: 'last_ride',
    measures: ['trips', 'earnings', 'late_rows'],
  })
  expect(await read({ name: `x'"; drop view y` })).toBeUndefined()
})

test('the limit of a slot is null where there is none', async () => {
  expect(await readSlotLimit(target.pool)).toBe(null)
  expect(await readSlotLimit({ query: async () => ({ rows: [{ bytes: 1_048_576 }] }) } as never)).toBe(1_048_576)
})
