import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { archiveTableName } from '#adapters/iceberg/archive/archive-catalog.ts'
import { readMapping } from '#localstack/event-source-mapping/definition/mapping-definition.ts'
import {
  type RunningEventSourceMapping,
  startEventSourceMapping,
} from '#localstack/event-source-mapping/event-source-mapping.ts'
import { type FunctionHost, makeFunctionHost } from '#localstack/lambda-host/function-host.ts'
import type { InvocationAnswer } from '#localstack/lambda-host/invocation/invocation.ts'
import type { TestBroker } from '#test-support/kafka/kafka-broker.ts'
import { COMMIT_EVERY_MS } from '../peers/iceberg-sink.ts'
import type { ArchiveStack } from './archive-stack.ts'
import { DRAIN_SERVICES, type DrainServices, sourceOfDrain } from './drain-function.ts'
import type { DrainWatch, TableDrain } from './measured-drain.ts'

/** The topic that archive-changes reads. The sink has topics of its own, because it is held on an empty one. */
export const TOPIC = 'changes'
/** The sizes with which the stack's archive functions are deployed. */
const FUNCTION = { memoryMb: 512, timeoutSeconds: 60 }
const CONCURRENCY = 2

/** The archive's functions as the local stack runs them, and their pollers, which run in this process. */
export async function startFunctions({ services, databaseUrl }: ArchiveStack) {
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

type FunctionTools = {
  readonly stack: ArchiveStack
  readonly broker: TestBroker
  readonly functions: FunctionHost
  readonly watch: DrainWatch
}

/** The pollers join their group after they are released, so the measured time includes that. */
export async function drainByFunctions(
  { stack, broker, functions, watch }: FunctionTools,
  drain: string,
  records: number,
): Promise<TableDrain> {
  await stack.addTarget(drain)
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
  return watch.measure(
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

async function everyInterval(commit: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  let due = Date.now() + COMMIT_EVERY_MS
  while (!signal.aborted) {
    await pause(Math.max(due - Date.now(), 0), undefined, { signal }).catch(() => undefined)
    due = Math.max(due + COMMIT_EVERY_MS, Date.now())
    if (!signal.aborted) await commit()
  }
}
