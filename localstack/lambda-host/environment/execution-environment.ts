import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import type { FunctionDefinition } from '../bundle/function-definition.ts'
import {
  errorTypeOf,
  type InvocationEvent,
  type Outcome,
  platformError,
  withinResponseLimit,
} from '../invocation/invocation.ts'
import { type FunctionLog, makeFunctionLog } from './function-log.ts'
import { type FunctionEndpoints, functionArguments, functionVariables } from './function-variables.ts'
import { type MemoryLimit, makeMemoryLimit } from './memory-limit.ts'
import {
  endLines,
  exitReason,
  initReportLine,
  type PlatformStatus,
  startLine,
  timedOut,
  timedOutLine,
} from './platform-lines.ts'
import { type RuntimeApi, startRuntimeApi } from './runtime-api.ts'

type Verdict = Pick<Outcome, 'payload' | 'functionError'>

type Running = {
  event: InvocationEvent
  deadline: number
  timer: NodeJS.Timeout
  /** The function's answer. It becomes valid when the process asks for the next event or is gone. */
  answer?: Verdict
  settle: (verdict: Verdict) => void
}

/** One process of a function. It handles one event at a time, and is used again until it dies. */
export class ExecutionEnvironment {
  readonly pid: number
  /** Settles when the process is gone. */
  readonly gone: Promise<void>
  readonly #definition: FunctionDefinition
  readonly #runtimeApi: RuntimeApi
  readonly #log: FunctionLog
  readonly #memory: MemoryLimit
  readonly #startedAt = performance.now()
  readonly #init = Promise.withResolvers<boolean>()
  #initialized = false
  /** How long the initialization took, until an invocation has reported it. */
  #initMs: number | undefined
  #initError: Verdict | undefined
  #running: Running | undefined
  #waiting = false
  #death: Verdict | undefined
  #status: PlatformStatus | undefined

  /** Starts a process of the function, which then initializes. Rejects when no process can be started. */
  static async start(
    definition: FunctionDefinition,
    { onLog, ...endpoints }: FunctionEndpoints & { onLog: (line: string) => void },
  ): Promise<ExecutionEnvironment> {
    let environment: ExecutionEnvironment | undefined
    const runtimeApi = await startRuntimeApi({
      onIdle: () => environment!.#onIdle(),
      onResponse: (requestId, payload) => environment!.#answer(requestId, withinResponseLimit(payload)),
      onError: (requestId, payload) => environment!.#answer(requestId, { payload, functionError: 'Unhandled' }),
      onInitError: (payload) => {
        environment!.#initError = { payload, functionError: 'Unhandled' }
      },
    })
    const child = spawn(process.execPath, functionArguments(definition), {
      cwd: definition.codeDirectory,
      env: functionVariables(definition, runtimeApi, endpoints),
      stdio: ['ignore', 'pipe', 'pipe'],
      // The process has a group of its own, so that all it started can be ended with it, and so that Ctrl-C at the
      // terminal does not reach it before its host.
      detached: true,
    })
    try {
      await once(child, 'spawn')
    } catch (cause) {
      runtimeApi.close()
      const { name, codeDirectory } = definition
      throw new Error(`function ${name} cannot be started in ${codeDirectory}: is the directory there?`, { cause })
    }
    environment = new ExecutionEnvironment(definition, child, runtimeApi, makeFunctionLog(onLog))
    return environment
  }

