import { Admin, Consumer, type Message, MessagesStreamModes } from '@platformatic/kafka'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { whileStopped } from '#test-support/capture/stopped-capture.ts'
import { until } from '#test-support/eventually.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { isEqual } from '#verify/compare-databases.ts'
import { describeComparison } from '#verify/comparison-report.ts'

let pipeline: TestPipeline

beforeAll(async () => {
  pipeline = await startPipeline()
})
afterAll(async () => {
  await pipeline?.stop()
})

const run = (sql: string) => pipeline.source.query(sql)

const swap = (table: string, column: string) => `
  update public.${table} set ${column} = -1 where ${column} = 1;
  update public.${table} set ${column} = 1 where ${column} = 2;
  update public.${table} set ${column} = 2 where ${column} = -1;`

test('changes that DDL has overtaken come under the key that their table had when they were made', async () => {
  await run(`
    create table public.ride (id int primary key, note text);
    create table public.seat (line int, number int, note text, primary key (number, line));
    create table public.pass (id int primary key, code int not null, note text);
    create table public.open (id int primary key, note text);
    create table public.gone (id int primary key, note text);`)
  await run(`
    insert into public.ride values (1, 'a'), (2, 'b');
    insert into public.seat values (7, 1, 'a'), (7, 2, 'b');
    insert into public.pass values (1, 10, 'a'), (2, 20, 'b');
    insert into public.open values (1, 'a'), (2, 'b');
    insert into public.gone values (1, 'a'), (2, 'b');`)
  await equal()

  await whileStopped(pipeline, async () => {
    await run(`alter table public.ride rename to tour; ${swap('tour', 'id')}`)
    await run('alter table public.tour rename to trip')
    await run(swap('seat', 'number'))
    await run('alter table public.seat rename to place')
    await run(swap('pass', 'id'))
    await run('alter table public.pass drop constraint pass_pkey, add primary key (code)')
    await run(`update public.pass set code = 30 where code = 20`)
    await run(swap('open', 'id'))
    await run('alter table public.open drop constraint open_pkey')
    await run(swap('gone', 'id'))
    await run('drop table public.gone')
  })

  await equal()
  const changed = await changes()
  expect(changed('tour')).toEqual(swapped('tour', id))
  expect(changed('seat')).toEqual(swapped('seat', seat))
  expect(changed('pass')).toEqual([...swapped('pass', id), ...moved('pass', code, 20, 30)])
  expect(changed('open')).toEqual(swapped('open', id))
  expect(changed('gone')).toEqual(swapped('gone', id))
})

test('changes that are sent before others see their commit come under the key that it gives', async () => {
  await run(`
    create table public.bike (id int primary key, note text);
    create table public.lane (line int, number int, note text);
    create table public.mark (id int, note text);`)
  await run(`
    insert into public.bike values (1, 'a'), (2, 'b');
    insert into public.lane values (7, 1, 'a'), (7, 2, 'b');
    insert into public.mark values (1, 'a'), (2, 'b')`)
  await equal()
  await run(`insert into public.lane values (7, 3, 'c'); insert into public.mark values (3, 'c')`)
  await equal()
  await run('alter table public.mark add primary key (id)')
  await run(swap('mark', 'id'))

  await whileUnseen(`
    alter table public.bike rename to tram; ${swap('tram', 'id')}
    alter table public.lane add primary key (number, line); ${swap('lane', 'number')}`)

  await equal()
  const changed = await changes()
  expect(changed('tram')).toEqual(swapped('tram', id))
  expect(changed('lane')).toEqual([{ op: 'c', key: 'null' }, ...swapped('lane', seat)])
  expect(changed('mark')).toEqual([{ op: 'c', key: 'null' }, ...swapped('mark', id)])
})

async function equal(): Promise<void> {
  const comparison = await pipeline.compare()
  expect(isEqual(comparison) || describeComparison(comparison)).toBe(true)
}

/**
 * A change on the topic. `key` is its key as text, whose order of members decides the topic partition. `other` is the
 * other key, for half of a key change.
 */
type Change = { op: string; key: string; other?: string }

const moved = (table: string, fields: (value: number) => string, from: number, to: number): Change[] => [
  { op: 'd', key: `{${fields(from)},"_table":"public.${table}"}`, other: `{${fields(to)}}` },
  { op: 'c', key: `{${fields(to)},"_table":"public.${table}"}`, other: `{${fields(from)}}` },
]

/** The changes of `swap` when the key is known. */
const swapped = (table: string, fields: (value: number) => string): Change[] => [
  ...moved(table, fields, 1, -1),
  ...moved(table, fields, 2, 1),
  ...moved(table, fields, -1, 2),
]

