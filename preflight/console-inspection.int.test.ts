import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Connection, Inspection } from '#core/console/connectors.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { inspectForConsole } from './console-inspection.ts'

let database: TestDatabase
beforeEach(async () => {
  database = await createDatabase('empty')
})
afterEach(() => database.drop())

function connection(changes: Partial<Connection> = {}): Connection {
  const { hostname, port, username, password } = new URL(database.url)
  const login = { user: decodeURIComponent(username), password: decodeURIComponent(password) }
  return { host: hostname, port: Number(port), database: database.name, ...login, ...changes }
}

test('a database has its findings, schemas, tables and columns', async () => {
  await database.pool.query(`
    create schema "Ä b";
    create table "Ä b".ride (zone text, id int, fare numeric(10,2)[], primary key (id, zone));
    create table public.bare ();
    create unlogged table public.log (line text)`)

  const inspection = (await inspectForConsole(connection())) as Inspection

  expect(inspection.server).toMatch(new RegExp(`^${database.name}, PostgreSQL \\d`))
  expect(inspection.findings).toContainEqual({ severity: 'note', what: 'wal_level: logical', sql: null })
  expect(inspection.findings).toContainEqual({
    severity: 'warning',
    what: 'public.log cannot be captured: it is unlogged: its changes are not in the log',
    sql: expect.stringContaining('set logged'),
  })
  expect(inspection.schemas).toEqual([
    {
      name: 'public',
      tables: [
        { name: 'bare', rows: 0, hasKey: false, columns: [] },
        { name: 'log', rows: 0, hasKey: false, columns: [{ name: 'line', type: 'text', isKey: false }] },
      ],
    },
    {
      name: 'Ä b',
      tables: [
        {
          ...{ name: 'ride', rows: 0, hasKey: true },
          columns: [
            { name: 'zone', type: 'text', isKey: true },
            { name: 'id', type: 'integer', isKey: true },
            { name: 'fare', type: 'numeric(10,2)[]', isKey: false },
          ],
        },
      ],
    },
  ])
  const left = await database.pool.query(`select from pg_proc where proname = 'table_refusals'`)
  expect(left.rowCount).toBe(0)
})

test('a database that is not there, and a port on which nobody listens, are outcomes without the password', async () => {
  const absent = await inspectForConsole(connection({ database: 'no_such', password: 'hunter2' }))
  const silent = await inspectForConsole(connection({ port: 1, password: 'hunter2' }))

  expect(absent).toMatchObject({ refused: expect.stringContaining('cannot connect to no_such at ') })
  expect(silent).toMatchObject({ refused: expect.stringContaining('ECONNREFUSED') })
  expect(JSON.stringify([absent, silent])).not.toContain('hunter2')
})
