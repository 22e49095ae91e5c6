import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ChangeLog } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { putWindow } from '#test-support/windows/definitions.ts'
import { callsContract, ridesContract } from '#test-support/windows/ride-life.ts'
import { byZone, complete, feed, origin, ride, ridesHead, shown } from '#test-support/windows/ride-log.ts'
import { makeLatestState } from '../apply/latest-state.ts'
import { makeWindows, NotYetAppliedError } from './windows.ts'

const place = { topic: 'changes', topicPartition: 0 }

let target: TestDatabase
beforeEach(async () => {
  target = await createDatabase('target')
})
afterEach(() => target.drop())

const query = async (sql: string) => (await target.pool.query(sql)).rows
const states = () => query('select name, state, reason from tidemark.window_status order by name, id')

/** A log with the contract of the rides, delivered, and the definition, shown. */
async function begin(text = byZone()): Promise<ChangeLog> {
  const log = new ChangeLog().contract(ridesContract())
  await feed(target, log)
  await putWindow(target, 'by_zone', text)
  await complete(target)
  return log
}

describe('windows', () => {
  test('follow create, update of the group and of the event time, and delete', async () => {
    const log = await begin()
    log
      .create(ride(1, '10:05:00', 7, '10.00'), origin(10))
      .create(ride(2, '10:15:00', 7, '5.50'), origin(11))
      .create(ride(3, '11:15:00', 8, '1.00'), origin(12))
    await feed(target, log, 1)
    expect(await shown(target)).toEqual([
      { w: '10:00', zone: 7, trips: 2, earnings: '15.50', last: '10:15', state: 'open', late: 0 },
      { w: '11:00', zone: 8, trips: 1, earnings: '1.00', last: '11:15', state: 'open', late: 0 },
    ])

    log
      .update(ride(2, '10:15:00', 8, '5.50'), origin(13))
      .update(ride(3, '10:59:59', 8, '2.00'), origin(14))
      .delete({ id: 1 }, origin(15))
    await feed(target, log, 4)

    expect(await shown(target)).toEqual([
      { w: '10:00', zone: 8, trips: 2, earnings: '7.50', last: '10:59', state: 'open', late: 0 },
    ])
  })

  test('have a group of rows whose key is null, and count rows without an event time in no window', async () => {
    const log = await begin()
    log
      .create(ride(1, '10:05:00', null, '10.00'), origin(10))
      .create(ride(2, '10:06:00', null, null), origin(11))
      .create(ride(3, null, 7, '1.00'), origin(12))
      .create({ ...ride(4, null, 7, '1.00'), at: '9223372036854775807' }, origin(13))

    await feed(target, log, 1)

    expect(await shown(target)).toEqual([
      { w: '10:00', zone: null, trips: 2, earnings: '10.00', last: '10:06', state: 'open', late: 0 },
    ])
    expect(await query('select null_times::integer as n from tidemark.window_status')).toEqual([{ n: 2 }])
  })

  test('that hop count a row in each window which contains its event time', async () => {
    const log = await begin(`${ridesHead('', 'hopping 1 hour every 30 minutes')} select count(*) as trips from rides;`)
    log.create(ride(1, '10:05:00', 7, '1.00'), origin(10)).create(ride(2, '10:30:00', 7, '1.00'), origin(11))

    await feed(target, log, 1)

    expect(
      await query(
        `select to_char(window_start, 'HH24:MI') as w, trips::integer from tidemark_windows.by_zone order by window_start`,
      ),
    ).toEqual([
      { w: '09:30', trips: 1 },
      { w: '10:00', trips: 2 },
      { w: '10:30', trips: 1 },
    ])
  })

  test('show a group only while having is true, and the topic gets a tombstone when it is not', async () => {
    const log = await begin(byZone('-- publish: trips', 'having count(*) >= 2'))
    log.create(ride(1, '10:05:00', 7, '1.00'), origin(10)).create(ride(2, '10:06:00', 7, '1.00'), origin(11))
    await feed(target, log, 1)
    expect(await shown(target)).toHaveLength(1)

    log.delete({ id: 1 }, origin(12))
    await feed(target, log, 3)

    expect(await shown(target)).toEqual([])
    const key = JSON.stringify({ zone: 7, window_start: '2024-01-01T10:00:00' })
    expect(
      await query(
        'select topic, record_key::jsonb::text as key, record_value::jsonb as value from tidemark.window_outbox order by seq',
      ),
    ).toEqual([
      {
        topic: 'trips',
        key: key.replaceAll(/([:,])(?=["\d])/g, '$1 ').replace('T10: 00: 00', 'T10:00:00'),
        value: expect.objectContaining({ zone: 7, trips: 2, earnings: 2, window_end: '2024-01-01T11:00:00' }),
      },
      { topic: 'trips', key: expect.any(String), value: null },
    ])
  })

  test('of two zones of one name stay two rows, and a changed name shows at once', async () => {
    const zones = { relation: 4713, table: 'zones' }
    const log = new ChangeLog().contract(ridesContract())
    log.contract({
      ...ridesContract(zones),
      columns: [
        { ...ridesContract().columns[0]!, name: 'zone_id', type: 'integer', carried: 'integer' },
        { ...ridesContract().columns[2]!, number: 2, name: 'name', type: 'text', carried: 'text' },
      ],
    })
    for (const zone_id of [7, 8]) log.create({ zone_id, name: 'Corona' }, origin(5, { table: 'zones' }))
    await feed(target, log)
    const text = `${byZone()}
-- view
select w.*, z.name from windows w left join public.zones z on z.zone_id = w.zone;`
    await putWindow(target, 'by_zone', text)
    await complete(target)
    const from = log.records.length
    log.create(ride(1, '10:05:00', 7, '1.00'), origin(10)).create(ride(2, '10:06:00', 8, '2.00'), origin(11))
    await feed(target, log, from)
    const named = () => query('select zone, name, earnings from tidemark_windows.by_zone order by zone')
    expect(await named()).toEqual([
      { zone: 7, name: 'Corona', earnings: '1.00' },
      { zone: 8, name: 'Corona', earnings: '2.00' },
    ])

    log.update({ zone_id: 8, name: 'North Corona' }, origin(12, { table: 'zones' }))
    await feed(target, log, from + 2)

    expect((await named())[1]).toMatchObject({ name: 'North Corona' })
  })

  test('are the same after a restart and after records are delivered again', async () => {
    const log = await begin()
    for (let i = 1; i <= 20; i++) log.create(ride(i, `1${i % 4}:0${i % 7}:00`, i % 3, '1.00'), origin(10 + i))
    await feed(target, log, 1)
    const before = await shown(target)

    expect(await feed(target, log)).toEqual({ kind: 'duplicate' })
    await feed(target, log, 5)

    expect(await shown(target)).toEqual(before)
  })

  test('of a keyless table count equal rows each, and follow update, delete and truncate', async () => {
    const log = new ChangeLog().start().contract(callsContract())
    await feed(target, log)
    await putWindow(target, 'by_zone', byZone().replaceAll('rides', 'calls'))
    await complete(target)
    const row = ({ id, ...row }: ReturnType<typeof ride>) => row
    const call = (lsn: number) => origin(lsn, { table: 'calls' })
    const [first, other] = [row(ride(0, '10:05:00', 7, '1.00')), row(ride(0, '10:06:00', 8, '2.00'))]
    log.create(first, call(10)).create(first, call(11)).create(first, call(12)).change('u', first, other, call(13))
    await feed(target, log, 2)
    expect(await shown(target)).toMatchObject([
      { zone: 7, trips: 2 },
      { zone: 8, trips: 1 },
    ])

    log.change('d', first, null, call(14))
    await feed(target, log, 6)
    expect(await shown(target)).toMatchObject([
      { zone: 7, trips: 1 },
      { zone: 8, trips: 1 },
    ])

    log.truncate(call(15)).create(other, call(16))
    await feed(target, log, 7)
    await complete(target)
    expect(await shown(target)).toMatchObject([{ zone: 8, trips: 1 }])
  })

  test('never overtake the latest state: a delivery that it has not applied is applied up to there and given back', async () => {
    const log = await begin()
    log.create(ride(1, '10:05:00', 7, '1.00'), origin(10)).create(ride(2, '10:06:00', 7, '1.00'), origin(11))
    await makeLatestState(target.pool).apply({ consumer: 'tidemark-latest-state', ...place }, log.records.slice(1, 2))

    const applied = makeWindows(target.pool, { waitMs: 20 }).apply(place, log.records.slice(1))

    await expect(applied).rejects.toThrow(NotYetAppliedError)
    expect(await shown(target)).toMatchObject([{ zone: 7, trips: 1 }])
  })

  test('go on behind records that are gone from the topic, and have what those did', async () => {
    const log = await begin()
    log.create(ride(1, '10:05:00', 7, '1.00'), origin(10)).create(ride(2, '10:06:00', 7, '1.00'), origin(11))
    log.create(ride(3, '10:07:00', 7, '1.00'), origin(12))
    await makeLatestState(target.pool).apply({ consumer: 'tidemark-latest-state', ...place }, log.records.slice(1))

    const outcome = await makeWindows(target.pool).apply(place, log.records.slice(3))
    await complete(target)

    expect(outcome.kind).toBe('applied')
    expect(await shown(target)).toMatchObject([{ zone: 7, trips: 3 }])
    expect(await query('select from tidemark.stop')).toEqual([])
  })

  test('that a batch without rows of their table does not concern are not touched', async () => {
    const log = await begin()
    log.create(ride(1, '10:05:00', 7, '1.00'), origin(10))
    await feed(target, log, 1)
    const versions = () =>
      query('select xmin::text, (select count(*) from tidemark.window_mark) from tidemark.window_watermark')
    const before = await versions()

    log.beacon(1, { previousLsn: null }).create({ id: 1, name: '', amount: null }, { lsn: 11 })
    const outcome = await feed(target, log, 2)

    expect(outcome).toMatchObject({ kind: 'applied', effect: { rows: 0, groups: 0 } })
    expect(await versions()).toEqual(before)
  })
})

describe('a definition', () => {
  test('that is added has the rows that were there before, and those that come while it is computed', async () => {
    const log = await begin()
    log.create(ride(1, '10:05:00', 7, '1.00'), origin(10)).create(ride(2, '11:05:00', 7, '2.00'), origin(11))
    await feed(target, log, 1)

    await putWindow(target, 'later', byZone())
    log.update(ride(1, '10:05:00', 8, '1.00'), origin(12))
    const records = log.records.slice(3)
    await makeLatestState(target.pool).apply({ consumer: 'tidemark-latest-state', ...place }, records)
    await makeWindows(target.pool).apply(place, records)
    await complete(target)

    expect(await shown(target, 'later')).toEqual(await shown(target))
  })

  test('that changes is shown as it was until the changed one is complete, and its topic gets the difference', async () => {
    const log = await begin(byZone('-- publish: trips'))
    log.create(ride(1, '10:05:00', 7, '1.00'), origin(10)).create(ride(2, '10:05:00', 8, '2.00'), origin(11))
    await feed(target, log, 1)

    const put = await putWindow(target, 'by_zone', byZone('-- publish: trips', 'having zone > 7'))
    expect(put).toMatchObject({ outcome: 'changed', state: 'backfilling' })
    expect(await shown(target)).toHaveLength(2)
    await complete(target)

    expect(await shown(target)).toMatchObject([{ zone: 8 }])
    expect(await putWindow(target, 'by_zone', byZone('-- publish: trips', 'having zone > 7'))).toMatchObject({
      outcome: 'unchanged',
      state: 'shown',
    })
    const last = await query(
      `select distinct on (record_key) record_key::jsonb ->> 'zone' as zone, record_value is null as gone
       from tidemark.window_outbox order by record_key, seq desc`,
    )
    expect(last).toEqual(
      expect.arrayContaining([
        { zone: '7', gone: true },
        { zone: '8', gone: false },
      ]),
    )
    expect(await query(`select from pg_class where relname ~ '^w\\d+_rows$'`)).toHaveLength(1)
  })

  test('that is removed leaves nothing but tombstones', async () => {
    const log = await begin(byZone('-- publish: trips'))
    log.create(ride(1, '10:05:00', 7, '1.00'), origin(10))
    await feed(target, log, 1)

    await query(`select tidemark.remove_window('by_zone')`)

    expect(await query('select record_value from tidemark.window_outbox order by seq desc limit 1')).toEqual([
      { record_value: null },
    ])
    expect(await states()).toEqual([])
    expect(await query(`select from pg_class where relname ~ '^w\\d+_' or relname = 'by_zone'`)).toEqual([])
  })

  test('waits for its table, and is shown when the table has come', async () => {
    const text = byZone()
    expect(await putWindow(target, 'by_zone', text)).toMatchObject({ state: 'awaiting table' })
    const log = new ChangeLog().contract(ridesContract()).create(ride(1, '10:05:00', 7, '1.00'), origin(10))

    await feed(target, log)
    await complete(target)

    expect(await shown(target)).toMatchObject([{ zone: 7, trips: 1 }])
  })

  test('has the rows of a new generation of its table once they are complete', async () => {
    const log = await begin()
    log.create(ride(1, '10:05:00', 7, '1.00'), origin(10))
    log.contract(ridesContract({ version: 2, generation: 2, complete: false }), { lsn: 11 })
    await feed(target, log, 1)
    log
      .incrementalRead(ride(1, '10:05:00', 9, '1.00'), { table: 'rides' })
      .contract(ridesContract({ version: 3, generation: 2 }), { lsn: 12 })
      .create(ride(2, '10:05:00', 9, '1.00'), origin(13))
    await feed(target, log, 3)
    await complete(target)

    expect(await shown(target)).toMatchObject([{ zone: 9, trips: 2 }])
  })

  test('whose column is dropped stops with the reason, and the others go on', async () => {
    const log = await begin()
    await putWindow(target, 'counted', `${ridesHead()} select count(*) as trips from rides;`)
    await complete(target)
    const columns = ridesContract().columns.filter(({ name }) => name !== 'fare')
    log.contract(ridesContract({ version: 2, columns }), { lsn: 11 })
    const { fare, ...row } = ride(1, '10:05:00', 7, '1.00')
    log.create(row, origin(12))

    await feed(target, log, 1)
    await complete(target)

    expect(await states()).toEqual([
      { name: 'by_zone', state: 'stopped', reason: expect.stringContaining('column "fare" does not exist') },
      { name: 'counted', state: 'shown', reason: null },
    ])
    expect(await query('select trips::integer from tidemark_windows.counted')).toEqual([{ trips: 1 }])
  })

  test('whose column gets a wider type is computed again with it', async () => {
    const log = await begin()
    const columns = ridesContract().columns.map((column) =>
      column.name === 'zone' ? { ...column, type: 'bigint', carried: 'bigint' } : column,
    )
    log.create(ride(1, '10:05:00', 7, '1.00'), origin(10)).contract(ridesContract({ version: 2, columns }), { lsn: 11 })
    log.create({ ...ride(2, '10:05:00', 7, '1.00'), zone: 5_000_000_000 }, origin(12))

    await feed(target, log, 1)
    await complete(target)

    expect(await shown(target)).toMatchObject([
      { zone: '7', trips: 1 },
      { zone: '5000000000', trips: 1 },
    ])
  })

  test('whose expression fails for a row stops with the reason, and the others go on', async () => {
    const log = await begin()
    await putWindow(target, 'divided', `${ridesHead()} select sum(1 / zone) as parts from rides;`)
    await complete(target)
    log.create(ride(1, '10:05:00', 0, '1.00'), origin(10))

    await feed(target, log, 1)

    expect(await states()).toEqual([
      { name: 'by_zone', state: 'shown', reason: null },
      { name: 'divided', state: 'stopped', reason: expect.stringContaining('division by zero') },
    ])
    expect(await shown(target)).toMatchObject([{ zone: 0, trips: 1 }])
  })

  test('is rebuilt beside what is shown', async () => {
    const log = await begin()
    log.create(ride(1, '10:05:00', 7, '1.00'), origin(10))
    await feed(target, log, 1)
    const [{ id }] = (await query('select id from tidemark.window_definition')) as [{ id: string }]
    await query(`update tidemark_window_rows.w${id}_groups set r1 = 99`)

    await query(`select tidemark.rebuild_window('by_zone')`)
    expect(await shown(target)).toMatchObject([{ trips: 99 }])
    await complete(target)

    expect(await shown(target)).toMatchObject([{ trips: 1 }])
  })
})
