import { signal } from '@preact/signals'
import type { Snapshot } from '#core/console/overview.ts'
import { API_ROOT } from '#core/console/routes.ts'
import { AskError, errorOf } from './ask-error.ts'
import { loadSession, lostSince, session } from './server.ts'
import { setServerTime } from './server-clock.ts'
import { fetchSignedIn } from './sign-in.ts'
import { noteTrend } from './trend.ts'

/** The newest snapshot; null before the first. It stays while the server does not answer. */
export const snapshot = signal<Snapshot | null>(null)

/** When the server was last heard (milliseconds of this machine). */
export const heardAt = signal<number | null>(null)

/** Why there is no snapshot, if the server says so. */
export const snapshotProblem = signal<AskError | null>(null)

/** The version of the snapshot that this page can read. */
export const READABLE_VERSION = 1

const POLL_MS = 2_000
const RETRY_MS = 3_000

/** Receives snapshots from now on, while the page is seen: as events if the server sends them, or by asking. */
export function subscribe(): void {
  let end = receive()
  document.addEventListener('visibilitychange', () => {
    end()
    // A hidden page receives nothing, so that it holds none of the few connections that a browser has for a server.
    end = document.hidden ? () => {} : receive()
  })
}

function take(received: Snapshot): void {
  snapshotProblem.value = null
  heardAt.value = Date.now()
  lostSince.value = null
  setServerTime(received.at)
  snapshot.value = received
  if (received.status !== null && received.version === READABLE_VERSION) noteTrend(received.at, received.status)
}

/** Returns what ends it. */
function receive(): () => void {
  const ended = new AbortController()
  const { signal: isEnded } = ended
  void run(isEnded)
  return () => ended.abort()
}

async function run(isEnded: AbortSignal): Promise<void> {
  while (!isEnded.aborted) {
    try {
      if (session.value === null) await loadSession()
      if (session.value?.events) await receiveEvents(isEnded)
      else await poll(isEnded)
    } catch (error) {
      if (isEnded.aborted) return
      snapshotProblem.value = error instanceof AskError ? error : null
      if (error instanceof AskError && error.status === 401) session.value = null
    }
    await pause(RETRY_MS, isEnded)
  }
}

/** Resolves when the stream has ended for good. The browser connects again by itself before that. */
function receiveEvents(isEnded: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const events = new EventSource(`${API_ROOT}/events`)
    const end = () => {
      events.close()
      resolve()
    }
    events.addEventListener('snapshot', ({ data }) => take(JSON.parse(data)))
    events.addEventListener('open', () => {
      lostSince.value = null
    })
    events.addEventListener('error', () => {
      if (isEnded.aborted) return
      lostSince.value ??= Date.now()
      // The stream was refused: the session says whether there still are events.
      if (events.readyState !== EventSource.CLOSED) return
      session.value = null
      end()
    })
    isEnded.addEventListener('abort', end, { once: true })
  })
}

async function poll(isEnded: AbortSignal): Promise<void> {
  let etag: string | null = null
  while (!isEnded.aborted) {
    const response: Response = await fetchSignedIn(`${API_ROOT}/snapshot`, {
      headers: etag === null ? {} : { 'if-none-match': etag },
      cache: 'no-store',
      signal: isEnded,
    }).catch((cause) => {
      if (!isEnded.aborted) lostSince.value ??= Date.now()
      throw new AskError(0, { message: "the console's server does not answer", hint: null }, cause)
    })
    lostSince.value = null
    if (response.status === 304) heardAt.value = Date.now()
    else if (response.ok) {
      etag = response.headers.get('etag')
      take(await response.json())
    } else throw await errorOf(response)
    await pause(POLL_MS, isEnded)
  }
}

function pause(ms: number, isEnded: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    isEnded.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        resolve()
      },
      { once: true },
    )
  })
}
