// Is a failed batch delivered again, split or discarded, and after how long?

import type { ErrorControls } from '../definition/error-controls.ts'

/** The state of a batch that has just failed. */
export type FailedBatch = {
  records: number
  /** Attempts after the first one. */
  retries: number
  /** Failures of this batch in a row, this one included. */
  failures: number
}

export type NextStep = { step: 'retry'; inMs: number } | { step: 'bisect'; inMs: number } | { step: 'discard' }

type Backoff = { firstMs: number; longestMs: number }

const failureBackoff: Backoff = { firstMs: 100, longestMs: 10_000 }
/** It is shorter than for failures: the function is busy, not broken, and may be free in a moment. */
const throttleBackoff: Backoff = { firstMs: 5, longestMs: 1_000 }

type RetryControls = Pick<ErrorControls, 'bisectBatch' | 'maximumRetryAttempts'>

/**
 * What to do with a batch that the function did not accept. Splitting does not count as a retry; only a batch that
 * cannot be split uses retries up, as with Lambda's other streams ("Splitting batches doesn't consume the retry
 * quota").
 */
export function afterError(controls: RetryControls, batch: FailedBatch): NextStep {
  if (controls.bisectBatch && batch.records > 1) return { step: 'bisect', inMs: failureBackoff.firstMs }
  return afterReportedFailures(controls, batch)
}

/**
 * What to do with the records that a function has reported as failed. They are not split, because the function has
 * already separated them.
 */
export function afterReportedFailures(
  { maximumRetryAttempts = Number.POSITIVE_INFINITY }: Pick<RetryControls, 'maximumRetryAttempts'>,
  { retries, failures }: FailedBatch,
): NextStep {
  return retries >= maximumRetryAttempts
    ? { step: 'discard' }
    : { step: 'retry', inMs: backoffMs(failures, failureBackoff) }
}

/** How many ms to wait after a throttle, when all concurrency was used. A throttle does not count as a retry. */
export const afterThrottle = (throttles: number): number => backoffMs(throttles, throttleBackoff)

const backoffMs = (times: number, { firstMs, longestMs }: Backoff): number =>
  Math.min(longestMs, firstMs * 2 ** (times - 1))
