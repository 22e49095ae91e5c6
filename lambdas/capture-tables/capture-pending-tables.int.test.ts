import type { PoolClient } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { captureFor } from '#test-support/capture/capture-run.ts'
import { confirmLog, markChunk, readSignals } from '#test-support/capture/debezium-stand-in.ts'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'
import { eventually } from '#test-support/eventually.ts'
import { makeCapturePendingTables } from './capture-pending-tables.ts'

let source: SourceDatabase
let application: PoolClient

const run = (sql: string) => source.pool.query(sql)

/** DDL that no event trigger reports. */
const runUnseen = (ddl: string) =>
  run(`
    begin;
    alter event trigger tidemark_ddl_command_end disable;
    alter event trigger tidemark_sql_drop disable;
    ${ddl};
    alter event trigger tidemark_ddl_command_end enable always;
    alter event trigger tidemark_sql_drop enable always;
    commit`)

const capture = (ms = 300) => captureFor(source.pool, ms)

const why = async (table: string) =>
  (await source.pool.query('select why from tidemark.uncaptured where table_name = $1', [table])).rows[0]?.why

const signals = () => readSignals(source)
const chunk = (table: string, marks?: readonly ('open' | 'close')[]) => markChunk(source, table, marks)

beforeEach(async () => {
  source = await createSource()
  await source.listen()
  application = await source.pool.connect()
})

afterEach(async () => {
  application.release(true)
  await source.drop()
})

test('an empty table is captured at once: published, readable, and its contract says so before any change', async () => {
  await run('create table ride (id int primary key)')

  const summary = await capture()

  expect(summary).toEqual({ outcome: 'done', tables: { 'public.ride': 'captured' } })
  expect(await source.published()).toEqual(['public.ride'])
  expect(await source.contracts('public.ride')).toMatchObject([
    { version: 1, published: false, complete: false },
    { version: 2, published: true, complete: false },
    { version: 3, published: true, complete: true },
  ])
  expect(await signals()).toEqual([])
})

test('a table that holds rows is read, and captured when Debezium has confirmed the end of the last chunk', async () => {
  await run('create table ride (id int primary key); insert into ride values (1)')

  expect(await capture()).toMatchObject({ tables: { 'public.ride': 'snapshotting' } })
  expect(await signals()).toMatchObject([{ data: { type: 'incremental', 'data-collections': ['"public"."ride"'] } }])
  await chunk('public.ride')
  await confirmLog(source)
  await capture()
  await chunk('public.ride')
  expect(await capture()).toMatchObject({ tables: { 'public.ride': 'snapshotting' } })
  await confirmLog(source)
  expect(await capture()).toMatchObject({ tables: { 'public.ride': 'captured' } })
  expect((await run('select from tidemark.signal')).rowCount).toBe(0)
})

test('between two chunks a table is not taken for captured, however long Debezium takes', async () => {
  await run('create table ride (id int primary key); insert into ride values (1)')
  await capture()
  await chunk('public.ride')

  const summaries = [await capture(), await capture()]

  expect(summaries).toMatchObject([
    { tables: { 'public.ride': 'snapshotting' } },
    { tables: { 'public.ride': 'snapshotting' } },
  ])
})

test('a run goes on while Debezium goes on with the snapshot, and ends five seconds after the last chunk', async () => {
  await run('create table ride (id int primary key); insert into ride values (1)')
  let seconds = 0
  const aSecond = async () => {
    seconds += 1
    if (seconds <= 9) await chunk('public.ride')
  }

  const options = { source: source.pool, now: () => seconds * 1_000, pause: aSecond }
  await makeCapturePendingTables(options)(Number.POSITIVE_INFINITY)

  expect(seconds).toBeGreaterThanOrEqual(13)
  expect(seconds).toBeLessThanOrEqual(17)
})

