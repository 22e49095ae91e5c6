import type { PoolClient } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { postgresMajor } from '#test-support/databases/database.ts'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'

let source: SourceDatabase
let client: PoolClient

beforeAll(async () => {
  source = await createSource({ excludeColumns: ['public.customer.email'] })
  await source.pool.query(`
    create table ride (id int primary key);
    create table customer (id int primary key, email text);
    create table log (line text)`)
  for (const table of ['ride', 'customer']) {
    await source.pool.query('select tidemark.publish_table($1::regclass)', [table])
  }
})

beforeEach(async () => {
  client = await source.pool.connect()
})

afterEach(() => client.release(true))

afterAll(() => source.drop())

test.each([
  'select * from ride',
  'select id from customer',
  'select * from tidemark.table_contract',
  'select * from tidemark.beacon',
  'select * from tidemark.signal',
  'select tidemark.emit_beacon()',
  `insert into tidemark.signal (id, type, data) values ('x', 'snapshot-window-open', '{}')`,
  `select * from pg_publication_tables where pubname = 'tidemark'`,
])('tidemark_capture may %s', async (statement) => {
  await client.query('set role tidemark_capture')

  await expect(client.query(statement)).resolves.toBeDefined()
})

test.each([
  'select email from customer',
  'select * from customer',
  'select * from log',
  'select * from tidemark.setting',
  'insert into ride values (1)',
  'delete from tidemark.signal',
  'update tidemark.beacon set number = 0',
  'delete from tidemark.table_contract',
  // Before version 15 everyone may, in the schema public of a new database.
  ...(postgresMajor() >= 15 ? ['create table t (id int)'] : []),
  'create table tidemark.t (id int)',
  'select tidemark.publish_contracts()',
  'alter publication tidemark drop table ride',
])('tidemark_capture may not %s', async (statement) => {
  await client.query('set role tidemark_capture')

  await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' })
})

test('tidemark_producer makes tables in public and writes them; they can be captured', async () => {
  await client.query(
    'set role tidemark_producer; create table sandbox (id int primary key); insert into sandbox values (1)',
  )

  await client.query(`reset role; select tidemark.publish_table('sandbox'::regclass)`)

  expect(await source.published()).toContain('public.sandbox')
})

test.each(['select * from ride', 'select * from tidemark.setting', 'create schema s'])(
  'tidemark_producer may not %s',
  async (statement) => {
    await client.query('set role tidemark_producer')

    await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' })
  },
)

test('the roles log in, Debezium replicates, and neither is more than that', async () => {
  const { rows } = await client.query(`
    select rolname, rolcanlogin, rolreplication, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls
    from pg_roles where rolname in ('tidemark_capture', 'tidemark_producer') order by rolname`)

  const nothingElse = { rolsuper: false, rolcreatedb: false, rolcreaterole: false, rolbypassrls: false }
  expect(rows).toEqual([
    { rolname: 'tidemark_capture', rolcanlogin: true, rolreplication: true, ...nothingElse },
    { rolname: 'tidemark_producer', rolcanlogin: true, rolreplication: false, ...nothingElse },
  ])
})
