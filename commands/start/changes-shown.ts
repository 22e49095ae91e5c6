import { setTimeout as pause } from 'node:timers/promises'
import type { StatusMonitor } from '#verify/status-monitor.ts'

/** A stack into which nothing is fed, or that cannot apply anything, is not waited for any longer. */
const PATIENCE_MS = 30_000

const EVERY_MS = 500

/**
 * Resolves when the first rows are visible in the target, or after half a minute. Without a feed there need not be any
 * rows, so the first beacon is enough. It also resolves when `signal` aborts.
 */
export async function untilChangesShow(
  monitor: Pick<StatusMonitor, 'status'>,
  feeds: boolean,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (!signal.aborted && performance.now() < deadline) {
    const { visibleUntilMsAgo, tables } = monitor.status()
    if (visibleUntilMsAgo !== null && (!feeds || tables.some(({ target }) => (target?.rows ?? 0) > 0))) return
    await pause(EVERY_MS, undefined, { signal }).catch(() => undefined)
  }
}
