import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'

let source: SourceDatabase

const run = (sql: string) => source.pool.query(sql)
const resync = async (table: string) =>
  (await source.pool.query('select tidemark.resync($1) as name', [table])).rows.map(({ name }) => name)

async function captureAll(): Promise<void> {
  const { rows } = await run(`select relation from tidemark.captured_table where state = 'pending' order by relation`)
  for (const { relation } of rows) {
    await source.pool.query('select tidemark.publish_table($1)', [relation])
    await source.pool.query('select tidemark.await_writers($1)', [relation])
  }
}

beforeEach(async () => {
  source = await createSource()
  await source.listen()
  await run(`
    create table orders (id int primary key);
    create table "Straße 7" (id int primary key);
    create unlogged table scratch (id int primary key);
    create table trip (id int primary key) partition by range (id);
    create table trip_1 partition of trip for values from (0) to (10);
    create table trip_2 partition of trip for values from (10) to (20)`)
  await captureAll()
})

afterEach(() => source.drop())

test('a captured table begins a generation and is pending; its contract says so in the same transaction', async () => {
  expect(await resync('public.orders')).toEqual(['public.orders'])

  expect((await source.contracts('public.orders')).at(-1)).toMatchObject({
    generation: 2,
    complete: false,
    published: true,
  })
  await captureAll()
  expect((await source.contracts('public.orders')).at(-1)).toMatchObject({ generation: 2, complete: true })
})

test('a partitioned table stands for its leaves, and a name may be quoted', async () => {
  expect(await resync('public.trip')).toEqual(['public.trip_1', 'public.trip_2'])
  expect(await resync('public."Straße 7"')).toEqual(['public.Straße 7'])
})

test.each([
  ['public.order', 'there is no captured table public.order: did you mean public.orders?'],
  ['orders', 'there is no captured table orders: did you mean public.orders?'],
  ['x.y', 'there is no captured table x.y: write schema.table as tidemark.captured_table lists it'],
  ['public.scratch', 'public.scratch is not captured: it is unlogged: its changes are not in the log'],
])('a resync of %s is refused with the reason', async (table, message) => {
  await expect(resync(table)).rejects.toThrow(message)
})

test('a table that is being snapshotted is not begun again', async () => {
  await resync('public.orders')

  await expect(resync('public.orders')).rejects.toThrow('public.orders is being captured already (pending)')
  expect((await source.contracts('public.orders')).at(-1)).toMatchObject({ generation: 2 })
})
