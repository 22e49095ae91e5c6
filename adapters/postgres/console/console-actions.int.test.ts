import type pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { ChangeLog, ordersContract } from '#test-support/changes/change-log.ts'
import { consolePool } from '#test-support/databases/console-pool.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'
import { beginResync, listActions, makeActionRecord, readCapturedTable, readStoppedTable } from './console-actions.ts'
import { countKept, listQuarantined, parseQuarantinePlace, readQuarantined } from './quarantine-reads.ts'

let target: TestDatabase
let reader: pg.Pool
let actor: pg.Pool
beforeEach(async () => {
  target = await createDatabase('target')
  reader = consolePool(target)
  actor = consolePool(target, 'tidemark_console_act')
})
afterEach(async () => {
  await Promise.all([reader.end(), actor.end()])
  await target.drop()
})

const begun = (action: 'table.accept' | 'quarantine.retry' | 'quarantine.discard' | 'table.resync', of: string) =>
  ({ who: 'alice', action, target: of, reason: 'it was a test', appVersion: '1.0' }) as const
const act = () => makeActionRecord(actor)

/** A table that is stopped because another object has its name, with a quarantined record, and one that is no change. */
async function stopOrders(): Promise<void> {
  await target.pool.query('create table public.orders (theirs int)')
  const log = new ChangeLog()
    .contract(ordersContract())
    .append('nonsense \u0007<b>')
    .create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
  const key = { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }
  await makeLatestState(target.pool).apply(key, log.records)
}

const rights = [
  `select tidemark.begin_action('eve', 'table.accept', 'public.orders', null, '1')`,
  'select tidemark.execute_action(1)',
  `select tidemark.finish_action(1, 'done', '')`,
  `select tidemark.accept('public.orders')`,
  `select tidemark.retry('all')`,
  `select tidemark.discard('all')`,
  `insert into tidemark.console_action (who, action, target, app_version) values ('eve', 'a.b', '', '')`,
  `update tidemark.console_action set who = 'eve'`,
  'delete from tidemark.console_action',
  'delete from tidemark_rows.change',
  'truncate tidemark_rows.change',
  `select tidemark.set_history('*', false)`,
  `select tidemark.order_epoch(2, 'x', true)`,
  'create table tidemark_rows.mine ()',
]

describe('the rights of the console', () => {
  test.each(rights)('to read do not include: %s', async (statement) => {
    await expect(reader.query(statement)).rejects.toMatchObject({ code: '42501' })
  })

  test.each(rights.slice(3))('to act do not include: %s', async (statement) => {
    await expect(actor.query(statement)).rejects.toMatchObject({ code: '42501' })
  })

  test('to act include everything that it may read', async () => {
    await stopOrders()

    expect(await listQuarantined(actor, undefined, undefined, 10)).toHaveLength(2)
    expect(await listActions(actor, undefined, 10)).toEqual([])
  })
})

describe('an action', () => {
  test('is recorded as running before it is executed, and with its outcome afterwards', async () => {
    await stopOrders()
    await target.pool.query('drop table public.orders')

    const id = await act().begin(begun('table.accept', 'public.orders'))
    expect(await listActions(reader, undefined, 10)).toMatchObject([{ id, outcome: 'running', result: null }])
    const done = await act().execute(id)
    expect(await act().finish(id, 'done', done)).toBe(true)

    expect(done).toContain('1 quarantined changes of public.orders are applied now')
    expect(await listActions(reader, undefined, 10)).toEqual([
      {
        id,
        at: expect.stringMatching(/^20.*Z$/),
        who: 'alice',
        action: 'table.accept',
        target: 'public.orders',
        reason: 'it was a test',
        outcome: 'done',
        result: done,
      },
    ])
    expect(await act().finish(id, 'failed', 'no')).toBe(false)
  })

  test('is executed once, and never without its row', async () => {
    await stopOrders()
    const id = await act().begin(begun('quarantine.discard', 'changes-0@1'))

    expect(await act().execute(id)).toBe('1 quarantined record is deleted')
    await expect(act().execute(id)).rejects.toThrow('is not recorded as one that is about to be executed')
    await expect(act().execute('999')).rejects.toThrow('action 999 is not recorded')
  })

  test('that is refused has changed nothing, and says why', async () => {
    await stopOrders()
    const discard = await act().begin(begun('quarantine.discard', 'public.orders'))
    const unfounded = await act().begin({ ...begun('quarantine.discard', 'changes-0@1'), reason: ' ' })
    const resync = await act().begin(begun('table.resync', 'public.orders'))

    await expect(act().execute(discard)).rejects.toThrow('its rows would lack them')
    await expect(act().execute(unfounded)).rejects.toThrow('a record is discarded for a reason')
    await expect(act().execute(resync)).rejects.toThrow('the target does not execute table.resync')
    expect(await countKept(reader, 'all')).toEqual({ records: 2, owed: 1 })
  })

  test('is listed in parts, newest first', async () => {
    for (const place of ['a', 'b', 'c']) await act().begin(begun('quarantine.retry', place))

    const [newest, second] = await listActions(reader, undefined, 2)

    expect([newest!.target, second!.target]).toEqual(['c', 'b'])
    expect((await listActions(reader, second!.id, 2)).map((action) => action.target)).toEqual(['a'])
  })
})

