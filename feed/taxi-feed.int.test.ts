import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { feedTrips, loadTrips, prepareTaxiTables } from './taxi-feed.ts'

let database: TestDatabase
let client: pg.Client
let trips: string[]

beforeAll(async () => {
  database = await createDatabase('empty')
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await prepareTaxiTables(client)
  trips = await loadTrips()
})

beforeEach(() => client.query('truncate public.green_trips restart identity'))

afterAll(async () => {
  await client?.end()
  await database?.drop()
})

const one = async (sql: string) => (await client.query({ text: sql, rowMode: 'array' })).rows[0]

test('the whole file arrives, and a row past its end begins it again', async () => {
  const progress: number[] = []

  const fed = await feedTrips(client, {
    trips,
    rows: 64_216,
    perSecond: Infinity,
    onProgress: (count) => progress.push(count),
  })

  expect(fed).toBe(64_216)
  expect(progress.at(-1)).toBe(64_216)
  const december = await one(`
    select count(*)::int, sum(total_amount), count(distinct pu_location_id)::int,
      count(*) filter (where passenger_count is null)::int, max(trip_distance)
    from public.green_trips
    where trip_id <= 64215`)
  expect(december).toEqual([64_215, '1557922.15', 220, 4_912, 118988.71])
  const again = await one(`
    select lpep_pickup_datetime::text, fare_amount, congestion_surcharge from public.green_trips where trip_id = 64216`)
  expect(again).toEqual(['2023-12-01 00:27:37', '22.60', '0.00'])
})

test('all zones are there once, however often the tables are prepared', async () => {
  await prepareTaxiTables(client)

  expect(await one('select count(*)::int, min(zone) filter (where location_id = 1) from public.taxi_zones')).toEqual([
    265,
    'Newark Airport',
  ])
})

test('at 100 a second every trip is a transaction of its own, also those that are late', async () => {
  const stall = () => client.query('select pg_sleep(0.2)')

  await feedTrips(client, { trips, rows: 30, perSecond: 100, onProgress: (fed) => fed === 5 && stall() })

  expect(await one('select count(*)::int, count(distinct xmin::text)::int from public.green_trips')).toEqual([30, 30])
})

test('an abort ends the feed, and committed trips stay', async () => {
  const abort = new AbortController()

  const fed = await feedTrips(client, {
    trips,
    rows: Infinity,
    perSecond: 1_000,
    signal: abort.signal,
    onProgress: (count) => count >= 50 && abort.abort(),
  })

  expect(fed).toBeGreaterThanOrEqual(50)
  expect(await one('select count(*)::int from public.green_trips')).toEqual([fed])
})
