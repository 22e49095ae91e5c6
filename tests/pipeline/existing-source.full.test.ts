import { afterAll, beforeAll, expect, test } from 'vitest'
import { removeStack } from '#localstack/engine.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { until } from '#test-support/eventually.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { isEqual } from '#verify/compare-databases.ts'

const rows = 300_000

let source: TestDatabase
let pipeline: TestPipeline

beforeAll(async () => {
  source = await createDatabase('empty')
  await source.pool.query('create table public.parcels (id int primary key, weight numeric(8,3), note text)')
  await source.pool.query(
    `insert into public.parcels select g, g / 7.0, repeat(md5(g::text), 4) from generate_series(1, ${rows}) g`,
  )
  await source.pool.query(`
    create table public.coupons (code text unique, note text);
    create table public.queue (place int primary key deferrable, name text);
    create table public.seats (line int, number int, name text, primary key (line, number) include (name));
    insert into public.coupons values ('a', 'one'), (null, 'two'), (null, 'two');
    insert into public.queue select g, 'n' || g from generate_series(1, 100) g;
    insert into public.seats select g % 10, g, 'n' || g from generate_series(1, 100) g`)
  const url = new URL(source.url)
  url.password ||= 'any'
  pipeline = await startPipeline({ sourceUrl: url.href })
})
afterAll(async () => {
  await pipeline?.stop()
  await source?.drop()
})

test('a filled source arrives whole though Connect is killed during its initial snapshot and rows are deleted meanwhile', async () => {
  const arrived = async () => {
    const { rows: counted } = await pipeline.target.query('select count(*)::int as n from public.parcels')
    return counted[0].n as number
  }
  await until('a part of the rows', async () => (await arrived().catch(() => 0)) > 10_000)
  expect(await arrived()).toBeLessThan(rows)
  process.kill(pipeline.pid('connect')!, 'SIGKILL')
  await source.pool.query('delete from public.parcels where id <= 20000')
  await source.pool.query(`update public.parcels set note = 'changed' where id % 1000 = 0`)
  await source.pool.query(`insert into public.parcels values (-1, 0, 'new')`)
  await source.pool.query(`
    update public.coupons set code = note where code is null and ctid in (select max(ctid) from public.coupons);
    update public.queue set place = place + 1;
    update public.seats set name = 'changed' where line = 1;
    update public.seats set number = number + 1000 where line = 2`)

  const comparison = await pipeline.compare()

  expect(isEqual(comparison), JSON.stringify(comparison)).toBe(true)
  const read = Object.fromEntries(comparison.tables.map(({ table, sourceRows }) => [table, sourceRows]))
  expect(read).toEqual({
    'public.parcels': rows - 20_000 + 1,
    'public.coupons': 3,
    'public.queue': 100,
    'public.seats': 100,
  })
  const { rows: attempts } = await pipeline.target.query('select max(attempts) as n from tidemark.initial_read')
  expect(attempts[0].n).toBeGreaterThan(1)
})

test('removal leaves no slot, no publication and no schema on the source', async () => {
  await pipeline.engine.stop()
  await removeStack({ settings: pipeline.settings, onProgress: () => undefined })

  const { rows: left } = await source.pool.query(`
    select slot_name::text as name from pg_replication_slots where database = current_database()
    union all
    select pubname from pg_publication
    union all
    select nspname from pg_namespace where nspname like 'tidemark%'
    union all
    select evtname from pg_event_trigger`)
  expect(left).toEqual([])
})