  private constructor(definition: FunctionDefinition, child: ChildProcess, runtimeApi: RuntimeApi, log: FunctionLog) {
    this.#definition = definition
    this.#runtimeApi = runtimeApi
    this.#log = log
    this.pid = child.pid!
    this.#memory = makeMemoryLimit(this.pid, definition.memoryMb, () => this.#kill())
    this.#memory.watch()
    log.follow(child.stdout!)
    log.follow(child.stderr!)
    this.gone = once(child, 'exit').then(([code, signal]) => this.#onExit(code, signal))
  }

  get alive(): boolean {
    return this.#death === undefined
  }

  /**
   * Resolves with true when the process is ready for events. Resolves with false, after an INIT_REPORT line, when it
   * has failed, or was ended because it was not ready within `limitMs`.
   */
  async initialize(limitMs: number): Promise<boolean> {
    const timer = setTimeout(() => {
      this.#die(platformError('Sandbox.Timedout', `function ${this.#definition.name} did not initialize`), 'timeout')
    }, limitMs)
    const ready = await this.#init.promise
    clearTimeout(timer)
    if (!ready) this.#log.write(initReportLine(performance.now() - this.#startedAt, this.#status!))
    return ready
  }

  /**
   * Settles with the function's answer, or with AWS's error when it times out, fails to start or dies. The timeout
   * begins now, so that it includes the rest of the initialization.
   */
  async run(event: InvocationEvent, wantsLog: boolean): Promise<Outcome> {
    const started = performance.now()
    const initMs = this.#initMs
    this.#initMs = undefined
    this.#log.startTail()
    this.#memory.watch()
    const verdict = await new Promise<Verdict>((settle) => this.#begin(event, settle))
    clearTimeout(this.#running!.timer)
    this.#memory.rest()
    this.#running = undefined
    const durationMs = performance.now() - started
    return { ...verdict, logTail: wantsLog ? await this.#logTail(event.requestId, durationMs, initMs) : '' }
  }

  /** Ends the process and all that it started. The event that it is handling fails. */
  end(): void {
    const stopped = platformError('Runtime.ExitError', `function ${this.#definition.name} was stopped`)
    this.#die(stopped, { errorType: 'Runtime.ExitError' })
  }

  /** Only the first cause of its death is kept. */
  #die(death: Verdict, status: PlatformStatus): void {
    if (this.#death === undefined) {
      this.#death = death
      this.#status = status
    }
    this.#kill()
    this.#init.resolve(false)
    this.#running?.settle(this.#running.answer ?? this.#death)
  }

  #kill(): void {
    this.#memory.rest()
    try {
      process.kill(-this.pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  #begin(event: InvocationEvent, settle: (verdict: Verdict) => void): void {
    const timeoutMs = this.#definition.timeoutSeconds * 1000
    const timer = setTimeout(() => this.#timeOut(event.requestId), timeoutMs)
    this.#running = { event, deadline: Date.now() + timeoutMs, settle, timer }
    if (this.#death !== undefined) settle(this.#death)
    else if (this.#waiting) this.#deliver()
  }

  #onIdle(): void {
    this.#waiting = true
    if (!this.#initialized && this.#running === undefined) {
      this.#initMs = performance.now() - this.#startedAt
      this.#memory.rest()
    }
    this.#initialized = true
    this.#init.resolve(true)
    if (this.#running?.answer !== undefined) this.#running.settle(this.#running.answer)
    else if (this.#running !== undefined) this.#deliver()
  }

  #deliver(): void {
    const { event, deadline } = this.#running!
    this.#waiting = false
    this.#runtimeApi.deliver({ ...event, functionArn: this.#definition.arn, deadline })
  }

  #timeOut(requestId: string): void {
    const { timeoutSeconds } = this.#definition
    this.#log.write(timedOutLine(requestId, timeoutSeconds))
    const message = `RequestId: ${requestId} Error: ${timedOut(timeoutSeconds)}`
    this.#die(platformError('Sandbox.Timedout', message), 'timeout')
  }

  #answer(requestId: string, verdict: Verdict): void {
    if (this.#running?.event.requestId === requestId) this.#running.answer ??= verdict
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    this.#runtimeApi.close()
    const message = `RequestId: ${this.#running?.event.requestId ?? 'none'} Error: ${exitReason(code, signal)}`
    if (this.#death === undefined && this.#initError === undefined) {
      this.#log.write(message)
      this.#log.write('Runtime.ExitError')
    }
    const death = this.#initError ?? platformError('Runtime.ExitError', message)
    this.#die(death, { errorType: errorTypeOf(death.payload) })
  }

  async #logTail(requestId: string, durationMs: number, initMs: number | undefined): Promise<string> {
    // Output from before the function's answer may still be in its pipes. The next turns of the event loop read it.
    await setImmediate()
    await setImmediate()
    const peakBytes = await this.#memory.peakBytes()
    const { memoryMb } = this.#definition
    const report = { requestId, durationMs, memoryMb, peakBytes }
    const more = {
      ...(initMs !== undefined && { initMs }),
      ...(this.#status !== undefined && { status: this.#status }),
    }
    return this.#log.tail(startLine(requestId), endLines({ ...report, ...more }))
  }
}
