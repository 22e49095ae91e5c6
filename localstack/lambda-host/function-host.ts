import { randomUUID } from 'node:crypto'
import { startOrphanGuard } from '#localstack/processes/orphan-guard.ts'
import { openBundle } from './bundle/function-bundle.ts'
import { type FunctionDefinition, functionNameOf } from './bundle/function-definition.ts'
import { type FunctionFailure, FunctionPool } from './environment/function-pool.ts'
import type { FunctionEndpoints } from './environment/function-variables.ts'
import { makeEventQueue } from './invocation/event-queue.ts'
import { checkEventSettings, type EventSettings, usualEventSettings } from './invocation/event-settings.ts'
import {
  functionNotFound,
  type InvocationAnswer,
  type InvocationOptions,
  type InvokeFunction,
  throttled,
  tooLarge,
} from './invocation/invocation.ts'
import { makeRecordDelivery, type RecordDestinations } from './invocation/record-delivery.ts'

export type FunctionHostOptions = FunctionEndpoints & {
  /** Gets every line that a function writes, and every line that AWS would write about it. */
  onLog: (functionName: string, line: string) => void
  /** The concurrency of a function that reserves none. AWS gives a new account 10. */
  unreservedConcurrency?: number
  /** How long an idle process is kept; five minutes if absent. */
  idleMs?: number
  /**
   * How long a new process may take to initialize, before that is repeated within the invocation; AWS's ten seconds if
   * absent.
   */
  initMs?: number
  /** Waits before the first and the second retry of an Event invocation; AWS's one and two minutes if absent. */
  retryDelaysMs?: readonly number[]
  /**
   * Queues, topics, buckets and event buses that take invocation records. Without them only functions can take records.
   */
  destinations?: RecordDestinations
}

/** A function and what it has done since the host started. */
export type FunctionActivity = {
  definition: FunctionDefinition
  /** When the function was added. */
  since: Date
  invocations: number
  errors: number
  /** Process ids of its execution environments. */
  processes: number[]
  /** Set while its newest invocation is one that failed. */
  failing?: FunctionFailure
}

/** What can be changed of a function that was added. */
export type FunctionChanges = Partial<Pick<FunctionDefinition, 'memoryMb' | 'timeoutSeconds' | 'environment'>>

/** Runs Lambda functions as child processes, answering as the Invoke API does. */
export type FunctionHost = {
  /** Adds a function. No process is started before its first event. Throws an Error when the name is used already. */
  add(definition: FunctionDefinition): void
  /**
   * Sets how its asynchronous invocations are handled. Throws an Error for an unknown function, and for settings that
   * AWS would refuse.
   */
  configureEvents(functionName: string, settings: Partial<EventSettings>): void
  /**
   * Changes memory, timeout or environment. Invocations under way end unchanged, later ones run in new processes.
   * Throws an Error for an unknown function.
   */
  configure(functionName: string, changes: FunctionChanges): void
  invoke: InvokeFunction
  list(): FunctionActivity[]
  /** Ends every process; settles when they are gone. */
  stop(): Promise<void>
}

/** Makes a host without functions. Its processes end with it, also when it is killed. */
export function makeFunctionHost(options: FunctionHostOptions): FunctionHost {
  const functions = new Map<string, HostedFunction>()
  const guard = startOrphanGuard()
  const onProcesses = () => guard.hold([...functions.values()].flatMap(({ pool }) => pool.activity.processes))

  async function invoke(
    nameOrArn: string,
    payload: Buffer,
    { type = 'RequestResponse', log = false, requestId = randomUUID(), clientContext }: InvocationOptions = {},
  ): Promise<InvocationAnswer> {
    const called = functions.get(functionNameOf(nameOrArn) ?? '')
    if (called === undefined) return functionNotFound(arnOf(nameOrArn, functions))
    const refusal = tooLarge(type, payload)
    if (refusal !== undefined) return refusal
    if (type === 'DryRun') return accepted(204)
    if (type === 'Event') {
      called.events.push({ requestId, payload })
      return accepted(202)
    }
    const event = { requestId, payload, ...(clientContext !== undefined && { clientContext }) }
    const outcome = await called.pool.tryInvoke(event, log)
    if (outcome !== undefined) return { statusCode: 200, ...outcome }
    return throttled(called.pool.definition.reservedConcurrency !== undefined)
  }

  return {
    add(definition) {
      const { name } = definition
      if (functions.has(name)) throw new Error(`function ${name} is defined twice`)
      functions.set(name, hostFunction(definition, options, { onProcesses, invoke }))
    },
    configureEvents(functionName, settings) {
      const configured = functions.get(functionName)
      if (configured === undefined) throw new Error(`there is no function ${functionName}`)
      configured.configureEvents({ ...usualEventSettings, ...settings })
    },
    configure(functionName, changes) {
      const changed = functions.get(functionName)
      if (changed === undefined) throw new Error(`there is no function ${functionName}`)
      changed.pool.configure(changes)
    },
    invoke,
    list: () =>
      [...functions.values()].map(({ pool, since }) => ({ definition: pool.definition, since, ...pool.activity })),
    async stop() {
      for (const { events } of functions.values()) events.stop()
      await Promise.all([...functions.values()].map(({ pool }) => pool.stop()))
      for (const { remove } of functions.values()) remove()
      await options.destinations?.close()
      guard.stop()
    },
  }
}

type HostedFunction = ReturnType<typeof hostFunction>

function hostFunction(
  bundled: FunctionDefinition,
  { onLog, unreservedConcurrency = 10, idleMs = 300_000, initMs = 10_000, ...options }: FunctionHostOptions,
  { onProcesses, invoke }: { onProcesses: () => void; invoke: InvokeFunction },
) {
  const { definition, remove } = openBundle(bundled)
  const log = (line: string) => onLog(definition.name, line)
  let settings = usualEventSettings
  const pool = new FunctionPool(definition, {
    endpointUrl: options.endpointUrl,
    serviceUrls: options.serviceUrls ?? {},
    ...(options.key && { key: options.key }),
    ...(options.restMs !== undefined && { restMs: options.restMs }),
    onLog: log,
    onFree: () => events.drain(),
    onProcesses,
    unreservedConcurrency,
    idleMs,
    initMs,
  })
  const delivery = makeRecordDelivery({
    definition,
    settings: () => settings,
    invoke,
    destinations: options.destinations,
    onLog: log,
  })
  const events = makeEventQueue({
    tryInvoke: (event) => pool.tryInvoke(event, false),
    settings: () => settings,
    retryDelaysMs: options.retryDelaysMs ?? [60_000, 120_000],
    refusesAll: definition.reservedConcurrency === 0,
    onFinished: delivery.onFinished,
  })
  return {
    pool,
    events,
    since: new Date(),
    remove,
    configureEvents(wanted: EventSettings) {
      checkEventSettings(definition.name, wanted)
      delivery.check(wanted)
      settings = wanted
    },
  }
}

/** The ARN of a function that may not exist, in the account of the functions that do. */
function arnOf(nameOrArn: string, functions: Map<string, HostedFunction>): string {
  if (nameOrArn.startsWith('arn:')) return nameOrArn
  const [known] = functions.values()
  const [, partition = 'aws', , region = 'us-east-1', account = '000000000000'] =
    known?.pool.definition.arn.split(':') ?? []
  return `arn:${partition}:lambda:${region}:${account}:function:${nameOrArn.replace(/^(\d*:)?function:/, '')}`
}

function accepted(statusCode: 202 | 204): InvocationAnswer {
  return { statusCode, payload: Buffer.alloc(0), logTail: '' }
}
