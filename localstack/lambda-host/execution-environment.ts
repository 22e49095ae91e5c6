import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import type { FunctionDefinition } from './function-definition.ts'
import { type FunctionLog, makeFunctionLog } from './function-log.ts'
import { type FunctionEndpoints, functionArguments, functionVariables } from './function-variables.ts'
import { type Outcome, platformError, responseLimitBytes } from './invocation.ts'
import { type RuntimeApi, startRuntimeApi } from './runtime-api.ts'

type Verdict = Pick<Outcome, 'payload' | 'functionError'>

type Running = { requestId: string; payload: Buffer; settle: (verdict: Verdict) => void; timer: NodeJS.Timeout }

/** AWS gives a function ten seconds to initialize; its timeout begins to count when it is handed the event. */
const initSeconds = 10

/** One process of a function. It takes one event at a time and is used again until it dies. */
export class ExecutionEnvironment {
  readonly pid: number
  /** Settles when the process is gone. */
  readonly gone: Promise<void>
  readonly #definition: FunctionDefinition
  readonly #runtimeApi: RuntimeApi
  readonly #log: FunctionLog
  #running: Running | undefined
  #waiting = false
  #initError: Verdict | undefined
  #death: Verdict | undefined

  /** Starts a process of the function; it initializes on its own. Rejects when none can be started. */
  static async start(
    definition: FunctionDefinition,
    { onLog, ...endpoints }: FunctionEndpoints & { onLog: (line: string) => void },
  ): Promise<ExecutionEnvironment> {
    let environment: ExecutionEnvironment | undefined
    const runtimeApi = await startRuntimeApi({
      onIdle: () => environment!.#onIdle(),
      onResponse: (requestId, payload) => environment!.#answer(requestId, withinLimit(payload)),
      onError: (requestId, payload) => environment!.#answer(requestId, { payload, functionError: 'Unhandled' }),
      onInitError: (payload) => {
        environment!.#initError = { payload, functionError: 'Unhandled' }
      },
    })
    const child = spawn(process.execPath, functionArguments(definition), {
      cwd: definition.codeDirectory,
      env: functionVariables(definition, runtimeApi.address, endpoints),
      stdio: ['ignore', 'pipe', 'pipe'],
      // Its own group: it ends with all it started, and Ctrl-C at the terminal does not reach it before its host.
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
    log.follow(child.stdout!)
    log.follow(child.stderr!)
    this.gone = once(child, 'exit').then(([code, signal]) => this.#onExit(code, signal))
  }

  get alive(): boolean {
    return this.#death === undefined
  }

  /** Settles with the function's answer, or with the error AWS reports when it times out, fails to start or dies. */
  async run(payload: Buffer, wantsLog: boolean): Promise<Outcome> {
    const requestId = randomUUID()
    const started = performance.now()
    this.#log.startTail()
    const verdict = await new Promise<Verdict>((settle) => this.#begin(requestId, payload, settle))
    clearTimeout(this.#running!.timer)
    this.#running = undefined
    return { ...verdict, logTail: wantsLog ? await this.#logTail(requestId, performance.now() - started) : '' }
  }

  /** Ends the process and all it started; an event it is working on fails. */
  end(): void {
    this.#death ??= platformError('Runtime.ExitError', `function ${this.#definition.name} was stopped`)
    this.#running?.settle(this.#death)
    this.#kill()
  }

  #kill(): void {
    try {
      process.kill(-this.pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  #begin(requestId: string, payload: Buffer, settle: (verdict: Verdict) => void): void {
    this.#running = { requestId, payload, settle, timer: this.#timeOut(initSeconds + this.#definition.timeoutSeconds) }
    if (this.#death !== undefined) settle(this.#death)
    else if (this.#waiting) this.#deliver()
  }

  #onIdle(): void {
    this.#waiting = true
    if (this.#running !== undefined) this.#deliver()
  }

  #deliver(): void {
    const { requestId, payload, timer } = this.#running!
    const { arn, timeoutSeconds } = this.#definition
    clearTimeout(timer)
    this.#running!.timer = this.#timeOut(timeoutSeconds)
    this.#waiting = false
    this.#runtimeApi.deliver({ requestId, functionArn: arn, deadline: Date.now() + timeoutSeconds * 1000, payload })
  }

  #timeOut(seconds: number): NodeJS.Timeout {
    return setTimeout(() => {
      const { requestId, settle } = this.#running!
      const message = `RequestId: ${requestId} Error: Task timed out after ${this.#definition.timeoutSeconds.toFixed(2)} seconds`
      this.#log.write(message)
      this.#death = platformError('Sandbox.Timedout', message)
      this.#kill()
      settle(this.#death)
    }, seconds * 1000)
  }

  #answer(requestId: string, verdict: Verdict): void {
    if (this.#running?.requestId === requestId) this.#running.settle(verdict)
  }

  #onExit(code: number | null, signal: string | null): void {
    this.#kill()
    this.#runtimeApi.close()
    if (this.#death !== undefined) return
    const reason = signal === null ? `exit status ${code}` : `signal: ${signal === 'SIGKILL' ? 'killed' : signal}`
    const message = `RequestId: ${this.#running?.requestId ?? 'none'} Error: Runtime exited with error: ${reason}`
    if (this.#initError === undefined) this.#log.write(message)
    this.#death = this.#initError ?? platformError('Runtime.ExitError', message)
    this.#running?.settle(this.#death)
  }

  async #logTail(requestId: string, durationMs: number): Promise<string> {
    // What the function wrote before it answered is in its pipes, which the next turns of the loop read.
    await setImmediate()
    await setImmediate()
    const { memoryMb } = this.#definition
    const duration = `Duration: ${durationMs.toFixed(2)} ms\tBilled Duration: ${Math.ceil(durationMs)} ms`
    const report = `REPORT RequestId: ${requestId}\t${duration}\tMemory Size: ${memoryMb} MB`
    return this.#log.tail(`START RequestId: ${requestId} Version: $LATEST`, `END RequestId: ${requestId}\n${report}`)
  }
}

function withinLimit(payload: Buffer): Verdict {
  if (payload.length <= responseLimitBytes) return { payload }
  const message = `Response payload size exceeded maximum allowed payload size (${responseLimitBytes} bytes).`
  return platformError('Function.ResponseSizeTooLarge', message)
}
