import { setTimeout as delay } from 'node:timers/promises'
import type { FunctionDefinition } from '../bundle/function-definition.ts'
import type { InvocationEvent, Outcome } from '../invocation/invocation.ts'
import { ExecutionEnvironment } from './execution-environment.ts'
import type { FunctionEndpoints } from './function-variables.ts'

export type PoolOptions = FunctionEndpoints & {
  onLog: (line: string) => void
  /** Called when an invocation has ended, so that another may begin. */
  onFree: () => void
  /** Called when a process was started or is gone. */
  onProcesses: () => void
  /** The concurrency of a function that reserves none. */
  unreservedConcurrency: number
  /** How long a process without work is kept. */
  idleMs: number
  /** How long a new process may take to initialize. After that it is started again, as part of the invocation. */
  initMs: number
}

/** The error of the newest invocation of a function, and the time since which none has succeeded. */
export type FunctionFailure = { readonly error: string; readonly since: Date }

/**
 * How long a failure is shown. Functions that run by themselves run every ten minutes at least, so a lasting failure is
 * always newer. A single failed call of a user is not the state of a function.
 */
const FAILURE_IS_PRESENT_MS = 15 * 60_000

function errorOf(payload: Buffer): string {
  try {
    const { errorType, errorMessage } = JSON.parse(payload.toString())
    return errorMessage === undefined ? String(errorType) : String(errorMessage)
  } catch {
    // A function that streams its answer may fail in the middle of any text, so this need not be JSON.
    return payload.toString().slice(0, 500)
  }
}

/** The processes of one function. There are as many as run at once; they are used again, and replaced when they die. */
export class FunctionPool {
  #definition: FunctionDefinition
  readonly #options: PoolOptions
  readonly #environments = new Set<ExecutionEnvironment>()
  readonly #idle: { environment: ExecutionEnvironment; expiry: NodeJS.Timeout }[] = []
  /** Invocations that wait for a process, in their order. A process that starts or becomes free takes the first. */
  readonly #waiting: PromiseWithResolvers<ExecutionEnvironment>[] = []
  /** Processes that started before the last change of the function. */
  readonly #outdated = new WeakSet<ExecutionEnvironment>()
  readonly #stopped = new AbortController()
  /** Processes that start and are not ready yet. */
  #starting = 0
  #running = 0
  #deathsInARow = 0
  #invocations = 0
  #errors = 0
  #failure: (FunctionFailure & { newestMs: number }) | undefined

  constructor(definition: FunctionDefinition, options: PoolOptions) {
    this.#definition = definition
    this.#options = options
  }

  get definition(): FunctionDefinition {
    return this.#definition
  }

