import { setTimeout } from 'node:timers/promises'
import type { ConnectorStatus } from '#core/status/health.ts'

/** The members that are used of the offset which Connect stores for one source partition. */
export type StoredOffset = { partition: { server?: string }; offset: Readonly<Record<string, unknown>> }

/** The calls that are used of Connect's REST API. A connector that does not exist is an outcome, not an error. */
export type ConnectApi = {
  /** Creates the connector or changes its configuration. */
  put(name: string, configuration: Record<string, string>): Promise<void>
  configuration(name: string): Promise<Record<string, string> | undefined>
  status(name: string): Promise<ConnectorStatus | undefined>
  /** Ends the tasks and keeps the configuration. The tasks end some moments after the answer. */
  stop(name: string): Promise<void>
  /** Starts a stopped connector. */
  resume(name: string): Promise<void>
  /** Restarts the connector and all its tasks, or only those of them that failed. */
  restart(name: string, parts: 'all' | 'failed'): Promise<void>
  /** How far the connector has read, for each `topic.prefix` of Debezium. The lsns are those of Debezium's offsets. */
  offsets(name: string): Promise<StoredOffset[]>
  /** Deletes the stored offsets of a stopped connector. */
  deleteOffsets(name: string): Promise<void>
  delete(name: string): Promise<void>
}

/** Connect cannot be reached: nothing listens there, its worker is starting, or no answer comes in time. */
export class ConnectUnreachableError extends Error {
  override readonly name = 'ConnectUnreachableError'
}

/** Connect answered that it did not do what it was asked; the message has Connect's reason. */
export class ConnectRefusedError extends Error {
  override readonly name = 'ConnectRefusedError'
  readonly status: number

  constructor(message: string, status: number) {
    super(message)
    this.status = status
  }
}

/** How long Connect is waited for. */
export type ConnectPatience = {
  /** For one answer. */
  readonly answerMs: number
  /** While a worker rebalances, during which it refuses changes with status 409. */
  readonly rebalanceMs: number
}

const USUAL_PATIENCE: ConnectPatience = { answerMs: 30_000, rebalanceMs: 60_000 }

/** A name and its password. */
export type ConnectLogin = { username: string; password: string }

/** Value of the header `authorization`. */
export const basicAuthorization = ({ username, password }: ConnectLogin): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`

/**
 * Connect's REST API at a URL, with a login if one is required. A request that a rebalancing worker refuses is repeated
 * for a minute. Throws ConnectUnreachableError or ConnectRefusedError.
 */
export function connectApi(url: string, login?: () => Promise<ConnectLogin>, patience?: ConnectPatience): ConnectApi {
  const ask = connectCalls(url, login, patience)
  const of = (name: string, rest = '') => `/connectors/${encodeURIComponent(name)}${rest}`
  return {
    put: async (name, configuration) => {
      await ask('PUT', of(name, '/config'), configuration)
    },
    configuration: (name) => unlessAbsent(ask('GET', of(name, '/config'))),
    status: (name) => unlessAbsent(ask('GET', of(name, '/status'))),
    stop: (name) => unlessAbsent(ask('PUT', of(name, '/stop'))),
    resume: (name) => unlessAbsent(ask('PUT', of(name, '/resume'))),
    restart: (name, parts) =>
      unlessAbsent(ask('POST', of(name, `/restart?includeTasks=true&onlyFailed=${parts === 'failed'}`))),
    offsets: async (name) =>
      (await unlessAbsent<{ offsets: StoredOffset[] }>(ask('GET', of(name, '/offsets'))))?.offsets ?? [],
    deleteOffsets: (name) => unlessAbsent(ask('DELETE', of(name, '/offsets'))),
    delete: (name) => unlessAbsent(ask('DELETE', of(name))),
  }
}

/** A call of Connect's REST API that answers with the parsed body, which is undefined if there is none. */
export type ConnectCall = (method: string, path: string, body?: unknown) => Promise<unknown>

/** Calls at a URL, as `connectApi` makes them. */
export function connectCalls(
  url: string,
  login?: () => Promise<ConnectLogin>,
  patience: ConnectPatience = USUAL_PATIENCE,
): ConnectCall {
  return async (method, path, body) => {
    const headers = login && { authorization: basicAuthorization(await login()) }
    return request(new URL(path, url), { method, body, patience, ...(headers && { headers }) })
  }
}

type Question = { method: string; body: unknown; patience: ConnectPatience; headers?: Record<string, string> }

type Answer = { status: number; body: unknown }

/** The body of the answer, or undefined if the connector does not exist. */
export async function unlessAbsent<T>(body: Promise<unknown>): Promise<T | undefined> {
  try {
    return (await body) as T
  } catch (error) {
    if (error instanceof ConnectRefusedError && error.status === 404) return undefined
    throw error
  }
}

async function request(url: URL, question: Question): Promise<unknown> {
  const end = Date.now() + question.patience.rebalanceMs
  for (;;) {
    const answer = await ask(url, question)
    if (answer.status < 300) return answer.body
    if (isStarting(answer)) throw new ConnectUnreachableError(`the Connect worker at ${url.origin} is starting`)
    const message = messageOf(answer)
    if (!isBusy(answer.status, message) || Date.now() > end) {
      throw new ConnectRefusedError(`Connect refused ${question.method} ${url.pathname}: ${message}`, answer.status)
    }
    await setTimeout(500)
  }
}

async function ask(url: URL, { method, headers, body, patience }: Question): Promise<Answer> {
  try {
    const response = await fetch(url, {
      method,
      signal: AbortSignal.timeout(patience.answerMs),
      headers: { accept: 'application/json', 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : parseJson(text) }
  } catch (cause) {
    throw new ConnectUnreachableError(`Connect does not answer at ${url.origin}`, { cause })
  }
}

/**
 * A worker that starts listens before its REST API exists. Until then its HTTP server answers 404 for every path, also
 * for a connector that is registered and for `/health`. In the API's own errors the body has an `error_code`, and
 * the API answers for a configuration only when the worker has read the config topic and has joined its group.
 */
const isStarting = ({ status, body }: Answer): boolean =>
  status === 404 && !(typeof body === 'object' && body !== null && 'error_code' in body)

/** A worker answers 409 while it rebalances. One that has not joined its group yet answers 500 after a while. */
const isBusy = (status: number, message: string): boolean =>
  status === 409 || (status === 500 && message.startsWith('Request timed out'))

function messageOf({ body }: Answer): string {
  if (typeof body === 'object' && body !== null && 'message' in body) return String(body.message)
  return typeof body === 'string' ? body : 'without a message'
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The answer is not from Connect but from something in front of it, such as a proxy. Its text is shown.
    return text.slice(0, 500)
  }
}
