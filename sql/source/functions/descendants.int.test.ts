import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'

let source: SourceDatabase

const run = (sql: string) => source.pool.query(sql)
const parents = async (table: string) =>
  (await source.contracts(table)).map((contract) => contract.parents.map(({ schema, table }) => `${schema}.${table}`))
const states = async () =>
  (await run('select table_name as table, state, reason from tidemark.captured_table order by 1')).rows

/** Debezium reads nothing here: tables are taken to be empty. */
const captureAll = async () => {
  const { rows } = await run('select relation::oid::regclass as name from tidemark.captured_table order by relation')
  for (const { name } of rows) {
    await source.pool.query('select tidemark.publish_table($1::regclass)', [name])
    await source.pool.query('select tidemark.await_writers($1::regclass)', [name])
  }
}

beforeEach(async () => {
  source = await createSource()
  await source.listen()
  await run(`
    create table trip (id int, day int, primary key (id, day)) partition by range (day);
    create table trip_1 partition of trip for values from (0) to (10);
    create table trip_2 partition of trip for values from (10) to (20) partition by list (id);
    create table trip_2_a partition of trip_2 for values in (1)`)
})

afterEach(async () => {
  expect((await run('select message from tidemark.contract_failure')).rows).toEqual([])
  await source.drop()
})

test('the leaves of a partitioned table are captured, it itself is not listed', async () => {
  await captureAll()

  expect(await states()).toEqual([
    { table: 'trip_1', state: 'captured', reason: null },
    { table: 'trip_2_a', state: 'captured', reason: null },
  ])
  expect(await source.published()).toEqual(['public.trip_1', 'public.trip_2_a'])
  expect((await run('select * from tidemark.uncaptured')).rows).toEqual([])
})

test('a contract names the ancestors of a leaf, the nearest first', async () => {
  expect(await parents('public.trip_1')).toEqual([['public.trip']])
  expect(await parents('public.trip_2_a')).toEqual([['public.trip_2', 'public.trip']])
})

test.each([
  ['alter table trip rename to ride', ['public.trip_2', 'public.ride']],
  ['create schema city; alter table trip set schema city', ['public.trip_2', 'city.trip']],
  ['alter table trip detach partition trip_2', ['public.trip_2']],
  ['alter table trip_2 detach partition trip_2_a', []],
  ['alter table trip_2 detach partition trip_2_a concurrently', []],
  ['alter table trip_2 rename to other', ['public.other', 'public.trip']],
])('after "%s" the contract of a leaf names its new ancestors', async (ddl, expected) => {
  await captureAll()
  const before = (await parents('public.trip_2_a')).length

  for (const statement of ddl.split('; ')) await run(statement)

  expect((await parents('public.trip_2_a')).slice(before)).toEqual([expected])
  expect(await source.state('public.trip_2_a')).toMatchObject({ state: 'captured' })
})

test('a leaf that moves to another ancestor keeps its generation: its rows are the same', async () => {
  await captureAll()
  await run(`
    create table archive (id int, day int, primary key (id, day)) partition by range (day);
    alter table trip detach partition trip_1;
    alter table archive attach partition trip_1 for values from (0) to (10)`)

  expect((await source.contracts('public.trip_1')).at(-1)).toMatchObject({
    parents: [{ schema: 'public', table: 'archive' }],
    generation: 1,
    complete: true,
  })
})

test('a table that is attached with its rows is read by itself', async () => {
  await source.configure({ schemas: ['public'], excludeTables: ['public.late'] })
  await run('create table late (id int, day int, primary key (id, day)); insert into late values (1, 25)')
  await source.configure({ schemas: ['public'] })

  await run('alter table trip attach partition late for values from (20) to (30)')

  expect(await source.state('public.late')).toMatchObject({ state: 'pending' })
  await captureAll()
  expect(await source.state('public.late')).toMatchObject({ state: 'snapshotting' })
})

test('a column added to the root is in the contracts of its leaves, with what their rows have in it', async () => {
  await run(`alter table trip add column note text default 'none'`)

  const columns = (await source.contracts('public.trip_2_a')).at(-1)!.columns
  expect(columns.at(-1)).toMatchObject({ name: 'note', missing: 'none' })
})

test('leaves that are dropped, alone or with their root, say so', async () => {
  await captureAll()

  await run('drop table trip_1; drop table trip')

  expect((await source.contracts('public.trip_1')).at(-1)).toMatchObject({ dropped: true })
  expect((await source.contracts('public.trip_2_a')).at(-1)).toMatchObject({ dropped: true })
  expect(await states()).toEqual([])
})

test('the name of a partitioned table stands for its leaves in the setting', async () => {
  await source.configure({ schemas: ['public'], excludeTables: ['public.trip_2'] })
  expect(await states()).toMatchObject([{ table: 'trip_1' }])
  await source.configure({ schemas: ['public'], excludeTables: ['public.trip'] })
  expect(await states()).toEqual([])
})

test('a leaf that the connector would not know by the name of its root is refused, with what to add', async () => {
  await run('create schema parts; create table parts.trip_3 partition of trip for values from (20) to (30)')

  expect(await source.state('parts.trip_3')).toEqual({
    state: 'refused',
    reason: 'it is captured as part of public.trip, and its own name is not among the captured tables',
    fix: `-- add 'parts' to schemas of the setting captured;`,
  })
  await source.configure({ schemas: [], includeTables: ['public.trip', 'public.trip_1'] })
  expect(await source.state('public.trip_1')).toMatchObject({ state: 'pending' })
  expect(await source.state('public.trip_2_a')).toMatchObject({
    fix: `-- add 'public.trip_2_a' to includeTables of the setting captured;`,
  })
})

test('both sides of an inheritance are captured as themselves, and the child names its parent', async () => {
  await run(`
    create table person (id int primary key);
    create table driver (primary key (id), licence text) inherits (person);
    insert into driver values (1, 'B')`)

  await captureAll()

  expect(await source.state('public.person')).toMatchObject({ state: 'captured' })
  expect(await source.state('public.driver')).toMatchObject({ state: 'snapshotting' })
  expect((await parents('public.driver')).at(-1)).toEqual(['public.person'])
  await run('alter table driver no inherit person')
  expect((await parents('public.driver')).at(-1)).toEqual([])
})
