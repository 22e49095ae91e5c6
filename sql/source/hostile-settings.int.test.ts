import { randomInt } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '#adapters/postgres/migration/migrate.ts'
import { clientOfUrl } from '#adapters/postgres/session/client-of-url.ts'
import { type Inspection, inspectSource } from '#preflight/source-inspection.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { hostileUrl, makeHostile } from '#test-support/databases/hostile-settings.ts'
import { EVERYTHING } from '#test-support/databases/source-database.ts'

/** What an application does to its tables, in sessions that have the settings of the database. */
const APPLICATION = [
  'create table ride (id int primary key, note text)',
  `alter table ride add taken date default '2020-02-03', add paid money default '12.5', add long interval default '-1 day +2 hours',
     add code bytea default decode('00ff', 'hex'), add share float8 default 0.1, add at timestamptz default '2020-01-01 12:00+00'`,
  'alter table ride rename note to remark',
  `create type mood as enum ('sad', 'so "so"')`,
  `create table feeling (id int primary key, now mood, past mood[], "order" int, doubled int generated always as ("order" * 2) stored)`,
  `alter type mood add value 'glad'`,
  `create table days (id int primary key, these date[] check (array_ndims(these) = 1 and array_lower(these, 1) = 1))`,
  `create table held (id int primary key, these date[], long interval)`,
  `alter table held add check ((array_ndims(these) = 1) and (array_lower(these, 1) = 1)), add check ('1582-10-15'::date <= all (these)),
     add check (isfinite(long)), add check (abs(extract(hour from long)) < 2147483647::numeric)`,
  'create table parts (id int, at date, primary key (id, at)) partition by range (at)',
  `create table part_2020 partition of parts for values from ('2020-01-01') to ('2021-01-01')`,
  'alter table ride alter remark type varchar(40)',
  'alter table feeling drop column past',
]

let databases: TestDatabase[]

beforeAll(async () => {
  databases = [await createDatabase('empty'), await createDatabase('empty')]
  await makeHostile(databases[1]!.pool, ['postgres'])
  for (const { url } of databases) {
    await withClient(clientOfUrl(url, 'test'), async (client) => {
      await migrate(client, fileURLToPath(new URL('.', import.meta.url)))
      const epoch = randomInt(1, 2 ** 31)
      await client.query('select tidemark.configure(2, $1, $2)', [JSON.stringify(EVERYTHING), epoch])
      await client.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [`tidemark_e${epoch}`])
    })
    await withClient(new pg.Client({ connectionString: hostileUrl(url) }), async (client) => {
      for (const statement of APPLICATION) await client.query(statement)
    })
  }
})
afterAll(() => Promise.all(databases.map((database) => database.drop())))

async function withClient<T>(client: pg.Client, work: (client: pg.Client) => Promise<T>): Promise<T> {
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** Oids of enum labels, which are others in each database, become their number in order. */
function withoutOids(rows: object[]): object[] {
  const met: string[] = []
  const text = JSON.stringify(rows).replaceAll(/\b\d{5,}\b/g, (oid) => {
    if (!met.includes(oid)) met.push(oid)
    return `oid ${met.indexOf(oid)}`
  })
  return JSON.parse(text)
}

/** The same of the database with default settings and of the one with hostile ones. */
async function inBoth<T>(work: (client: pg.Client) => Promise<T>): Promise<[T, T]> {
  const [sound, hostile] = databases.map(({ url }) => withClient(clientOfUrl(url, 'test'), work))
  return Promise.all([sound!, hostile!])
}

test('no contract fails to be written, and each says the same, whatever the settings of the session that alters', async () => {
  const [sound, hostile] = await inBoth(async (client) => {
    const states = await client.query(
      'select table_name, state, reason, fix from tidemark.captured_table order by table_name',
    )
    const contracts = await client.query(
      `select contract - 'relation' as contract from tidemark.table_contract where slot = 0 order by relation, version`,
    )
    const failures = await client.query('select message from tidemark.contract_failure')
    return { failures: failures.rows, states: states.rows, contracts: withoutOids(contracts.rows) }
  })

  expect(hostile.failures).toEqual([])
  expect(hostile).toEqual(sound)
  expect(sound.contracts.length).toBeGreaterThan(sound.states.length)
})

test('preflight finds the same tables and the same reasons', async () => {
  const [sound, hostile] = await inBoth((client) => inspectSource(client, ['public']))

  expect(withoutSizes(hostile)).toEqual(withoutSizes(sound))
  expect(sound.tables.map(({ name }) => name)).toContain('public.held')
})

const withoutSizes = ({ tables }: Inspection) => tables.map(({ name, refusals }) => ({ name, refusals }))
