import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '#test-support/database.ts'
import { migrate } from './migrate.ts'

let database: TestDatabase
let client: pg.PoolClient
let directory: string

beforeEach(async () => {
  database = await createDatabase('empty')
  client = await database.pool.connect()
  directory = await mkdtemp(join(tmpdir(), 'tidemark-migrations-'))
})

afterEach(async () => {
  client.release()
  await database.drop()
  await rm(directory, { recursive: true })
})

const write = (name: string, sql: string) => writeFile(join(directory, name), sql)

const tables = async () =>
  (await client.query(`select tablename from pg_tables where schemaname = 'public' order by 1`)).rows.map(
    (row) => row.tablename,
  )

test('files are applied in the order of their numbers and recorded, and running again does nothing', async () => {
  await write('002-b.sql', 'create table b as select * from a; create index on b (x)')
  await write('001-a.sql', 'create table a (x int)')

  const first = await migrate(client, directory)
  const second = await migrate(client, directory)

  expect(first).toEqual({ applied: ['001-a.sql', '002-b.sql'] })
  expect(second).toEqual({ applied: [] })
  const recorded = await client.query('select number, name, length(sha256) from tidemark.migration order by number')
  expect(recorded.rows).toEqual([
    { number: 1, name: '001-a.sql', length: 64 },
    { number: 2, name: '002-b.sql', length: 64 },
  ])
})

test('a file that fails leaves nothing of itself, keeps those before it, and is named with its line', async () => {
  await write('001-a.sql', 'create table a (x int)')
  await write('002-b.sql', 'create table b (x int);\n\nselect * from nowhere')

  const migrated = migrate(client, directory)

  await expect(migrated).rejects.toThrow('002-b.sql line 3: relation "nowhere" does not exist')
  expect(await tables()).toEqual(['a'])
})

test('a file changed after it was applied is refused by name', async () => {
  await write('001-a.sql', 'create table a (x int)')
  await migrate(client, directory)
  await write('001-a.sql', 'create table a (x bigint)')

  await expect(migrate(client, directory)).rejects.toThrow('001-a.sql was changed after it was applied')
})

test('a database migrated by a newer version is refused, naming the migration', async () => {
  await write('001-a.sql', 'create table a (x int)')
  await write('002-b.sql', 'create table b (x int)')
  await migrate(client, directory)
  await rm(join(directory, '002-b.sql'))

  await expect(migrate(client, directory)).rejects.toThrow('002-b.sql, which this version does not know')
})

test.each([['1-a.sql'], ['002-a.sql'], ['001_a.sql']])('a file called %s is refused', async (name) => {
  await write(name, 'select 1')

  await expect(migrate(client, directory)).rejects.toThrow(`${name}: migrations are called NNN-name.sql`)
})

test('the dump of the schema beside the migrations is not one of them', async () => {
  await write('schema.sql', 'this is not applied')

  expect(await migrate(client, directory)).toEqual({ applied: [] })
})

test('two runners at once apply every file once', async () => {
  await write('001-a.sql', 'select pg_sleep(0.1); create table a (x int)')
  await write('002-b.sql', 'create table b (x int)')
  const other = await database.pool.connect()

  const results = await Promise.all([migrate(client, directory), migrate(other, directory)])

  other.release()
  expect(results.flatMap(({ applied }) => applied).sort()).toEqual(['001-a.sql', '002-b.sql'])
})
