import type pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { ChangeLog, type LoggedRecord, ordersContract } from '#test-support/changes/change-log.ts'
import { keepChanges, keepContract } from '#test-support/changes/history-rows.ts'
import { consolePool } from '#test-support/databases/console-pool.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { makeChoice } from '#test-support/histories/choice.ts'
import { placeText } from './change-place.ts'
import { makeChangeTail, parseTailCursor, type TailCursor } from './change-tail.ts'

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

const tail = (cursor?: TailCursor, limit = 1_000) =>
  makeChangeTail(reader, { now: () => 0, budgetMs: 1 })(cursor, limit)
const applyTo = (topicPartition: number, records: readonly LoggedRecord[]) =>
  makeLatestState(target.pool).apply({ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition }, records)
const cursorOf = (text: string) => parseTailCursor(text)!
const kept = async () =>
  (await target.pool.query(`select ${placeText('c')} as id from tidemark_rows.change c`)).rows.map(({ id }) => id)

// After the time of the beacons of a change log.
const start = 1_750_000_000_000
const topicPartitions = 3
const contract = ordersContract({ topicPartitions })

/** Transactions of a source, each of which is in one topic partition, some of them with beacons between. */
function randomLogs(seed: number, transactions: number): ChangeLog[] {
  const choice = makeChoice(seed)
  const logs = Array.from({ length: topicPartitions }, (_, slot) => new ChangeLog(slot).contract(contract))
  for (let i = 1; i <= transactions; i++) {
    const committedAtMs = start + i * 2_000
    const log = logs[choice.below(topicPartitions)]!
    for (let n = choice.below(3); n >= 0; n--) {
      log.create({ id: i * 10 + n, name: 'a', amount: null }, { lsn: 100 + i * 10 + n, txId: i, committedAtMs })
    }
    if (choice.chance(10))
      for (const each of logs) each.beacon(i, { lsn: `0/${(100 + i * 10 + 9).toString(16)}`, topicPartitions })
  }
  return logs
}

const seeds = process.env['TIDEMARK_SEED'] === undefined ? [1, 2, 3] : [Number(process.env['TIDEMARK_SEED'])]

test.each(seeds)(
  'answers have each change once, in whatever order topic partitions are applied and committed (TIDEMARK_SEED=%i)',
  async (seed) => {
    const choice = makeChoice(seed)
    const logs = randomLogs(seed, 120)
    const applied = logs.map(() => 0)
    let { cursor } = await tail()
    const answered: string[] = []
    const look = async () => {
      const answer = await tail(cursorOf(cursor))
      cursor = answer.cursor
      answered.push(...answer.items.map(({ id }) => id))
      expect(answer.skipped).toBe(0)
    }
    const deliver = async (slot: number) => {
      const from = applied[slot]!
      applied[slot] = Math.min(logs[slot]!.records.length, from + 1 + choice.below(12))
      await applyTo(slot, logs[slot]!.records.slice(from, applied[slot]))
    }

    while (logs.some(({ records }, slot) => applied[slot]! < records.length)) {
      const slots = logs.flatMap(({ records }, slot) =>
        applied[slot]! < records.length && choice.chance(60) ? [slot] : [],
      )
      const looking = choice.chance(70) ? look() : undefined
      await Promise.all([...slots.map(deliver), looking])
    }
    await look()
    await look()

    expect(answered.toSorted()).toEqual((await kept()).toSorted())
  },
)

