import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Engine, type EngineOptions, startEngine } from '#localstack/engine.ts'
import { startLocalStackEngine } from '#localstack/localstack-engine/localstack-engine.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { watchReaders } from '#test-support/databases/watched-readers.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { isEqual } from '#verify/compare-databases.ts'
import { describeComparison } from '#verify/comparison-report.ts'

let source: TestDatabase
let pipeline: TestPipeline

beforeEach(async () => {
  source = await createDatabase('empty')
  await source.pool.query(`
    create table public.parcels (id int primary key, note text);
    insert into public.parcels select g, 'at the start' from generate_series(1, 1000) g;
    create table public.scans (parcel int, note text);
    insert into public.scans select g, 'at the start' from generate_series(1, 1000) g;
    create table public.gone (id int primary key)`)
})
afterEach(async () => {
  await pipeline?.stop()
  await source?.drop()
  vi.unstubAllEnvs()
})

async function start(startWith: (options: EngineOptions) => Promise<Engine>): Promise<void> {
  const url = new URL(source.url)
  url.password ||= 'any'
  pipeline = await startPipeline({ sourceUrl: url.href }, undefined, startWith)
}

const run = (sql: string) => source.pool.query(sql)

async function expectEqual(): Promise<void> {
  const comparison = await pipeline.compare()
  expect(isEqual(comparison), describeComparison(comparison)).toBe(true)
}

test.each([
  ['', startEngine],
  [' by CloudFormation, to LocalStack', startLocalStackEngine],
])(
  'a deployment%s of a new epoch, with a tenth of the rows deleted unseen, ends equal, and readers see whole tables',
  async (_, startWith) => {
    vi.stubEnv('TIDEMARK_LOCALSTACK', 'python')
    await start(startWith)
    await expectEqual()
    await pipeline.restart({ epoch: 2 }, async () => {
      await run(`
      select pg_drop_replication_slot('tidemark_e1');
      delete from public.parcels where id % 10 = 0;
      delete from public.scans where parcel % 10 = 0;
      drop table public.gone;
      update public.parcels set note = 'unseen' where id = 1`)
    })
    const readers = watchReaders(pipeline, { 'public.parcels': 900, 'public.scans': 900 })
    await run(`
    create table public.later as select g as id from generate_series(1, 100) g;
    insert into public.parcels values (-1, 'streamed')`)

    await expectEqual()

    expect(await readers.stop()).toEqual([])
    const { rows } = await pipeline.target.query(`select to_regclass('public.gone') as gone`)
    expect(rows).toEqual([{ gone: null }])
    const slots = await run('select slot_name from pg_replication_slots where database = current_database()')
    expect(slots.rows).toEqual([{ slot_name: 'tidemark_e2' }])
  },
)
