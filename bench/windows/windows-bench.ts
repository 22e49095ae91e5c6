import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { repository } from '#localstack/settings.ts'
import { untilFlowing } from '../live/live.ts'
import { runProbe } from '../live/run-probe.ts'
import { percentile } from '../machine/statistics.ts'
import { type MeasuredStack, startMeasuredStack } from '../measured-stack.ts'
import { orderOfTurn } from '../turns.ts'
import { bench } from '../workloads/bench.ts'
import { fill } from '../workloads/fill.ts'
import { taxi } from '../workloads/taxi.ts'
import type { WorkloadTable } from '../workloads/workload.ts'
import { deployAlone } from './bench-definition.ts'
import { type CostRun, drainBoth } from './windows-cost.ts'

/**
 * Milliseconds from commit until a row of the table and its row of the windows are visible, one of each for a turn, and
 * the cores that the windows' function and its sessions used meanwhile.
 */
export type LatencyRun = { readonly rowMs: Percentiles; readonly windowMs: Percentiles; readonly cores: number }

type SeenBy = { readonly ms: Percentiles; readonly cores: number }

type Percentiles = { readonly p50: number; readonly p99: number }

export type WindowsResult = {
  readonly trips: number
  /** The definition that ships, over trips that come and trips that are corrected. */
  readonly taxi: CostRun[]
  /** The same number of updates, in definitions with so many groups. */
  readonly growth: { readonly groups: number; readonly changes: number; readonly runs: CostRun[] }[]
  readonly perSecond: number
  readonly latency: LatencyRun[]
}

export type WindowsOptions = {
  readonly rows: number
  readonly groups: readonly number[]
  readonly perSecond: number
  readonly seconds: number
  readonly runs: number
  readonly onProgress: (what: string) => void
}

const WARM_UP_SECONDS = 10
/** Each touches another group. */
const UPDATES = 10_000

/**
 * Measures what windows cost beside apply, in turns of the same run. The archive is stopped. Each point drains once
 * before the first turn without being counted. Throws an Error when a result is not that of batch SQL.
 */
export async function measureWindows(options: WindowsOptions): Promise<WindowsResult> {
  const { rows, groups, perSecond, runs, onProgress } = options
  const stack = await startMeasuredStack(onProgress, { keepsFunctionsWarm: true })
  try {
    await stack.archive.hold()
    await stack.windows.release()
    const measured = new WindowsBench(stack, options)
    const trips: CostRun[] = []
    const latency: LatencyRun[] = []
    for (let run = 0; run <= runs; run++) {
      const turn = run === 0 ? 'not counted' : `run ${run} of ${runs}`
      onProgress(`${turn}, ${rows.toLocaleString('en-US')} trips`)
      const cost = await measured.taxi(run)
      if (run > 0) trips.push(cost)
      if (run === 0) continue
      onProgress(`${turn}, ${perSecond} commits a second`)
      latency.push(await measured.latency(run))
    }
    const growth: WindowsResult['growth'] = []
    for (const count of groups) {
      onProgress(`making ${count.toLocaleString('en-US')} groups`)
      const point = await measured.fillGroups(count)
      const found: CostRun[] = []
      for (let run = 0; run <= runs; run++) {
        onProgress(`${run === 0 ? 'not counted' : `run ${run} of ${runs}`}, ${count.toLocaleString('en-US')} groups`)
        const cost = await drainBoth(stack, point)
        if (run > 0) found.push(cost)
      }
      growth.push({ groups: count, changes: point.changes, runs: found })
    }
    return { trips: rows, taxi: trips, growth, perSecond, latency }
  } finally {
    await stack.stop()
  }
}

class WindowsBench {
  private readonly stack: MeasuredStack
  private readonly options: WindowsOptions

  constructor(stack: MeasuredStack, options: WindowsOptions) {
    this.stack = stack
    this.options = options
  }

