import type { ConnectApi } from '#adapters/connect/connect-api.ts'
import { progressOf } from '#adapters/connect/connector-states.ts'
import { type MeasuredStack, startMeasuredStack } from '../measured-stack.ts'
import type { ComparisonOptions } from '../options.ts'
import {
  avroFormat,
  createSinkDatabase,
  jsonFormat,
  type PeerCapture,
  type SinkDatabase,
  type SinkSettings,
  sinkTables,
  startPeerCapture,
  startSink,
} from '../peers/jdbc-sink.ts'
import { createNativeReplication, type NativeReplication } from '../peers/native-replication.ts'
import { preparePeerFiles } from '../peers/peer-files.ts'
import { type PeerWorker, SINK_WORKER, startPeerWorker } from '../peers/peer-worker.ts'
import { SCHEMA_REGISTRY, startSchemaRegistry } from '../peers/schema-registry.ts'
import { orderOfTurn } from '../turns.ts'
import { checksums, fill } from '../workloads/fill.ts'
import { allChanges, hasArrived, type Workload, type WorkloadTable } from '../workloads/workload.ts'
import { type DrainRun, drainHeld, type HeldDrain, holdOfApply } from './held-drain.ts'

/** The runs of one of the systems that are compared. */
export type DrainedBy = { readonly name: string; readonly runs: DrainRun[] }

export type DrainResult = {
  readonly workload: string
  readonly summary: string
  readonly rows: number
  readonly changes: number
  /**
   * Rows per second that the stack's own capture put on the topic while nothing else used the two cores, one value for
   * each fill.
   */
  readonly capturedPerSecond: number[]
  readonly systems: DrainedBy[]
}

export type DrainOptions = ComparisonOptions & { readonly workload: Workload; readonly rows: number }

/** Names of the systems that are compared, as tables show them. */
export const systemNames = {
  historyOn: 'Tidemark, history on',
  historyOff: 'Tidemark, history off',
  sinkOfFour: 'Debezium JDBC sink, 4 tasks',
  sinkOfAvro: 'Debezium JDBC sink, 4 tasks, Avro',
  sinkOfOne: 'Debezium JDBC sink, 1 task',
  native: 'Postgres logical replication',
} as const

type SystemName = (typeof systemNames)[keyof typeof systemNames]

const sinkNames = [systemNames.sinkOfFour, systemNames.sinkOfAvro, systemNames.sinkOfOne] as const

type SinkName = (typeof sinkNames)[number]

/** Whether a name is that of one of the sinks. */
export const isSink = (name: string): name is SinkName => sinkNames.some((sink) => sink === name)

/**
 * Drains the same changes with each of the systems that are compared, in turns. Nothing else runs meanwhile: Connect
 * and the archive are stopped, and other consumers of the topic are held. Every second turn has the reverse order.
 * Before the first turn each system drains once without being counted. Throws an Error when Tidemark's final state is
 * not that of the source.
 */
export async function measureDrains(options: DrainOptions): Promise<DrainResult> {
  const { workload, rows, runs, peers, onProgress } = options
  const files = peers ? await preparePeers(onProgress) : undefined
  const stack = await startMeasuredStack(onProgress, { keepsFunctionsWarm: true })
  const cleanUps: (() => Promise<void>)[] = [() => stack.stop()]
  const found = new Map<SystemName, DrainRun[]>()
  const add = (name: SystemName, run: DrainRun) => found.set(name, [...(found.get(name) ?? []), run])
  try {
    await stack.archive.hold()
    const bench = new DrainBench(stack, { workload, rows, onProgress })
    const competitors = files === undefined ? undefined : await bench.openPeers(files, cleanUps)
    await bench.prepare('t0', competitors)
    await bench.drainTidemark('t0', true)
    if (competitors) for (const name of sinkNames) await bench.drainSink(competitors, name)
    for (let run = 1; run <= runs; run++) {
      bench.turn = `run ${run} of ${runs}, `
      for (const block of orderOfTurn(run, blocksOf(`t${run}`, competitors !== undefined))) {
        await bench.prepare(block.prefix, undefined, block.hasNative ? competitors?.native : undefined)
        for (const name of orderOfTurn(run, block.systems)) {
          add(name, await bench.drainBy(name, { prefix: block.prefix, competitors }))
        }
      }
    }
    const changes = allChanges(workload, rows)
    const systems = [...found].map(([name, drained]) => ({ name, runs: drained }))
    return { ...bench.result(), changes, systems }
  } finally {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  }
}