test.each([
  ['failed', ['open'] as const, 'Debezium could not read its rows, though it has the right to: its session was ended'],
  [
    'skipped the table',
    ['open', 'close'] as const,
    'Debezium read none of its rows, though it has the right to: its session was ended',
  ],
])('a snapshot that %s is reported, and tried again by the next run', async (_, marks, reason) => {
  await run('create table ride (id int primary key); insert into ride values (1)')
  await capture()
  const [first] = await signals()
  await chunk('public.ride', marks)
  await capture()
  await confirmLog(source)

  expect(await capture()).toMatchObject({ tables: { 'public.ride': 'pending' } })
  expect(await why('ride')).toContain(reason)
  expect(await capture()).toMatchObject({ tables: { 'public.ride': 'snapshotting' } })
  const [second] = await signals()
  expect(second!.id).not.toBe(first!.id)
  expect((await source.contracts('public.ride')).map(({ generation }) => generation)).toEqual([1, 1])
})

test.each([
  [
    'revoke usage on schema city from tidemark_capture',
    'Debezium read none of its rows, because tidemark_capture may not use its schema: grant usage on schema city to tidemark_capture',
  ],
  [
    'revoke select on city.ride from tidemark_capture',
    'Debezium read none of its rows, because tidemark_capture may not read id, fare: grant select (id, fare) on city.ride to tidemark_capture',
  ],
])('a snapshot that fails after %s says so, with the SQL that resolves it', async (statement, reason) => {
  await source.configure({ schemas: ['public', 'city'] })
  await run(
    'create schema city; create table city.ride (id int primary key, fare int); insert into city.ride values (1, 2)',
  )
  await capture()
  await run(statement)
  await chunk('city.ride')
  await capture()
  await confirmLog(source)

  await capture()

  expect(await why('ride')).toBe(`is being captured: it is new; last error: ${reason}`)
})

test('a table whose rows a policy has hidden from the snapshot is refused, with the SQL that changes it', async () => {
  await run('create table ride (id int primary key); insert into ride values (1)')
  await run('alter table ride enable row level security; create policy everyone on ride using (true)')
  await run('select tidemark.catch_up()')
  await capture()
  await run('create policy few on ride as restrictive using (id > 1)')
  await chunk('public.ride')
  await capture()
  await confirmLog(source)

  await capture()

  expect(await source.state('public.ride')).toEqual({
    state: 'refused',
    reason: 'row-level security hides rows from tidemark_capture',
    fix: 'alter role tidemark_capture bypassrls;',
  })
})

test('a table whose snapshot fails repeatedly is tried at growing intervals, and the others go on', async () => {
  await run('create table ride (id int primary key); insert into ride values (1)')
  const fail = async () => {
    await chunk('public.ride')
    await capture()
    await confirmLog(source)
    await capture()
  }
  const wait = async () => {
    const { rows } = await run(`
      select failed_snapshots as failed, extract(epoch from not_before - clock_timestamp())::int as seconds
      from tidemark.captured_table where table_name = 'ride'`)
    return rows[0]
  }
  await capture()
  await fail()
  expect(await wait()).toEqual({ failed: 1, seconds: null })
  await capture()
  await fail()
  expect(await wait()).toMatchObject({
    failed: 2,
    seconds: expect.toSatisfy((seconds) => seconds > 10 && seconds <= 30),
  })

  await run('create table stop (id int primary key)')
  expect(await capture()).toMatchObject({ tables: { 'public.ride': 'pending', 'public.stop': 'captured' } })
  await run(`update tidemark.captured_table set not_before = null`)
  expect(await capture()).toMatchObject({ tables: { 'public.ride': 'snapshotting' } })
  await chunk('public.ride')
  await chunk('public.ride')
  await capture()
  await confirmLog(source)
  expect(await capture()).toMatchObject({ tables: { 'public.ride': 'captured' } })
  expect(await wait()).toEqual({ failed: 0, seconds: null })
})

