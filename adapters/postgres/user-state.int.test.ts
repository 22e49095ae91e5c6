import { afterEach, beforeEach, expect, test } from 'vitest'
import { ChangeLog } from '#test-support/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/database.ts'
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
  (await target.pool.query('select id::int, name from public.latest_user_state order by id')).rows

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
  const logged = await target.pool.query('select op from public.user_event_log order by event_order desc')
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

  await target.pool.query('truncate tidemark_rows.user_state, public.user_event_log, tidemark.progress')
  await userState.apply(key(), log.records)

  expect(await state()).toEqual(before)
})

test('what is no delta is quarantined with its reason and the others are applied', async () => {
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
  const { rows } = await target.pool.query('select id from public.latest_user_state')
  expect(rows).toEqual([{ id: '9223372036854775807' }])
})