/**
 * The systems that drain the changes of one prefix, one after the other. Both variants of Tidemark need a topic of
 * their own.
 */
type Block = { readonly prefix: string; readonly hasNative: boolean; readonly systems: readonly SystemName[] }

function blocksOf(turn: string, hasPeers: boolean): Block[] {
  const { historyOn, historyOff, sinkOfFour, sinkOfAvro, sinkOfOne, native } = systemNames
  return [
    { prefix: `${turn}a`, hasNative: false, systems: hasPeers ? [historyOn, sinkOfFour, sinkOfAvro] : [historyOn] },
    { prefix: `${turn}b`, hasNative: hasPeers, systems: hasPeers ? [historyOff, native, sinkOfOne] : [historyOff] },
  ]
}

/** Folders that contain the peers' files. */
type PeersFiles = { readonly plugins: readonly string[]; readonly registry: string }

async function preparePeers(onProgress: (what: string) => void): Promise<PeersFiles> {
  const sink = await preparePeerFiles('jdbc-sink', onProgress)
  const converter = await preparePeerFiles('avro-converter', onProgress)
  return { plugins: [sink, converter], registry: await preparePeerFiles('schema-registry', onProgress) }
}

type Competitors = {
  readonly worker: PeerWorker
  readonly native: NativeReplication
  readonly sink: SinkDatabase
  readonly sinks: Readonly<Record<SinkName, SinkSettings>>
  readonly tables: readonly WorkloadTable[]
}

class DrainBench {
  turn = ''
  private readonly stack: MeasuredStack
  private readonly options: Pick<DrainOptions, 'workload' | 'rows' | 'onProgress'>
  private readonly capturedPerSecond: number[] = []
  private sinks = 0
  /** Checksums of the state in which every drain must end. */
  private expected: string[] | undefined

  constructor(stack: MeasuredStack, options: Pick<DrainOptions, 'workload' | 'rows' | 'onProgress'>) {
    this.stack = stack
    this.options = options
  }

  result() {
    const { workload, rows } = this.options
    const { name, summary } = workload
    return { workload: name, summary, rows, capturedPerSecond: this.capturedPerSecond }
  }

  async openPeers({ plugins, registry: files }: PeersFiles, cleanUps: (() => Promise<void>)[]): Promise<Competitors> {
    this.report('starting the schema registry')
    const registry = await startSchemaRegistry(files)
    this.stack.count(SCHEMA_REGISTRY, registry.pid)
    cleanUps.push(() => registry.stop())
    this.report("starting the peers' Connect")
    const worker = await startPeerWorker(this.stack.pipeline.engine.endpoints.kafka, plugins)
    this.stack.count(SINK_WORKER, worker.pid)
    cleanUps.push(() => worker.stop())
    const tables = this.tables('t0')
    const avro = avroFormat(registry.url)
    const sink = await createSinkDatabase(this.stack)
    for (const format of [jsonFormat, avro]) await sink.addTables(sinkTables(format, tables))
    cleanUps.push(() => sink.stop())
    const native = await createNativeReplication(this.stack)
    cleanUps.push(() => native.stop())
    const sinks = {
      [systemNames.sinkOfFour]: { tasks: 4, format: jsonFormat },
      [systemNames.sinkOfAvro]: { tasks: 4, format: avro },
      [systemNames.sinkOfOne]: { tasks: 1, format: jsonFormat },
    }
    return { worker, native, sink, sinks, tables }
  }

  /**
   * Fills the tables of the prefix while apply is held. Afterwards their changes are on the topic, and Connect has no
   * task. When competitors or native replication are given, it also fills the competitors' topics, or makes the source
   * keep the log for native replication.
   */
  async prepare(prefix: string, competitors?: Competitors, native?: NativeReplication): Promise<void> {
    const { capture, apply, source } = this.stack
    const tables = this.tables(prefix)
    this.report('creating tables')
    await capture.start()
    await apply.release()
    await this.stack.createTables(tables)
    const captures = competitors === undefined ? [] : await this.startCaptures(competitors)
    await native?.subscribe(tables)
    await apply.hold()
    const startedAt = performance.now()
    await fill(source, { ...this.options, prefix }, (count) => this.report(`${count} transactions are committed`))
    this.report('Debezium captures')
    await capture.caughtUp()
    if (captures.length === 0) this.capturedPerSecond.push(this.rate(performance.now() - startedAt))
    for (const peer of captures) await peer.caughtUp()
    for (const peer of captures) await peer.stop()
    await capture.stop()
    this.expected ??= await checksums(source, tables)
  }