test('a snapshot that Debezium did not begin, though it has passed the signal, is requested again', async () => {
  await run('create table ride (id int primary key); insert into ride values (1)')
  await capture()
  await confirmLog(source)

  expect(await capture(5_000)).toMatchObject({ tables: { 'public.ride': 'pending' } })

  expect(await why('ride')).toContain('Debezium did not begin the snapshot')
  await capture()
  expect(await signals()).toHaveLength(1)
})

test('a snapshot that Debezium resumes after a restart ends well', async () => {
  await run('create table ride (id int primary key); insert into ride values (1)')
  await capture()
  await chunk('public.ride', ['open'])
  await chunk('public.ride')
  await chunk('public.ride')
  await capture()
  await confirmLog(source)

  expect(await capture()).toMatchObject({ tables: { 'public.ride': 'captured' } })
})

test('tables that hold rows are read one after the other', async () => {
  await run('create table a as select 1 as id; create table b as select 1 as id')
  await run('alter table a add primary key (id); alter table b add primary key (id)')

  const summary = await capture()

  expect(summary).toEqual({ outcome: 'done', tables: { 'public.a': 'snapshotting', 'public.b': 'awaiting writers' } })
  expect(await why('b')).toBe('is being captured: waits until the snapshot of another table has ended')
  expect(await signals()).toHaveLength(1)
})

test('a table is not read before the transactions that wrote to it unpublished have ended', async () => {
  await run('create table ride (id int primary key, fare int); insert into ride values (1, 1)')
  await application.query('begin; update ride set fare = 2')

  expect(await capture()).toMatchObject({ tables: { 'public.ride': 'awaiting writers' } })
  expect(await why('ride')).toMatch(
    /^is being captured: waits for transactions that wrote to it before it was published: \d+\/\d+$/,
  )
  await application.query('commit')
  expect(await capture()).toMatchObject({ tables: { 'public.ride': 'snapshotting' } })
})

test('a writer that prepares its transaction is waited for, too', async () => {
  await run('create table ride (id int primary key)')
  await application.query('begin; insert into ride values (1)')
  await capture()
  await application.query(`prepare transaction '${source.name}'`)

  expect(await capture()).toMatchObject({ tables: { 'public.ride': 'awaiting writers' } })
  const { rows } = await run(`select fix from tidemark.uncaptured where table_name = 'ride'`)
  // The fix is an SQL comment, so executing it without a choice decides nothing.
  await application.query(rows[0].fix)
  await application.query(`commit prepared '${source.name}'`)
  expect(rows).toEqual([{ fix: `-- either commit prepared '${source.name}'; or rollback prepared '${source.name}';` }])
  expect(await capture()).toMatchObject({ tables: { 'public.ride': 'snapshotting' } })
})

test('transactions that begin to write once it is published are not waited for', async () => {
  await run('create table ride (id int primary key)')
  const before = await source.pool.connect()
  await before.query('begin; insert into ride values (1)')
  await capture()
  await application.query('begin; insert into ride values (2)')
  await before.query('rollback')
  before.release()

  expect(await capture()).toMatchObject({ tables: { 'public.ride': 'captured' } })
  await application.query('commit')
})

test('readers are not waited for, and writers of other tables neither', async () => {
  await run('create table ride (id int primary key); create table trip (id int primary key)')
  await application.query('begin; select * from ride for share; insert into trip values (1)')

  expect(await capture()).toMatchObject({ tables: { 'public.ride': 'captured', 'public.trip': 'awaiting writers' } })
})

test('an application that writes all the time neither fails nor waits while its table is captured', async () => {
  await run(
    'create table ride (id int primary key, fare int); insert into ride select g, 0 from generate_series(1, 9) g',
  )
  await application.query('begin; update ride set fare = 1 where id = 9')
  let writing = true
  const writers = [1, 2].map(async (id) => {
    const client = await source.pool.connect()
    await client.query(`set lock_timeout = '500ms'`)
    while (writing) await client.query('update ride set fare = fare + 1 where id = $1', [id])
    client.release(true)
  })

  await capture()
  await application.query('commit')
  const summary = await capture()
  writing = false
  await Promise.all(writers)

  expect(summary).toMatchObject({ tables: { 'public.ride': 'snapshotting' } })
})

