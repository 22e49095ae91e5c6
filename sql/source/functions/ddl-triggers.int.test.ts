import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'

let source: SourceDatabase

const run = (sql: string) => source.pool.query(sql)

beforeEach(async () => {
  source = await createSource()
  await source.listen()
})

afterEach(() => source.drop())

test('DDL neither fails nor waits for long when its contract cannot be written; the next capture writes it', async () => {
  const other = await source.pool.connect()
  await other.query('begin; lock table tidemark.table_contract')

  // It would wait for ever if the trigger had no limit of its own.
  await run('create table ride (id int primary key)')

  await other.query('commit')
  other.release()
  expect((await run(`select why, fix from tidemark.uncaptured where table_name = 'ride'`)).rows).toEqual([
    {
      why: 'its contract could not be written: canceling statement due to lock timeout',
      fix: 'select tidemark.publish_contracts();',
    },
  ])
  await run('select tidemark.catch_up()')
  expect(await source.contracts('public.ride')).toHaveLength(1)
  expect((await run('select from tidemark.contract_failure')).rowCount).toBe(0)
})

test('DDL of a table whose missing contract is being written is noted without waiting, and written by the capture after it', async () => {
  await run('create table ride (id int primary key)')
  const [capture, application] = [await source.pool.connect(), await source.pool.connect()]
  await application.query('begin; lock table tidemark.table_contract')
  await run('alter table ride add fare int')
  await application.query('commit')
  await capture.query('begin; select tidemark.catch_up()')
  await application.query('alter table ride add tip int')
  await capture.query('commit')
  for (const client of [capture, application]) client.release()
  const columns = async () => (await source.contracts('public.ride')).at(-1)!.columns.map(({ name }) => name)
  expect(await columns()).toEqual(['id', 'fare'])

  await run('select tidemark.catch_up()')

  expect(await columns()).toEqual(['id', 'fare', 'tip'])
  expect((await run('select from tidemark.contract_failure')).rowCount).toBe(0)
})

test('DDL goes through when our own functions are broken', async () => {
  await run('drop function tidemark.due_contract(oid)')

  await run('create table ride (id int primary key); alter table ride add fare int; drop table ride')

  const { rows } = await run('select distinct message from tidemark.contract_failure')
  expect(rows).toEqual([{ message: expect.stringContaining('due_contract') }])
})

test('DDL goes through when not even the failure can be noted', async () => {
  await run('drop table tidemark.contract_failure cascade; drop function tidemark.due_contract(oid)')

  await run('create table ride (id int primary key); drop table ride')

  expect((await run(`select to_regclass('ride') as ride`)).rows).toEqual([{ ride: null }])
})

test('a statement that the application cancels is cancelled, not finished by us', async () => {
  const other = await source.pool.connect()
  await other.query('begin; lock table tidemark.table_contract')

  const created = run(`set statement_timeout = '50ms'; create table ride (id int primary key)`)

  await expect(created).rejects.toThrow('canceling statement due to statement timeout')
  await other.query('rollback')
  other.release()
})

test('a lock_timeout that the application set holds again after its DDL', async () => {
  const { rows } = await run(`
    begin;
    set local lock_timeout = '7s';
    create table ride (id int primary key);
    select current_setting('lock_timeout') as timeout;
    commit`).then((results) => (results as unknown as { rows: unknown[] }[])[3]!)

  expect(rows).toEqual([{ timeout: '7s' }])
})

test('names that mean something to SQL are quoted wherever they are used', async () => {
  await run(`create schema "Sch;em(a"; create table "Sch;em(a"."drop ""table; --" ("select ""x""" int primary key)`)
  await source.configure({ schemas: ['public', 'Sch;em(a'] })

  const state = await source.state('Sch;em(a.drop "table; --')

  expect(state!.reason).toBe(
    'its name holds a quote, a backslash, a bracket or one of *+?|^; ' +
      'the name of its column "select ""x""" is reserved or holds a quote; ' +
      'the name of its schema holds a quote, a backslash, a bracket or one of *+?|^',
  )
  await run(state!.fix!)
  expect(
    (
      await run(`select c.relnamespace::regnamespace::text as schema, c.relname from pg_class c
    where relname like 'drop%' and relkind = 'r'`)
    ).rows,
  ).toEqual([{ schema: '"Sch;em_a"', relname: 'drop _table; --' }])
})

test('a table of 1,000 columns has a contract, within the time that DDL may take', async () => {
  const columns = Array.from({ length: 999 }, (_, n) => `c${n} ${['int', 'text', 'numeric(12, 2)'][n % 3]}`)
  await run(`create table wide (id int primary key, ${columns.join(', ')})`)

  await run('alter table wide rename column c998 to last')

  expect((await source.contracts('public.wide')).map((contract) => contract.columns.at(-1)!.name)).toEqual([
    'c998',
    'last',
  ])
})

test('DDL in two open transactions at once waits for neither', async () => {
  await run('create table a (id int primary key); create table b (id int primary key)')
  const [one, two] = [await source.pool.connect(), await source.pool.connect()]
  for (const [client, table] of [
    [one, 'a'],
    [two, 'b'],
  ] as const)
    await client.query(`begin; alter table ${table} add x int`)

  await one.query('alter table a add y int; commit')
  await two.query('alter table b add y int; commit')

  for (const client of [one, two]) client.release()
  expect((await run('select from tidemark.contract_failure')).rowCount).toBe(0)
})
