import { setTimeout as pause } from 'node:timers/promises'

/** How long a server may take over one answer before it is asked again: on a loaded machine every answer is late. */
export const ANSWER_MS = 10_000

/**
 * Asks `condition` until it holds; false when `withinMs` have passed or `signal` is aborted. It is not asked while an answer
 * is due; an abort does not wait for the answer.
 */
export async function becomesTrue(
  condition: () => Promise<boolean>,
  { withinMs, everyMs = 50, signal }: { withinMs: number; everyMs?: number; signal?: AbortSignal },
): Promise<boolean> {
  const aborted = Promise.withResolvers<boolean>()
  const onAbort = (): void => aborted.resolve(false)
  signal?.addEventListener('abort', onAbort)
  try {
    for (const deadline = Date.now() + withinMs; Date.now() < deadline && !signal?.aborted; ) {
      if (await Promise.race([condition(), aborted.promise])) return true
      await pause(everyMs, undefined, signal && { signal }).catch(() => undefined)
    }
    return false
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}
