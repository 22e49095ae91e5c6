import type { Status } from '#core/status/status.ts'
import type { RunningEngine } from '#localstack/engine.ts'
import { describeDown } from '#verify/capture-health.ts'

/** The status that the running stack returns. Throws an Error that names the process if it does not answer. */
export async function askStatus({ endpoints, pid }: Pick<RunningEngine, 'endpoints' | 'pid'>): Promise<Status> {
  const url = new URL('/_tidemark/status', endpoints.endpoint)
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch((cause) => {
    throw new Error(`Tidemark runs as process ${pid} and does not answer at ${url}`, { cause })
  })
  if (response.ok) return (await response.json()) as Status
  throw new Error(`Tidemark runs as process ${pid} and answers ${response.status} at ${url}: it is still starting`)
}

/**
 * Why nothing is captured, with the command that changes it. Undefined if capture is running, or if its state is not
 * known.
 */
export async function whyCaptureIsDown(engine: RunningEngine | undefined): Promise<string | undefined> {
  const status = engine && (await askStatus(engine).catch(() => undefined))
  return status?.capture.state === 'down' ? describeDown(status.capture) : undefined
}
