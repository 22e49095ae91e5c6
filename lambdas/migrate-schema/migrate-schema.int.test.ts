import { join } from 'node:path'
import type { CloudFormationCustomResourceEvent } from 'aws-lambda'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createDatabase, databaseUrl, type TestDatabase } from '#test-support/databases/database.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'
import { EVERYTHING } from '#test-support/databases/source-database.ts'
import { makeMigrateSchema } from './migrate-schema.ts'

const sql = join(import.meta.dirname, '../../sql')

let source: TestDatabase
let target: TestDatabase
let passwords: Record<string, string>

const login = (role: string, username = role) => ({
  [role]: async () => ({ host: '', port: 0, dbname: '', username, password: passwords[role]! }),
})

const work = (logins = { ...login('tidemark_capture'), ...login('tidemark_producer') }) =>
  makeMigrateSchema({
    source: { database: source.pool, directory: join(sql, 'source'), logins },
    target: {
      database: target.pool,
      directory: join(sql, 'target'),
      logins: {
        ...login('tidemark_apply'),
        ...login('tidemark_archive'),
        ...login('tidemark_windows'),
        ...login('tidemark_read'),
      },
    },
  })

/** An event as CloudFormation sends it: every number and boolean is text. */
const event = (RequestType: 'Create' | 'Update' | 'Delete', properties: object = {}) =>
  ({
    RequestType,
    ResourceProperties: {
      ServiceToken: 'arn',
      TopicPartitions: '4',
      Captured: EVERYTHING,
      Epoch: '1',
      SqlDigest: 'abc',
      DropOnDelete: 'true',
      ...properties,
    },
  }) as unknown as CloudFormationCustomResourceEvent

async function logIn(database: TestDatabase, role: string): Promise<string> {
  const client = new pg.Client({
    connectionString: databaseUrl(database.name, { username: role, password: passwords[role]! }),
  })
  await client.connect()
  const { rows } = await client.query('select current_user')
  await client.end()
  return rows[0].current_user
}

beforeAll(async () => {
  // The roles belong to the whole server. They are created here with the templates, so that two tests cannot create
  // them at the same time.
  for (const side of ['source', 'target'] as const) await (await createDatabase(side)).drop()
})

beforeEach(async () => {
  passwords = {
    tidemark_capture: 'p\'w"1',
    tidemark_producer: 'p2',
    tidemark_apply: 'p3',
    tidemark_archive: 'p5',
    tidemark_windows: 'p6',
    tidemark_read: 'p4',
  }
  source = await createDatabase('empty')
  target = await createDatabase('empty')
})

afterEach(async () => {
  await source.drop()
  await target.drop()
})

afterAll(async () => {
  const database = await createDatabase('empty')
  for (const role of Object.keys(passwords)) await database.pool.query(`alter role ${role} password null`)
  await database.drop()
})

test('from nothing, both sides are migrated, the roles log in, and tables that are there are published', async () => {
  await source.pool.query(
    'create table ride (id int primary key); insert into ride values (1); create table log (line text)',
  )

  const result = await work()(event('Create'))

  expect(result.data).toEqual({ sourceMigrations: expect.any(Number), targetMigrations: expect.any(Number) })
  const logins = [
    await logIn(source, 'tidemark_capture'),
    await logIn(source, 'tidemark_producer'),
    await logIn(target, 'tidemark_apply'),
    await logIn(target, 'tidemark_archive'),
    await logIn(target, 'tidemark_windows'),
    await logIn(target, 'tidemark_read'),
  ]
  expect(logins).toEqual(Object.keys(passwords))
  const tables = await source.pool.query('select table_name, state from tidemark.captured_table order by 1')
  expect(tables.rows).toEqual([
    { table_name: 'log', state: 'captured' },
    { table_name: 'ride', state: 'captured' },
  ])
  const contracts = await source.pool.query(`
    select contract ->> 'table' as name, contract ->> 'published' as published, version, count(*)::int as slots
    from tidemark.table_contract group by 1, 2, 3 order by 1`)
  expect(contracts.rows).toEqual([
    { name: 'log', published: 'true', version: 1, slots: 4 },
    { name: 'ride', published: 'true', version: 1, slots: 4 },
  ])
})

test('an update migrates nothing twice, takes over new passwords and puts a new setting in force', async () => {
  await source.pool.query('create table ride (id int primary key)')
  await work()(event('Create'))
  passwords['tidemark_capture'] = 'rotated'

  const result = await work()(event('Update', { Captured: { ...EVERYTHING, excludeTables: ['public.ride'] } }))

  expect(result.data).toEqual({ sourceMigrations: 0, targetMigrations: 0 })
  await expect(logIn(source, 'tidemark_capture')).resolves.toBe('tidemark_capture')
  const { rows } = await source.pool.query('select * from tidemark.captured_table')
  expect(rows).toEqual([])
})

