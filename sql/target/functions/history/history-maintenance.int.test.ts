import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeMaintainTarget } from '#lambdas/maintain-target/maintain-target.ts'
import { type KeptChange, keepChanges, keepContract } from '#test-support/changes/history-rows.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'

let target: TestDatabase
beforeEach(async () => {
  target = await createDatabase('target')
  await keepContract(target.pool)
  await keepContract(target.pool, { relation: 2, table: 'visits' })
})
afterEach(() => target.drop())

const ask = async (statement: string, ...values: unknown[]) => (await target.pool.query(statement, values)).rows
const days = async () =>
  (await ask('select partition from tidemark.change_days() order by day')).map((row) => row.partition)
const daysAgo = (count: number) => new Date(Date.now() - count * 86_400_000).toISOString()
const partitionOf = (count: number) => `change_${daysAgo(count).slice(0, 10).replaceAll('-', '')}`
const read = (relation: number, ago: number): KeptChange => ({
  op: 'r',
  relation,
  key: ['1'],
  after: ['1'],
  at: daysAgo(ago),
})
const kept = async () =>
  (
    await ask(
      'select relation, extract(day from now() - committed_at)::int as ago from tidemark_rows.change order by 1, 2',
    )
  ).map(({ relation, ago }) => `${relation} of ${ago} days ago`)
const maintain = () => makeMaintainTarget({ target: target.pool, now: Date.now })(Date.now() + 60_000)
const isEnabled = async (relation: number, table: string) =>
  (await ask('select tidemark.history_enabled($1, $2, $3) as enabled', relation, 'public', table))[0].enabled

describe('days', () => {
  test('of today and the coming week are there after maintenance, as its role', async () => {
    const client = await target.pool.connect()
    await client.query('set role tidemark_apply')
    await client.query('select tidemark.maintain()')
    client.release(true)

    expect(await days()).toEqual([0, -1, -2, -3, -4, -5, -6, -7].map(partitionOf))
  })

  test('of any time can be made, however far off', async () => {
    await keepChanges(target.pool, { op: 'r', at: '1970-01-01 00:00Z' }, { op: 'r', at: '2099-12-31 23:59:59.999999Z' })

    expect(await days()).toEqual(['change_19700101', 'change_20991231'])
  })

  test('are made once by transactions that need them at the same time and write to others already', async () => {
    await ask(`select tidemark.ensure_change_days('2026-11-21', '2026-11-21')`)
    const work = async (lsn: number) => {
      const client = await target.pool.connect()
      try {
        await client.query('begin')
        await client.query(`select tidemark.ensure_change_days('2026-11-21', '2026-11-21')`)
        await client.query(`insert into tidemark_rows.change (committed_at, relation, key_hash, ordinal, lsn, epoch, op)
          values ('2026-11-21 10:00Z', 1, 0, ${lsn}, ${lsn}, 1, 'r')`)
        await client.query(`select tidemark.ensure_change_days('2026-11-22', '2026-11-25')`)
        await client.query('commit')
      } finally {
        client.release(true)
      }
    }

    await Promise.all([1, 2, 3, 4, 5, 6].map(work))

    expect(await days()).toHaveLength(5)
    expect(await ask('select count(*)::int as changes from tidemark_rows.change')).toEqual([{ changes: 6 }])
  })

  test('in use stay, and a transaction that writes to other days does not wait for them', async () => {
    await keepChanges(target.pool, read(1, 40), read(1, 0))
    const writer = await target.pool.connect()
    await writer.query('begin')
    await writer.query('select tidemark.ensure_change_days($1, $1)', [daysAgo(40).slice(0, 10)])

    expect((await maintain()).dropped).toEqual([])
    await writer.query('commit')
    writer.release()

    expect((await maintain()).dropped).toEqual([partitionOf(40)])
  })

  test('that are about to be dropped are examined again when a change comes to them, also where that is yesterday', async () => {
    await ask(`select tidemark.set_history('*', retention => '1 second')`)
    await keepChanges(target.pool, read(1, 1))
    await ask('select * from tidemark.end_change_day()')
    expect(await ask('select from tidemark.ending_day')).toHaveLength(1)

    await keepChanges(target.pool, read(1, 1))

    expect(await ask('select from tidemark.ending_day')).toEqual([])
  })

  test('that cannot be locked within a moment are left to the next run', async () => {
    await keepChanges(target.pool, read(1, 40))
    const reader = await target.pool.connect()
    await reader.query('begin')
    await reader.query('select from tidemark.change_log')

    expect((await maintain()).dropped).toEqual([])
    await reader.query('commit')
    reader.release()

    expect((await maintain()).dropped).toEqual([partitionOf(40)])
  })
})

