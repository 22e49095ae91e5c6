import { afterEach, beforeEach, expect, test } from 'vitest'
import { captureFor } from '#test-support/capture/capture-run.ts'
import { confirmLog, readAtOnce, readSignals } from '#test-support/capture/debezium-stand-in.ts'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'

let source: SourceDatabase

const run = (sql: string) => source.pool.query(sql)

const capture = (ms = 400) => captureFor(source.pool, ms)

/** Sets times back, as if keyless tables had not changed for long enough to be read. */
async function backdate(): Promise<void> {
  await run(`
    update tidemark.table_contract set created_at = now() - interval '1 minute';
    update tidemark.captured_table set since = now() - interval '1 minute', not_before = null`)
}

const identity = async (table: string) =>
  (await source.pool.query('select relreplident as identity from pg_class where relname = $1', [table])).rows[0]
    .identity

const why = async (table: string) =>
  (await source.pool.query('select why from tidemark.uncaptured where table_name = $1', [table])).rows[0]?.why

const newest = async (table: string) => (await source.contracts(table)).at(-1)!

/** Confirms the log as Debezium does, and runs capture-tables, until no table is being read. */
async function finishSnapshot(): Promise<void> {
  const states = async () => (await run(`select from tidemark.captured_table where state = 'snapshotting'`)).rowCount
  for (const deadline = Date.now() + 10_000; (await states())! > 0; ) {
    if (Date.now() > deadline) throw new Error('the table is being read for ever')
    await confirmLog(source)
    await run('select tidemark.end_snapshot(relation::oid) from tidemark.captured_table')
  }
}

beforeEach(async () => {
  source = await createSource()
  await source.listen()
})

afterEach(() => source.drop())

test.each(['create table log (line text)', 'create table log (line text); alter table log replica identity nothing'])(
  '"%s" is captured with replica identity full and without a key',
  async (ddl) => {
    await run(ddl)
    await backdate()

    expect(await capture()).toMatchObject({ tables: { 'public.log': 'captured' } })

    expect(await newest('public.log')).toMatchObject({
      published: true,
      complete: true,
      replicaIdentity: 'full',
      columns: [{ key: null }],
    })
    await run(`insert into log values ('a'); update log set line = 'b'; delete from log`)
  },
)

test('a table with a key whose large values cannot be distinguished from null gets replica identity full', async () => {
  await run('create table list (id int primary key, v polygon)')

  expect(await capture()).toMatchObject({ tables: { 'public.list': 'captured' } })

  expect(await newest('public.list')).toMatchObject({ replicaIdentity: 'full', columns: [{ key: 1 }, { key: null }] })
})

test('a new table waits a moment for its key: it is then read in chunks and keeps its replica identity', async () => {
  await run(`create table log (line text); insert into log values ('a')`)
  expect(await capture()).toMatchObject({ tables: { 'public.log': 'pending' } })

  await run('alter table log add primary key (line)')
  await run('update tidemark.captured_table set not_before = null')
  await capture()

  expect(await readSignals(source)).toMatchObject([{ data: { type: 'incremental' } }])
  expect(await identity('log')).toBe('d')
})

test('rows are read all at once, and the table is captured when the session that got the last one is confirmed', async () => {
  await run(`create table log (line text); insert into log values ('a')`)
  await backdate()
  expect(await capture()).toMatchObject({ tables: { 'public.log': 'snapshotting' } })
  expect(await readSignals(source)).toMatchObject([
    { data: { type: 'blocking', 'data-collections': ['tidemark\\.beacon', '(?-i)public\\.log'] } },
  ])

  const end = await readAtOnce(source)
  await run('select tidemark.end_snapshot(relation::oid) from tidemark.captured_table')
  expect(await source.state('public.log')).toMatchObject({ state: 'snapshotting' })
  await finishSnapshot()

  expect(await source.state('public.log')).toMatchObject({ state: 'captured' })
  expect(await newest('public.log')).toMatchObject({ generation: 1, complete: true })
  await end()
})

test('a blocking snapshot that Debezium did not execute is reported, and begun again as another generation', async () => {
  await run(`create table log (line text); insert into log values ('a')`)
  await backdate()
  await capture()
  await finishSnapshot()

  expect(await source.state('public.log')).toMatchObject({ state: 'pending' })
  expect(await why('log')).toContain(
    'Debezium did not complete the blocking snapshot, though it has the right to: its session was ended',
  )
  expect(await newest('public.log')).toMatchObject({ generation: 2, complete: false })
  expect(await capture()).toMatchObject({ tables: { 'public.log': 'snapshotting' } })
})

