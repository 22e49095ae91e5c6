import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { eventually } from '#test-support/eventually.ts'
import { startTripFeeding } from './trip-feeding.ts'

let source: TestDatabase

beforeAll(async () => {
  source = await createDatabase('source')
  await source.pool.query(
    `select tidemark.configure(1, '{"schemas":["public"],"includeTables":[],"excludeTables":[],"excludeColumns":[]}')`,
  )
})

afterAll(() => source?.drop())

const feed = (changes: Partial<Parameters<typeof startTripFeeding>[0]> = {}) =>
  startTripFeeding({
    source: source.url,
    rows: 200,
    perSecond: 400,
    signal: new AbortController().signal,
    giveUpMs: 30_000,
    ...changes,
  })

const trips = async () =>
  (await source.pool.query('select count(*)::int as trips from public.green_trips')).rows[0].trips

test('trips follow when their table is captured, and go on when the connection is lost', async () => {
  const feeding = feed()
  await eventually(async () => expect(await trips()).toBe(0))
  await source.pool.query(`update tidemark.captured_table set state = 'captured', complete = true`)

  expect(await feeding.begun).toBe(0)
  await eventually(() => expect(feeding.fed()).toBeGreaterThan(20))
  await source.pool.query(`
    select pg_terminate_backend(pid)
    from pg_stat_activity
    where application_name = 'tidemark-feed'
      and datname = current_database()`)
  await eventually(() => expect(feeding.lastError()).toBeDefined())
  await feeding.done

  expect(feeding.fed()).toBe(200)
  expect(feeding.lastError()).toBeUndefined()
  // Trips that were committed when the connection was lost may be fed again.
  expect(await trips()).toBeGreaterThanOrEqual(200)
})

test('a later feed says which trips are its own, and an abort ends it with those that are committed', async () => {
  const abort = new AbortController()
  const feeding = feed({ rows: 100_000, signal: abort.signal })

  const last = await feeding.begun
  await eventually(() => expect(feeding.fed()).toBeGreaterThan(0))
  abort.abort(new Error('interrupted'))
  await expect(feeding.done).rejects.toThrow('interrupted')

  const { rows } = await source.pool.query('select count(*)::int as later from public.green_trips where trip_id > $1', [
    last,
  ])
  expect(rows[0].later).toBe(feeding.fed())
})

test('a source that refuses for too long is given up, with its reason', async () => {
  const feeding = feed({ source: 'postgres://postgres@127.0.0.1:1/shop', giveUpMs: 0 })

  await expect(feeding.done).rejects.toThrow(
    'no trips can be inserted into the source: connect ECONNREFUSED 127.0.0.1:1',
  )
  await expect(feeding.begun).rejects.toThrow('ECONNREFUSED')
})