test('another number of topic partitions is refused', async () => {
  await work()(event('Create'))

  await expect(work()(event('Update', { TopicPartitions: '8' }))).rejects.toThrow(
    'the topic has 4 topic partitions, not 8',
  )
})

test.each([
  [{ TopicPartitions: 'four' }, 'property TopicPartitions of the schema'],
  [{ Captured: { schemas: 'public' } }, 'property Captured.schemas of the schema'],
  [{ DropOnDelete: 'yes' }, 'property DropOnDelete of the schema'],
])('properties %j are refused by name', async (properties, message) => {
  await expect(work()(event('Create', properties))).rejects.toThrow(message)
})

test('a secret that belongs to another role is refused, so no role gets the password of another', async () => {
  const created = work({ ...login('tidemark_capture', 'postgres'), ...login('tidemark_producer') })(event('Create'))

  await expect(created).rejects.toThrow(
    'the secret of role tidemark_capture has the user name postgres: it must be tidemark_capture',
  )
})

test('a table under open DDL does not fail the installation: it is captured later', async () => {
  await source.pool.query('create table ride (id int primary key)')
  const other = await source.pool.connect()
  await other.query('begin; lock table ride')

  await work()(event('Create'))

  await other.query('rollback')
  other.release()
  const { rows } = await source.pool.query('select table_name, state from tidemark.captured_table')
  expect(rows).toEqual([{ table_name: 'ride', state: 'pending' }])
})

test('deleting removes everything from the source but the tables, and leaves the target as it is', async () => {
  await source.pool.query('create table ride (id int primary key); insert into ride values (1)')
  await work()(event('Create'))
  await source.pool.query('set role tidemark_producer; create table sandbox (id int primary key); reset role')

  await work()(event('Delete'))

  const { rows } = await source.pool.query(`
    select (select count(*)::int from pg_event_trigger) as triggers, (select count(*)::int from pg_publication) as publications,
      to_regnamespace('tidemark') as schema, (select count(*)::int from ride) as rides,
      pg_get_userbyid(c.relowner) as owner, r.relacl::text as privileges
    from pg_class c, pg_class r where c.relname = 'sandbox' and r.relname = 'ride'`)
  expect(rows).toEqual([
    {
      triggers: 0,
      publications: 0,
      schema: null,
      rides: 1,
      owner: 'postgres',
      privileges: '{postgres=arwdDxtm/postgres}',
    },
  ])
  await expect(target.pool.query('select from tidemark.progress')).resolves.toBeDefined()
})

test('deleting without being asked to drop leaves the source as it is', async () => {
  await work()(event('Create'))

  await work()(event('Delete', { DropOnDelete: 'false' }))

  await expect(source.pool.query('select from tidemark.setting')).resolves.toBeDefined()
})

test('deleting what was never created succeeds', async () => {
  await expect(work()(event('Delete'))).resolves.toEqual({})
})

test('installing again after a removal works', async () => {
  const first = await work()(event('Create'))
  await work()(event('Delete'))

  const second = await work()(event('Create'))

  expect(second.data).toEqual({ ...first.data, targetMigrations: 0 })
})

test('an administrator that is no superuser installs everything but the event triggers, and captures its tables', async () => {
  const username = `admin_${source.name}`
  await source.pool.query(`
    create role ${username} login createrole replication password 'p';
    grant tidemark_capture, tidemark_producer, tidemark_console_read, tidemark_console_act to ${username}
      with admin option;
    grant create on database ${source.name} to ${username}`)
  const administrator = lastingPool({
    connectionString: databaseUrl(source.name, { username, password: 'p' }),
    max: 1,
  })
  await administrator.query('create schema city; create table city.stop (id int primary key)')

  const logins = { ...login('tidemark_capture'), ...login('tidemark_producer') }
  await makeMigrateSchema({
    source: { database: administrator, directory: join(sql, 'source'), logins },
    target: { database: target.pool, directory: join(sql, 'target'), logins: {} },
  })(event('Create', { Captured: { ...EVERYTHING, schemas: ['city'] } }))

  const { rows } = await administrator.query(`
    select (select state from tidemark.captured_table) as state, tidemark.emit_beacon()::int as beacon,
      has_table_privilege('tidemark_capture', 'city.stop', 'select') as readable,
      (select count(*)::int from pg_event_trigger) as triggers`)
  expect(rows).toEqual([{ state: 'captured', beacon: 1, readable: true, triggers: 0 }])
  await administrator.end()
  await source.pool.query(`drop owned by ${username} cascade; drop role ${username}`)
})
