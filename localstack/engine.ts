import type { Settings } from './settings.ts'

/** One step of starting, e.g. `{ step: 'kafka', state: 'healthy', detail: '1.3 s' }`. */
export type Progress = {
  step: string
  state: 'starting' | 'healthy' | 'skipped' | 'failed'
  detail?: string
}

/** Something the engine keeps running: a server, a function, an event source mapping. */
export type ComponentHealth = {
  /** e.g. `postgres source`, `kafka`, `connect`, `connector tidemark`, `function apply-latest-state`. */
  name: string
  state: 'starting' | 'healthy' | 'restarting' | 'stopped'
  restarts: number
  /** Process id, where it is one process. */
  pid?: number
  /** Last failure, in words. */
  lastError?: string
}

/** Where the running stack is reached, all on loopback. */
export type EngineEndpoints = {
  /** Invoke API, AWS calls of functions, custom resource answers, pages. */
  endpoint: string
  /** Administrator's URL of each database, with password. */
  source: string
  target: string
  /** URL of the role tidemark_read in the target. */
  reader: string
  /** `host:port` of the broker. */
  kafka: string
  /** Connect's REST API. */
  connect: string
}

/** An answer as the Invoke API gives it. */
export type Invocation = {
  statusCode: number
  functionError?: 'Unhandled' | 'Handled'
  payload: string
  /** Last 4 KiB of the function's log. */
  logTail: string
}

export type FunctionHealth = { name: string; arn: string; invocations: number; errors: number; processes: number[] }

export type MappingHealth = {
  /** Logical id in the template. */
  id: string
  functionName: string
  topics: string[]
  consumerGroup: string
  state: string
  batches: number
  records: number
  failedBatches: number
  lastError?: string
}

/** A running stack. */
export type Engine = {
  endpoints: EngineEndpoints
  /** Outputs of the stack by logical id, resolved. */
  outputs: Record<string, string>
  functions(): FunctionHealth[]
  mappings(): MappingHealth[]
  health(): ComponentHealth[]
  /** By name, ARN, or the folder's name such as `producer`. Throws when there is no such function, naming those there are. */
  invoke(name: string, payload: unknown): Promise<Invocation>
  /** Value of a secret, parsed when it is JSON. By ARN or name. */
  secret(id: string): Record<string, string | number>
  /** Serves `GET <path>` on the endpoint as JSON until the stack stops. */
  page(path: string, content: () => unknown): void
  /** Resident memory of every process of the stack, in bytes; memory they share counts once. */
  residentBytes(): Promise<number>
  /** Stops everything, within 5 s. Idempotent. */
  stop(): Promise<void>
  /** Settles when the stack has stopped; rejects when something failed for good. */
  stopped: Promise<void>
}

export type EngineOptions = {
  settings: Settings
  onProgress: (progress: Progress) => void
}

/** What another process learns of a running engine. */
export type RunningEngine = { pid: number; endpoints: EngineEndpoints; outputs: Record<string, string> }

/**
 * Synthesizes the app, starts the servers, executes the assembly and polls. Data of an earlier run is taken up again.
 * Throws an Error of one line that says what is wrong and what to do; then nothing is left running.
 */
export async function startEngine(_options: EngineOptions): Promise<Engine> {
  throw new Error('the engine is not assembled yet')
}

/** The engine that runs on this directory, or undefined. */
export async function findEngine(_settings: Settings): Promise<RunningEngine | undefined> {
  return undefined
}