test('a table under open DDL is reported and captured later, and does not delay the others', async () => {
  await run('create table a (id int primary key); create table b (id int primary key)')
  await application.query('begin; lock table a')

  expect(await capture(500)).toMatchObject({ tables: { 'public.a': 'pending', 'public.b': 'captured' } })
  expect(await why('a')).toBe('is being captured: it is new; last error: canceling statement due to lock timeout')
  await application.query('rollback')
  expect(await capture()).toMatchObject({ tables: { 'public.a': 'captured' } })
})

test('a step that fails leaves the table for the next run, lets the others go on, and fails the run', async () => {
  await run('create table a (id int primary key); create table b (id int primary key)')
  await run(`
    create function refuse() returns trigger language plpgsql as $$ begin raise 'no % for you', new.table_name; end $$;
    create trigger refuse before update on tidemark.captured_table
      for each row when (new.table_name = 'a' and new.state <> 'pending') execute function refuse()`)

  await expect(capture()).rejects.toThrow('not every table could be captured. public.a: no a for you')

  expect(await source.state('public.b')).toMatchObject({ state: 'captured' })
  expect(await why('a')).toBe('is being captured: it is new; last error: no a for you')
})

test('a table that became uncapturable meanwhile is refused, not published', async () => {
  await run('create table ride (id int primary key)')
  await runUnseen('alter table ride enable row level security')

  await capture()

  expect(await source.state('public.ride')).toMatchObject({ state: 'refused' })
  expect(await source.published()).toEqual([])
})

test('a pending table that is dropped is forgotten', async () => {
  await run('create table ride (id int primary key)')
  await runUnseen('drop table ride')

  expect(await capture()).toEqual({ outcome: 'done', tables: {} })

  expect(await source.contracts('public.ride')).toMatchObject([{ dropped: false }, { dropped: true }])
})

test('while no connector listens nothing is published: its initial snapshot would not know of it', async () => {
  await run(`select pg_drop_replication_slot('tidemark_e${source.epoch}'); create table ride (id int primary key)`)

  expect(await capture()).toEqual({ outcome: 'no connector listens yet' })

  expect(await source.published()).toEqual([])
  expect(await why('ride')).toBe('is being captured: waits until the connector runs')
})

test('a run that meets another one waits for it and looks again; a third one leaves it to the second', async () => {
  await run('create table a (id int primary key)')
  await application.query('begin; insert into a values (1)')
  const first = capture(1_000)
  await eventually(async () => expect(await source.published()).toEqual(['public.a']))
  const second = capture(10_000)
  const turns = `select from pg_locks where locktype = 'advisory' and database = (
    select oid from pg_database where datname = current_database())`
  await eventually(async () => expect((await run(turns)).rowCount).toBe(2))

  const third = await capture()
  await run('create table b (id int primary key)')
  await application.query('commit')

  expect(third).toEqual({ outcome: 'another run captures them' })
  await first
  await second
  expect(await source.published()).toEqual(['public.a', 'public.b'])
})

test('a refused table that was made capturable without DDL of its own is captured by the next run', async () => {
  await run(`
    create table ride (id int primary key);
    alter table ride enable row level security;
    create policy tidemark_capture on ride for select to tidemark_capture using (true)`)
  expect(await source.state('public.ride')).toMatchObject({ state: 'refused' })

  await capture()

  expect(await source.state('public.ride')).toMatchObject({ state: 'captured' })
})

test('a table that is dropped while it is read leaves no signal behind; signals of others stay', async () => {
  await run(`
    insert into tidemark.signal values ('by hand', 'log', 'a line');
    create table ride (id int primary key);
    insert into ride values (1)`)
  await capture()
  await chunk('public.ride')

  await run('drop table ride')
  await capture()

  expect((await run('select id from tidemark.signal')).rows).toEqual([{ id: 'by hand' }])
})
