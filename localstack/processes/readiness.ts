import { setTimeout as pause } from 'node:timers/promises'

/**
 * How long a server may take for one answer before it is asked again. It is long, because on a busy machine every
 * answer is late.
 */
export const ANSWER_MS = 10_000

/**
 * Calls `condition` until it holds. Resolves with false when `withinMs` have passed or `signal` is aborted. There is
 * one call at a time; an abort does not wait for it.
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
