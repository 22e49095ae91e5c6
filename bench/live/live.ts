import type pg from 'pg'
import { currentLoad } from '../machine/machine.ts'
import { percentile } from '../machine/statistics.ts'
import { connectTo, type MeasuredStack, startMeasuredStack, within } from '../measured-stack.ts'
import type { ComparisonOptions } from '../options.ts'
import {
  createSinkDatabase,
  jsonFormat,
  type SinkDatabase,
  sinkTables,
  startPeerCapture,
  startSink,
} from '../peers/jdbc-sink.ts'
import { preparePeerFiles } from '../peers/peer-files.ts'
import { type PeerWorker, SINK_WORKER, startPeerWorker } from '../peers/peer-worker.ts'
import { orderOfTurn } from '../turns.ts'
import { bench } from '../workloads/bench.ts'
import { createTables, type WorkloadTable } from '../workloads/workload.ts'
import type { SeenRow } from './probe.ts'
import { runProbe } from './run-probe.ts'
import { readRecordTimes, type StageTimes, stagesOf } from './stages.ts'

/** One period of single-row commits. */
export type LiveRun = {
  readonly perSecond: number
  readonly committedPerSecond: number
  readonly visiblePerSecond: number
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number; readonly most: number }
  /** Cores in use, by group of processes. The probe that measures is a group of its own. */
  readonly cores: Readonly<Record<string, number>>
  /** The time of each stage, for a system whose records are on the topic of captured changes. */
  readonly stagesMs?: StageTimes
  readonly load: number
}

export type LiveResult = { readonly systems: { readonly name: string; readonly runs: LiveRun[] }[] }

export type LiveOptions = ComparisonOptions & { readonly rates: readonly number[]; readonly seconds: number }

export const liveNames = {
  whole: 'Tidemark, with archive',
  withoutArchive: 'Tidemark, archive stopped',
  sink: 'Debezium and JDBC sink, 4 tasks',
} as const

type SystemName = (typeof liveNames)[keyof typeof liveNames]

const WARM_UP_SECONDS = 10

/** Measures each system at each rate in turns, while the others are stopped. History is on. */
export async function measureLive(options: LiveOptions): Promise<LiveResult> {
  const { rates, runs, peers, onProgress } = options
  const plugins = peers ? await preparePeerFiles('jdbc-sink', onProgress) : undefined
  const stack = await startMeasuredStack(onProgress)
  const cleanUps: (() => Promise<void>)[] = [() => stack.stop()]
  const found = new Map<SystemName, LiveRun[]>()
  try {
    const competitors = plugins === undefined ? undefined : await openPeers(stack, plugins, cleanUps)
    const live = new LiveBench(stack, options)
    const names = [liveNames.whole, liveNames.withoutArchive, ...(competitors ? [liveNames.sink] : [])]
    for (let run = 1; run <= runs; run++) {
      for (const perSecond of rates) {
        for (const name of orderOfTurn(run, names)) {
          onProgress(`run ${run} of ${runs}, ${name} at ${perSecond} commits a second`)
          const measured =
            name === liveNames.sink && competitors
              ? await live.ofSink(competitors, perSecond)
              : await live.ofTidemark(perSecond, name === liveNames.whole)
          found.set(name, [...(found.get(name) ?? []), measured])
        }
      }
    }
    return { systems: [...found].map(([name, measured]) => ({ name, runs: measured })) }
  } finally {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  }
}

type Competitors = { readonly worker: PeerWorker; readonly sink: SinkDatabase }

async function openPeers(
  stack: MeasuredStack,
  plugins: string,
  cleanUps: (() => Promise<void>)[],
): Promise<Competitors> {
  const worker = await startPeerWorker(stack.pipeline.engine.endpoints.kafka, [plugins])
  stack.count(SINK_WORKER, worker.pid)
  cleanUps.push(() => worker.stop())
  const sink = await createSinkDatabase(stack)
  cleanUps.push(() => sink.stop())
  return { worker, sink }
}

