import RequestQueue from 'kafkajs/src/network/requestQueue/index.js'

/**
 * kafkajs 2.2.4 asks for a timer after each answer even when no request waits, for a time in the past, which Node takes
 * as one millisecond and reports as TimeoutNegativeWarning; that timer asks for the next one. A queue without requests
 * has nothing to check, and a request that joins it later asks for the timer itself.
 */
export function stopIdleTimers(): void {
  const queue = RequestQueue.prototype
  const schedule = queue.scheduleCheckPendingRequests
  queue.scheduleCheckPendingRequests = function (this: typeof queue) {
    if (this.pending.length > 0) schedule.call(this)
  }
}