describe('the quarantine', () => {
  test('is listed by table and in parts, and a record is shown with what was expected', async () => {
    await stopOrders()

    const [nonsense, change] = await listQuarantined(reader, undefined, undefined, 10)
    const whole = await readQuarantined(reader, parseQuarantinePlace('changes-0@2')!)

    expect(nonsense).toMatchObject({
      place: 'changes-0@1',
      table: null,
      value: { kind: 'text', text: 'nonsense \u0007<b>', isCut: false },
    })
    expect(await listQuarantined(reader, undefined, parseQuarantinePlace('changes-0@1'), 10)).toEqual([change])
    expect(await listQuarantined(reader, 'public.orders', undefined, 10)).toEqual([change])
    expect(whole).toMatchObject({
      place: 'changes-0@2',
      isOwed: true,
      repair: 'accept',
      expected: [
        { name: 'id', type: 'bigint' },
        { name: 'name', type: 'text' },
        { name: 'amount', type: 'numeric(12,2)' },
      ],
    })
    expect(await readQuarantined(reader, parseQuarantinePlace('changes-0@99')!)).toBeUndefined()
    expect(await readStoppedTable(reader, 'public.orders')).toMatchObject({ repair: 'accept', records: 1 })
  })

  test.each(['', 'changes', 'changes-x@1', 'changes-0@-1', `changes-0@${'9'.repeat(30)}`])('%j is no place', (text) => {
    expect(parseQuarantinePlace(text)).toBeUndefined()
  })
})

describe('in the source', () => {
  let source: SourceDatabase
  beforeEach(async () => {
    source = await createSource()
    await source.pool.query('create table public.ride (id int primary key, note text)')
    await source.pool.query(`select tidemark.publish_table('public.ride'::regclass)`)
  })
  afterEach(() => source.drop())

  test('a role that may act has a table read again, and one that may read sees how far capture is', async () => {
    await source.pool.query(`update tidemark.captured_table set state = 'captured', complete = true`)
    const [reading, acting] = [consolePool(source), consolePool(source, 'tidemark_console_act')]
    try {
      expect(await readCapturedTable(reading, 'public.ride')).toMatchObject({ state: 'captured' })
      await expect(beginResync(reading, 'public.ride')).rejects.toMatchObject({ code: '42501' })
      expect(await beginResync(acting, 'public.ride')).toEqual(['public.ride'])
      for (const relation of ['captured_table', 'uncaptured', 'beacon', 'setting', 'table_contract']) {
        await reading.query(`select * from tidemark.${relation}`)
      }
      for (const pool of [reading, acting]) {
        for (const statement of [
          'select * from public.ride',
          'select * from tidemark.signal',
          `update tidemark.captured_table set state = 'refused'`,
          'select tidemark.emit_beacon()',
          `select tidemark.publish_table('public.ride'::regclass)`,
        ]) {
          await expect(pool.query(statement), statement).rejects.toMatchObject({ code: '42501' })
        }
      }
    } finally {
      await Promise.all([reading.end(), acting.end()])
    }
  })
})
