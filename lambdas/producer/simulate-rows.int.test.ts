import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { processClock } from './pace.ts'
import { parsePayload, type RowsPayload } from './payload.ts'
import { makeSimulateRows, type RowChange } from './simulate-rows.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createDatabase('empty')
})

beforeEach(() => database.pool.query('drop table if exists public.simulated_accounts'))

afterAll(() => database?.drop())

const simulate = (payload: object, signal = AbortSignal.timeout(60_000)) =>
  makeSimulateRows({ source: database.pool, clock: processClock, now: Date.now, random: Math.random })(
    parsePayload({ mode: 'rows', ...payload }) as RowsPayload,
    signal,
  )

const accounts = async () =>
  (await database.pool.query('select account_id::int as id, balance::float from public.simulated_accounts order by 1'))
    .rows

test('the table holds exactly the changes that it reports', async () => {
  const answer = await simulate({ count: 400, eventsPerSecond: 5_000, balance: { min: 5, max: 7 } })

  const rows = await accounts()
  expect(answer).toMatchObject({ events: 400, endedBy: 'count' })
  expect(rows).toHaveLength(answer.byOp['c']! - (answer.byOp['d'] ?? 0))
  for (const { balance } of rows) {
    expect(balance).toBeGreaterThanOrEqual(5)
    expect(balance).toBeLessThanOrEqual(7)
  }
})

test('a later run goes on from the rows there are', async () => {
  await simulate({ count: 20, eventsPerSecond: 5_000, weights: { create: 1 } })
  await database.pool.query('delete from public.simulated_accounts where account_id <= 19')

  const answer = await simulate({ count: 3, eventsPerSecond: 5_000, weights: { update: 1 } })

  expect(answer.byOp).toEqual({ u: 3 })
  expect(await accounts()).toEqual([{ id: 20, balance: expect.any(Number) }])
  const { before, after, ts_ms } = answer.last as RowChange
  expect(before).toMatchObject({ account_id: 20 })
  expect(after).toMatchObject({ account_id: 20, balance: (await accounts())[0].balance })
  expect(ts_ms).toBeCloseTo(Date.now(), -5)
})

test('deletes empty the table and then make way for creates', async () => {
  await simulate({ count: 5, eventsPerSecond: 5_000, weights: { create: 1 } })

  const answer = await simulate({ count: 7, eventsPerSecond: 5_000, weights: { delete: 1 } })

  expect(answer.byOp).toEqual({ d: 6, c: 1 })
  expect((answer.last as RowChange).after).toBeNull()
  expect(await accounts()).toEqual([])
})

test('an account that somebody else deletes meanwhile is passed over', async () => {
  await simulate({ count: 50, eventsPerSecond: 5_000, weights: { create: 1 } })
  let deleted = false
  const random = () => {
    // The first random number is drawn after the accounts were read.
    if (!deleted) void database.pool.query('delete from public.simulated_accounts where account_id <> 50')
    deleted = true
    return Math.random()
  }

  const update = makeSimulateRows({ source: database.pool, clock: processClock, now: Date.now, random })
  const payload = parsePayload({ mode: 'rows', count: 40, eventsPerSecond: 200, weights: { update: 1 } })
  const answer = await update(payload as RowsPayload, AbortSignal.timeout(60_000))

  expect(answer.byOp).toEqual({ u: 40 })
  expect(await accounts()).toHaveLength(1)
})

test('the rate is not exceeded', async () => {
  const { seconds } = await simulate({ count: 101, eventsPerSecond: 100 })

  expect(seconds).toBeGreaterThanOrEqual(1)
})

test('an abort ends it with what is committed', async () => {
  const answer = await simulate({ seconds: 60, eventsPerSecond: 200, weights: { create: 1 } }, AbortSignal.timeout(300))

  expect(answer.endedBy).toBe('time limit')
  expect(await accounts()).toHaveLength(answer.events)
})
