import type { Pool } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { makeHostile } from '#test-support/databases/hostile-settings.ts'
import { eventually } from '#test-support/eventually.ts'
import { clientOfUrl } from './client-of-url.ts'
import { type DatabaseCredentials, makePool } from './connect.ts'
import { SESSION_SETTINGS } from './session-settings.ts'

let database: TestDatabase
let secret: DatabaseCredentials
let pool: Pool

beforeEach(async () => {
  database = await createDatabase('empty')
  const { hostname, port } = new URL(database.url)
  secret = { host: hostname, port: Number(port), dbname: database.name, username: `r_${database.name}`, password: 'a' }
  await database.pool.query(`create role ${secret.username} login password 'a'`)
  pool = makePool({ credentials: async () => secret, tls: 'disable', applicationName: 'tidemark-test', max: 3 })
})

afterEach(async () => {
  await pool.end()
  await database.pool.query(`drop role ${secret.username}`)
  await database.drop()
})

const SETTINGS = `
  select s.name, current_setting(s.name) as value
  from unnest($1::text[]) with ordinality as s (name, place)
  order by s.place`

const withoutSpaces = (rows: { name: string; value: string }[]) =>
  rows.map(({ name, value }) => ({ name, value: value.replaceAll(', ', ',') }))

test('a connection is made as the role, to the database and under the name that were given', async () => {
  const { rows } = await pool.query(
    `select current_user, current_database(), current_setting('application_name') as application`,
  )

  expect(rows).toEqual([
    { current_user: secret.username, current_database: database.name, application: 'tidemark-test' },
  ])
})

test('what statements rely on holds whatever is set for the database, the role, and the role in the database', async () => {
  await makeHostile(database.pool, [secret.username])

  const { rows } = await pool.query(SETTINGS, [Object.keys(SESSION_SETTINGS)])

  expect(withoutSpaces(rows)).toEqual(Object.entries(SESSION_SETTINGS).map(([name, value]) => ({ name, value })))
})

test('startup options of a URL stay, and ours come after them', async () => {
  const client = clientOfUrl(`${database.url}?options=-c%20work_mem%3D12345%20-c%20datestyle%3DGerman`, 'tidemark-test')
  await client.connect()

  const { rows } = await client.query(SETTINGS, [['work_mem', 'DateStyle']])

  await client.end()
  expect(rows).toEqual([
    { name: 'work_mem', value: '12345kB' },
    { name: 'DateStyle', value: 'ISO, YMD' },
  ])
})

test('a rotated password is used at the next connection, and connections already made go on', async () => {
  const before = await pool.connect()
  await database.pool.query(`alter role ${secret.username} password 'b'`)
  secret = { ...secret, password: 'b' }

  const after = await pool.connect()

  await expect(after.query('select')).resolves.toMatchObject({ rowCount: 1 })
  await expect(before.query('select')).resolves.toMatchObject({ rowCount: 1 })
  before.release()
  after.release()
})

test('credentials that cannot be read fail the query, and the pool recovers', async () => {
  const good = secret
  let available = false
  const credentials = async () => (available ? good : Promise.reject(new Error('secret gone')))
  const flaky = makePool({ credentials, tls: 'disable', applicationName: 'tidemark-test', max: 1 })

  await expect(flaky.query('select')).rejects.toThrow('secret gone')
  available = true

  await expect(flaky.query('select')).resolves.toMatchObject({ rowCount: 1 })
  await flaky.end()
})

test('a server without TLS is refused where the certificate must be verified', async () => {
  const strict = makePool({
    credentials: async () => secret,
    tls: 'verify-full',
    applicationName: 'tidemark-test',
    max: 1,
  })

  await expect(strict.query('select')).rejects.toThrow('The server does not support SSL connections')
  await strict.end()
})

test('an idle connection the server ends leaves the pool and does not end the process', async () => {
  await pool.query('select')
  await database.pool.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [
    secret.username,
  ])

  await eventually(() => expect(pool.totalCount).toBe(0))

  await expect(pool.query('select')).resolves.toMatchObject({ rowCount: 1 })
})
