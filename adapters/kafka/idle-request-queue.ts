import RequestQueue from 'kafkajs/src/network/requestQueue/index.js'

/**
 * kafkajs 2.2.4 sets a timer after each answer, even if no request waits, and for a time in the past. Node rounds that
 * up to one millisecond and reports it as TimeoutNegativeWarning, and each timer sets the next one. With this change no
 * timer is set for an empty queue; a request that joins the queue later sets it.
 */
export function stopIdleTimers(): void {
  const queue = RequestQueue.prototype
  const schedule = queue.scheduleCheckPendingRequests
  queue.scheduleCheckPendingRequests = function (this: typeof queue) {
    if (this.pending.length > 0) schedule.call(this)
  }
}
