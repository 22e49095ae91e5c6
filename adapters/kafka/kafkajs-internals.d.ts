/** The part of kafkajs 2.2.4 that `idle-request-queue.ts` corrects; the package has no types for it. */
declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    pending: readonly unknown[]
    scheduleCheckPendingRequests(): void
  }
}
