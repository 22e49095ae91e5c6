import { setTimeout as pause } from 'node:timers/promises'
import { vi } from 'vitest'

/** Settles with what `check` returns once it no longer throws; rejects with what it throws after 45 s. */
export const eventually = <T>(check: () => T) => vi.waitFor(check, { timeout: 45_000, interval: 10 })

/** Waits until `condition` gives a value other than undefined and false; throws with `what` after two minutes. */
export async function until<T>(what: string, condition: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = Date.now() + 120_000
  for (;;) {
    const value = await condition()
    if (value !== undefined && value !== false) return value
    if (Date.now() > deadline) throw new Error(`${what} did not happen within two minutes`)
    await pause(50)
  }
}
