import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ChangeLog, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { findUnfixedFunctions } from '#test-support/databases/installed-functions.ts'
import { EVERYTHING } from '#test-support/databases/source-database.ts'
import { eventually } from '#test-support/eventually.ts'
import { dumpSchema } from '#test-support/schema-dump.ts'
import { makeLatestState } from '../apply/latest-state.ts'
import { migrate } from './migrate.ts'

type SideName = 'source' | 'target'

let databases: TestDatabase[]

beforeEach(() => {
  databases = []
})
afterEach(() => Promise.all(databases.map((database) => database.drop())))

const directoryOf = (side: SideName) => fileURLToPath(new URL(`../../../sql/${side}`, import.meta.url))

/** A database in the state after the last numbered migrations. */
async function installByNumbers(side: SideName): Promise<TestDatabase> {
  const database = await create('empty')
  const fixture = new URL(`../../../fixtures/numbered-installation/${side}.sql`, import.meta.url)
  const sql = await readFile(fixture, 'utf8')
  // Tests of other files change the same roles of the server meanwhile.
  await eventually(() => database.pool.query(sql))
  return database
}

async function create(from: 'empty' | SideName): Promise<TestDatabase> {
  const database = await createDatabase(from)
  databases.push(database)
  return database
}

async function migrateSide({ pool }: TestDatabase, side: SideName): Promise<string[]> {
  const client = await pool.connect()
  try {
    return (await migrate(client, directoryOf(side))).applied
  } finally {
    client.release()
  }
}

/** The objects that are in use when the upgrade comes. */
const USE: Record<SideName, (pool: pg.Pool) => Promise<void>> = {
  source: async (pool) => {
    await pool.query('create table public.ride (id int primary key, note text)')
    await pool.query('select tidemark.configure(2, $1, 7)', [JSON.stringify(EVERYTHING)])
    await pool.query(`select tidemark.publish_table('public.ride'::regclass); select tidemark.emit_beacon()`)
  },
  target: async (pool) => {
    const log = new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: '1.50' }, { lsn: 10 })
    const key = { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }
    await makeLatestState(pool).apply(key, log.records)
    await pool.query(`select tidemark.set_history('public.orders', true, interval '7 days')`)
  },
}

const DATA: Record<SideName, string> = {
  source: `select (select number::int from tidemark.beacon where slot = 1) as beacon,
    (select epoch from tidemark.setting) as epoch, (select state from tidemark.captured_table) as state,
    (select count(*)::int from tidemark.table_contract) as contracts`,
  target: `select (select jsonb_agg(o) from public.orders o) as rows, (select next_offset::int from tidemark.progress) as next,
    (select count(*)::int from tidemark.history('public.orders')) as changes,
    (select retention::text from tidemark.history_setting where table_name = 'orders') as retention`,
}

/** The files of tables that came after the numbered migrations. */
const LATER_TABLES: Record<SideName, readonly string[]> = {
  source: ['tables/003-snapshot-states.sql', 'tables/004-console.sql'],
  target: [
    'tables/007-quarantine-limit.sql',
    'tables/008-row-values.sql',
    'tables/009-whole-generations.sql',
    'tables/010-user-indexes.sql',
    'tables/011-earlier-truncates.sql',
    'tables/012-windows.sql',
    'tables/013-window-publishing.sql',
    'tables/014-console.sql',
  ],
}

const owners = async ({ pool }: TestDatabase) =>
  (
    await pool.query(`select c.oid::regclass::text as name, c.relowner::regrole::text as owner from pg_class c
      where c.relnamespace in (to_regnamespace('tidemark'), to_regnamespace('tidemark_rows')) order by 1`)
  ).rows

test.each(['source', 'target'] as const)(
  'an installation of the %s by numbered migrations is upgraded with its data',
  async (side) => {
    const [upgraded, fresh] = [await installByNumbers(side), await create(side)]
    for (const { pool } of [upgraded, fresh]) await USE[side](pool)
    const before = await upgraded.pool.query(DATA[side])

    const applied = await migrateSide(upgraded, side)
    const again = await migrateSide(upgraded, side)

    const after = await upgraded.pool.query(DATA[side])
    expect(after.rows).toEqual(before.rows)
    expect(applied.filter((name) => name.startsWith('tables/'))).toEqual(LATER_TABLES[side])
    expect(again).toEqual([])
    expect(await dumpSchema(upgraded.pool)).toBe(await dumpSchema(fresh.pool))
    expect(await owners(upgraded)).toEqual(await owners(fresh))
    expect(await findUnfixedFunctions(upgraded.pool)).toEqual([])
  },
)

test('a table whose snapshot is under way at the upgrade is still being snapshotted', async () => {
  const database = await installByNumbers('source')
  await USE.source(database.pool)
  await database.pool.query(
    `update tidemark.captured_table set state = 'reading', complete = false, failed_readings = 2, signal_id = 'capture-1'`,
  )

  await migrateSide(database, 'source')

  const { rows } = await database.pool.query(
    'select state, failed_snapshots, signal_id, u.why from tidemark.captured_table join tidemark.uncaptured u using (table_name)',
  )
  expect(rows).toEqual([
    {
      ...{ state: 'snapshotting', failed_snapshots: 2, signal_id: 'capture-1' },
      why: 'is being captured: a snapshot of its rows is under way',
    },
  ])
})

test('an installation by other numbered migrations is refused, since its tables may differ', async () => {
  const database = await installByNumbers('source')
  await database.pool.query(`update tidemark.migration set sha256 = 'another' where number = 2`)

  await expect(migrateSide(database, 'source')).rejects.toThrow('by numbered migrations other than the last ones')
})