  /**
   * Changes the function. Idle processes end at once and busy ones after their event, so that the next event runs in a
   * process that has the changes.
   */
  configure(changes: Partial<FunctionDefinition>): void {
    this.#definition = { ...this.#definition, ...changes }
    for (const environment of this.#environments) this.#outdated.add(environment)
    for (const { environment, expiry } of this.#idle.splice(0)) {
      clearTimeout(expiry)
      environment.end()
    }
  }

  get activity(): { invocations: number; errors: number; processes: number[]; failing?: FunctionFailure } {
    const processes = [...this.#environments].map(({ pid }) => pid)
    const activity = { invocations: this.#invocations, errors: this.#errors, processes }
    if (this.#failure === undefined || Date.now() - this.#failure.newestMs > FAILURE_IS_PRESENT_MS) return activity
    const { error, since } = this.#failure
    return { ...activity, failing: { error, since } }
  }

  /**
   * Runs the function on the event, in an idle process, or else in the first that is ready: a new one, or one that was
   * busy. Undefined when the function's concurrency is used up. Rejects when no process can be started.
   */
  tryInvoke(event: InvocationEvent, wantsLog: boolean): Promise<Outcome> | undefined {
    const { reservedConcurrency = this.#options.unreservedConcurrency } = this.definition
    if (this.#running >= reservedConcurrency) return undefined
    this.#running++
    this.#invocations++
    return this.#invoke(event, wantsLog).finally(() => {
      this.#running--
      this.#options.onFree()
    })
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error(`function ${this.definition.name} was stopped`))
    for (const { expiry } of this.#idle) clearTimeout(expiry)
    const environments = [...this.#environments]
    for (const environment of environments) environment.end()
    await Promise.all(environments.map(({ gone }) => gone))
  }

  async #invoke(event: InvocationEvent, wantsLog: boolean): Promise<Outcome> {
    const environment = this.#takeIdle() ?? (await this.#firstReady())
    const outcome = await environment.run(event, wantsLog)
    if (outcome.functionError !== undefined) this.#errors++
    this.#noteOutcome(outcome)
    if (!this.#outdated.has(environment)) this.#deathsInARow = environment.alive ? 0 : this.#deathsInARow + 1
    this.#release(environment)
    return outcome
  }

  #noteOutcome({ functionError, payload }: Outcome): void {
    const newestMs = Date.now()
    const since = this.#failure?.since ?? new Date(newestMs)
    this.#failure = functionError === undefined ? undefined : { error: errorOf(payload), since, newestMs }
  }

  /** Takes the process that was used last, so that those which are not needed stay idle and end. */
  #takeIdle(): ExecutionEnvironment | undefined {
    for (let last = this.#idle.pop(); last !== undefined; last = this.#idle.pop()) {
      clearTimeout(last.expiry)
      if (last.environment.alive) return last.environment
    }
    return undefined
  }

  /**
   * Waits for a new process, or for a busy one that becomes free before, so that an event does not wait for an
   * initialization longer than for the event before it. AWS does the same ("proactive initialization").
   */
  #firstReady(): Promise<ExecutionEnvironment> {
    const waiting = Promise.withResolvers<ExecutionEnvironment>()
    this.#waiting.push(waiting)
    this.#startMissing()
    return waiting.promise
  }

  /** Starts a process for each waiting invocation that has none, such as one whose process has died for another. */
  #startMissing(): void {
    while (this.#starting < this.#waiting.length) {
      this.#starting++
      const ended = () => this.#starting--
      this.#initialize().then(
        (environment) => {
          ended()
          // One that has died gives the invocation the reason why.
          if (environment.alive || !this.#hand(environment)) this.#release(environment)
        },
        (error) => {
          ended()
          if (this.#starting < this.#waiting.length) this.#waiting.shift()!.reject(error)
        },
      )
    }
  }

  /** Gives the process to the invocation that waits longest. False if none waits. */
  #hand(environment: ExecutionEnvironment): boolean {
    const first = this.#waiting.shift()
    first?.resolve(environment)
    return first !== undefined
  }

  /** Lets the next invocation have the process, unless it has died or is that of a former definition. */
  #release(environment: ExecutionEnvironment): void {
    if (this.#outdated.has(environment)) environment.end()
    else if (environment.alive && !this.#hand(environment)) this.#keep(environment)
    this.#startMissing()
  }

  #keep(environment: ExecutionEnvironment): void {
    const expiry = setTimeout(() => environment.end(), this.#options.idleMs).unref()
    this.#idle.push({ environment, expiry })
  }

  /** An initialization that fails is repeated once, within the timeout of the invocation. */
  async #initialize(): Promise<ExecutionEnvironment> {
    const environment = await this.#start()
    return (await environment.initialize(this.#options.initMs)) ? environment : this.#start()
  }

  async #start(): Promise<ExecutionEnvironment> {
    const { signal } = this.#stopped
    signal.throwIfAborted()
    const backoffMs = this.#deathsInARow === 0 ? 0 : Math.min(5000, 50 * 2 ** (this.#deathsInARow - 1))
    if (backoffMs > 0) await delay(backoffMs, undefined, { signal })
    const { definition } = this
    const environment = await ExecutionEnvironment.start(definition, this.#options)
    if (definition !== this.definition) this.#outdated.add(environment)
    this.#environments.add(environment)
    this.#options.onProcesses()
    void environment.gone.then(() => {
      this.#environments.delete(environment)
      this.#options.onProcesses()
    })
    // The pool was stopped while this process started, and nothing else would end it.
    if (signal.aborted) environment.end()
    return environment
  }
}