  /** Trips in file order, and a correction of every third one. */
  async taxi(run: number): Promise<CostRun> {
    const { rows } = this.options
    const prefix = `trips${run}`
    const table = taxi.tables(prefix)[0]!
    const definition = { name: prefix, text: await taxiDefinition(table, prefix) }
    await this.stack.createTables([table])
    await deployAlone(this.stack, definition)
    return drainBoth(this.stack, {
      ...{ table, definition, changes: rows + Math.floor(rows / 3) },
      change: async () => {
        await fill(this.stack.source, { workload: { ...taxi, tables: () => [] }, prefix, rows }, () => undefined)
        await this.stack.source.query(
          `update public.${table.name} set total_amount = total_amount + 1 where trip_id % 3 = 0`,
        )
      },
      batch: `select date_trunc('hour', lpep_pickup_datetime) as window_start, pu_location_id as zone, count(*) as trips,
          max(lpep_dropoff_datetime) as last_ride, sum(total_amount) as earnings
        from public.${table.name}
        where lpep_pickup_datetime is not null
        group by 1, 2
        having count(*) >= 10`,
      columns: ['window_start', 'zone', 'trips', 'last_ride', 'earnings'],
    })
  }

  /** A table of as many rows as groups, and updates of some of them, each in another group. */
  async fillGroups(groups: number) {
    const { stack } = this
    const table: WorkloadTable = { ...bench.tables(`groups${groups}`)[0]! }
    const definition = { name: `groups${groups}`, text: definitionById(table, 'a, sum(n) as amount', 'a') }
    await stack.createTables([table])
    await stack.source.query(
      `insert into public.${table.name} (id, a, n, ts)
       select g, g, g % 1000, '2026-01-01'::timestamptz + (g % 720) * interval '1 hour' from generate_series(1, ${groups}) g`,
    )
    await stack.visible()
    await deployAlone(stack, definition)
    const changes = Math.min(UPDATES, groups)
    return {
      ...{ table, definition, changes },
      change: () =>
        stack.source.query(
          `update public.${table.name} set n = n + 1 where id % ${Math.floor(groups / changes)} = 0 and id > 0`,
        ),
      batch: `select date_trunc('hour', ts) as window_start, a, sum(n) as amount from public.${table.name} where ts is not null group by 1, 2`,
      columns: ['window_start', 'a', 'amount'],
    }
  }

  /** Both are seen in the same stack, whose windows run all the time, one after the other. */
  async latency(run: number): Promise<LatencyRun> {
    const found = new Map<'row' | 'window', SeenBy>()
    for (const of of orderOfTurn(run, ['row', 'window'] as const)) found.set(of, await this.latencyOf(of, run))
    const [row, window] = [found.get('row')!, found.get('window')!]
    return { rowMs: row.ms, windowMs: window.ms, cores: (row.cores + window.cores) / 2 }
  }

  private async latencyOf(of: 'row' | 'window', run: number): Promise<SeenBy> {
    const { stack, options } = this
    const { endpoints } = stack.pipeline.engine
    const name = `${of}${run}`
    const table = bench.tables(name)[0]!
    await stack.createTables([table])
    await deployAlone(stack, { name, text: definitionById(table, 'id, count(*) as rows', 'id') })
    const tables = {
      sourceTable: table.name,
      targetTable: of === 'row' ? `public.${table.name}` : `tidemark_windows.${name}`,
    }
    await untilFlowing(stack.source, tables, endpoints.target)
    const { findings, processors } = await runProbe(stack, {
      ...{ sourceUrl: endpoints.source, targetUrl: endpoints.target, ...tables },
      ...{ perSecond: options.perSecond, seconds: options.seconds, warmUpSeconds: WARM_UP_SECONDS },
    })
    const at = (share: number) => Math.round(percentile(findings.latenciesMs, share) * 10) / 10
    const used = (processors['windows function'] ?? 0) + (processors['windows backends'] ?? 0)
    return { ms: { p50: at(0.5), p99: at(0.99) }, cores: used / options.seconds }
  }
}

/** The definition that ships, of another table, without what shows the names of zones and without rows set aside. */
async function taxiDefinition(table: WorkloadTable, topic: string): Promise<string> {
  const shipped = await readFile(join(repository, 'windows', 'trips_by_zone.sql'), 'utf8')
  return shipped
    .slice(0, shipped.indexOf('-- view'))
    .replace(/^-- future rows:.*\n/m, '')
    .replace('public.green_trips', `public.${table.name}`)
    .replace('from green_trips', `from ${table.name}`)
    .replace('trips-by-zone', `windows-${topic}`)
}

const definitionById = (table: WorkloadTable, items: string, keys: string): string => `-- source: public.${table.name}
-- event time: ts
-- window: tumbling 1 hour
-- watermark: 1 hour
select ${items}
from ${table.name}
group by ${keys};
`
