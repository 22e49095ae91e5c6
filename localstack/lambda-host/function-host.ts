import { existsSync } from 'node:fs'
import { type EventQueue, makeEventQueue } from './event-queue.ts'
import { type FunctionDefinition, functionNameOf } from './function-definition.ts'
import { FunctionPool } from './function-pool.ts'
import type { FunctionEndpoints } from './function-variables.ts'
import {
  eventLimitBytes,
  functionNotFound,
  type InvocationAnswer,
  type InvocationType,
  payloadLimitBytes,
  requestTooLarge,
  throttled,
} from './invocation.ts'
import { startOrphanGuard } from './orphan-guard.ts'

export type FunctionHostOptions = FunctionEndpoints & {
  /** Every line a function writes, and every line AWS would write about it. */
  onLog: (functionName: string, line: string) => void
  /** Concurrency of a function that reserves none; AWS gives a new account 10. */
  unreservedConcurrency?: number
  /** How long a process without work is kept; five minutes. */
  idleMs?: number
  /** Waits before the first and the second retry of an Event invocation; AWS's one and two minutes. */
  retryDelaysMs?: number[]
}

/** A function and what it has done since the host started. */
export type FunctionActivity = {
  definition: FunctionDefinition
  invocations: number
  errors: number
  /** Process ids of its execution environments. */
  processes: number[]
}

/** Runs Lambda functions as child processes, answering as the Invoke API does. */
export type FunctionHost = {
  /** Makes the function known; no process is started before the first event. Throws on a name used twice. */
  add(definition: FunctionDefinition): void
  /**
   * By name or ARN. Every outcome AWS has a status for is an answer; rejects when no process can be started.
   * The payload is handed on unread, so it must be JSON. `log: true` fills `logTail`.
   */
  invoke(
    nameOrArn: string,
    payload: Buffer,
    options?: { type?: InvocationType; log?: boolean },
  ): Promise<InvocationAnswer>
  list(): FunctionActivity[]
  /** Ends every process; settles when they are gone. */
  stop(): Promise<void>
}

/** A host without functions yet. Its processes end with it, also when it is killed. */
export function makeFunctionHost({
  endpointUrl,
  serviceUrls = {},
  onLog,
  unreservedConcurrency = 10,
  idleMs = 300_000,
  retryDelaysMs = [60_000, 120_000],
}: FunctionHostOptions): FunctionHost {
  const functions = new Map<string, { pool: FunctionPool; events: EventQueue }>()
  const guard = startOrphanGuard()

  function add(definition: FunctionDefinition): void {
    const { name, codeDirectory } = definition
    if (functions.has(name)) throw new Error(`function ${name} is defined twice`)
    if (!existsSync(codeDirectory)) throw new Error(`function ${name}: there is no directory ${codeDirectory}`)
    const log = (line: string) => onLog(name, line)
    const pool = new FunctionPool(definition, {
      endpointUrl,
      serviceUrls,
      onLog: log,
      onFree: () => events.drain(),
      onProcesses: () => guard.hold([...functions.values()].flatMap((each) => each.pool.activity.processes)),
      unreservedConcurrency,
      idleMs,
    })
    const tryInvoke = (payload: Buffer) => pool.tryInvoke(payload, false)
    const events = makeEventQueue({ tryInvoke, retryDelaysMs, onLog: log })
    functions.set(name, { pool, events })
  }

  return {
    add,
    async invoke(nameOrArn, payload, { type = 'RequestResponse', log = false } = {}) {
      const called = functions.get(functionNameOf(nameOrArn) ?? '')
      if (called === undefined) return functionNotFound(nameOrArn)
      const limitBytes = type === 'Event' ? eventLimitBytes : payloadLimitBytes
      if (payload.length > limitBytes) return requestTooLarge(limitBytes)
      if (type === 'DryRun') return accepted(204)
      if (type === 'Event') {
        called.events.push(payload)
        return accepted(202)
      }
      const outcome = await called.pool.tryInvoke(payload, log)
      return outcome === undefined ? throttled() : { statusCode: 200, ...outcome }
    },
    list: () => [...functions.values()].map(({ pool }) => ({ definition: pool.definition, ...pool.activity })),
    async stop() {
      for (const { events } of functions.values()) events.stop()
      await Promise.all([...functions.values()].map(({ pool }) => pool.stop()))
      guard.stop()
    },
  }
}

function accepted(statusCode: 202 | 204): InvocationAnswer {
  return { statusCode, payload: Buffer.alloc(0), logTail: '' }
}
