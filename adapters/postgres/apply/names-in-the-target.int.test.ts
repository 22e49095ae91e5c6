import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ChangeLog, columnContract, type LoggedRecord, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { makeUserState } from '../user-state/user-state.ts'
import { type LatestState, makeLatestState } from './latest-state.ts'

let target: TestDatabase
let latestState: LatestState

beforeEach(async () => {
  target = await createDatabase('target')
  latestState = makeLatestState(target.pool)
})
afterEach(() => target.drop())

const apply = (records: readonly LoggedRecord[]) =>
  latestState.apply({ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }, records)
const rows = async (query: string) => (await target.pool.query(query)).rows
const run = (statements: string) => target.pool.query(statements)
const stopped = () =>
  rows('select relation::int, reason, accepted_at is not null as accepted from tidemark.stopped_table')

const id = columnContract(1, 'id', 'bigint', { key: 1, nullable: false })
const other = { relation: 4712, columns: [id] }

describe('something in the target that capture did not make', () => {
  test.each([
    ['create table public.orders (mine int); insert into public.orders values (1)', 'table public.orders', 'table'],
    ['create view public.orders as select 1 as mine', 'view public.orders', 'table'],
    ['create materialized view public.orders as select 1 as mine', 'materialized view public.orders', 'table'],
    [
      'create view public.orders as select 1 as mine; alter view public.orders owner to tidemark_owner',
      'view public.orders',
      'table',
    ],
    ['create sequence public.orders', 'sequence public.orders', 'table'],
    ['create table public.t (a int); create index orders on public.t (a)', 'index public.orders', 'table'],
    ['create type public.orders as (mine int)', 'composite type public.orders', 'type'],
    [`create domain public.orders as int`, 'type public.orders', 'type'],
  ])('is never replaced, and the advice keeps it: %s', async (statements, object, kind) => {
    await run(statements)
    const log = new ChangeLog().contract(ordersContract()).contract(ordersContract({ ...other, table: 'others' }))
    log.create({ id: 1, name: 'a', amount: null }, { lsn: 10 }).create({ id: 7 }, { lsn: 11, table: 'others' })

    await apply(log.records)

    const [stop] = await stopped()
    const command = `alter ${kind} public.orders rename to orders_renamed`
    expect(stop).toMatchObject({ relation: 4711, accepted: false })
    expect(stop.reason).toContain(`${object} is in the target and was not created by Tidemark`)
    expect(stop.reason).toContain(`rename it with ${command}, then run npm run accept -- public.orders`)
    expect(await rows('select id::int from public.others')).toEqual([{ id: 7 }])

    await run(`${command}; select tidemark.accept('public.orders')`)
    await apply(log.beacon(1).records)

    expect(await rows('select id::int from public.orders')).toEqual([{ id: 1 }])
    expect(await stopped()).toEqual([])
  })

  test('that took the name of a view which somebody dropped stays when the table is dropped in the source', async () => {
    const leaf = { parents: [{ schema: 'public', table: 'sales' }] }
    const log = new ChangeLog()
      .contract(ordersContract(leaf))
      .contract(ordersContract({ ...leaf, ...other, table: 'others' }))
    await apply(log.records)
    await run(
      'drop view public.orders, public.sales; create table public.orders (mine int); create table public.sales (mine int)',
    )

    const outcome = await apply(log.contract(ordersContract({ version: 2, dropped: true }), { lsn: 20 }).records)

    expect(outcome.kind).toBe('applied')
    expect(await rows('select mine from public.orders union all select mine from public.sales')).toEqual([])
    expect(await stopped()).toEqual([])
  })
})

describe('a parent that a contract names', () => {
  test('is never something in the target that capture did not make', async () => {
    await run('create table public.mine (id int); insert into public.mine values (1)')
    const log = new ChangeLog().contract(ordersContract({ parents: [{ schema: 'public', table: 'mine' }] }))

    await apply(log.contract(ordersContract({ ...other, table: 'others' })).records)

    expect(await stopped()).toMatchObject([
      {
        relation: 4711,
        reason: expect.stringContaining('table public.mine is in the target and was not created by Tidemark'),
      },
    ])
    expect(await rows('select id from public.mine')).toEqual([{ id: 1 }])
    expect(await rows('select id from public.others')).toEqual([])
  })

  test('that is captured itself keeps its columns, whatever its heirs have', async () => {
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: '1.50' }, { lsn: 10 })
    const heir = { ...other, table: 'heirs', parents: [{ schema: 'public', table: 'orders' }] }
    await apply(log.contract(ordersContract(heir), { lsn: 11 }).create({ id: 2 }, { lsn: 12, table: 'heirs' }).records)

    expect(await rows('select * from public.orders order by id')).toEqual([
      { id: '1', name: 'a', amount: '1.50' },
      { id: '2', name: null, amount: null },
    ])
    await apply(log.contract(ordersContract({ ...heir, version: 2, columns: [] }), { lsn: 20 }).records)

    expect(await rows('select * from public.orders order by id')).toEqual([
      { id: '1', name: 'a', amount: '1.50' },
      { id: null, name: null, amount: null },
    ])
  })
})

