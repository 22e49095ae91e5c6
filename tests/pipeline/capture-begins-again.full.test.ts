import { afterAll, beforeAll, expect, test } from 'vitest'
import { forgetPlace, whileStopped } from '#test-support/capture/stopped-capture.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { until } from '#test-support/eventually.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { isEqual } from '#verify/compare-databases.ts'
import { describeComparison } from '#verify/comparison-report.ts'

let source: TestDatabase
let pipeline: TestPipeline

beforeAll(async () => {
  source = await createDatabase('empty')
  await source.pool.query(`
    create table public.parcels (id int primary key, note text);
    insert into public.parcels select g, 'at the start' from generate_series(1, 1000) g;
    create table public.scans (parcel int, note text);
    insert into public.scans select g, 'at the start' from generate_series(1, 1000) g`)
  const url = new URL(source.url)
  url.password ||= 'any'
  pipeline = await startPipeline({ sourceUrl: url.href })
})
afterAll(async () => {
  await pipeline?.stop()
  await source?.drop()
})

const run = (sql: string) => source.pool.query(sql)

test('capture that has lost its place takes a snapshot of every table again, also of those that its initial snapshot does not list', async () => {
  await run(`
    create table public.riders (id int primary key, note text);
    create table public.stops (line int, note text)`)
  await equal()
  await run(`
    insert into public.riders select g, 'streamed' from generate_series(1, 1000) g;
    insert into public.stops select g % 10, 'streamed' from generate_series(1, 1000) g;
    create table public.tours as select g as id, 'with rows' as note from generate_series(1, 1000) g`)
  await equal()

  const before = await generations()
  await whileStopped(pipeline, async () => {
    for (const [table, column] of [
      ['parcels', 'id'],
      ['riders', 'id'],
      ['scans', 'parcel'],
      ['stops', 'line'],
      ['tours', 'id'],
    ]) {
      await run(`delete from public.${table} where ${column} = 7`)
      await run(`update public.${table} set note = 'unseen' where ${column} = 8`)
      await run(`insert into public.${table} values (-1, 'unseen')`)
    }
    await forgetPlace(pipeline)
  })

  await equal()
  const once = Object.fromEntries(Object.entries(before).map(([table, generation]) => [table, generation + 1]))
  expect(await generations()).toEqual(once)
})

/** The generation of each table, which grows when its rows are read again. */
async function generations(): Promise<Record<string, number>> {
  const { rows } = await run('select table_name, generation from tidemark.captured_table')
  return Object.fromEntries(rows.map(({ table_name, generation }) => [table_name, generation]))
}

async function equal(): Promise<void> {
  await until('source and target to be equal', async () => {
    const comparison = await pipeline.compare()
    if (comparison.stopped.length > 0) return false
    expect(isEqual(comparison), describeComparison(comparison)).toBe(true)
    return true
  })
}
