import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { newestUserEvents, readUserEvent } from '#core/user-event.ts'
import { ChangeLog } from '#test-support/changes/change-log.ts'
import { hostileEvents } from '#test-support/changes/hostile-events.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { makeUserState } from './user-state.ts'

let target: TestDatabase
beforeEach(async () => {
  target = await createDatabase('target')
})
afterEach(() => target.drop())

const key = (topicPartition = 0) => ({ consumer: 'tidemark-user-state', topic: 'user-events', topicPartition })
const event = (id: number, op: string, event_order: number, more: object = {}) =>
  JSON.stringify({ id, name: `name ${event_order}`, age: 30, op, event_order, ts: '2024-01-01T00:00:00.000Z', ...more })
const state = async () =>
  (await target.pool.query('select id::int, name from tidemark.latest_user_state order by id')).rows

test('the highest event_order of an id wins whatever the order of arrival', async () => {
  const log = new ChangeLog()
    .append(event(1, 'update', 3))
    .append(event(1, 'insert', 1))
    .append(event(1, 'update', 2))

  await makeUserState(target.pool).apply(key(), log.records)

  expect(await state()).toEqual([{ id: 1, name: 'name 3' }])
})

test('a delete leaves the state and stays in the log, and a later insert works', async () => {
  const log = new ChangeLog().append(event(1, 'insert', 1)).append(event(1, 'delete', 2))
  const userState = makeUserState(target.pool)
  await userState.apply(key(), log.records)
  expect(await state()).toEqual([])

  await userState.apply(key(), log.append(event(1, 'insert', 3)).records)

  expect(await state()).toEqual([{ id: 1, name: 'name 3' }])
  const logged = await target.pool.query('select op from tidemark.user_event_log order by event_order desc')
  expect(logged.rows.map((row) => row.op)).toEqual(['insert', 'delete', 'insert'])
})

test('a restarted producer counts from 1 again and wins by its run', async () => {
  const log = new ChangeLog().append(event(1, 'insert', 900, { run: 1 })).append(event(1, 'update', 1, { run: 2 }))

  await makeUserState(target.pool).apply(key(), log.records)

  expect(await state()).toEqual([{ id: 1, name: 'name 1' }])
})

test('a tie is decided by topic partition, then offset, in whatever order they are applied', async () => {
  const one = new ChangeLog().append(event(1, 'insert', 5, { name: 'partition 0' }))
  const other = new ChangeLog()
    .append(event(1, 'insert', 5, { name: 'first' }))
    .append(event(1, 'update', 5, { name: 'second' }))
  const userState = makeUserState(target.pool)

  await userState.apply(key(1), other.records)
  await userState.apply(key(0), one.records)

  expect(await state()).toEqual([{ id: 1, name: 'second' }])
})

test('a replay from the earliest offset rebuilds the same state', async () => {
  const log = new ChangeLog()
  for (let i = 1; i <= 50; i++) log.append(event(i % 7, i % 5 === 0 ? 'delete' : 'update', i))
  const userState = makeUserState(target.pool)
  await userState.apply(key(), log.records)
  const before = await state()

  await target.pool.query('truncate tidemark_rows.user_state, tidemark.user_event_log, tidemark.progress')
  await userState.apply(key(), log.records)

  expect(await state()).toEqual(before)
})

test('a record that is not a delta is quarantined with its reason, and the others are applied', async () => {
  const log = new ChangeLog()
    .append('{"id":')
    .append(undefined)
    .append(event(1, 'upsert', 1))
    .append(event(2, 'insert', 1, { age: 2 ** 31 }))
    .append(event(3, 'insert', 1, { ts: '0000-01-01T00:00:00Z' }))
    .append(event(4, 'insert', 1, { name: 'nul \0' }))
    .append('{"id":9223372036854775808,"op":"insert","event_order":1}')
    .append('{"id":9223372036854775807,"op":"insert","event_order":1}')

  const outcome = await makeUserState(target.pool).apply(key(), log.records)

  expect(outcome).toMatchObject({ effect: { changes: 1, quarantined: 7 } })
  const { rows } = await target.pool.query('select id from tidemark.latest_user_state')
  expect(rows).toEqual([{ id: '9223372036854775807' }])
})

test('ids that are one number, however they are written, are one row of a batch', async () => {
  const of = (id: string, event_order: number) =>
    `{"id":${id},"name":"n${event_order}","op":"insert","event_order":${event_order}}`
  const log = new ChangeLog()
  for (const [index, id] of ['7', '"7"', '7.0', '7e0', '"007"', '0', '-0', '"-0"'].entries()) log.append(of(id, index))

  const outcome = await makeUserState(target.pool).apply(key(), log.records)

  expect(outcome).toMatchObject({ effect: { changes: 6, quarantined: 2 } })
  expect(await state()).toEqual([
    { id: 0, name: 'n6' },
    { id: 7, name: 'n3' },
  ])
})

test('a value that is no UTF-8 is quarantined with its bytes, and a replacement character that was sent is stored', async () => {
  const record = (offset: number, value: Buffer) => {
    const bytes = () => ({ key: undefined, value })
    return { offset, timestampMs: offset, key: undefined, value: value.toString(), bytes, digest: () => `${offset}` }
  }
  const sent = [event(1, 'insert', 1, { name: 'a\ufffd' }), event(2, 'insert', 1, { name: 'XX' })].map((text) =>
    Buffer.from(text),
  )
  sent[1]!.set([0xff, 0xfe], sent[1]!.indexOf('XX'))

  await makeUserState(target.pool).apply(
    key(),
    sent.map((value, offset) => record(offset, value)),
  )

  expect(await state()).toEqual([{ id: 1, name: 'a\ufffd' }])
  const { rows } = await target.pool.query('select reason, value_bytes from tidemark.quarantine')
  expect(rows).toEqual([{ reason: 'the value is not UTF-8', value_bytes: sent[1] }])
})

