import type { MSKEvent, MSKRecord } from 'aws-lambda'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { makeUserState } from '#adapters/postgres/user-state/user-state.ts'
import { ChangeLog, columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { hostileChanges, hostileUserEvents } from '#test-support/hostile/hostile-records.ts'
import { makeApplyLatestState } from './apply-latest-state.ts'

let target: TestDatabase
let apply: (event: MSKEvent) => Promise<unknown>
const nextOffsets = { changes: 0, 'user-events': 0 }
type Topic = keyof typeof nextOffsets
type Sent = { readonly value: Buffer | undefined; readonly headers?: Readonly<Record<string, string>> }

const query = async (text: string, values: unknown[] = []) => (await target.pool.query(text, values)).rows
const deliver = (topic: Topic, ...records: Sent[]) => apply(eventOf(records.map((record) => encode(topic, record))))
const keptAt = (offset: number) =>
  query('select table_name, reason from tidemark.quarantine where record_offset = $1', [offset])

/** No hostile record names this table, so its records have to be applied after any of them. */
const customers = ordersContract({
  relation: 4712,
  table: 'customers',
  columns: [columnContract(1, 'id', 'bigint', { key: 1, nullable: false })],
})

beforeAll(async () => {
  target = await createDatabase('target')
  apply = makeApplyLatestState({
    consumers: new Map([
      ['changes', { consumer: 'tidemark-latest-state', ...makeLatestState(target.pool) }],
      ['user-events', { consumer: 'tidemark-user-state', ...makeUserState(target.pool) }],
    ]),
    waiting: async () => [],
    countNotCaptured: async () => 0,
    requestCapture: async () => undefined,
    now: Date.now,
    print: () => undefined,
  })
  const log = new ChangeLog().contract(ordersContract()).contract(customers).beacon(1, { lsn: '0/10' })
  await deliver('changes', ...log.records.map(({ value }) => ({ value: Buffer.from(value!) })))
})
afterAll(() => target.drop())
beforeEach(async () => {
  await query('delete from tidemark.stopped_table')
  await query('delete from tidemark.quarantine')
})

test.each(hostileChanges().map((record) => [record.name, record] as const))(
  '%s',
  async (_, { value, headers, outcome }) => {
    const offset = nextOffsets.changes
    const good = new ChangeLog().create({ id: offset }, { lsn: 6_000_000 + offset, table: 'customers' }).records[0]!

    const response = await deliver('changes', { value, headers }, { value: Buffer.from(good.value!) })

    expect(response).toEqual({ batchItemFailures: [] })
    expect(await query('select reason from tidemark.stop')).toEqual([])
    expect(await query('select id::int from public.customers where id = $1', [offset])).toEqual([{ id: offset }])
    const kept = await keptAt(offset)
    const stopped = await query('select table_name, reason from tidemark.stopped_table')
    expect({ kept: kept.length, stopped: stopped.length }, JSON.stringify({ kept, stopped })).toEqual(
      {
        quarantined: { kept: 1, stopped: 0 },
        stops: { kept: expect.any(Number), stopped: 1 },
        applied: { kept: 0, stopped: 0 },
      }[outcome],
    )
  },
)

test.each(hostileUserEvents().map((record) => [record.name, record] as const))('%s', async (_, { value, outcome }) => {
  const offset = nextOffsets['user-events']
  const good = { id: 1_000_000 + offset, name: 'good', age: 1, op: 'insert', event_order: 1, ts: null }

  const response = await deliver('user-events', { value }, { value: Buffer.from(JSON.stringify(good)) })

  expect(response).toEqual({ batchItemFailures: [] })
  expect(await query('select id::int from tidemark.latest_user_state where id = $1', [good.id])).toHaveLength(1)
  expect(await keptAt(offset)).toHaveLength(outcome === 'applied' ? 0 : 1)
  expect(await query('select from tidemark.user_event_log where record_offset = $1', [offset])).toHaveLength(
    outcome === 'applied' ? 1 : 0,
  )
})

function encode(topic: Topic, { value, headers = {} }: Sent): MSKRecord {
  return {
    ...({ topic, partition: 0, offset: nextOffsets[topic]++, timestamp: 1_700_000_000_000 } as const),
    timestampType: 'CREATE_TIME',
    headers: Object.entries(headers).map(([name, text]) => ({ [name]: [...Buffer.from(text)] })),
    ...({ ...(value !== undefined && { value: value.toString('base64') }) } as { key: string; value: string }),
  }
}

const eventOf = (records: MSKRecord[]): MSKEvent => ({
  eventSource: 'aws:kafka',
  eventSourceArn: 'arn:aws:kafka:us-east-1:000000000000:cluster/c/1',
  bootstrapServers: '127.0.0.1:9092',
  records: { [`${records[0]!.topic}-0`]: records },
})