describe('a captured table with the name of what Tidemark shows', () => {
  test('has a view of its own beside the state and the log of user events', async () => {
    const delta = JSON.stringify({ id: 1, name: 'Ann', op: 'insert', event_order: 1 })
    const userEvents = { consumer: 'tidemark-user-state', topic: 'user-events', topicPartition: 0 }
    await makeUserState(target.pool).apply(userEvents, new ChangeLog().append(delta).records)
    const log = new ChangeLog().contract(ordersContract({ table: 'latest_user_state', columns: [id] }))
    log.contract(ordersContract({ ...other, table: 'user_event_log' }))
    log
      .create({ id: 7 }, { lsn: 10, table: 'latest_user_state' })
      .create({ id: 8 }, { lsn: 10, table: 'user_event_log' })

    await apply(log.records)

    expect(await stopped()).toEqual([])
    expect(await rows('select * from public.latest_user_state')).toEqual([{ id: '7' }])
    expect(await rows('select * from public.user_event_log')).toEqual([{ id: '8' }])
    expect(await rows('select name from tidemark.latest_user_state')).toEqual([{ name: 'Ann' }])
    expect(await rows('select name from tidemark.user_event_log')).toEqual([{ name: 'Ann' }])
  })

  test.each(['tidemark', 'tidemark_rows'])('stops alone where it is in the schema %s', async (schema) => {
    const log = new ChangeLog().contract(ordersContract({ schema, table: 'progress' })).contract(ordersContract(other))

    await apply(log.records)

    expect(await stopped()).toMatchObject([
      { relation: 4711, reason: expect.stringContaining('its schema is reserved') },
    ])
    expect(await rows('select * from public.orders')).toEqual([])
    expect(await rows('select consumer from tidemark.progress')).toEqual([{ consumer: 'tidemark-latest-state' }])
  })
})

describe('the view of a table that is still captured', () => {
  const log = () => new ChangeLog().contract(ordersContract({ columns: [id] })).create({ id: 1 }, { lsn: 10 })
  const shown = (table = 'orders') => rows(`select id::int from public.${table} order by id`)

  test('is not taken by another relation of its name, which stops, and goes on once the first is dropped', async () => {
    const records = log().contract(ordersContract(other), { lsn: 20 })
    await apply(records.records)
    expect(await shown()).toEqual([{ id: 1 }])
    expect(await stopped()).toMatchObject([
      { relation: 4712, reason: expect.stringContaining('has the name of relation 4711, which is still captured') },
    ])

    await apply(records.contract(ordersContract({ version: 2, columns: [id], dropped: true }), { lsn: 30 }).records)
    await apply(records.create({ id: 2 }, { lsn: 31 }).records)

    expect(await shown()).toEqual([{ id: 2 }])
    expect(await stopped()).toEqual([])
  })

  test('lets the relation that waits for its name go on once the first is dropped, also if that one was renamed meanwhile', async () => {
    const records = log().contract(ordersContract(other), { lsn: 20 })
    await apply(records.create({ id: 2 }, { lsn: 21 }).records)
    records.contract(ordersContract({ ...other, version: 2, table: 'others' }), { lsn: 22 })
    await apply(records.create({ id: 3 }, { lsn: 23, table: 'others' }).records)
    expect(await rows('select table_name from tidemark.stopped_table')).toEqual([{ table_name: 'others' }])

    await apply(records.contract(ordersContract({ version: 2, columns: [id], dropped: true }), { lsn: 30 }).records)
    await apply(records.create({ id: 4 }, { lsn: 31, table: 'others' }).records)

    expect(await shown('others')).toEqual([{ id: 2 }, { id: 3 }, { id: 4 }])
    expect(await stopped()).toEqual([])
  })

  test('is not taken either when the stopped one is accepted too early', async () => {
    const records = log().contract(ordersContract(other), { lsn: 20 })
    await apply(records.records)
    await run(`select tidemark.accept('public.orders')`)

    await apply(records.beacon(1).records)

    expect(await shown()).toEqual([{ id: 1 }])
    expect(await stopped()).toMatchObject([{ relation: 4712, accepted: false }])
  })

  test('of two tables that swap their names is that of the other, whichever contract comes first', async () => {
    const records = log().contract(ordersContract({ ...other, table: 'others' }), { lsn: 11 })
    await apply(records.create({ id: 2 }, { lsn: 12, table: 'others' }).records)

    await apply(records.contract(ordersContract({ ...other, version: 2 }), { lsn: 20 }).records)
    await apply(records.contract(ordersContract({ version: 2, columns: [id], table: 'others' }), { lsn: 20 }).records)
    await apply(records.beacon(1).records)

    expect([await shown(), await shown('others')]).toEqual([[{ id: 2 }], [{ id: 1 }]])
    expect(await stopped()).toEqual([])
  })
})