test('a kept event that fails again fails no other that is applied again, and is kept with its new reason', async () => {
  const log = new ChangeLog()
  for (const id of [1, 2, 3]) log.append('{"id":', undefined, { oldKey: `of ${id}`, newKey: undefined })
  await makeUserState(target.pool).apply(key(), log.records)
  // An older release would have kept such values.
  for (const id of [1, 2, 3]) {
    await target.pool.query('update tidemark.quarantine set record_value = $1 where record_offset = $2', [
      event(id, 'insert', 1),
      id - 1,
    ])
  }
  await target.pool.query('alter table tidemark_rows.user_state add constraint no_two check (id <> 2)')
  await target.pool.query(`select tidemark.retry('all')`)

  const outcome = await makeUserState(target.pool).apply(key(), [])

  expect(outcome).toMatchObject({ effect: { changes: 2, quarantined: 1 } })
  expect(await state()).toEqual([1, 3].map((id) => ({ id, name: 'name 1' })))
  const { rows } = await target.pool.query(
    'select record_offset::int, reason, record_value, record_headers, retry_at from tidemark.quarantine',
  )
  const reason = expect.stringContaining('it cannot be applied: new row for relation "user_state" violates')
  const kept = { record_offset: 1, record_value: event(2, 'insert', 1), record_headers: { oldKey: 'of 2' } }
  expect(rows).toEqual([{ ...kept, reason, retry_at: null }])
})

test('however many events are to be applied again, one delivery does', async () => {
  await target.pool.query(
    `insert into tidemark.quarantine (topic, topic_partition, record_offset, record_value, reason, retry_at)
     select 'user-events', 0, n, json_build_object('id', n, 'op', 'insert', 'event_order', 1), 'a reason', now()
     from generate_series(1, 2500) n`,
  )

  expect(await makeUserState(target.pool).apply(key(), [])).toMatchObject({ effect: { changes: 2500, quarantined: 0 } })

  expect(await state()).toHaveLength(2500)
})

test('row changes are ordered by ts_ms, and by offset where that is equal, in whatever batches they come', async () => {
  const change = (op: string, name: string | null, ts_ms: number, more: object = {}) => {
    const row = { id: 1, name, ...more }
    return JSON.stringify({ op, before: op === 'd' ? row : null, after: op === 'd' ? null : row, ts_ms })
  }
  const log = new ChangeLog()
    .append(change('c', 'a', 1_700_000_000_000))
    .append(change('u', 'b', 1_700_000_000_002, { balance: 1.5 }))
    .append(change('u', 'late', 1_700_000_000_001))
  const userState = makeUserState(target.pool)
  for (const size of [1, 2, 3]) await userState.apply(key(), log.records.slice(0, size))
  const { rows } = await target.pool.query('select name, event_order, more from tidemark.latest_user_state')
  expect(rows).toEqual([{ name: 'b', event_order: '1700000000002', more: { balance: 1.5 } }])

  await userState.apply(key(), log.append(change('d', 'b', 1_700_000_000_002)).records)
  expect(await state()).toEqual([])
  const logged = await target.pool.query('select op, name from tidemark.user_event_log order by record_offset')
  expect(logged.rows.map(({ op, name }) => `${op} ${name}`)).toEqual([
    'insert a',
    'update b',
    'update late',
    'delete b',
  ])
})

test('an event is stored exactly as it was read, whatever the records hold', async () => {
  let topicPartition = 0
  await fc.assert(
    fc.asyncProperty(fc.array(hostileEvents, { minLength: 1, maxLength: 40 }), async (values) => {
      topicPartition += 1
      const log = new ChangeLog()
      for (const value of values) log.append(value)
      const placed = values.flatMap((value, offset) => {
        const event = readUserEvent(value)
        return 'malformed' in event ? [] : [{ offset, event }]
      })
      const more = await asPostgresWrites(placed.map(({ event }) => event.more))
      await target.pool.query('truncate tidemark_rows.user_state')

      const outcome = await makeUserState(target.pool).apply(key(topicPartition), log.records)

      const effect = { changes: placed.length, quarantined: values.length - placed.length }
      expect(outcome).toMatchObject({ kind: 'applied', effect })
      expect(await stored('tidemark.user_event_log where topic_partition = $1', [topicPartition])).toEqual(
        placed.map(({ offset, event }, i) => ({ offset: `${offset}`, ...event, more: more[i] })),
      )
      const newest = newestUserEvents(placed).filter(({ event }) => event.op !== 'delete')
      expect(await ids('tidemark.latest_user_state')).toEqual(newest.map(({ event }) => event.id).sort())
    }),
    { numRuns: 150 },
  )
})

async function stored(from: string, values: unknown[]) {
  const { rows } = await target.pool.query(
    `select record_offset as offset, id, name, age, more::text, op, event_order as "eventOrder", run,
       to_char(ts at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as ts
     from ${from} order by record_offset`,
    values,
  )
  return rows
}

async function asPostgresWrites(json: (string | null)[]): Promise<(string | null)[]> {
  const { rows } = await target.pool.query('select value::text from unnest($1::jsonb[]) as value', [json])
  return rows.map(({ value }) => value)
}

const ids = async (from: string) => (await target.pool.query(`select id from ${from}`)).rows.map(({ id }) => id).sort()
