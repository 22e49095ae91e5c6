import { setTimeout as pause } from 'node:timers/promises'
import { vi } from 'vitest'

/** Resolves with the result of `check` when it no longer throws. Rejects with its error after 45 s. */
export const eventually = <T>(check: () => T) => vi.waitFor(check, { timeout: 45_000, interval: 10 })

/**
 * Waits until `condition` returns a value other than undefined and false. Throws an Error with `what` after two
 * minutes.
 */
export async function until<T>(what: string, condition: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = Date.now() + 120_000
  for (;;) {
    const value = await condition()
    if (value !== undefined && value !== false) return value
    if (Date.now() > deadline) throw new Error(`${what} did not happen within two minutes`)
    await pause(50)
  }
}
