import type { MSKEvent, MSKRecord } from 'aws-lambda'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { makePool } from '#adapters/postgres/session/connect.ts'
import { makeUserState } from '#adapters/postgres/user-state/user-state.ts'
import { ChangeLog, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { makeApplyLatestState } from './apply-latest-state.ts'

let target: TestDatabase
let pools: pg.Pool[]
let holder: pg.Client
let apply: ReturnType<typeof makeApplyLatestState>

beforeEach(async () => {
  target = await createDatabase('target')
  const { hostname, port, username, password } = new URL(target.url)
  const credentials = async () => ({ host: hostname, port: Number(port), dbname: target.name, username, password })
  const connect = (max: number) => makePool({ credentials, tls: 'disable', applicationName: 'tidemark-test', max })
  // The pools have the sizes that the function gives them.
  pools = [connect(4), connect(1)]
  holder = new pg.Client({ connectionString: target.url })
  await holder.connect()
  apply = makeApplyLatestState({
    consumers: new Map([
      ['changes', { consumer: 'tidemark-latest-state', ...makeLatestState(pools[0]!) }],
      ['user-events', { consumer: 'tidemark-user-state', ...makeUserState(pools[0]!) }],
    ]),
    asking: pools[1]!,
    waiting: async () => [],
    countNotCaptured: async () => 0,
    requestCapture: async () => undefined,
    now: Date.now,
    print: () => undefined,
  })
})
afterEach(async () => {
  await holder.end()
  for (const pool of pools) await pool.end()
  await target.drop()
})

const topicPartitions = 6
const query = async (text: string) => (await target.pool.query(text)).rows
const contracts = [
  ordersContract({ topicPartitions }),
  ordersContract({ topicPartitions, relation: 4712, table: 'customers' }),
]

/** One event with the records of all topic partitions from an offset on. */
function eventOf(logs: readonly ChangeLog[], from = 0, topic = 'changes'): MSKEvent {
  const records = logs.map(({ records }, partition) => [
    `${topic}-${partition}`,
    records.slice(from).map(({ offset, timestampMs, value }) => ({
      ...{ topic, partition, offset, timestamp: timestampMs, timestampType: 'CREATE_TIME', headers: [] },
      value: Buffer.from(value!).toString('base64'),
    })) as unknown as MSKRecord[],
  ])
  const source = {
    eventSource: 'aws:kafka',
    eventSourceArn: 'arn:aws:kafka:us-east-1:000000000000:cluster/c/1',
  } as const
  return { ...source, bootstrapServers: '127.0.0.1:9092', records: Object.fromEntries(records) }
}

test('topic partitions that wait for a lock hold no other of their event, and the reason names the session', async () => {
  const logs = Array.from({ length: topicPartitions }, (_, slot) => {
    const log = new ChangeLog(slot)
    for (const contract of contracts) log.contract(contract)
    return log
  })
  expect(await apply(eventOf(logs))).toEqual({ batchItemFailures: [] })
  logs.forEach((log, slot) => {
    log.create({ id: slot, name: 'a', amount: null }, { lsn: 10, table: slot < 4 ? 'orders' : 'customers' })
  })
  await holder.query('begin; lock table tidemark_rows.t4711_1 in exclusive mode')
  const { rows } = await holder.query<{ pid: number; who: string }>('select pg_backend_pid() as pid, user as who')
  const [{ pid, who }] = rows as [{ pid: number; who: string }]

  const response = await apply(eventOf(logs, 2))

  expect(response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)).toEqual(
    [0, 1, 2, 3].map((slot) => ({ partition: `changes-${slot}`, offset: 2 })),
  )
  expect(await query('select id::int from public.customers order by id')).toEqual([{ id: 4 }, { id: 5 }])
  const stops = await query('select topic_partition, at_offset::int, reason from tidemark.stop order by 1')
  const reason = `it needs rows of public.orders, which process ${pid} (role ${who}) has locked, for more than 5 s`
  expect(stops).toEqual([0, 1, 2, 3].map((topic_partition) => ({ topic_partition, at_offset: 2, reason })))

  await holder.query('rollback')

  expect(await apply(eventOf(logs, 2))).toEqual({ batchItemFailures: [] })
  expect(await query('select id::int from public.orders order by id')).toHaveLength(4)
  expect(await query('select reason from tidemark.stop')).toEqual([])
})

test('a lock that is given up meanwhile fails no topic partition', async () => {
  const logs = [new ChangeLog().contract(ordersContract())]
  await apply(eventOf(logs))
  logs[0]!.create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
  await holder.query('begin; lock table tidemark_rows.t4711_1 in exclusive mode')
  // The lock is released when the topic partition is tried for the second time.
  let waits = 0
  pools[0]!.on('acquire', () => {
    waits += 1
    if (waits === 2) void holder.query('rollback')
  })

  expect(await apply(eventOf(logs, 1))).toEqual({ batchItemFailures: [] })
  expect(waits).toBe(2)
  expect(await query('select id::int from public.orders')).toEqual([{ id: 1 }])
})

test('a stop goes when what it was at turns out to be applied', async () => {
  const event = eventOf([new ChangeLog().append('{"id":1,"op":"insert","event_order":1}')], 0, 'user-events')
  await apply(event)
  await query(`insert into tidemark.stop (consumer, topic, topic_partition, at_offset, reason)
    values ('tidemark-user-state', 'user-events', 0, 0, 'a lock')`)

  expect(await apply(event)).toEqual({ batchItemFailures: [] })

  expect(await query('select reason from tidemark.stop')).toEqual([])
})
