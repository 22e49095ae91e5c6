import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Admin } from '@platformatic/kafka'
import { archiveTableName } from '#adapters/iceberg/archive/archive-catalog.ts'
import { makeRestCatalog, type RestCatalog, type TableName } from '#adapters/iceberg/catalog/rest-catalog.ts'
import { makeRequestSigner } from '#adapters/iceberg/catalog/sign-requests.ts'
import { currentSnapshot } from '#adapters/iceberg/table/table-metadata.ts'
import { readMapping } from '#localstack/event-source-mapping/definition/mapping-definition.ts'
import {
  type RunningEventSourceMapping,
  startEventSourceMapping,
} from '#localstack/event-source-mapping/event-source-mapping.ts'
import { type FunctionHost, makeFunctionHost } from '#localstack/lambda-host/function-host.ts'
import type { InvocationAnswer } from '#localstack/lambda-host/invocation/invocation.ts'
import { startTestBroker, type TestBroker } from '#test-support/kafka/kafka-broker.ts'
import { stopWhenInterrupted } from '../interruption.ts'
import { currentLoad } from '../machine/machine.ts'
import { type Grouping, type ProcessorSeconds, watchProcessors } from '../machine/processes.ts'
import { within } from '../measured-stack.ts'
import {
  COMMIT_EVERY_MS,
  checkSink,
  consumerGroup,
  type IcebergSink,
  icebergSinkConfiguration,
} from '../peers/iceberg-sink.ts'
import { preparePeerFiles } from '../peers/peer-files.ts'
import { type PeerWorker, SINK_WORKER, startPeerWorker } from '../peers/peer-worker.ts'
import { orderOfTurn } from '../turns.ts'
import type { ArchiveStack } from './archive-stack.ts'
import { DRAIN_SERVICES, type DrainServices, sourceOfDrain } from './drain-function.ts'
import { createTopic, fillTopic, fillUnseen, TOPIC_PARTITIONS } from './filled-topic.ts'

/**
 * The drain of one topic that was filled beforehand: from the first record that is read until the table has all of its
 * records.
 */
export type TableDrain = {
  readonly seconds: number
  readonly recordsPerSecond: number
  /** Microseconds of processor time per record, by group of processes. */
  readonly microsPerRecord: Readonly<Record<string, number>>
  /** Table snapshots and data files of the table at the end. */
  readonly snapshots: number
  readonly files: number
  readonly bytes: number
  /** Load average of the last minute before the drain. */
  readonly load: number
}

export type BesideSink = {
  readonly records: number
  readonly systems: readonly { readonly name: string; readonly runs: readonly TableDrain[] }[]
}

export const sinkNames = {
  tidemark: 'archive-changes, 2 processes',
  one: "Iceberg's sink, 1 task",
  four: "Iceberg's sink, 4 tasks",
} as const

type SystemName = (typeof sinkNames)[keyof typeof sinkNames]

/**
 * Compares archive-changes with Apache Iceberg's own sink for Kafka Connect. They put the same records into an Iceberg
 * table in turns, after one drain of each that is not counted. Throws an Error when a table does not have each of the
 * records exactly once.
 */
export async function measureBesideSink(
  stack: ArchiveStack,
  { records, runs, onProgress }: { records: number; runs: number; onProgress: (what: string) => void },
): Promise<BesideSink> {
  const plugins = await preparePeerFiles('iceberg-sink', onProgress)
  const bench = await openDrains(stack, plugins, onProgress)
  try {
    const names = [sinkNames.tidemark, sinkNames.four, sinkNames.one]
    const found = new Map<SystemName, TableDrain[]>(names.map((name) => [name, []]))
    onProgress('filling the topic')
    await bench.fill(records)
    for (let run = 0; run <= runs; run++) {
      for (const name of orderOfTurn(run, names)) {
        onProgress(`${run === 0 ? 'warming up' : `run ${run} of ${runs}`}, ${name}`)
        const drain = await bench.drain(name, records)
        if (run > 0) found.get(name)!.push(drain)
      }
    }
    return { records, systems: Array.from(found, ([name, drains]) => ({ name, runs: drains })) }
  } finally {
    await bench.stop()
  }
}

