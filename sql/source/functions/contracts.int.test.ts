import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'

let source: SourceDatabase

/** A column that is nothing but what is given. */
const column = (given: { number: number; name: string; type: string; nullable?: boolean; key?: number }) => ({
  carried: given.type,
  wire: 'value',
  nullable: true,
  generated: false,
  expression: null,
  key: null,
  missing: null,
  definition: null,
  ...given,
})

const run = (sql: string) => source.pool.query(sql)
const failures = async () => (await run('select message from tidemark.contract_failure')).rows.map((row) => row.message)

beforeEach(async () => {
  source = await createSource()
  await source.listen()
})

afterEach(async () => {
  expect(await failures()).toEqual([])
  await source.drop()
})

test('a new table has one contract per topic partition, committed with it, in the form that core reads', async () => {
  const created = await run(`
    create table ride (
      city text,
      id bigint,
      fare numeric(12, 2) not null,
      note jsonb,
      at timestamp(3),
      primary key (id, city)
    );
    select 'ride'::regclass::oid::bigint as relation`)

  const relation = Number((created as unknown as pg.QueryResult[])[1]!.rows[0].relation)
  const { rows } = await run('select version, slot, contract from tidemark.table_contract order by slot')
  const contract = {
    relation,
    version: 1,
    schema: 'public',
    table: 'ride',
    dropped: false,
    published: false,
    refusal: null,
    generation: 1,
    complete: false,
    topicPartitions: 2,
    replicaIdentity: 'default',
    parents: [],
    columns: [
      column({ number: 1, name: 'city', type: 'text', nullable: false, key: 2 }),
      column({ number: 2, name: 'id', type: 'bigint', nullable: false, key: 1 }),
      column({ number: 3, name: 'fare', type: 'numeric(12,2)', nullable: false }),
      column({ number: 4, name: 'note', type: 'jsonb' }),
      column({ number: 5, name: 'at', type: 'timestamp(3) without time zone' }),
    ],
  }
  expect(rows).toEqual([
    { version: 1, slot: 0, contract },
    { version: 1, slot: 1, contract },
  ])
  expect(await source.contracts('public.ride')).toEqual([contract])
  expect(await source.state('public.ride')).toMatchObject({ state: 'pending' })
})

test('DDL that is rolled back leaves neither contract nor capture', async () => {
  await run('begin; create table ride (id int primary key); rollback')

  expect(await source.contracts('public.ride')).toEqual([])
  expect(await source.state('public.ride')).toBeUndefined()
})

test.each([
  ['alter table ride add column tip numeric', { columns: ['id', 'fare', 'tip'] }],
  ['alter table ride drop column fare', { columns: ['id'] }],
  ['alter table ride rename column fare to price', { columns: ['id', 'price'] }],
  ['alter table ride rename to trip', { table: 'trip' }],
  ['alter index ride rename to trip', { table: 'trip' }],
  ['create schema city; alter table ride set schema city', { schema: 'city' }],
  ['alter schema public rename to city', { schema: 'city' }],
  ['alter table ride replica identity full', { replicaIdentity: 'full' }],
  ['alter table ride enable row level security', { refusal: 'row-level security hides rows from tidemark_capture' }],
  ['drop table ride', { dropped: true }],
  ['drop schema public cascade', { dropped: true }],
])('after "%s" the next version of the contract says so', async (ddl, expected) => {
  await run('create table ride (id int primary key, fare numeric)')

  await run(ddl)

  const contracts = await source.contracts('public.ride')
  const { columns, ...contract } = contracts.at(-1)!
  expect(contracts.map(({ version }) => version)).toEqual([1, 2])
  expect({ ...contract, columns: columns.map(({ name }) => name) }).toMatchObject(expected)
})

test.each([
  'create index on ride (fare)',
  `comment on column ride.fare is 'in euro'`,
  'alter table ride alter column fare set default 1',
  'alter table ride add constraint positive check (fare > 0)',
  'alter table ride set (fillfactor = 50)',
  'alter table ride alter column fare set statistics 10',
  'grant select on ride to public',
  'alter table ride rename constraint ride_pkey to key',
  'create trigger t before update on ride execute function suppress_redundant_updates_trigger()',
])('"%s" changes nothing that is captured and writes no version', async (ddl) => {
  await run('create table ride (id int primary key, fare numeric)')

  await run(ddl)

  expect(await source.contracts('public.ride')).toHaveLength(1)
})

