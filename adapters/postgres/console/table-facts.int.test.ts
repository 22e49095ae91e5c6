import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { ChangeLog, columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { consolePool } from '#test-support/databases/console-pool.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { countQuarantined, makeCountDay, readTableFacts, readUnkept } from './table-facts.ts'

let target: TestDatabase
let reader: pg.Pool
beforeEach(async () => {
  target = await createDatabase('target')
  reader = consolePool(target)
})
afterEach(async () => {
  await reader.end()
  await target.drop()
})

const apply = (log: ChangeLog, from = 0) =>
  makeLatestState(target.pool).apply(
    { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 },
    log.records.slice(from),
  )

test('changes of the last day are counted beside the requests by table and operation, and again after a minute', async () => {
  const now = Date.now()
  const log = new ChangeLog()
    .contract(ordersContract())
    .create({ id: 1, name: 'a', amount: null }, { lsn: 10, committedAtMs: now - 2 * 86_400_000 })
    .create({ id: 2, name: 'a', amount: null }, { lsn: 20, committedAtMs: now - 60_000 })
    .update({ id: 2, name: 'b', amount: null }, { lsn: 30, committedAtMs: now - 50_000 })
  await apply(log)
  let clock = 0
  const countDay = makeCountDay(reader, () => clock)

  expect(countDay()).toBeNull()
  await expect.poll(countDay).toEqual(new Map([['public.orders', { inserts: 1, updates: 1, deletes: 0 }]]))
  const length = log.records.length
  await apply(log.delete({ id: 2, name: null, amount: null }, { lsn: 40, committedAtMs: now - 40_000 }), length)
  expect(countDay()!.get('public.orders')!.deletes).toBe(0)
  clock = 60_001
  await expect.poll(() => countDay()!.get('public.orders')!.deletes).toBe(1)
})

test('a day with very many changes is not counted', async () => {
  await target.pool.query(`
    select tidemark.ensure_change_days(current_date, current_date);
    update pg_class set reltuples = 2e6 where relname = tidemark.change_day_name(current_date)`)

  const statements: unknown[] = []
  const query = async (text: string) => {
    const answer = await reader.query(text)
    statements.push(answer)
    return answer
  }
  const countDay = makeCountDay({ query } as unknown as pg.Pool, () => 0)
  countDay()
  await expect.poll(() => statements).toHaveLength(1)
  expect(countDay()).toBeNull()
  expect(statements).toHaveLength(1)
})

test('a count that failed is tried again after a minute, and no request fails by it', async () => {
  let clock = 0
  let asked = 0
  const query = async () => {
    asked++
    throw new Error('the target is restarting')
  }
  const countDay = makeCountDay({ query } as unknown as pg.Pool, () => clock)
  expect([countDay(), countDay()]).toEqual([null, null])
  clock = 60_001
  await expect.poll(() => [countDay(), asked]).toEqual([null, 2])
})

test('a table has its contracts newest first, its history and its indexes', async () => {
  const columns = [...ordersContract().columns, columnContract(4, 'note', 'text')]
  await apply(
    new ChangeLog()
      .contract(ordersContract())
      .contract(ordersContract({ version: 2, columns, table: 'purchases' }), { lsn: 20 }),
  )
  await target.pool.query(`select tidemark.set_history('public.purchases', false, interval '7 days')`)

  const facts = await readTableFacts(reader, 'public.purchases')

  expect(facts!.contracts.map(({ contract: { version, table } }) => [version, table])).toEqual([
    [2, 'purchases'],
    [1, 'orders'],
  ])
  expect(facts!.history).toEqual({ isKept: false, retention: '7 days' })
  expect(facts!.indexes).toEqual([])
  expect(await readUnkept(reader)).toEqual(new Set(['public.purchases']))
  expect(await readTableFacts(reader, 'public.none')).toBeUndefined()
  expect(await countQuarantined(reader)).toEqual(new Map())
})
