import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { postgresMajor } from '#test-support/databases/database.ts'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'

let source: SourceDatabase

const run = (sql: string) => source.pool.query(sql)

/** Takes an empty table, or the generation that is being read, all the way. */
const finish = (table: string) =>
  run(`
    select tidemark.publish_table('${table}'::regclass);
    begin; select tidemark.await_writers('${table}'::regclass); commit;
    select tidemark.end_capture('${table}'::regclass)`)

const generations = async (table = 'public.ride') =>
  (await source.contracts(table)).map(({ generation, complete, published }) => ({ generation, complete, published }))

beforeEach(async () => {
  source = await createSource()
  await source.listen()
})

afterEach(async () => {
  expect((await run('select message from tidemark.contract_failure')).rows).toEqual([])
  await source.drop()
})

async function untilSomebodyWaits(): Promise<void> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await pause(2)) {
    if ((await run('select from pg_locks where not granted')).rowCount! > 0) return
  }
  throw new Error('nobody waited for a lock')
}

/** A captured table. */
async function capture(columns: string): Promise<void> {
  await run(`create table ride (${columns})`)
  await finish('ride')
  expect((await generations()).at(-1)).toEqual({ generation: 1, complete: true, published: true })
}

test.each([
  'alter table ride drop constraint ride_pkey, add primary key (fare)',
  'alter table ride drop constraint ride_pkey, add primary key (fare, id)',
  'alter table ride alter column tip type int using tip + 1',
  'alter table ride alter column tip type bigint',
  'alter table ride add column at timestamptz default clock_timestamp()',
  'alter table ride add column at bigint generated always as identity',
  'alter table ride add column twice int generated always as (fare * 2) stored',
  ...(postgresMajor() >= 17 ? ['alter table ride alter column more set expression as (fare + 2)'] : []),
])('"%s" begins a generation, in one contract with what it changes', async (ddl) => {
  await capture('id int primary key, fare int not null, tip int, more int generated always as (fare + 1) stored')
  const before = (await generations()).length

  await run(ddl)

  expect((await generations()).slice(before)).toEqual([{ generation: 2, complete: false, published: true }])
  expect(await source.state('public.ride')).toMatchObject({ state: 'pending' })
})

test.each([
  'alter table ride add column tip int default 1',
  'alter table ride drop column more',
  'alter table ride rename column fare to price',
  'alter table ride rename column id to number',
  'alter table ride alter column note type text',
  'alter table ride alter column fare drop not null',
  'alter table ride rename to trip',
  'alter table ride replica identity full',
  'vacuum full ride',
  'truncate ride',
])('"%s" goes on in the same generation', async (ddl) => {
  await capture(
    'id int primary key, fare int not null, more int generated always as (fare + 1) stored, note varchar(9)',
  )

  await run(ddl)

  const { rows } = await run('select state, generation, complete from tidemark.captured_table')
  expect(rows).toEqual([{ state: 'captured', generation: 1, complete: true }])
})

test.each([
  'alter table ride add column tip int default 1',
  'alter table ride drop column fare',
  'alter table ride rename column fare to price',
  'alter table ride rename to trip',
])(
  '"%s" on a table that is being snapshotted begins a generation, because a row that was read may have either shape',
  async (ddl) => {
    await run('create table ride (id int primary key, fare int); insert into ride values (1, 2)')
    await run(`select tidemark.publish_table('ride'::regclass)`)
    await run(`select tidemark.await_writers('ride'::regclass)`)
    await run(`select tidemark.await_writers('ride'::regclass)`)
    expect(await source.state('public.ride')).toMatchObject({ state: 'snapshotting' })

    await run(ddl)

    const { rows } = await run('select state, generation, complete from tidemark.captured_table')
    expect(rows).toEqual([{ state: 'pending', generation: 2, complete: false }])
  },
)

test('a label that is renamed while other DDL of the table is open begins a generation with the first capture after it', async () => {
  await run(`create type mood as enum ('good', 'bad')`)
  await capture('id int primary key, m mood')
  const other = await source.pool.connect()
  await other.query('begin; alter table ride rename to trip')

  await run(`alter type mood rename value 'good' to 'fine'`)
  await run('select tidemark.catch_up()')
  await other.query('commit')
  other.release()
  await run('select tidemark.catch_up()')

  expect((await generations('public.trip')).at(-1)).toEqual({ generation: 2, complete: false, published: true })
})

