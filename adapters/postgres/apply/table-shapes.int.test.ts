import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TableContract } from '#core/contract.ts'
import { ChangeLog, columnContract, type LoggedRecord, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { type LatestState, makeLatestState } from './latest-state.ts'

let target: TestDatabase
let latestState: LatestState

beforeEach(async () => {
  target = await createDatabase('target')
  latestState = makeLatestState(target.pool)
})
afterEach(() => target.drop())

const applyTo = (topicPartition: number, records: readonly LoggedRecord[]) =>
  latestState.apply({ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition }, records)
const rows = async (query = 'select * from public.orders order by id') => (await target.pool.query(query)).rows
const stopped = async () => await rows('select generation, reason, repair, automatic from tidemark.stopped_table')

const [id, name, amount] = ordersContract().columns as [never, never, never]
const version2 = (changes: Partial<TableContract>) => ordersContract({ version: 2, ...changes })

describe('a later contract', () => {
  test('adds a column, which rows from before it have at its constant default, whichever topic partition writes them', async () => {
    const status = columnContract(4, 'status', 'text', { missing: 'open' })
    const contracts = (slot: number) => new ChangeLog(slot).contract(ordersContract({ topicPartitions: 2 }))
    const ahead = contracts(0).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
    ahead.contract(version2({ columns: [id, name, amount, status] }), { lsn: 20 })
    ahead.create({ id: 2, name: 'b', amount: null, status: 'new' }, { lsn: 21 })
    const behind = contracts(1).create({ id: 3, name: 'c', amount: null }, { lsn: 15 })

    await applyTo(0, ahead.records)
    await applyTo(1, behind.records)

    expect(await rows('select id, status from public.orders order by id')).toEqual([
      { id: '1', status: 'open' },
      { id: '2', status: 'new' },
      { id: '3', status: 'open' },
    ])
  })

  test('drops and renames columns, and one that takes a former name is another column', async () => {
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: '1.50' }, { lsn: 10 })
    const note = columnContract(4, 'amount', 'text')
    const renamed = columnContract(2, 'title', 'text')
    log.contract(version2({ columns: [id, renamed, note] }), { lsn: 20 })
    log.create({ id: 2, title: 'b', amount: 'text now' }, { lsn: 21 })

    await applyTo(0, log.records)

    expect(await rows()).toEqual([
      { id: '1', title: 'a', amount: null },
      { id: '2', title: 'b', amount: 'text now' },
    ])
  })

  test('widens a column without reading the rows again', async () => {
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: '1.50' }, { lsn: 10 })
    log.contract(version2({ columns: [id, name, columnContract(3, 'amount', 'numeric(20,2)')] }), { lsn: 20 })
    log.create({ id: 2, name: 'b', amount: '123456789012345.50' }, { lsn: 21 })

    await applyTo(0, log.records)

    expect(await rows('select amount from public.orders order by id')).toEqual([
      { amount: '1.50' },
      { amount: '123456789012345.50' },
    ])
  })

  test('renames the table; rights that were granted on a view stay when it has to be created again', async () => {
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
    await applyTo(0, log.records)
    await target.pool.query('create role somebody; grant select on public.orders to somebody')
    log.contract(version2({ columns: [id] }), { lsn: 20 })
    log.contract(ordersContract({ version: 3, table: 'sales', columns: [id] }), { lsn: 21 })
    log.create({ id: 2 }, { lsn: 22, table: 'sales' })

    await applyTo(0, log.records.slice(0, 3))
    const granted = await rows(`select has_table_privilege('somebody', 'public.orders', 'select') as granted`)
    await applyTo(0, log.records)
    await target.pool.query('drop owned by somebody; drop role somebody')

    expect(granted).toEqual([{ granted: true }])
    expect(await rows('select * from public.sales order by id')).toEqual([{ id: '1' }, { id: '2' }])
    expect(await rows(`select to_regclass('public.orders') as former`)).toEqual([{ former: null }])
  })

  test('is not taken back by changes of the shape before it that capture delivers again', async () => {
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
    log.contract(version2({ columns: [id] }), { lsn: 20 }).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
    log.create({ id: 2 }, { lsn: 21 })

    await applyTo(0, log.records)

    expect(await rows()).toEqual([{ id: '1' }, { id: '2' }])
    expect(await stopped()).toEqual([])
  })

  test('computes a generated column whose expression has quotes inside a text', async () => {
    const note = columnContract(4, 'note', 'text', {
      generated: true,
      expression: `((name || 'it''s'::text) || ''''::text)`,
    })
    const log = new ChangeLog().contract(ordersContract({ columns: [id, name, amount, note] }))
    log.create({ id: 1, name: 'a', amount: null }, { lsn: 10 })

    await applyTo(0, log.records)

    expect(await rows('select note from public.orders')).toEqual([{ note: `ait's'` }])
  })

  test('computes a generated column as the source does', async () => {
    const total = columnContract(4, 'total', 'numeric', { generated: true, expression: '(amount * (2)::numeric)' })
    const log = new ChangeLog().contract(ordersContract({ columns: [id, name, amount, total] }))
    log.create({ id: 1, name: 'a', amount: '1.25' }, { lsn: 10 })
    log.initialRead({ id: 2, name: 'b', amount: '2.00', total: '4.00' }, { lsn: 5 })

    await applyTo(0, log.records)

    expect(await rows('select id, total from public.orders order by id')).toEqual([
      { id: '1', total: '2.50' },
      { id: '2', total: '4.00' },
    ])
  })
})

