import { expect, test } from 'vitest'
import { noColours } from '#terminal/style.ts'
import { ChangeLog, columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { makeChangeLines } from './change-line.ts'
import { makeRecentRows } from './recent-rows.ts'
import { describeRecord, type WatchedChange } from './watched-change.ts'

function watch(topic: string, log: ChangeLog, { most = 100, width = 200 } = {}) {
  const known = { contracts: new Map(), rows: makeRecentRows(most), met: new Set<string>() }
  const changes = log.records.flatMap(({ value, headers = {}, offset, timestampMs }): WatchedChange[] => {
    const record = { topic, topicPartition: 0, offset, timestampMs, value: value ?? null, headers }
    const change = describeRecord(record, known)
    return change === undefined ? [] : [change]
  })
  const line = makeChangeLines(noColours, width)
  return { changes, lines: changes.map((change) => line(change).replace(/^\S+ \S+ +/, '')) }
}

const [id, name, amount] = ordersContract().columns as [never, never, never]

test('an update is shown as each changed column before and after, where the row before it was seen', () => {
  const log = new ChangeLog().contract(ordersContract()).create({ id: 7, name: 'new', amount: '1.50' }, { lsn: 10 })
  log
    .update({ id: 7, name: 'paid', amount: '1.50' }, { lsn: 11 })
    .update({ id: 8, name: 'b', amount: null }, { lsn: 12 })
  log.delete({ id: 7, name: null, amount: null }, { lsn: 13 }).truncate({ lsn: 14 }).beacon(1)

  expect(watch('changes', log).lines).toEqual([
    'public.orders  table   version 1 of its contract',
    'public.orders  create  7  name: new, amount: 1.50',
    'public.orders  update  7  name: new → paid',
    'public.orders  update  8  name: b, amount: null',
    'public.orders  delete  7  name: paid, amount: 1.50',
    'public.orders  truncate',
  ])
})

test('a source that sends the row before needs no memory, and values are as Postgres writes them', () => {
  const day = columnContract(4, 'day', 'date')
  const log = new ChangeLog().contract(ordersContract({ replicaIdentity: 'full', columns: [id, name, amount, day] }))
  const row = { id: 7, name: 'a', amount: '12345678901234567890.10', day: 20_000 }
  log.change('u', row, { ...row, day: 20_001 }, { lsn: 11 })

  const { lines, changes } = watch('changes', log, { most: 0 })

  expect(lines.at(-1)).toBe('public.orders  update  7  day: 2024-10-04 → 2024-10-05')
  expect(changes.at(-1)).toMatchObject({
    key: { id: '7' },
    before: { amount: '12345678901234567890.10' },
    changed: { day: ['2024-10-04', '2024-10-05'] },
  })
})

test('plain events of both formats are shown, and what is no event with its reason', () => {
  const log = new ChangeLog()
    .append('{"id":7,"name":"Ann","age":30,"op":"insert","event_order":1}')
    .append('{"id":7,"name":"Ann","age":31,"op":"update","event_order":2,"balance":12345678901234567890.10}')
    .append('{"op":"u","before":null,"after":{"id":7,"name":"Ann","age":32},"ts_ms":3}')
    .append('{"op":"d","before":{"id":7},"after":null,"ts_ms":4}')
    .append('{"id":"007","op":"insert","event_order":1}')

  expect(watch('user-events', log).lines).toEqual([
    'user-events  insert  7  name: Ann, age: 30, ts: null',
    'user-events  update  7  age: 30 → 31',
    'user-events  update  7  age: 31 → 32, ts: null → 1970-01-01T00:00:00.003000Z',
    'user-events  delete  7  name: Ann, age: 32, ts: 1970-01-01T00:00:00.003000Z',
    'user-events  no event  id must be a whole number of 64 bits, and is "007"',
  ])
})

test('no value moves the cursor or makes a second line, and long ones are cut', () => {
  const log = new ChangeLog().append('{"id":7,"name":"a\\u001b[2J\\nb\\u202e","op":"insert","event_order":1}')

  expect(watch('user-events', log).lines).toEqual([
    'user-events  insert  7  name: a\u241b[2J b\ufffd, age: null, ts: null',
  ])
  expect(watch('user-events', log, { width: 60 }).lines[0]).toMatch(/^user-events {2}insert {2}7 {2}.*…$/)
})

test('a record that is not what Debezium sends is shown, and so is what a transaction says of itself', () => {
  const log = new ChangeLog().append('null').append('{"op":').append('{"op":"c","source":{}}').append(undefined)
  log.audit({ why: 'month end' }, { lsn: 9, txId: 3 })

  expect(watch('changes', log).changes.map(({ op, note }) => [op, note])).toEqual([
    ['unreadable', expect.stringContaining('null')],
    ['unreadable', expect.stringContaining('JSON')],
    ['unreadable', expect.stringContaining('table')],
    ['message', '{"why":"month end"}'],
  ])
})