class LiveBench {
  private readonly stack: MeasuredStack
  private readonly options: LiveOptions
  private periods = 0

  constructor(stack: MeasuredStack, options: LiveOptions) {
    this.stack = stack
    this.options = options
  }

  async ofTidemark(perSecond: number, hasArchive: boolean): Promise<LiveRun> {
    const { capture, apply, archive, visible } = this.stack
    await capture.start()
    await apply.release()
    await (hasArchive ? archive.release() : archive.hold())
    const table = this.nextTable()
    await this.stack.createTables([table])
    const { run, rows } = await this.measure(perSecond, {
      sourceTable: table.name,
      targetTable: `public.${table.name}`,
    })
    await visible()
    return { ...run, stagesMs: stagesOf(rows, await readRecordTimes(this.stack, table.name)) }
  }

  /** The sink has a Debezium of its own, and the stack's Debezium is idle. */
  async ofSink({ worker, sink }: Competitors, perSecond: number): Promise<LiveRun> {
    const { capture, apply, archive, source } = this.stack
    const table = this.nextTable()
    const tables = [table]
    await source.query(createTables(tables))
    await capture.stop()
    await apply.hold()
    await archive.hold()
    await sink.addTables(sinkTables(jsonFormat, tables))
    const peer = await startPeerCapture(this.stack, worker, { format: jsonFormat, tables })
    const name = `sink-${this.periods}`
    await startSink(worker, sink, { name, tasks: 4, format: jsonFormat, tables })
    const targetTable = `public.${sinkTables(jsonFormat, tables)[0]!.name}`
    const at = { targetUrl: sink.url.href }
    const { run } = await this.measure(perSecond, { sourceTable: table.name, targetTable }, at)
    await worker.connect.delete(name)
    await peer.stop()
    return run
  }

  private nextTable(): WorkloadTable {
    return bench.tables(`live${++this.periods}`)[0]!
  }

  private async measure(
    perSecond: number,
    tables: { sourceTable: string; targetTable: string },
    at: { targetUrl?: string } = {},
  ): Promise<{ run: LiveRun; rows: readonly SeenRow[] }> {
    const { endpoints } = this.stack.pipeline.engine
    const { seconds } = this.options
    await untilFlowing(this.stack.source, tables, at.targetUrl ?? endpoints.target)
    const load = currentLoad()
    const { findings, processors } = await runProbe(this.stack, {
      ...{ sourceUrl: endpoints.source, targetUrl: endpoints.target, ...at, ...tables },
      ...{ perSecond, seconds, warmUpSeconds: WARM_UP_SECONDS },
    })
    const { latenciesMs, committedPerSecond, visiblePerSecond, rows } = findings
    const of = (share: number) => Math.round(percentile(latenciesMs, share) * 10) / 10
    const run = {
      ...{ perSecond, committedPerSecond, visiblePerSecond, load },
      latencyMs: { p50: of(0.5), p95: of(0.95), p99: of(0.99), most: of(1) },
      cores: Object.fromEntries(
        Object.entries(processors).map(([group, used]) => [group, Math.round((used / seconds) * 1000) / 1000]),
      ),
    }
    return { run, rows }
  }
}

/** Waits until a first row has arrived, so that no start is measured. `targetTable` has its schema. */
export async function untilFlowing(
  source: pg.Client,
  { sourceTable, targetTable }: { sourceTable: string; targetTable: string },
  targetUrl: string,
): Promise<void> {
  await source.query(`insert into public.${sourceTable} (id, ts) values (-1, now())`)
  const reader = await connectTo(targetUrl)
  try {
    await within()('the first row is visible', async () => {
      const { rowCount } = await reader.query(`select from ${targetTable}`)
      return rowCount === 1 ? { done: undefined } : { state: 'not there' }
    })
  } finally {
    await reader.end()
  }
}
