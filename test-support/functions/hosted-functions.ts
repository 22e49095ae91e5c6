import { spawnSync } from 'node:child_process'
import { afterEach, beforeEach } from 'vitest'
import type { FunctionDefinition } from '#localstack/lambda-host/bundle/function-definition.ts'
import { type FunctionHost, type FunctionHostOptions, makeFunctionHost } from '#localstack/lambda-host/function-host.ts'
import { type FunctionBundles, makeFunctionBundles } from './function-bundle.ts'

/** The function host of a test, and the output of its functions. */
export type HostedFunctions = {
  host: FunctionHost
  bundles: FunctionBundles
  /** The lines `<function> <line>`, in the order in which they came. */
  lines: string[]
  /** Adds a function whose module is `source`. Returns its code directory. */
  add(name: string, source: string, overrides?: Partial<FunctionDefinition>): Promise<string>
  /** Waits for the answer, and parses its payload. */
  invoke(name: string, event?: unknown): Promise<InvokedFunction>
}

/** An answer of the host with its payload parsed. */
export type InvokedFunction = {
  statusCode: number
  errorType?: string
  functionError?: string
  payload: ReturnType<typeof JSON.parse>
  logTail: string
}

/** Makes one host for each test, which ends with the test. Retries come after 10 ms. */
export function useHostedFunctions(options: Partial<FunctionHostOptions> = {}): HostedFunctions {
  const hosted = {
    async add(name, source, overrides) {
      const definition = await hosted.bundles.write(name, source, overrides)
      hosted.host.add(definition)
      return definition.codeDirectory
    },
    async invoke(name, event = {}) {
      const answer = await hosted.host.invoke(name, Buffer.from(JSON.stringify(event)), { log: true })
      return { ...answer, payload: JSON.parse(answer.payload.toString()) }
    },
  } as HostedFunctions
  beforeEach(() => {
    hosted.lines = []
    hosted.bundles = makeFunctionBundles()
    hosted.host = makeFunctionHost({
      endpointUrl: 'http://127.0.0.1:1',
      onLog: (name, line) => hosted.lines.push(`${name} ${line}`),
      retryDelaysMs: [10, 10],
      ...options,
    })
  })
  afterEach(async () => {
    await hosted.host.stop()
    await hosted.bundles.remove()
  })
  return hosted
}

/** Whether the process is alive. A zombie has ended, too, although no process has waited for it. */
export const processAlive = (pid: number): boolean =>
  /^[^Z]/.test(spawnSync('ps', ['-o', 'stat=', '-p', String(pid)]).stdout.toString())