describe('a generation', () => {
  const twoPartitions = { topicPartitions: 2 }
  const begin = () =>
    new ChangeLog()
      .contract(ordersContract(twoPartitions))
      .create({ id: 1, name: 'old', amount: null }, { lsn: 10 })
      .contract(version2({ ...twoPartitions, generation: 2, complete: false }), { lsn: 20 })
  const end = (log: ChangeLog) =>
    log.contract(ordersContract({ ...twoPartitions, version: 3, generation: 2, complete: true }), { lsn: 40 })

  test('is shown when it is complete in every topic partition; until then the one before it stays as it was', async () => {
    const log = end(begin().incrementalRead({ id: 2, name: 'read', amount: null }))
    const other = new ChangeLog(1).contract(ordersContract(twoPartitions))
    end(other.contract(version2({ ...twoPartitions, generation: 2, complete: false }), { lsn: 20 }))

    await applyTo(0, log.records)
    expect(await rows()).toMatchObject([{ id: '1', name: 'old' }])

    await applyTo(1, other.records)
    expect(await rows()).toMatchObject([{ id: '2', name: 'read' }])
    expect(await rows(`select to_regclass('tidemark_rows.t4711_1') as former`)).toEqual([{ former: null }])
  })

  test('is not shown where the contract that begins it is missing', async () => {
    const log = begin().contract(ordersContract({ version: 4, generation: 3, complete: true }), { lsn: 40 })

    await applyTo(0, log.records)

    expect(await rows()).toMatchObject([{ id: '1', name: 'old' }])
    expect(await stopped()).toMatchObject([
      { reason: expect.stringContaining('versions 3 to 3 of the contract are missing') },
    ])
  })

  test('releases a table that was stopped, and deletes its quarantined changes', async () => {
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: 'nonsense' }, { lsn: 10 })
    log.contract(version2({ generation: 2, complete: false }), { lsn: 20 })
    log.incrementalRead({ id: 1, name: 'a', amount: '2.00' }).create({ id: 3, name: 'c', amount: null }, { lsn: 30 })
    await applyTo(0, log.records.slice(0, 2))
    expect(await stopped()).toMatchObject([{ repair: 'resync', automatic: false }])

    await applyTo(0, log.contract(ordersContract({ version: 3, generation: 2 }), { lsn: 40 }).records)

    expect(await rows()).toMatchObject([{ id: '1', amount: '2.00' }, { id: '3' }])
    expect(await stopped()).toEqual([])
    expect(await rows('select from tidemark.quarantine')).toEqual([])
  })

  test('that meets rows which were read for the one before and do not fit causes a resync by itself', async () => {
    const log = new ChangeLog().contract(ordersContract({ complete: false }))
    log.contract(version2({ generation: 2, complete: false, columns: [id, name] }), { lsn: 20 })
    await applyTo(0, log.incrementalRead({ id: 1, name: 'a', amount: '2.00' }).records)
    expect(await stopped()).toMatchObject([{ repair: 'resync', automatic: true }])

    log.contract(version2({ version: 3, generation: 2, columns: [id, name] }), { lsn: 30 })
    log.contract(version2({ version: 4, generation: 3, complete: false, columns: [id, name] }), { lsn: 40 })
    await applyTo(0, log.incrementalRead({ id: 1, name: 'a', amount: '2.00' }).records)
    expect(await stopped()).toMatchObject([{ generation: 3, automatic: false }])
  })

  test('that stopped gets a resync under the name that it has now', async () => {
    const log = new ChangeLog().contract(ordersContract({ complete: false })).truncate({ lsn: 20 })
    await applyTo(0, log.contract(version2({ table: 'deliveries', complete: false }), { lsn: 30 }).records)

    expect(await applyTo(0, log.beacon(1).records)).toMatchObject({ effect: { resyncs: ['public.deliveries'] } })
  })

  test('is not asked for again while it is on its way in any topic partition, and before that at growing intervals', async () => {
    const contract = ordersContract({ complete: false, topicPartitions: 2 })
    const log = new ChangeLog().contract(contract).truncate({ lsn: 20 })
    const other = new ChangeLog(1).contract(contract)
    await applyTo(1, other.records)
    await applyTo(0, log.records)
    const stoppedFor = (age: string, requested: string) =>
      target.pool.query(
        `update tidemark.stopped_table set stopped_at = now() - interval '${age}', requested_at = now() - interval '${requested}'`,
      )
    const asked = async (n: number) => {
      const outcome = await applyTo(0, log.beacon(n).records)
      return outcome.kind === 'applied' ? outcome.effect.resyncs : outcome
    }

    expect(await asked(1)).toEqual(['public.orders'])
    expect(await asked(2)).toEqual([])
    await stoppedFor('40 s', '11 s')
    expect(await asked(3)).toEqual([])
    await stoppedFor('40 s', '21 s')
    expect(await asked(4)).toEqual(['public.orders'])
    await applyTo(1, other.contract({ ...contract, version: 2, generation: 2 }, { lsn: 30 }).records)
    await stoppedFor('2 hours', '90 min')
    expect(await asked(5)).toEqual([])
  })

  test('with another key has another unique index', async () => {
    const byName = [columnContract(1, 'id', 'bigint'), columnContract(2, 'name', 'text', { key: 1 }), amount]
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
    log.contract(version2({ generation: 2, complete: false, columns: byName }), { lsn: 20 })
    log.incrementalRead({ id: 1, name: 'a', amount: null }).update({ id: 7, name: 'a', amount: null }, { lsn: 30 })
    log.contract(ordersContract({ version: 3, generation: 2, columns: byName }), { lsn: 40 })

    await applyTo(0, log.records)

    expect(await rows()).toEqual([{ id: '7', name: 'a', amount: null }])
  })
})