  /** Starts a capture for each format that a sink reads. */
  private async startCaptures({ worker, sinks, tables }: Competitors): Promise<PeerCapture[]> {
    const formats = new Set(Object.values(sinks).map(({ format }) => format))
    const captures: PeerCapture[] = []
    for (const format of formats) captures.push(await startPeerCapture(this.stack, worker, { format, tables }))
    return captures
  }

  async drainBy(
    name: SystemName,
    { prefix, competitors }: { prefix: string; competitors: Competitors | undefined },
  ): Promise<DrainRun> {
    if (name === systemNames.historyOn) return this.drainTidemark(prefix, true)
    if (name === systemNames.historyOff) return this.drainTidemark(prefix, false)
    if (name === systemNames.native) return this.drainNative(prefix, competitors!.native)
    return this.drainSink(competitors!, name)
  }

  async drainTidemark(prefix: string, hasHistory: boolean): Promise<DrainRun> {
    const { target, apply, pipeline } = this.stack
    await target.query(`select tidemark.set_history('*', $1)`, [hasHistory])
    const run = await this.drain(hasHistory ? systemNames.historyOn : systemNames.historyOff, {
      url: pipeline.engine.endpoints.target,
      tables: this.tables(prefix),
      hold: holdOfApply,
      begin: () => apply.release(),
    })
    await apply.hold()
    return run
  }

  async drainSink({ worker, sink, sinks, tables }: Competitors, system: SinkName): Promise<DrainRun> {
    const settings = sinks[system]
    const written = sinkTables(settings.format, tables)
    const names = written.map(({ name }) => `public.${name}`).join(', ')
    await sink.client.query(`truncate ${names}`)
    const name = `sink-${++this.sinks}`
    const run = await this.drain(system, {
      url: sink.url.href,
      tables: written,
      hold: `lock table ${names} in access exclusive mode`,
      begin: () => startSink(worker, sink, { ...settings, name, tables }),
      failure: () => failureOf(worker.connect, name),
    })
    await worker.connect.delete(name)
    return run
  }

  async drainNative(prefix: string, native: NativeReplication): Promise<DrainRun> {
    const tables = this.tables(prefix)
    const run = await this.drain(systemNames.native, {
      url: native.url.href,
      tables,
      hold: `lock table ${tables.map(({ name }) => `public.${name}`).join(', ')} in access exclusive mode`,
      begin: () => native.enable(),
    })
    await native.unsubscribe(tables)
    return run
  }

  private async drain(
    name: SystemName,
    drain: Pick<HeldDrain, 'url' | 'hold' | 'begin' | 'failure'> & { readonly tables: readonly WorkloadTable[] },
  ): Promise<DrainRun> {
    this.report(`${name}: waiting until its consumers are up`)
    const run = await drainHeld(this.stack, {
      ...drain,
      arrived: hasArrived(drain.tables),
      state: (client) => checksums(client, drain.tables),
      expected: this.expected!,
      changes: allChanges(this.options.workload, this.options.rows),
      onHeld: () => this.report(`${name}: draining`),
    })
    if (run.isEqual || !name.startsWith('Tidemark')) return run
    throw new Error(`${name}: the final state is not that of the source`)
  }

  private tables(prefix: string): WorkloadTable[] {
    return this.options.workload.tables(prefix)
  }

  private rate(ms: number): number {
    return Math.round((allChanges(this.options.workload, this.options.rows) / ms) * 1000)
  }

  private report(what: string): void {
    this.options.onProgress(`${this.turn}${what}`)
  }
}

async function failureOf(connect: ConnectApi, name: string): Promise<string | undefined> {
  const progress = progressOf(await connect.status(name))
  return progress.kind === 'failed' ? progress.reason : undefined
}
