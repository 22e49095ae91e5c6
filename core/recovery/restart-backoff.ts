/** How often the connector's task was started again without running for long after it, and when it was last started. */
export type Restarts = { readonly count: number; readonly lastMs: number | null }

const MINUTE_MS = 60_000

/**
 * The longest wait before a failed task is started again. After running for this long, earlier failures are forgotten.
 */
export const LONGEST_WAIT_MS = 15 * MINUTE_MS

/**
 * When a failed task is started again, in ms since 1970: at once the first time, then 1, 2, 4, 8 and 15 minutes after
 * the last start.
 */
export function nextRestartMs({ count, lastMs }: Restarts, nowMs: number): number {
  if (count === 0 || lastMs === null) return nowMs
  return lastMs + Math.min(2 ** (count - 1) * MINUTE_MS, LONGEST_WAIT_MS)
}

/** What is remembered of restarts while the task runs. A task that fails soon after each start keeps its wait. */
export function whileRunning(restarts: Restarts, nowMs: number): Restarts {
  const hasLasted = restarts.lastMs === null || nowMs - restarts.lastMs >= LONGEST_WAIT_MS
  return hasLasted ? { count: 0, lastMs: null } : restarts
}
