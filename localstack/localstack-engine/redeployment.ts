import { setTimeout as pause } from 'node:timers/promises'
import type { RunningService } from '#localstack/processes/supervise.ts'

const EVERY_MS = 500

export type RedeploymentOptions = {
  server: Pick<RunningService, 'health'>
  /** Creates everything in an empty LocalStack. */
  deploy: () => Promise<void>
  onFailure: (error: Error) => void
  signal: AbortSignal
}

/**
 * Deploys again whenever LocalStack was restarted, until that succeeds, because LocalStack keeps its resources in
 * memory alone. Returns a function that ends this; it settles when no deployment is under way any more.
 */
export function redeployAfterRestarts({ server, deploy, onFailure, signal }: RedeploymentOptions): () => Promise<void> {
  const stopped = new AbortController()
  const ending = AbortSignal.any([stopped.signal, signal])

  async function watch(): Promise<void> {
    for (let deployedFor = 0; !ending.aborted; ) {
      const { state, restarts } = server.health()
      if (state === 'healthy' && restarts > deployedFor) {
        await deploy().then(
          () => {
            deployedFor = restarts
          },
          (error: Error) => {
            if (!ending.aborted) onFailure(error)
          },
        )
      }
      await pause(EVERY_MS, undefined, { signal: ending }).catch(() => undefined)
    }
  }

  const watching = watch()
  return async () => {
    stopped.abort()
    await watching
  }
}