const id = (value: number): string => `"id":${value}`
const seat = (number: number): string => `"number":${number},"line":7`
const code = (value: number): string => `"code":${value}`

/**
 * Streamed changes on the topic, in the order of the log. The returned function selects those of a table by its name at
 * that time.
 */
async function changes(): Promise<(table: string) => Change[]> {
  const connection = { clientId: 'keys', bootstrapBrokers: [`127.0.0.1:${pipeline.settings.kafkaPort}`] }
  const admin = new Admin(connection)
  const consumer = new Consumer({ ...connection, groupId: 'keys' })
  const found: (Change & { table: string; lsn: number })[] = []
  try {
    const count = (await admin.metadata({ topics: ['changes'] })).topics.get('changes')!.partitionsCount
    const partitions = Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1n }))
    const [topic] = await admin.listOffsets({ topics: [{ name: 'changes', partitions }] })
    let missing = topic!.partitions.reduce((sum, { offset }) => sum + Number(offset), 0)
    const stream = await consumer.consume({
      topics: ['changes'],
      mode: MessagesStreamModes.EARLIEST,
      autocommit: false,
      maxWaitTime: 100,
    })
    for await (const message of stream) {
      found.push(...streamed(message))
      if (--missing === 0) break
    }
  } finally {
    await consumer.close(true)
    await admin.close()
  }
  found.sort((a, b) => a.lsn - b.lsn || Number(a.op === 'c') - Number(b.op === 'c'))
  return (name) => found.filter(({ table }) => table === name).map(({ table: _, lsn: __, ...change }) => change)
}

/** The change in a record; none for a notification or a read. */
function streamed({
  key,
  value,
  headers,
}: Message<Buffer, Buffer, Buffer, Buffer>): (Change & { table: string; lsn: number })[] {
  const { op, source } = JSON.parse(value.toString()) as { op: string; source?: { table: string; lsn: number } }
  if (source === undefined || op === 'r') return []
  const { key: fields } = JSON.parse(key.toString()) as { key: unknown }
  const half = [...headers].find(([name]) => /^__debezium\.(new|old)key$/.test(name.toString()))
  const other = half && { other: half[1].toString() }
  return [{ op, key: JSON.stringify(fields), ...other, table: source.table, lsn: source.lsn }]
}

/**
 * Commits, and makes the commit visible only after Debezium has looked for it. A commit that waits for a standby is in
 * the log, but is not visible to other sessions yet.
 */
async function whileUnseen(sql: string): Promise<void> {
  const [client, probe] = [await pipeline.source.connect(), await pipeline.source.connect()]
  try {
    await client.query('set synchronous_commit = on')
    await probe.query('set synchronous_commit = on')
    await client.query(`begin; ${sql}`)
    await run(`alter system set synchronous_commit = 'local'`)
    await run(`alter system set synchronous_standby_names = 'nobody'`)
    // Debezium's own sessions would wait, too. After a beacon, its next heartbeat is a second away.
    await nextBeacon()
    await run('select pg_reload_conf()')
    await until('commits to wait', () => waits(probe))
    const { rows } = await run('select clock_timestamp()::text as start')
    const committed = client.query('commit')
    await until('Debezium to look', () => hasLooked(rows[0].start))
    await run('alter system reset synchronous_standby_names')
    await run('select pg_reload_conf()')
    await committed
  } finally {
    client.release(true)
    probe.release(true)
    await run('alter system reset all')
    await run('select pg_reload_conf()')
  }
}

/** Settles when Debezium has emitted another beacon. */
async function nextBeacon(): Promise<void> {
  const newest = async () => (await run('select max(number) as number from tidemark.beacon')).rows[0].number
  const before = await newest()
  await until('a beacon', async () => (await newest()) !== before)
}

/** Whether Debezium looks for the transaction, or has continued without it. */
async function hasLooked(since: string): Promise<boolean> {
  const looks = await run(`
    select
    from pg_stat_activity
    where application_name = 'Debezium General'
      and query_start > '${since}'
      and (query like '%pg_locks%' or query = 'COMMIT' and query_start < clock_timestamp() - interval '500 ms')`)
  return looks.rowCount !== 0
}

/** Whether a commit of this session waits for a standby. A commit that waits is cancelled. */
async function waits(client: pg.PoolClient): Promise<boolean> {
  const { rows } = await client.query('select pg_backend_pid() as pid')
  let done = false
  const commit = client.query('create temp table probe (); drop table probe').then(() => {
    done = true
  })
  const waiting = await until('a commit', async () => {
    const cancelled = await run(`
      select pg_cancel_backend(pid) from pg_stat_activity where pid = ${rows[0].pid} and wait_event = 'SyncRep'`)
    return (done && 'done') || (cancelled.rowCount !== 0 && 'waits')
  })
  await commit
  return waiting === 'waits'
}
