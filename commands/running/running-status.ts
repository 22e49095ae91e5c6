import type { Status } from '#core/status/status.ts'
import type { RunningEngine } from '#localstack/engine.ts'
import { describeDown } from '#verify/capture-health.ts'
import type { ConsoleState } from '../start/console-process.ts'

/** The status that the running stack returns. Throws an Error that names the process if it does not answer. */
export async function askStatus({ endpoints, pid }: Pick<RunningEngine, 'endpoints' | 'pid'>): Promise<Status> {
  const url = new URL('/_tidemark/status', endpoints.endpoint)
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch((cause) => {
    throw new Error(`Tidemark runs as process ${pid} and does not answer at ${url}`, { cause })
  })
  if (response.ok) return (await response.json()) as Status
  throw new Error(`Tidemark runs as process ${pid} and answers ${response.status} at ${url}: it is still starting`)
}

/** Where the console of the running stack is. Undefined if there is none, or if the stack does not answer. */
export async function askConsole({ endpoints }: Pick<RunningEngine, 'endpoints'>): Promise<ConsoleState | undefined> {
  const url = new URL('/_tidemark/console', endpoints.endpoint)
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined)
  return response?.ok === true ? (((await response.json()) as ConsoleState | null) ?? undefined) : undefined
}

/**
 * Why nothing is captured, with the command that changes it. Undefined if capture is running, or if its state is not
 * known.
 */
export async function whyCaptureIsDown(engine: RunningEngine | undefined): Promise<string | undefined> {
  const status = engine && (await askStatus(engine).catch(() => undefined))
  return status?.capture.state === 'down' ? describeDown(status.capture) : undefined
}
