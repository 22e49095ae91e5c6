import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { countWaiting } from '#test-support/databases/waiting-sessions.ts'
import { until } from '#test-support/eventually.ts'
import { migrate } from './migrate.ts'

let database: TestDatabase
let client: pg.PoolClient
let directory: string

beforeEach(async () => {
  database = await createDatabase('empty')
  client = await database.pool.connect()
  directory = await mkdtemp(join(tmpdir(), 'tidemark-migrations-'))
  await write('finish.sql', 'select 1')
})

afterEach(async () => {
  client.release()
  await database.drop()
  await rm(directory, { recursive: true })
})

async function write(name: string, sql: string): Promise<void> {
  await mkdir(dirname(join(directory, name)), { recursive: true })
  await writeFile(join(directory, name), sql)
}

const tables = async () =>
  (await client.query(`select tablename from pg_tables where schemaname = 'public' order by 1`)).rows.map(
    (row) => row.tablename,
  )

const functionOf = (name: string, body: string) =>
  `create or replace function ${name}() returns text language sql as $$ ${body} $$`

const call = async (name: string) => (await client.query(`select ${name}() as value`)).rows[0].value

test('tables run in the order of their numbers, then functions, then the end, and running again does nothing', async () => {
  await write('tables/002-b.sql', 'create table b as select * from a; create index on b (x)')
  await write('tables/001-a.sql', 'create table a (x int)')
  await write('functions/f.sql', functionOf('f', 'select max(x)::text from b'))
  await write('finish.sql', 'alter function f() set search_path = public')

  const first = await migrate(client, directory)
  const second = await migrate(client, directory)

  expect(first).toEqual({ applied: ['tables/001-a.sql', 'tables/002-b.sql', 'functions/f.sql', 'finish.sql'] })
  expect(second).toEqual({ applied: [] })
  const recorded = await client.query('select file, length(sha256) from tidemark.migration order by file')
  expect(recorded.rows).toEqual(
    ['finish.sql', 'functions/f.sql', 'tables/001-a.sql', 'tables/002-b.sql'].map((file) => ({ file, length: 64 })),
  )
})

test('a changed file of functions runs again, with the end and without the other files', async () => {
  await write('tables/001-a.sql', 'create table a (x int)')
  await write('functions/f.sql', functionOf('f', `select 'one'`))
  await write('functions/g.sql', functionOf('g', `select 'other'`))
  await migrate(client, directory)
  await write('functions/f.sql', functionOf('f', `select 'two'`))

  const { applied } = await migrate(client, directory)

  expect(applied).toEqual(['functions/f.sql', 'finish.sql'])
  expect(await call('f')).toBe('two')
})

test('after a new file of tables all functions are created again, so that it may drop some with what depends on them', async () => {
  await write('functions/f.sql', functionOf('f', `select '1'`))
  await write('functions/v.sql', '-- Runs after f.sql.\ncreate or replace view v as select f()::text as value')
  await migrate(client, directory)
  await write('tables/001-f-returns-a-number.sql', 'drop function f() cascade')
  await write('functions/f.sql', 'create or replace function f() returns int language sql as $$ select 2 $$')

  await migrate(client, directory)

  const { rows } = await client.query('select value from v')
  expect(rows).toEqual([{ value: '2' }])
})

test('functions may call each other whatever their files are called, and a file runs after those that it names', async () => {
  await write(
    'functions/a.sql',
    `-- A view.\n-- Runs after b.sql, deep/d.sql and c.sql.\ncreate view a as select b(), c(), d()`,
  )
  await write('functions/b.sql', functionOf('b', 'select c()'))
  await write('functions/c.sql', functionOf('c', `select 'c'`))
  await write('functions/deep/d.sql', functionOf('d', `select 'd'`))

  const { applied } = await migrate(client, directory)

  expect(applied.slice(0, 4)).toEqual(['functions/b.sql', 'functions/deep/d.sql', 'functions/c.sql', 'functions/a.sql'])
})