describe('a truncate', () => {
  test('that is sent again during a later snapshot removes the rows of the changes that are sent again before it', async () => {
    const next = ordersContract({ version: 2, generation: 2, complete: false })
    const old = { id: 1, name: 'old', amount: null }
    const read = { id: 2, name: 'read', amount: null }
    const log = new ChangeLog().start().contract(ordersContract())
    log.create(old, { lsn: 10, txId: 7 }).truncate({ lsn: 20, txId: 8 }).create(read, { lsn: 22, txId: 9 })
    await applyTo(0, log.contract(next, { lsn: 25 }).incrementalRead(read).records)

    log.start().create(old, { lsn: 10, txId: 7 }).truncate({ lsn: 20, txId: 8 })
    await applyTo(0, log.contract(ordersContract({ version: 3, generation: 2 }), { lsn: 40 }).records)

    expect(await rows()).toMatchObject([{ id: '2' }])
  })

  test.each(['first', 'last'])(
    'of an earlier generation removes a change that another topic partition gets again: applied %s',
    async (when) => {
      const parts = { topicPartitions: 2 }
      const next = ordersContract({ ...parts, version: 2, generation: 2, complete: false })
      const whole = ordersContract({ ...parts, version: 3, generation: 2 })
      const truncating = new ChangeLog()
        .contract(ordersContract(parts))
        .truncate({ lsn: 20 })
        .contract(next, { lsn: 25 })
      const old = { id: 1, name: 'old', amount: null }
      const writing = new ChangeLog(1)
        .contract(ordersContract(parts))
        .create(old, { lsn: 10 })
        .contract(next, { lsn: 25 })
      writing.create(old, { lsn: 10 }).incrementalRead({ id: 2, name: 'read', amount: null })

      if (when === 'first') await applyTo(0, truncating.records)
      await applyTo(1, writing.records)
      await applyTo(0, truncating.contract(whole, { lsn: 40 }).records)
      await applyTo(1, writing.contract(whole, { lsn: 40 }).records)

      expect(await rows()).toMatchObject([{ id: '2' }])
    },
  )

  test('takes the rows before it, in whatever order the topic partitions are applied', async () => {
    const contract = ordersContract({ topicPartitions: 2 })
    const truncating = new ChangeLog().contract(contract).truncate({ lsn: 20 })
    const writing = new ChangeLog(1).contract(contract).create({ id: 1, name: 'before', amount: null }, { lsn: 10 })
    writing.create({ id: 2, name: 'after', amount: null }, { lsn: 30 })

    await applyTo(1, writing.records.slice(0, 2))
    await applyTo(0, truncating.records)
    await applyTo(1, writing.create({ id: 3, name: 'late', amount: null }, { lsn: 19 }).records)

    expect(await rows()).toMatchObject([{ id: '2' }])
  })

  test('takes the rows that were read before it and come later in another topic partition', async () => {
    const reading = ordersContract({ topicPartitions: 2, complete: false })
    const whole = ordersContract({ topicPartitions: 2, version: 2 })
    const ahead = new ChangeLog().contract(reading).contract(whole, { lsn: 15 }).truncate({ lsn: 20 })
    const behind = new ChangeLog(1).contract(reading).incrementalRead({ id: 1, name: 'read', amount: null })
    behind.contract(whole, { lsn: 15 }).create({ id: 2, name: 'after', amount: null }, { lsn: 30 })

    await applyTo(0, ahead.records)
    await applyTo(1, behind.records)

    expect(await rows()).toMatchObject([{ id: '2' }])
  })

  test('inside a batch takes the changes before it and no others', async () => {
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
    log.truncate({ lsn: 20 }).create({ id: 2, name: 'b', amount: null }, { lsn: 30 })

    await applyTo(0, log.records)

    expect(await rows()).toMatchObject([{ id: '2' }])
  })

  test('during a snapshot of the rows causes another one', async () => {
    await applyTo(0, new ChangeLog().contract(ordersContract({ complete: false })).truncate({ lsn: 20 }).records)
    expect(await stopped()).toMatchObject([{ automatic: true }])
  })
})

