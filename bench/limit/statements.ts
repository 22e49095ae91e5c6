import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { formatDatabaseUrl } from '#localstack/database-url.ts'
import { startGuard } from '#localstack/processes/guard.ts'
import { startPostgres } from '#localstack/servers/postgres/postgres.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'
import { bench } from '../workloads/bench.ts'
import { fill } from '../workloads/fill.ts'
import { allChanges, createTables, type WorkloadTable } from '../workloads/workload.ts'

/** Rows per second that statements reach on one connection, one value for each run. */
export type StatementRates = {
  /** The workload's own transactions, as the source commits them. */
  readonly workload: number[]
  /**
   * `insert … on conflict … do update` of 5,000 rows that are given as arrays: with new rows, and with existing ones.
   */
  readonly upsertNew: number[]
  readonly upsertExisting: number[]
  /** COPY in binary from one table through the client into another. */
  readonly copy: number[]
}

const BATCH = 5_000

/** Measures the statements alone, on a Postgres that syncs to the disk and does nothing else. */
export async function measureStatements(
  { rows, runs }: { rows: number; runs: number },
  onProgress: (what: string) => void,
): Promise<StatementRates> {
  return withPostgres(async (client) => {
    const rates = { workload: [], upsertNew: [], upsertExisting: [], copy: [] } as Record<
      keyof StatementRates,
      number[]
    >
    const timed = async (what: keyof StatementRates, count: number, work: () => Promise<unknown>) => {
      onProgress(`${what}, run ${rates[what].length + 1}`)
      await client.query('checkpoint')
      const startedAt = performance.now()
      await work()
      rates[what].push(Math.round((count / (performance.now() - startedAt)) * 1_000))
    }
    for (let run = 1; run <= runs; run++) {
      const prefix = `r${run}`
      const [table] = bench.tables(prefix) as [WorkloadTable]
      await client.query(createTables([table]))
      const load = { workload: bench, prefix, rows }
      await timed('workload', allChanges(bench, rows), () => fill(client, load, () => undefined))
      const copied = `${table.name}_copy`
      await client.query(`create table public.${copied} (like public.${table.name} including all)`)
      const { batches, count } = await readBatches(client, table)
      const upsert = async () => {
        for (const batch of batches) await client.query(upsertInto(copied, table, batch))
      }
      await timed('upsertNew', count, upsert)
      await timed('upsertExisting', count, upsert)
      await client.query(`truncate public.${copied}`)
      await timed('copy', count, () => copyBinary(client, table.name, copied))
    }
    return rates
  })
}

/** Columns of up to 5,000 rows each, as text. */
async function readBatches(client: pg.Client, { name, key, columns }: WorkloadTable) {
  const arrays = columns.map(([column]) => `array_agg(${column}::text order by ${key}) as ${column}`)
  const { rows } = await client.query<Record<string, string[]>>(
    `select ${arrays.join(', ')} from (select *, row_number() over (order by ${key}) as place from public.${name}) t group by (place - 1) / ${BATCH}`,
  )
  const count = rows.reduce((sum, row) => sum + row[key]!.length, 0)
  return { batches: rows.map((row) => columns.map(([column]) => row[column]!)), count }
}

const upsertInto = (into: string, { key, columns }: WorkloadTable, values: string[][]): pg.QueryConfig => ({
  name: `upsert ${into}`,
  text: `insert into public.${into}
    select ${columns.map(([column, type]) => `${column}::${type}`).join(', ')}
    from unnest(${columns.map((_, n) => `$${n + 1}::text[]`).join(', ')}) as t(${columns.map(([column]) => column).join(', ')})
    on conflict (${key}) do update set ${columns
      .filter(([column]) => column !== key)
      .map(([column]) => `${column} = excluded.${column}`)
      .join(', ')}`,
  values,
})

async function copyBinary(client: pg.Client, from: string, into: string): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of client.query(copyTo(`copy public.${from} to stdout (format binary)`))) chunks.push(chunk)
  await pipeline(chunks, client.query(copyFrom(`copy public.${into} from stdin (format binary)`)))
}

async function withPostgres<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-limit-'))
  const guard = startGuard()
  const administrator = { username: 'postgres', password: 'bench' }
  const [port] = (await freePortPairs(1)) as [number]
  const postgres = await startPostgres({
    ...{ name: 'postgres', directory: join(directory, 'postgres'), port, database: 'bench', administrator, guard },
    settings: { listen_addresses: '127.0.0.1', unix_socket_directories: '', shared_buffers: '64MB', timezone: 'UTC' },
    ...{ logFile: join(directory, 'postgres.log'), signal: new AbortController().signal },
  })
  const url = formatDatabaseUrl({ ...administrator, host: '127.0.0.1', port, dbname: 'bench' })
  const client = new pg.Client({ connectionString: url })
  try {
    await client.connect()
    return await work(client)
  } finally {
    await client.end()
    await postgres.stop()
    guard.stop()
    await rm(directory, { recursive: true, force: true })
  }
}
