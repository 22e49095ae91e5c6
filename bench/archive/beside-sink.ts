import { Admin } from '@platformatic/kafka'
import type { FunctionHost } from '#localstack/lambda-host/function-host.ts'
import { startTestBroker, type TestBroker } from '#test-support/kafka/kafka-broker.ts'
import { stopWhenInterrupted } from '../interruption.ts'
import type { Grouping } from '../machine/processes.ts'
import { preparePeerFiles } from '../peers/peer-files.ts'
import { type PeerWorker, SINK_WORKER, startPeerWorker } from '../peers/peer-worker.ts'
import { orderOfTurn } from '../turns.ts'
import type { ArchiveStack } from './archive-stack.ts'
import { drainByFunctions, startFunctions, TOPIC } from './drain-by-functions.ts'
import { drainBySink } from './drain-by-sink.ts'
import { createTopic, fillTopic } from './filled-topic.ts'
import { DrainWatch, type TableDrain } from './measured-drain.ts'

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
    const watch = new DrainWatch(stack, groupsOf(stack, { broker, worker, functions: functions.host }))
    const tools = { stack, broker, admin, worker, functions: functions.host, watch }
    let drains = 0
    return {
      async fill(records) {
        await createTopic(broker, TOPIC)
        await fillTopic(broker, TOPIC, records)
      },
      drain(name, records) {
        const drain = `drain${++drains}`
        if (name === sinkNames.tidemark) return drainByFunctions(tools, drain, records)
        return drainBySink(tools, drain, { records, tasks: name === sinkNames.one ? 1 : 4 })
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

type Servers = { readonly broker: TestBroker; readonly worker: PeerWorker; readonly functions: FunctionHost }

/** The processes that take part in a drain, by what they are. */
function groupsOf({ servers, postgresPid }: ArchiveStack, { broker, worker, functions }: Servers): Grouping {
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
