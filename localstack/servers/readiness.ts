import { setTimeout as pause } from 'node:timers/promises'

/** Asks `condition` until it holds; false when `withinMs` have passed or `signal` is aborted. */
export async function becomesTrue(
  condition: () => Promise<boolean>,
  { withinMs, everyMs = 50, signal }: { withinMs: number; everyMs?: number; signal?: AbortSignal },
): Promise<boolean> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline && !signal?.aborted; ) {
    if (await condition()) return true
    await pause(everyMs)
  }
  return false
}
