// The running stack of one machine, from start to stop. assembly/deploy.ts makes running servers of the template.

import type { FunctionHealth, MappingHealth } from '#core/status/health.ts'
import type { Outputs } from './assembly/deploy.ts'
import { recallDatabases } from './assembly/existing-databases.ts'
import { recallCluster } from './assembly/kept-cluster.ts'
import { bootstrapServers, catalogUrl, type LocalAccount, objectStoreUrl } from './assembly/local-account.ts'
import { formatDatabaseUrl } from './database-url.ts'
import type { EngineEndpoints, RunningEngine } from './engine-endpoints.ts'
import { findRunningEngine } from './engine-lock.ts'
import type { MappingMetrics } from './event-source-mapping/mapping-record.ts'
import type { FunctionActivity } from './lambda-host/function-host.ts'
import { type Deployer, type EngineOptions, embeddedDeployer, openStack } from './open-stack.ts'
import { ownMemory, returnMemoryAtRest } from './processes/memory-return.ts'
import { residentBytes } from './processes/resident-memory.ts'
import type { ServiceHealth } from './processes/supervise.ts'
import type { Settings } from './settings.ts'

export type { EngineEndpoints, RunningEngine } from './engine-endpoints.ts'
export type { EngineOptions } from './open-stack.ts'
export type { Progress } from './progress.ts'

/** An answer of the Invoke API. */
export type Invocation = {
  statusCode: number
  functionError?: 'Unhandled' | 'Handled'
  payload: string
  /** The last 4 KiB of the function's log. */
  logTail: string
}

/** What a function has done since the stack was started. `processes` are those that run it. */
export type RunningFunction = FunctionHealth & { arn: string; invocations: number; processes: number[] }

/** What an event source mapping has done since the stack was started. `id` is the logical id in the template. */
export type RunningMapping = MappingHealth & MappingMetrics & { id: string }

/** A running stack. */
export type Engine = {
  endpoints: EngineEndpoints
  /** The resolved outputs of the stack, by logical id. */
  outputs: Record<string, string>
  functions(): RunningFunction[]
  mappings(): RunningMapping[]
  /** Health of the servers. `functions` and `mappings` above report the rest. */
  health(): ServiceHealth[]
  /**
   * Invokes a function by its name, its ARN, or the name of its folder such as `producer`. Throws an Error that lists
   * the functions when there is no such one.
   */
  invoke(name: string, payload: unknown): Promise<Invocation>
  /** The value of a secret, by ARN or name. It is parsed when it is JSON. */
  secret(id: string): Record<string, string | number>
  /** Serves the result of `content`, as JSON, at `GET /_tidemark/<name>` of the endpoint. */
  page(name: string, content: () => unknown): void
  /** Resident memory of all processes of the stack, in bytes. Shared memory counts once. */
  residentBytes(): Promise<number>
  /** Stops everything, within 5 s. Idempotent. */
  stop(): Promise<void>
}

/**
 * Synthesizes the app, starts the servers, executes the assembly and starts polling. Data of an earlier run is used
 * again. When something fails, everything is stopped, and an Error is thrown that says what is wrong and what to do.
 */
export async function startEngine(options: EngineOptions, deployer: Deployer = embeddedDeployer): Promise<Engine> {
  const running = await openStack(options, 'run', deployer)
  const { account, outputs } = running
  const endpoints = endpointsOf(account, outputs)
  await running.lock.publish(endpoints, outputs)
  const memory = ownMemory()
  const returning = memory && returnMemoryAtRest(memory)
  return {
    endpoints,
    outputs,
    functions: () => account.functions.list().map(describeFunction),
    mappings: () => [...account.mappings].map(describeMapping),
    health: () => [...account.servers, ...account.workers].map((service) => service.health()),
    invoke: (name, payload) => invoke(account, name, payload),
    secret: (id) => readSecret(account, id),
    page: (name, content) => {
      running.pages[name] = async () => content()
    },
    residentBytes: () => residentBytes(process.pid),
    stop: () => {
      returning?.stop()
      return running.stop()
    },
  }
}

/**
 * Takes down a stack of an earlier run that used existing databases, as CloudFormation would. Its custom resources are
 * deleted in the reverse order of their creation, so that no replication slot and no publication stays. Data of
 * embedded servers stays.
 */
export async function removeStack(options: EngineOptions): Promise<void> {
  const databases = await recallDatabases(options.settings)
  if (databases?.sourceUrl === undefined && databases?.targetUrl === undefined) return
  const settings = { ...options.settings, ...databases, ...(await recallCluster(options.settings)) }
  const { account, stop } = await openStack({ ...options, settings }, 'remove')
  try {
    for (const remove of account.removals.reverse()) await remove()
  } finally {
    await stop()
  }
}

/** The engine that runs on the settings' directory, or undefined. */
export const findEngine = ({ directory }: Settings): Promise<RunningEngine | undefined> => findRunningEngine(directory)

type MappingEntry = LocalAccount['mappings'] extends Map<infer Id, infer Mapping> ? [Id, Mapping] : never

function endpointsOf({ settings, endpoint, ...account }: LocalAccount, outputs: Outputs): EngineEndpoints {
  const url = (output: string): string => {
    const secret = account.secrets.get(outputs[output] ?? '')
    if (secret === undefined) throw new Error(`the stack has no output ${output} that names a secret`)
    return formatDatabaseUrl(JSON.parse(secret))
  }
  const kafkaAccess = account.administrators.get(outputs['KafkaClusterArn'] ?? '')
  return {
    endpoint: endpoint.url,
    source: url('SourceAdminSecretArn'),
    target: url('TargetAdminSecretArn'),
    reader: url('TargetReadSecretArn'),
    kafka: bootstrapServers(settings),
    ...(kafkaAccess && { kafkaAccess }),
    connect: `http://127.0.0.1:${settings.connectPort}`,
    objectStore: objectStoreUrl(settings),
    catalog: `${catalogUrl(settings)}/iceberg`,
    key: account.key,
  }
}

function describeFunction(activity: FunctionActivity): RunningFunction {
  const { definition, invocations, errors, processes, failing } = activity
  const { name, arn } = definition
  return {
    ...{ name, arn, invocations, errors, processes },
    isIdle: processes.length === 0,
    ...(failing && { failing: { error: failing.error, since: failing.since.toISOString() } }),
  }
}

function describeMapping([id, { definition, mapping }]: MappingEntry): RunningMapping {
  const { functionName, topic } = definition
  return { id, functionName, topic, state: mapping.state(), ...mapping.metrics() }
}

async function invoke({ functions, stack }: LocalAccount, name: string, payload: unknown): Promise<Invocation> {
  const names = functions.list().map(({ definition }) => definition.name)
  const full = names.find((each) => each === name || each === `${stack.name}-${name}`) ?? name
  const answer = await functions.invoke(full, Buffer.from(JSON.stringify(payload ?? {})), { log: true })
  if (answer.statusCode === 404) throw new Error(`There is no function ${name}. The functions are: ${names.join(', ')}`)
  return { ...answer, payload: answer.payload.toString() }
}

function readSecret({ secrets }: LocalAccount, id: string): Record<string, string | number> {
  const value = secrets.get(id)
  if (value === undefined) throw new Error(`there is no secret ${id}`)
  return JSON.parse(value)
}
