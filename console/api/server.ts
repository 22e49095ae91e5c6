import { signal } from '@preact/signals'
import type { Session } from '#core/console/overview.ts'
import { API_ROOT, type Bodies, type Routes, TOKEN_HEADER } from '#core/console/routes.ts'
import type { Query } from '../routing/place.ts'
import { AskError, errorOf } from './ask-error.ts'
import { fetchSignedIn } from './sign-in.ts'

/** Since when the console's own server does not answer (milliseconds of this machine); null while it does. */
export const lostSince = signal<number | null>(null)

/** Who looks and what this console can do; null until the server has said so. */
export const session = signal<Session | null>(null)

/** What a request is made of, besides its route. */
export type Asked<R extends keyof Routes> = {
  /** The segments of the path that the route names. */
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Query
  readonly body?: R extends keyof Bodies ? Bodies[R] : never
  readonly signal?: AbortSignal
}

/** The URL of a route. */
export function urlOf(
  route: keyof Routes,
  { params = {}, query = {} }: Pick<Asked<keyof Routes>, 'params' | 'query'> = {},
) {
  const path = route
    .slice(route.indexOf(' ') + 1)
    .replace(/:(\w+)/g, (_, name) => encodeURIComponent(params[name] ?? ''))
  const given = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === null || value === undefined || value === '' ? [] : [[name, value]],
  )
  const search = new URLSearchParams(given).toString()
  return `${API_ROOT}${path}${search === '' ? '' : `?${search}`}`
}

/** Asks the server. It rejects with an AskError, or with an AbortError if `signal` has ended it. */
export async function ask<R extends keyof Routes>(route: R, asked: Asked<R> = {}): Promise<Routes[R]> {
  const response = await send(route, asked)
  if (response.ok) return (await response.json()) as Routes[R]
  const isSessionOver = response.status === 401 || (response.status === 403 && !route.startsWith('GET '))
  if (!isSessionOver || route === 'GET /session') throw await errorOf(response)
  // A server that was started again has another token.
  const token = session.value?.token
  await loadSession()
  if (session.value?.token === token) throw await errorOf(response)
  const again = await send(route, asked)
  if (!again.ok) throw await errorOf(again)
  return (await again.json()) as Routes[R]
}

async function send<R extends keyof Routes>(route: R, asked: Asked<R>): Promise<Response> {
  const method = route.slice(0, route.indexOf(' '))
  const headers: Record<string, string> = { accept: 'application/json' }
  if (method !== 'GET') headers[TOKEN_HEADER] = session.value?.token ?? ''
  if (asked.body !== undefined) headers['content-type'] = 'application/json'
  const body = asked.body === undefined ? null : JSON.stringify(asked.body)
  try {
    const response = await fetchSignedIn(urlOf(route, asked), { method, headers, body, signal: asked.signal ?? null })
    lostSince.value = null
    return response
  } catch (cause) {
    if (asked.signal?.aborted) throw cause
    lostSince.value ??= Date.now()
    throw new AskError(0, { message: "the console's server does not answer", hint: null }, cause)
  }
}

let loading: Promise<void> | undefined

/** Asks who looks. Several callers at once share one request. */
export function loadSession(): Promise<void> {
  loading ??= ask('GET /session')
    .then((loaded) => {
      session.value = loaded
    })
    .finally(() => {
      loading = undefined
    })
  return loading
}
