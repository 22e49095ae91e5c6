import { afterEach, beforeEach, expect, test } from 'vitest'
import { ChangeLog, columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { putWindow } from '#test-support/windows/definitions.ts'
import { makeLatestState } from '../apply/latest-state.ts'
import { makeWindows } from './windows.ts'

const place = { topic: 'changes', topicPartition: 0 }
const latestKey = { consumer: 'tidemark-latest-state', ...place }

let target: TestDatabase
beforeEach(async () => {
  target = await createDatabase('target')
})
afterEach(() => target.drop())

/** `public.rides (id, at, zone, fare)`. */
const rides = (changes: Parameters<typeof ordersContract>[0] = {}) =>
  ordersContract({
    table: 'rides',
    columns: [
      columnContract(1, 'id', 'bigint', { key: 1, nullable: false }),
      columnContract(2, 'at', 'timestamp without time zone'),
      columnContract(3, 'zone', 'integer'),
      columnContract(4, 'fare', 'numeric(12,2)'),
    ],
    ...changes,
  })

const header = (more = '') => `-- source: public.rides
-- event time: at
-- window: tumbling 1 hour
-- watermark: 1 hour
${more}`

const byZone = (more = '', having = '') => `${header(more)}
select zone, count(*) as trips, sum(fare) as earnings, max(at) as last_ride
from rides
group by zone
${having};`

/** Microseconds since 1970 of a time on 2024-01-01, as Debezium sends a timestamp. */
const at = (time: string) => Date.parse(`2024-01-01T${time}Z`) * 1000

const origin = { table: 'rides', committedAtMs: Date.parse('2024-01-01T12:00:00Z') }

async function feed(log: ChangeLog, from = 0) {
  const records = log.records.slice(from)
  await makeLatestState(target.pool).apply(latestKey, records)
  const windows = makeWindows(target.pool)
  const outcome = await windows.apply(place, records)
  await windows.maintain(5_000)
  return outcome
}

const query = async (sql: string) => (await target.pool.query(sql)).rows

const shown = (name = 'by_zone') =>
  query(`select to_char(window_start, 'HH24:MI') as w, zone, trips, earnings, to_char(last_ride, 'HH24:MI') as last, state, late_rows
    from tidemark_windows.${name} order by window_start, zone`)

test('windows follow create, update of the group and of the event time, and delete', async () => {
  const log = new ChangeLog().contract(rides())
  await feed(log)
  expect(await putWindow(target, 'by_zone', byZone())).toMatchObject({ outcome: 'new', state: 'backfilling' })
  await makeWindows(target.pool).maintain(5_000)

  log
    .create({ id: 1, at: at('10:05:00'), zone: 7, fare: '10.00' }, { ...origin, lsn: 10 })
    .create({ id: 2, at: at('10:15:00'), zone: 7, fare: '5.50' }, { ...origin, lsn: 11 })
    .create({ id: 3, at: at('11:15:00'), zone: 8, fare: '1.00' }, { ...origin, lsn: 12 })
  await feed(log, 1)
  expect(await shown()).toEqual([
    { w: '10:00', zone: 7, trips: '2', earnings: '15.50', last: '10:15', state: 'open', late_rows: '0' },
    { w: '11:00', zone: 8, trips: '1', earnings: '1.00', last: '11:15', state: 'open', late_rows: '0' },
  ])

  log
    .update({ id: 2, at: at('10:15:00'), zone: 8, fare: '5.50' }, { ...origin, lsn: 13 })
    .update({ id: 3, at: at('10:59:59'), zone: 8, fare: '2.00' }, { ...origin, lsn: 14 })
    .delete({ id: 1 }, { ...origin, lsn: 15 })
  await feed(log, 4)

  expect(await shown()).toEqual([
    { w: '10:00', zone: 8, trips: '2', earnings: '7.50', last: '10:59', state: 'open', late_rows: '0' },
  ])
})
