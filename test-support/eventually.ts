import { vi } from 'vitest'

/** Settles with what `check` returns once it no longer throws; rejects with what it throws after 45 s. */
export const eventually = <T>(check: () => T) => vi.waitFor(check, { timeout: 45_000, interval: 10 })