describe('retention', () => {
  test('is 30 days: older days are dropped, each of them', async () => {
    await keepChanges(target.pool, read(1, 40), read(1, 33), read(1, 29), read(1, 0))

    expect((await maintain()).dropped).toEqual([partitionOf(40), partitionOf(33)])
    expect(await kept()).toEqual(['1 of 0 days ago', '1 of 29 days ago'])
  })

  test('of a table holds for that table alone, longer or shorter', async () => {
    await ask(`select tidemark.set_history('public.orders', retention => '90 days')`)
    await ask(`select tidemark.set_history('public.visits', retention => '12 hours')`)
    await keepContract(target.pool, { relation: 3, table: 'others' })
    for (const relation of [1, 2, 3]) {
      await keepChanges(target.pool, ...[100, 60, 10, 1, 0].map((ago) => read(relation, ago)))
    }

    expect(await maintain()).toMatchObject({ dropped: [partitionOf(100)], unfinished: false })

    expect(await kept()).toEqual([
      ...['1 of 0 days ago', '1 of 1 days ago', '1 of 10 days ago', '1 of 60 days ago'],
      '2 of 0 days ago',
      ...['3 of 0 days ago', '3 of 1 days ago', '3 of 10 days ago'],
    ])
  })

  test('may be for ever, and of every table', async () => {
    await ask(`select tidemark.set_history('*', retention => 'infinity')`)
    await keepChanges(target.pool, read(1, 4000))
    expect(await maintain()).toMatchObject({ dropped: [], changes: 0 })

    await ask(`select tidemark.set_history('*', retention => '1 day')`)
    expect((await maintain()).dropped).toEqual([partitionOf(4000)])
  })

  test('ends audit messages too, in batches', async () => {
    await ask(`insert into tidemark.audit_message (epoch, txid, lsn, committed_at)
      select 1, n, n, now() - n * interval '10 days' from generate_series(0, 4) n`)

    expect((await maintain()).auditMessages).toBe(2)
    expect(await ask('select count(*)::int as messages from tidemark.audit_message')).toEqual([{ messages: 3 }])
  })
})

describe('a setting', () => {
  test('turns a table on and off, and stays with it when it is renamed', async () => {
    expect(await isEnabled(1, 'orders')).toBe(true)

    await ask(`select tidemark.set_history('public.orders', false)`)
    await keepContract(target.pool, { version: 2, table: 'purchases' })
    expect([await isEnabled(1, 'purchases'), await isEnabled(2, 'visits')]).toEqual([false, true])

    await ask(`select tidemark.set_history('public.purchases')`)
    expect(await isEnabled(1, 'purchases')).toBe(true)
  })

  test('that turns a table off leaves its retention as it is', async () => {
    await ask(`select tidemark.set_history('public.orders', retention => '90 days')`)
    await ask(`select tidemark.set_history('public.orders', false)`)
    await keepChanges(target.pool, read(1, 60), read(2, 60))

    await maintain()
    expect(await kept()).toEqual(['1 of 60 days ago'])
  })

  test('of every table yields to that of one', async () => {
    await ask(`select tidemark.set_history('public.orders', true)`)
    await ask(`select tidemark.set_history('*', false)`)

    expect([await isEnabled(1, 'orders'), await isEnabled(2, 'visits')]).toEqual([true, false])
  })

  test('of an unknown table is an error', async () => {
    await expect(ask(`select tidemark.set_history('public.order', false)`)).rejects.toThrow('called public.order')
  })
})

describe('a delete marker', () => {
  const markers = async () => (await ask('select c1 from tidemark_rows.t1_1 order by c1')).map(({ c1 }) => c1)
  const beacon = (partition: number, lsn: string | null, epoch = 2) =>
    ask(
      `insert into tidemark.progress (consumer, topic, topic_partition, beacon_epoch, confirmed_lsn)
       values ('tidemark-latest-state', 'changes', $1, $2, $3)
       on conflict (consumer, topic, topic_partition) do update
       set beacon_epoch = excluded.beacon_epoch, confirmed_lsn = excluded.confirmed_lsn`,
      partition,
      epoch,
      lsn,
    )

  beforeEach(async () => {
    await ask(`update tidemark.contract set contract = jsonb_set(contract, '{topicPartitions}', '2')`)
    await ask(`create table tidemark_rows.t1_1 ("tidemark$epoch" integer, "tidemark$live" boolean, "tidemark$lsn" bigint, c1 int);
      alter table tidemark_rows.t1_1 owner to tidemark_owner;
      insert into tidemark_rows.t1_1 values (1, false, 900, 1), (2, false, 99, 2), (2, false, 100, 3), (2, true, 5, 4)`)
  })

  test('goes when the source has confirmed what follows it in every topic partition, and rows never do', async () => {
    await beacon(0, '0/64')
    expect((await maintain()).markers).toBe(0)
    await beacon(1, '0/FFFF', 1)
    expect((await maintain()).markers).toBe(0)
    await beacon(1, '0/FFFF')

    expect((await maintain()).markers).toBe(2)
    expect(await markers()).toEqual([3, 4])
  })

  test('does not go in the round that ends a day, because a transaction that writes its row would wait for that', async () => {
    await keepChanges(target.pool, read(1, 40))
    await beacon(0, '0/64')
    await beacon(1, '0/64')
    const round = async () => (await ask('select tidemark.maintain() as round'))[0].round

    expect(await round()).toMatchObject({ dropped: null, markers: 0, more: true })
    expect(await maintain()).toMatchObject({ dropped: [partitionOf(40)], markers: 2 })
  })

  test('stays while its table is stopped, because its quarantined changes may be older', async () => {
    await beacon(0, '0/64')
    await beacon(1, '0/64')
    await ask(
      `insert into tidemark.stopped_table (relation, schema_name, table_name, reason) values (1, 'public', 'orders', '')`,
    )

    expect((await maintain()).markers).toBe(0)
    expect(await markers()).toEqual([1, 2, 3, 4])
  })
})
