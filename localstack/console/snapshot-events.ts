import type { ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type { ConsoleResponse } from '#lambdas/serve-console/console-request.ts'

/** Sends the snapshot to pages as server-sent events, each time it has changed. */
export type SnapshotEvents = {
  /** Begins to send to a page that knows the snapshot `lastEventId`. Returns false if too many pages are listening. */
  attach(response: ServerResponse, lastEventId: string | undefined): boolean
  /** Ends the answers to all pages. */
  stop(): void
}

export type SnapshotEventsOptions = {
  /** Asks for the snapshot; the answer has the status 304 if it is the one with this ETag. */
  ask: (etag: string | undefined) => Promise<ConsoleResponse>
  everyMs?: number
  heartbeatMs?: number
  /** The greatest number of pages. */
  most?: number
}

/** A page that takes nothing for so long is gone, although its connection still stands. */
const GIVEN_UP_MS = 60_000

type Listener = {
  readonly response: ServerResponse
  /** The snapshot that was sent last. */
  sent: string | undefined
  /** Since when the connection takes nothing more; undefined while it does. */
  fullSince: number | undefined
}

/**
 * The snapshot is asked for once for all pages, and only while there are any. A page that reads slowly gets the newest
 * snapshot when it has read the one before, so that nothing piles up in memory.
 */
export function makeSnapshotEvents(options: SnapshotEventsOptions): SnapshotEvents {
  const { ask, everyMs = 1_000, heartbeatMs = 15_000, most = 64 } = options
  const listeners = new Set<Listener>()
  let latest: { readonly etag: string; readonly body: string } | undefined
  let isPolling = false
  const stopped = new AbortController()

  const send = (listener: Listener): void => {
    if (latest === undefined || listener.sent === latest.etag || listener.fullSince !== undefined) return
    listener.sent = latest.etag
    write(listener, `event: snapshot\nid: ${latest.etag}\ndata: ${latest.body}\n\n`)
  }
  const write = (listener: Listener, text: string): void => {
    if (!listener.response.write(text)) listener.fullSince = Date.now()
  }

  const poll = async (): Promise<void> => {
    isPolling = true
    while (listeners.size > 0 && !stopped.signal.aborted) {
      const { status, headers, body } = await ask(latest?.etag)
      if (status === 200) latest = { etag: headers['etag'] ?? '', body }
      for (const listener of listeners) {
        if (listener.fullSince !== undefined && Date.now() - listener.fullSince > GIVEN_UP_MS)
          listener.response.destroy()
        else send(listener)
      }
      await pause(everyMs, undefined, { signal: stopped.signal }).catch(() => undefined)
    }
    isPolling = false
  }

  const heartbeat = setInterval(() => {
    for (const listener of listeners) if (listener.fullSince === undefined) write(listener, ': still here\n\n')
  }, heartbeatMs)
  heartbeat.unref()

  return {
    attach(response, lastEventId) {
      if (listeners.size >= most) return false
      const listener: Listener = { response, sent: lastEventId, fullSince: undefined }
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' })
      response.on('drain', () => {
        listener.fullSince = undefined
        send(listener)
      })
      response.on('close', () => listeners.delete(listener))
      listeners.add(listener)
      // The browser connects again one second after the connection was lost.
      write(listener, 'retry: 1000\n\n')
      send(listener)
      if (!isPolling) void poll()
      return true
    },
    stop() {
      stopped.abort()
      clearInterval(heartbeat)
      for (const { response } of listeners) response.end()
      listeners.clear()
    },
  }
}