test('a column of a type whose label is being renamed begins a generation with the next capture', async () => {
  await run(`create type mood as enum ('good', 'bad')`)
  await capture('id int primary key')
  const other = await source.pool.connect()
  await other.query(`begin; alter type mood rename value 'good' to 'fine'`)
  await run(`alter table ride add m mood; insert into ride values (1, 'good')`)
  await other.query('commit')
  other.release()
  const outdated = async () => (await run('select tidemark.outdated_relations()')).rowCount
  expect([await outdated(), (await generations()).at(-1)!.generation]).toEqual([1, 1])

  await run('select tidemark.catch_up()')

  expect([await outdated(), (await generations()).at(-1)!.generation]).toEqual([0, 2])
})

test('DDL that is rolled back begins no generation', async () => {
  await capture('id int primary key, fare int')
  const before = await generations()

  await run('begin; alter table ride alter column fare type bigint; rollback')

  expect(await generations()).toEqual(before)
  expect(await source.state('public.ride')).toMatchObject({ state: 'captured' })
})

test('two rewrites in one transaction are two generations, each in a contract of its own', async () => {
  await capture('id int primary key, fare int')
  const before = (await generations()).length

  await run(
    'begin; alter table ride alter column fare type bigint; alter table ride alter column fare type int; commit',
  )

  expect((await generations()).slice(before)).toEqual([
    { generation: 2, complete: false, published: true },
    { generation: 3, complete: false, published: true },
  ])
})

test('a table that was never published stays in its first generation, whatever is done to it', async () => {
  await run('create table ride (id int); alter table ride add primary key (id); alter table ride alter id type bigint')

  expect(new Set((await generations()).map(({ generation }) => generation))).toEqual(new Set([1]))
})

test('a table that leaves the publication and comes back is snapshotted again, because the changes between are not in the log', async () => {
  await capture('id int primary key')

  await run('alter table ride enable row level security; alter table ride disable row level security')

  expect((await generations()).slice(-2)).toEqual([
    { generation: 2, complete: false, published: false },
    { generation: 2, complete: false, published: false },
  ])
  await finish('ride')
  expect((await generations()).at(-1)).toEqual({ generation: 2, complete: true, published: true })
})

test('a table that somebody takes out of the publication is found by the next run, and snapshotted again', async () => {
  await capture('id int primary key')
  await run('alter publication tidemark drop table ride')

  await run('select tidemark.catch_up()')

  expect((await generations()).at(-1)).toEqual({ generation: 2, complete: false, published: false })
  expect(await source.state('public.ride')).toMatchObject({ state: 'pending' })
})

test('a table that is excluded and included again is snapshotted again', async () => {
  await capture('id int primary key')
  await source.configure({ excludeTables: ['public.ride'] })
  await source.configure({})

  expect((await generations()).at(-1)).toEqual({ generation: 2, complete: false, published: false })
  expect(await source.state('public.ride')).toMatchObject({ state: 'pending' })
})

test('a rewrite that could not be noted at once begins a generation with the next run that can', async () => {
  await capture('id int primary key, fare int')
  const other = await source.pool.connect()
  await other.query(`begin; select from tidemark.captured_table for update`)

  await run('alter table ride alter column fare type bigint')
  await run('select tidemark.catch_up()')
  await other.query('commit')
  other.release()
  await run('select tidemark.catch_up()')

  expect((await generations()).at(-1)).toMatchObject({ generation: 2, complete: false })
  expect(await source.state('public.ride')).toMatchObject({ state: 'pending' })
})

test('DDL on a table whose snapshot ends at that moment leaves it captured and complete', async () => {
  await run('create table ride (id int primary key, fare int)')
  await run(`select tidemark.publish_table('ride'::regclass); select tidemark.await_writers('ride'::regclass)`)
  await run(`
    update tidemark.captured_table set state = 'snapshotting', complete = false;
    select tidemark.observe_table('ride'::regclass)`)
  const capture = await source.pool.connect()
  await capture.query(`begin; select tidemark.take_turn('ride'::regclass), tidemark.end_capture('ride'::regclass)`)

  const ddl = run('alter table ride alter column fare set statistics 5')
  await Promise.race([ddl, untilSomebodyWaits()])
  await capture.query('commit')
  capture.release()
  await ddl
  await run('alter table ride alter column fare set statistics 6')

  expect((await generations()).at(-1)).toMatchObject({ complete: true })
  expect(await source.state('public.ride')).toMatchObject({ state: 'captured' })
})

test('while nobody listens, what is published is complete: the initial snapshot reads it', async () => {
  await run(`select pg_drop_replication_slot('tidemark_e${source.epoch}'); create table ride (id int)`)

  await run(`select tidemark.publish_table('ride'::regclass)`)

  expect((await generations()).at(-1)).toEqual({ generation: 1, complete: true, published: true })
})