test('a blocking snapshot whose rows may not all have been sent, because the task stopped, is begun again', async () => {
  await run(`create table log (line text); insert into log values ('a')`)
  await backdate()
  await capture()
  const end = await readAtOnce(source)
  await expect
    .poll(async () => {
      await confirmLog(source)
      await run('select tidemark.end_snapshot(relation::oid) from tidemark.captured_table')
      return (await run('select seen_marks::int from tidemark.captured_table')).rows
    })
    .toEqual([{ seen_marks: 1 }])
  await end()
  await finishSnapshot()

  expect(await source.state('public.log')).toMatchObject({ state: 'pending' })
  expect(await newest('public.log')).toMatchObject({ generation: 2, complete: false })
})

test('a table that is in use gets its replica identity later, and its users wait a tenth of a second at most', async () => {
  await run('create table log (line text)')
  await backdate()
  const reader = await source.pool.connect()
  await reader.query('begin; select from log')
  let writing = true
  const writer = (async () => {
    while (writing) await run(`set lock_timeout = '400ms'; insert into log values ('a'); reset lock_timeout`)
  })()

  expect(await capture(2_500)).toMatchObject({ tables: { 'public.log': 'pending' } })
  writing = false
  await writer

  expect(await why('log')).toContain('it is in use: replica identity full could not be set')
  await reader.query('rollback')
  reader.release()
  await backdate()
  expect(await capture()).toMatchObject({ tables: { 'public.log': 'snapshotting' } })
})

test('a table that loses its key leaves the publication at once, so that its updates go on, and is captured again', async () => {
  await run('create table ride (id int primary key, fare int)')
  await capture()

  await run(`
    begin;
    insert into ride values (1, 1);
    alter table ride drop constraint ride_pkey;
    update ride set fare = 2;
    commit;
    delete from ride`)

  expect(await source.published()).toEqual([])
  expect(await newest('public.ride')).toMatchObject({ generation: 2, complete: false, published: false })
  await backdate()
  expect(await capture()).toMatchObject({ tables: { 'public.ride': 'captured' } })
  expect(await newest('public.ride')).toMatchObject({ generation: 2, complete: true, replicaIdentity: 'full' })
})

test('a table whose replica identity is taken back leaves the publication at once', async () => {
  await run('create table log (line text)')
  await backdate()
  await capture()

  await run(`alter table log replica identity default; insert into log values ('a'); update log set line = 'b'`)

  expect(await newest('public.log')).toMatchObject({ generation: 2, published: false, refusal: null })
})

test('a column that needs full images brings them with it, and nothing is read again', async () => {
  await run('create table list (id int primary key)')
  await capture()

  await run('alter table list add column v polygon')

  expect(await newest('public.list')).toMatchObject({
    generation: 1,
    complete: true,
    published: true,
    replicaIdentity: 'full',
  })
})

test('a table with a name that Debezium cannot keep in its offset is read all at once, with its key', async () => {
  await run(`create table "my table.1" (id int primary key); insert into "my table.1" values (1)`)

  expect(await capture()).toMatchObject({ tables: { 'public.my table.1': 'snapshotting' } })

  expect(await readSignals(source)).toMatchObject([
    { data: { type: 'blocking', 'data-collections': ['tidemark\\.beacon', '(?-i)public\\.my\\ table\\.1'] } },
  ])
  expect(await identity('my table.1')).toBe('d')
})

test('a table with children is read without their rows, and not by the initial snapshot', async () => {
  await run(`select pg_drop_replication_slot('tidemark_e${source.epoch}')`)
  await run(`
    create table person (id int primary key);
    create table driver (primary key (id)) inherits (person);
    insert into person values (1);
    select tidemark.publish_table('person'::regclass);
    select tidemark.publish_table('driver'::regclass)`)
  expect(await source.published()).toEqual(['public.driver'])

  await source.listen()
  await capture()

  expect(await readSignals(source)).toMatchObject([
    { data: { type: 'incremental', 'additional-conditions': [{ filter: expect.stringMatching(/^tableoid = \d+$/) }] } },
  ])
})
