import { afterEach, beforeEach, expect, test } from 'vitest'
import { ChangeLog, columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { countWaiting } from '#test-support/databases/waiting-sessions.ts'
import { until } from '#test-support/eventually.ts'
import { type LatestState, makeLatestState } from './latest-state.ts'

let target: TestDatabase
let latestState: LatestState

beforeEach(async () => {
  target = await createDatabase('target')
  latestState = makeLatestState(target.pool)
})
afterEach(() => target.drop())

const apply = (log: ChangeLog) =>
  latestState.apply({ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }, log.records)
const rows = async (query: string) => (await target.pool.query(query)).rows

test('a user who grants rights on a view while a contract changes it stops nothing, and both take effect', async () => {
  const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
  await apply(log)
  await rows('create role somebody')
  const user = await target.pool.connect()
  try {
    await user.query('begin; grant select on public.orders to somebody')
    const note = columnContract(4, 'note', 'text')
    log.contract(ordersContract({ version: 2, columns: [...ordersContract().columns, note] }), { lsn: 20 })

    const applied = apply(log.create({ id: 2, name: 'b', amount: null, note: 'new' }, { lsn: 21 }))
    // Postgres answers the one that waits with "tuple concurrently updated" when the other one commits.
    await until('the contract to wait for the user', async () => (await countWaiting(target.pool)) > 0)
    await user.query('commit')

    expect((await applied).kind).toBe('applied')
  } finally {
    user.release()
  }
  expect(await rows('select reason from tidemark.stopped_table')).toEqual([])
  expect(await rows('select id, note from public.orders order by id')).toEqual([
    { id: '1', note: null },
    { id: '2', note: 'new' },
  ])
  expect(await rows(`select has_table_privilege('somebody', 'public.orders', 'select') as may`)).toEqual([
    { may: true },
  ])
})
