import { readFile } from 'node:fs/promises'
import type pg from 'pg'
import type { TestPipeline } from '#test-support/pipeline.ts'

/** The most memory that a process of apply-latest-state has held resident, in bytes, after loads of one kind each. */
export type FunctionMemory = { readonly ofLargeRows: number; readonly ofSmallRows: number }

const LARGE_ROWS = 150
const SMALL_ROWS = 200_000

/**
 * What apply-latest-state needs for rows of 1 MB, of which an event of 6 MB holds few, and for events of 10,000 small
 * records. Linux only: it reads what the kernel keeps of each process.
 */
export async function measureFunctionMemory(pipeline: TestPipeline, source: pg.Client): Promise<FunctionMemory> {
  await source.query(`
    create table public.bench_large (id int primary key, filler text);
    create table public.bench_small (id int primary key, note text)`)
  await pipeline.compare()
  await source.query(
    `insert into public.bench_large
    select g, (select string_agg(md5((g * 40000 + n)::text), '') from generate_series(1, 32768) n)
    from generate_series(1, ${LARGE_ROWS}) g`,
  )
  await pipeline.compare()
  const ofLargeRows = await mostResident(pipeline)
  await source.query(`insert into public.bench_small select g, 'note ' || g from generate_series(1, ${SMALL_ROWS}) g`)
  await pipeline.compare()
  return { ofLargeRows, ofSmallRows: await mostResident(pipeline) }
}

/** Of the processes that are there, each since it was started. */
async function mostResident({ engine }: TestPipeline): Promise<number> {
  const { processes } = engine.functions().find(({ name }) => name.endsWith('apply-latest-state'))!
  const peaks = await Promise.all(
    processes.map(async (pid) => {
      const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))!
      return Number(kilobytes) * 1024
    }),
  )
  return Math.max(...peaks)
}