test('files that run after each other, or after one that does not exist, are refused by name', async () => {
  await write('functions/a.sql', '-- Runs after b.sql.')
  await expect(migrate(client, directory)).rejects.toThrow(
    'functions/a.sql runs after functions/b.sql, which does not exist',
  )

  await write('functions/b.sql', '-- Runs after a.sql.')
  await expect(migrate(client, directory)).rejects.toThrow(
    'functions/a.sql runs after functions/b.sql runs after functions/a.sql: files cannot run after each other in a circle',
  )
})

test('a file that fails leaves nothing, also nothing of those before it, and is named with its line', async () => {
  await write('tables/001-a.sql', 'create table a (x int)')
  await write('tables/002-b.sql', 'create table b (x int);\n\nselect * from nowhere')

  const migrated = migrate(client, directory)

  await expect(migrated).rejects.toThrow('tables/002-b.sql line 3: relation "nowhere" does not exist')
  expect(await tables()).toEqual([])
})

test('a file of tables that was changed after it ran is refused by name', async () => {
  await write('tables/001-a.sql', 'create table a (x int)')
  await migrate(client, directory)
  await write('tables/001-a.sql', 'create table a (x bigint)')

  await expect(migrate(client, directory)).rejects.toThrow('tables/001-a.sql was changed after it was applied')
})

test('a database with tables of a newer version is refused, naming the file', async () => {
  await write('tables/001-a.sql', 'create table a (x int)')
  await write('tables/002-b.sql', 'create table b (x int)')
  await migrate(client, directory)
  await rm(join(directory, 'tables/002-b.sql'))

  await expect(migrate(client, directory)).rejects.toThrow('tables/002-b.sql, which this version does not know')
})

test('a version with the same tables takes functions back to what it has', async () => {
  await write('functions/f.sql', functionOf('f', `select 'one'`))
  await migrate(client, directory)
  await write('functions/f.sql', functionOf('f', `select 'two'`))
  await write('functions/newer.sql', functionOf('newer', `select 'newer'`))
  await migrate(client, directory)
  await write('functions/f.sql', functionOf('f', `select 'one'`))
  await rm(join(directory, 'functions/newer.sql'))

  await migrate(client, directory)

  expect(await call('f')).toBe('one')
})

test.each([['1-a.sql'], ['002-a.sql'], ['001_a.sql']])('a file of tables called %s is refused', async (name) => {
  await write(`tables/${name}`, 'select 1')

  await expect(migrate(client, directory)).rejects.toThrow(`${name}: its name has to be NNN-name.sql`)
})

test('two runners at once run every file once', async () => {
  await write('tables/001-a.sql', 'select pg_sleep(0.1); create table a (x int)')
  await write('tables/002-b.sql', 'create table b (x int)')
  const other = await database.pool.connect()

  const results = await Promise.all([migrate(client, directory), migrate(other, directory)])

  other.release()
  const applied = results.flatMap((result) => result.applied).sort()
  expect(applied).toEqual(['finish.sql', 'tables/001-a.sql', 'tables/002-b.sql'])
})

// Postgres answers the one that waits with an internal error, or that the settings of the role are there already.
test.each([
  ['changes', `set search_path = public`],
  ['sets for the first time', 'reset all'],
])('a role whose settings another session %s does not make a migration fail', async (_what, before) => {
  const role = `role_of_${database.name}`
  await write('tables/001-a.sql', `create table a (x int); alter role ${role} set work_mem = '8MB'`)
  await database.pool.query(`create role ${role}; alter role ${role} ${before}`)
  const other = await database.pool.connect()
  try {
    await other.query(`begin; alter role ${role} set statement_timeout = '1min'`)

    const migrated = migrate(client, directory)
    await until('the migration to wait for the other session', async () => (await countWaiting(database.pool)) === 1)
    await other.query('commit')

    expect(await migrated).toEqual({ applied: ['tables/001-a.sql', 'finish.sql'] })
  } finally {
    other.release()
    await database.pool.query(`drop role ${role}`)
  }
  expect(await tables()).toEqual(['a'])
})
