import { readFile } from 'node:fs/promises'
import type pg from 'pg'
import type { TestPipeline } from '#test-support/pipeline.ts'
import { countMismatches } from '#verify/compare-databases.ts'

/** The largest resident memory of a process of apply-latest-state, in bytes, after loads of one kind each. */
export type FunctionMemory = {
  readonly rows: MemoryLoad
  readonly ofLargeRows: number
  readonly ofSmallRows: number
}

/** The number of rows of 1 MB, and of small rows. */
export type MemoryLoad = { readonly large: number; readonly small: number }

/**
 * Measures the memory of apply-latest-state for rows of 1 MB, of which an event of 6 MB holds few, and for events of
 * 10,000 small records. Linux only, because it reads the kernel's figures of each process.
 */
export async function measureFunctionMemory(
  pipeline: TestPipeline,
  source: pg.Client,
  { rows, onProgress }: { rows: MemoryLoad; onProgress: (what: string) => void },
): Promise<FunctionMemory> {
  onProgress(`${rows.large} rows of 1 MB`)
  await source.query(`
    create table public.bench_large (id int primary key, filler text);
    create table public.bench_small (id int primary key, note text)`)
  await compare(pipeline)
  await source.query(
    `insert into public.bench_large
    select g, (select string_agg(md5((g * 40000 + n)::text), '') from generate_series(1, 32768) n)
    from generate_series(1, ${rows.large}) g`,
  )
  await compare(pipeline)
  const ofLargeRows = await mostResident(pipeline)
  onProgress(`${rows.small} small rows`)
  await source.query(`insert into public.bench_small select g, 'note ' || g from generate_series(1, ${rows.small}) g`)
  await compare(pipeline)
  return { rows, ofLargeRows, ofSmallRows: await mostResident(pipeline) }
}

/**
 * Throws an Error when the target is not equal to the source, because the memory figures of a load that was not applied
 * mean nothing.
 */
async function compare(pipeline: TestPipeline): Promise<void> {
  const mismatches = countMismatches(await pipeline.compare())
  if (mismatches > 0) throw new Error(`${mismatches} rows of the target are not those of the source`)
}

/**
 * The largest resident memory of the processes that exist, each since its start. Throws an Error when there is none.
 */
async function mostResident({ engine }: TestPipeline): Promise<number> {
  const { processes } = engine.functions().find(({ name }) => name.endsWith('apply-latest-state'))!
  if (processes.length === 0) throw new Error('apply-latest-state has no process whose memory could be read')
  const peaks = await Promise.all(
    processes.map(async (pid) => {
      const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))!
      return Number(kilobytes) * 1024
    }),
  )
  return Math.max(...peaks)
}