type Drains = {
  fill(records: number): Promise<void>
  drain(name: SystemName, records: number): Promise<TableDrain>
  stop(): Promise<void>
}

/** The topic that archive-changes reads. The sink has topics of its own, because it is held on an empty one. */
const TOPIC = 'changes'
/** The sizes with which the stack's archive functions are deployed. */
const FUNCTION = { memoryMb: 512, timeoutSeconds: 60 }
const CONCURRENCY = 2

async function openDrains(stack: ArchiveStack, plugins: string, onProgress: (what: string) => void): Promise<Drains> {
  const cleanUps: (() => Promise<void>)[] = []
  const stop = stopWhenInterrupted(async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  })
  try {
    onProgress("starting the broker and the peer's Connect")
    const broker = await startTestBroker()
    cleanUps.push(() => broker.stop())
    const admin = new Admin({ clientId: 'bench', bootstrapBrokers: [broker.bootstrapServers] })
    cleanUps.push(() => admin.close())
    const worker = await startPeerWorker(broker.bootstrapServers, [plugins])
    cleanUps.push(() => worker.stop())
    const functions = await startFunctions(stack)
    cleanUps.push(() => functions.stop())
    const drains = new TableDrains(stack, { broker, admin, worker, functions: functions.host })
    return { fill: (records) => drains.fill(records), drain: (name, records) => drains.drain(name, records), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The archive's functions as the local stack runs them, and their pollers, which run in this process. */
async function startFunctions({ services, databaseUrl }: ArchiveStack) {
  const codeDirectory = await mkdtemp(join(tmpdir(), 'archive-drain-'))
  const module = join(import.meta.dirname, 'drain-function.ts')
  await writeFile(join(codeDirectory, 'index.mjs'), `export { archive, commit } from ${JSON.stringify(module)}\n`)
  const host = makeFunctionHost({ endpointUrl: services.s3Endpoint, onLog: () => undefined })
  const reached: DrainServices = { services, databaseUrl }
  for (const [name, reservedConcurrency] of [
    ['archive', CONCURRENCY],
    ['commit', 1],
  ] as const) {
    host.add({
      ...{ name, handler: `index.${name}`, codeDirectory, reservedConcurrency, ...FUNCTION },
      arn: `arn:aws:lambda:us-east-1:000000000000:function:${name}`,
      environment: { [DRAIN_SERVICES]: JSON.stringify(reached) },
    })
  }
  return {
    host,
    async stop() {
      await host.stop()
      await rm(codeDirectory, { recursive: true, force: true })
    },
  }
}

type DrainTools = {
  readonly broker: TestBroker
  readonly admin: Admin
  readonly worker: PeerWorker
  readonly functions: FunctionHost
}

class TableDrains {
  private readonly stack: ArchiveStack
  private readonly tools: DrainTools
  private readonly catalog: RestCatalog
  private drains = 0

  constructor(stack: ArchiveStack, tools: DrainTools) {
    this.stack = stack
    this.tools = tools
    const { catalogEndpoint, warehouse, credentials } = stack.services
    this.catalog = makeRestCatalog({
      ...{ endpoint: catalogEndpoint, warehouse },
      sign: makeRequestSigner({ service: 's3tables', region: 'us-east-1', credentials }),
    })
  }

  async fill(records: number): Promise<void> {
    await createTopic(this.tools.broker, TOPIC)
    await fillTopic(this.tools.broker, TOPIC, records)
  }

  async drain(name: SystemName, records: number): Promise<TableDrain> {
    const drain = `drain${++this.drains}`
    if (name === sinkNames.tidemark) return this.ofTidemark(drain, records)
    return this.ofSink(drain, records, name === sinkNames.one ? 1 : 4)
  }

  /** The pollers join their group after they are released, so the measured time includes that. */
  private async ofTidemark(drain: string, records: number): Promise<TableDrain> {
    const { broker, functions } = this.tools
    await this.stack.addTarget(drain)
    const eventSourceArn = sourceOfDrain(drain)
    const definition = readMapping({
      ...{ FunctionName: 'archive', EventSourceArn: eventSourceArn, Topics: [TOPIC], StartingPosition: 'TRIM_HORIZON' },
      ...{ BatchSize: 10_000, MaximumBatchingWindowInSeconds: 1 },
      AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: drain },
      ProvisionedPollerConfig: { MinimumPollers: 1, MaximumPollers: CONCURRENCY },
    })
    const failures: string[] = []
    const call = async (name: string, payload: Buffer): Promise<InvocationAnswer> => {
      const answer = await functions.invoke(name, payload)
      if (answer.functionError !== undefined) failures.push(`function ${name}: ${answer.payload}`)
      return answer
    }
    const ended = new AbortController()
    let commits: Promise<void> = Promise.resolve()
    let mapping: RunningEventSourceMapping | undefined
    return this.measure(
      archiveTableName({ namespace: drain }),
      { records, before: 0 },
      {
        async release() {
          mapping = startEventSourceMapping(definition, {
            ...{ id: drain, bootstrapServers: broker.bootstrapServers, concurrency: CONCURRENCY },
            invoke: (payload) => call('archive', payload),
          })
          commits = everyInterval(() => call('commit', Buffer.from(JSON.stringify({ eventSourceArn }))), ended.signal)
        },
        async check() {
          if (failures.length > 0) throw new Error(failures[0])
        },
        async stop() {
          ended.abort()
          await Promise.all([mapping?.stop(), commits])
        },
      },
    )
  }

  /**
   * The topic is filled in a transaction, and its commit begins the drain. Before that, one record of each topic
   * partition is put into the table, because a task has no writer before its first record, and a commit waits for the
   * answers of all tasks.
   */
  private async ofSink(drain: string, records: number, tasks: number): Promise<TableDrain> {
    const { broker, admin, worker } = this.tools
    const { s3Endpoint, catalogEndpoint, credentials } = this.stack.services
    const sink: IcebergSink = {
      ...{ name: drain, tasks, topic: `${drain}-records`, controlTopic: `${drain}-control` },
      table: { namespace: drain, name: 'changes' },
      services: { s3Endpoint, catalogEndpoint, credentials, token: this.stack.servers.key.token },
    }
    await createTopic(broker, sink.topic)
    await broker.createTopic(sink.controlTopic, 1)
    await worker.connect.put(drain, icebergSinkConfiguration(sink))
    const check = () => checkSink(worker.connect, drain)
    await this.untilAssigned(sink, check)
    const first = Array.from({ length: TOPIC_PARTITIONS }, (_, partition) => ({ partition, key: 'first', value: '{}' }))
    await broker.produce(sink.topic, first)
    await this.untilComplete(sink.table, { records: first.length, check })
    const filled = await fillUnseen(broker, sink.topic, records)
    return this.measure(
      sink.table,
      { records, before: first.length },
      {
        check,
        release: () => filled.show(),
        async stop() {
          await filled.close()
          await worker.connect.delete(drain)
          await admin.deleteTopics({ topics: [sink.topic] })
        },
      },
    )
  }

  private async untilAssigned({ name, tasks }: IcebergSink, check: () => Promise<void>): Promise<void> {
    await within()(`the consumers of ${name} have their topic partitions`, async () => {
      await check()
      const id = consumerGroup(name)
      const group = (await this.tools.admin.describeGroups({ groups: [id] })).get(id)
      const assigned = Array.from(group?.members.values() ?? [], ({ assignments }) =>
        Array.from(assignments?.values() ?? []).flatMap(({ partitions }) => partitions),
      )
      const isDone = assigned.length === tasks && assigned.flat().length === TOPIC_PARTITIONS
      return isDone
        ? { done: undefined }
        : { state: `${assigned.length} consumers of ${assigned.flat().length} topic partitions` }
    })
  }

  /** The measured time ends with the table snapshot that has all records. Its time comes from the catalog. */
  private async measure(
    table: TableName,
    { records, before }: { records: number; before: number },
    held: HeldConsumer,
  ): Promise<TableDrain> {
    const load = currentLoad()
    const processors = watchProcessors(this.grouping())
    const startedAtMs = Date.now()
    try {
      await held.release()
      const { metadata, snapshot } = await this.untilComplete(table, { records: before + records, check: held.check })
      const used = processors.stop()
      const { summary } = snapshot
      return {
        ...ratesOf({ ms: snapshot['timestamp-ms'] - startedAtMs, used, records }),
        snapshots: metadata.snapshots?.length ?? 0,
        files: Number(summary['total-data-files']),
        bytes: Number(summary['total-files-size']),
        load,
      }
    } finally {
      processors.stop()
      await held.stop()
    }
  }

  private async untilComplete(table: TableName, { records, check }: { records: number; check: () => Promise<void> }) {
    const deadline = Date.now() + LONGEST_DRAIN_MS
    for (let look = 1; ; look++) {
      // There is no table before the first commit.
      const metadata = (await this.catalog.loadTable(table))?.metadata
      const snapshot = metadata && currentSnapshot(metadata)
      const found = Number(snapshot?.summary['total-records'] ?? 0)
      if (found > records) throw new Error(`the table has ${found} records of a topic of ${records}`)
      if (metadata && snapshot && found === records) return { metadata, snapshot }
      // The sink's JVM answers this call, which costs processor time that is counted, so it is made rarely.
      if (look % FAILURE_EVERY_LOOKS === 0) await check()
      if (Date.now() > deadline) throw new Error(`the table has ${found} of ${records} records after ten minutes`)
      await pause(LOOK_EVERY_MS)
    }
  }

  private grouping(): Grouping {
    const { broker, worker, functions } = this.tools
    const { servers, postgresPid } = this.stack
    const roots = () =>
      new Map([
        [process.pid, 'pollers'],
        [worker.pid() ?? -1, SINK_WORKER],
        [broker.pid(), 'kafka'],
        [servers.pid('object-store'), 'object store'],
        [servers.pid('iceberg-catalog'), 'catalog'],
        [postgresPid() ?? -1, 'postgres'],
        ...functions.list().flatMap(({ processes }) => processes.map((pid) => [pid, 'functions'] as const)),
      ])
    return { roots, refine: (group) => group }
  }
}

/** The consumer that drains a topic, held until `release`. */
type HeldConsumer = {
  release(): Promise<void>
  /** Throws an Error that says why it cannot continue. */
  check(): Promise<void>
  stop(): Promise<void>
}

const LOOK_EVERY_MS = 100
const FAILURE_EVERY_LOOKS = 20
const LONGEST_DRAIN_MS = 600_000

async function everyInterval(commit: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  let due = Date.now() + COMMIT_EVERY_MS
  while (!signal.aborted) {
    await pause(Math.max(due - Date.now(), 0), undefined, { signal }).catch(() => undefined)
    due = Math.max(due + COMMIT_EVERY_MS, Date.now())
    if (!signal.aborted) await commit()
  }
}

/** The figures of a drain. */
export function ratesOf({ ms, used, records }: { ms: number; used: ProcessorSeconds; records: number }) {
  return {
    seconds: Math.round(ms) / 1000,
    recordsPerSecond: Math.round((records / ms) * 1000),
    microsPerRecord: Object.fromEntries(
      Object.entries(used).map(([group, seconds]) => [group, Math.round((seconds * 1e7) / records) / 10]),
    ),
  }
}
