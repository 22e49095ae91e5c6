import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { feedTrips, loadTrips, prepareTaxiTables } from '#feed/taxi-feed.ts'
import { describeCompared } from '#rebuild/rebuild-report.ts'
import { rebuildAndCompare, rebuildAndPublish } from '#rebuild/rebuild-state.ts'
import { isEqualState } from '#rebuild/state-comparison.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { type ArchiveAccess, localArchive } from '#verify/archive/archive-access.ts'
import { isEqual } from '#verify/compare-databases.ts'
import { describeComparison } from '#verify/comparison-report.ts'

let pipeline: TestPipeline
let archive: ArchiveAccess
/** A beacon between two sets of changes, and the names of the tables that were copied at that time. */
let beacon: number
let tables: string[]

beforeAll(async () => {
  pipeline = await startPipeline()
  const { endpoints, outputs } = pipeline.engine
  archive = {
    ...localArchive(endpoints, outputs['ArchiveNamespace']!, outputs['ArchiveWarehouse']),
    target: endpoints.target,
  }
  await loadTables()
  // Before that, tables are still being read, and a rebuild would report that rows may be missing.
  await equal()
  await change('before')
  beacon = await emitBeacon()
  await equal()
  tables = await copyTables()
  await change('after')
  await equal()
})
afterAll(() => pipeline?.stop())

const trips = 30_000
const unheard = { tables: [], onProgress: () => undefined }

test('rebuilt from the archive, trips and Chinook equal the live state', async () => {
  const rebuilt = await rebuildAndCompare({ ...unheard, archive, examples: 5, waitMs: 120_000 })

  expect(isEqualState(rebuilt), describeCompared(rebuilt, 120)).toBe(true)
  expect(rebuilt.tables.map(({ table }) => table).toSorted()).toEqual(tables.map((name) => `public.${name}`).toSorted())
  expect(rebuilt.tables.reduce((rows, { liveRows }) => rows + liveRows, 0)).toBeGreaterThan(trips + 15_000 - 1_400)
})

test('rebuilt from the archive until a beacon, trips and Chinook are what the target was at that beacon', async () => {
  const cut = { kind: 'beacon', number: beacon } as const
  const { unfinished } = await rebuildAndPublish({ ...unheard, archive, cut, schema: 'at_beacon', replace: false })

  expect(unfinished).toEqual([])
  expect(tables).toHaveLength(13)
  for (const table of tables) expect(await differing(`at_beacon.${table}`, `copied.${table}`), table).toBe(0)
  expect(await differing('at_beacon.customer', 'public.customer')).toBeGreaterThan(0)
})

async function loadTables(): Promise<void> {
  const script = await readFile(new URL('../../fixtures/chinook.sql', import.meta.url), 'utf8')
  for (const statement of script.split(/;\s*$/m)) await pipeline.source.query(statement)
  const client = await pipeline.source.connect()
  try {
    await prepareTaxiTables(client)
    await feedTrips(client, { trips: await loadTrips(), rows: trips, perSecond: Number.POSITIVE_INFINITY })
  } finally {
    client.release()
  }
}

/** Makes updates, deletes and key changes. They are the same at each call, except for the values that they write. */
async function change(when: string): Promise<void> {
  await pipeline.source.query(`
    update public.customer set company = '${when}', city = null where customer_id % 3 = 0;
    update public.track set unit_price = unit_price + 0.01 where track_id % 5 = 0;
    update public.playlist_track set playlist_id = 2 where playlist_id = 18 and track_id = 597;
    delete from public.invoice_line where invoice_line_id in (
      select invoice_line_id from public.invoice_line order by invoice_line_id limit 200);
    update public.taxi_zones set location_id = location_id + 1000 where location_id % 10 = 3;
    update public.green_trips set fare_amount = 0 where trip_id in (
      select trip_id from public.green_trips order by trip_id limit 500);
    delete from public.green_trips where trip_id in (select trip_id from public.green_trips order by trip_id limit 500);
    insert into public.artist values ((select max(artist_id) + 1 from public.artist), '${when}')`)
}

async function emitBeacon(): Promise<number> {
  const { rows } = await pipeline.source.query('select tidemark.emit_beacon() as number')
  return Number(rows[0].number)
}

async function equal(): Promise<void> {
  const comparison = await pipeline.compare()
  expect(isEqual(comparison), describeComparison(comparison)).toBe(true)
}

/** Copies the content of the target into a schema of its own. Returns the names of the tables. */
async function copyTables(): Promise<string[]> {
  await pipeline.target.query('create schema copied')
  const { rows } = await pipeline.target.query(`select viewname as name from pg_views where schemaname = 'public'`)
  for (const { name } of rows) {
    await pipeline.target.query(`create table copied.${name} as table public.${name}`)
  }
  return rows.map(({ name }) => name)
}

/** The number of rows that one of the two tables has more often than the other. */
async function differing(one: string, other: string): Promise<number> {
  const { rows } = await pipeline.target.query(`
    select count(*)::int as n from (
      (select r::text from ${one} r except all select r::text from ${other} r)
      union all
      (select r::text from ${other} r except all select r::text from ${one} r)) as d`)
  return rows[0].n
}