test('changes of a transaction that began before an answer and ended after it are in the next answer', async () => {
  await keepContract(target.pool)
  await target.pool.query(`select tidemark.ensure_change_days('2026-11-21', '2026-11-21')`)
  await target.pool.query(
    `insert into tidemark.progress (consumer, topic, topic_partition, next_offset, committed_at)
     select 'tidemark-latest-state', 'changes', p, 10, '2026-11-21 12:00Z' from generate_series(0, 1) p`,
  )
  const slow = await target.pool.connect()
  const insert = (client: pg.ClientBase | pg.Pool, id: number, slot: number) =>
    client.query(
      `with moved as (update tidemark.progress set next_offset = next_offset + 1 where topic_partition = ${slot})
       insert into tidemark_rows.change (committed_at, relation, key_hash, ordinal, lsn, epoch, version, op, key, after)
       values ('2026-11-21 12:00:01Z', 1, tidemark.key_hash(1, array['${id}']), ${id}, ${id}, 1, 1, 'c', '{${id}}', '{${id},a,1}')`,
    )

  await slow.query('begin')
  await insert(slow, 1, 0)
  await insert(target.pool, 2, 1)
  const first = await tail()
  await slow.query('commit')
  slow.release()
  const second = await tail(cursorOf(first.cursor))
  const third = await tail(cursorOf(second.cursor))

  const keys = ({ items }: typeof first) => items.map(({ key }) => key![0]!.cell)
  expect(keys(first)).toEqual([{ kind: 'text', text: '2' }])
  expect(keys(second)).toEqual([{ kind: 'text', text: '1' }])
  expect(keys(third)).toEqual([])
})

test('changes that were in quarantine are answered once they are applied, however old they are', async () => {
  const logs = [0, 1].map((slot) => new ChangeLog(slot).contract({ ...contract, topicPartitions: 2 }))
  logs[0]!.create({ id: 1, name: 'old', amount: null }, { lsn: 10, committedAtMs: start })
  await target.pool.query('create table public.orders (theirs int)')
  for (const [slot, { records }] of logs.entries()) await applyTo(slot, records)
  for (const log of logs) {
    log.contract({ ...contract, relation: 4_712, table: 'other', topicPartitions: 2 })
    log.create({ id: 1, name: 'new', amount: null }, { lsn: 5_000, table: 'other', committedAtMs: start + 86_400_000 })
  }
  for (const [slot, { records }] of logs.entries()) await applyTo(slot, records.slice(slot === 0 ? 2 : 1))
  const first = await tail()
  expect(first.items.map(({ table }) => table)).toEqual(['public.other', 'public.other'])

  await target.pool.query(`drop table public.orders; select tidemark.accept('public.orders')`)
  const between = await tail(cursorOf(first.cursor))
  await applyTo(0, [])
  await applyTo(1, [])
  const second = await tail(cursorOf(between.cursor))
  const third = await tail(cursorOf(second.cursor))

  expect(between.items).toEqual([])
  expect(second.items.map(({ table }) => table)).toEqual(['public.orders'])
  expect(third.items).toEqual([])
})

describe('an answer', () => {
  test('has the newest changes, oldest first, and says how many are left out', async () => {
    const log = new ChangeLog(0).contract(ordersContract())
    await applyTo(0, log.records)
    const { cursor } = await tail()
    for (let i = 1; i <= 9; i++)
      log.create({ id: i, name: 'a', amount: null }, { lsn: 10 + i, committedAtMs: start + i })
    await applyTo(0, log.records.slice(1))

    const { items, skipped } = await tail(cursorOf(cursor), 4)

    expect(items.map(({ key }) => (key![0]!.cell as { text: string }).text)).toEqual(['6', '7', '8', '9'])
    expect(skipped).toBe(5)
  })

  test('without a cursor has the newest changes that there are', async () => {
    await keepContract(target.pool)
    await keepChanges(target.pool, { op: 'c', key: ['1'], after: ['1', 'a', null] })

    const { items, skipped } = await tail()

    expect(items).toHaveLength(1)
    expect(skipped).toBe(0)
  })
})

test.each(['', 'x', 'W10', Buffer.from('["1:2:",{"0":["a",1]},[]]').toString('base64url')])(
  '%j is no cursor',
  (text) => {
    expect(parseTailCursor(text)).toBeUndefined()
  },
)