test('parents show their own rows and those of partitions and heirs', async () => {
  const parents = [{ schema: 'public', table: 'sales' }]
  const log = new ChangeLog().contract(ordersContract({ parents }))
  log.contract(ordersContract({ relation: 4712, table: 'orders_2', parents, columns: [name, id] }), { lsn: 2 })
  log.create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
  log.create({ id: 2, name: 'b' }, { lsn: 11, table: 'orders_2' })
  await applyTo(0, log.records)
  expect(await rows('select * from public.sales order by id')).toEqual([
    { id: '1', name: 'a' },
    { id: '2', name: 'b' },
  ])

  await applyTo(0, log.contract(version2({ parents: [] }), { lsn: 20 }).records)
  expect(await rows('select name, id from public.sales')).toEqual([{ id: '2', name: 'b' }])
})

test('a table that stopped for a cause in the target goes on where it stopped once it is accepted', async () => {
  await target.pool.query('create table public.orders (mine int)')
  const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
  log.contract(version2({ columns: [id, name] }), { lsn: 20 }).create({ id: 2, name: 'b' }, { lsn: 21 })
  await applyTo(0, log.records)
  expect(await stopped()).toMatchObject([{ repair: 'accept' }])

  await target.pool.query('drop table public.orders')
  const { accept } = (await rows(`select tidemark.accept('public.orders')`))[0]!
  await applyTo(0, log.beacon(1).records)

  expect(accept).toContain('2 quarantined changes of public.orders are applied now')
  expect(await rows()).toEqual([
    { id: '1', name: 'a' },
    { id: '2', name: 'b' },
  ])
  expect(await stopped()).toEqual([])
})