test('a column or a key that another object takes with it is gone from the contract', async () => {
  await run(`
    create type mood as enum ('good');
    create collation plain (provider = libc, locale = 'C');
    create table ride (id text collate plain primary key, m mood);
    create table trip (id int primary key, name text collate plain)`)

  await run('drop type mood cascade; drop collation plain cascade')

  expect((await source.contracts('public.ride')).at(-1)!.columns).toEqual([])
  expect((await source.contracts('public.trip')).at(-1)!.columns.map(({ name }) => name)).toEqual(['id'])
})

test('tables made by CREATE TABLE AS, SELECT INTO and CREATE SCHEMA have contracts', async () => {
  await source.configure({ schemas: ['public', 'city'] })

  await run(`
    create table a as select 1 as id;
    select 1 as id into b;
    create schema city create table c (id int primary key)`)

  expect(await source.contracts('public.a')).toMatchObject([{ refusal: null }])
  expect(await source.contracts('public.b')).toMatchObject([{ refusal: null }])
  expect(await source.contracts('city.c')).toMatchObject([{ refusal: null }])
})

test('temporary tables, other schemas and tables left out have no contract', async () => {
  await source.configure({ excludeTables: ['public.audit'] })

  await run(`
    create temporary table t (id int primary key);
    alter table t add column b int;
    drop table t;
    create schema other create table t (id int primary key);
    create table audit (id int primary key);
    drop table audit;
    create view v as select 1`)

  expect((await run('select from tidemark.table_contract')).rowCount).toBe(0)
  expect((await run('select from tidemark.captured_table')).rowCount).toBe(0)
})

test('excluded columns are in no contract, also when they are added later', async () => {
  await source.configure({ excludeColumns: ['public.customer.email', 'public.customer.phone'] })

  await run('create table customer (id int primary key, email text, name text); alter table customer add phone text')

  const contracts = await source.contracts('public.customer')
  expect(contracts.map(({ columns }) => columns.map(({ name }) => name))).toEqual([['id', 'name']])
})

test('DDL of a role without any rights on tidemark writes contracts', async () => {
  const role = `app_${source.name}`
  await run(`create role ${role}; grant create on schema public to ${role}`)
  const client = await source.pool.connect()

  await client.query(`set role ${role}; create table ride (id int primary key); drop table ride; reset role`)

  client.release()
  expect(await source.contracts('public.ride')).toMatchObject([{ dropped: false }, { dropped: true }])
  await run(`drop owned by ${role}; drop role ${role}`)
})

test('DDL that is restored as a replica writes contracts, too', async () => {
  await run('begin; set local session_replication_role = replica; create table ride (id int primary key); commit')

  expect(await source.contracts('public.ride')).toHaveLength(1)
})

test('where event triggers are missing, publish_contracts writes what is due, and nothing twice', async () => {
  await run('create table ride (id int primary key); create table gone (id int primary key)')
  await run('drop event trigger tidemark_ddl_command_end; drop event trigger tidemark_sql_drop')
  await run('alter table ride add column fare int; drop table gone; create table trip (id int primary key)')

  const first = await run('select tidemark.publish_contracts() as written')
  const second = await run('select tidemark.publish_contracts() as written')

  expect([first.rows[0].written, second.rows[0].written]).toEqual([3, 0])
  expect(await source.contracts('public.ride')).toHaveLength(2)
  expect(await source.contracts('public.gone')).toMatchObject([{ dropped: false }, { dropped: true }])
  expect(await source.contracts('public.trip')).toHaveLength(1)
})

test('while nobody listens, a new table has no contract before it is published', async () => {
  await run(`select pg_drop_replication_slot('tidemark_e${source.epoch}')`)

  await run('create table ride (id int primary key); create unlogged table log (line text)')

  expect(await source.contracts('public.ride')).toEqual([])
  expect(await source.state('public.ride')).toMatchObject({ state: 'pending' })
  expect(await source.contracts('public.log')).toMatchObject([{ refusal: expect.stringContaining('unlogged') }])
})

test('open DDL on one table holds up no DDL on another', async () => {
  await run('create table a (id int primary key); create table b (id int primary key)')
  const [one, two] = [await source.pool.connect(), await source.pool.connect()]
  await one.query('begin; alter table a add column x int; create table c (id int primary key)')

  await two.query(`
    set statement_timeout = '1s'; begin; alter table b add column x int; create table d (id int primary key); commit`)

  await one.query('rollback')
  for (const client of [one, two]) client.release(true)
  expect(await source.contracts('public.b')).toHaveLength(2)
  expect(await source.contracts('public.d')).toHaveLength(1)
})
