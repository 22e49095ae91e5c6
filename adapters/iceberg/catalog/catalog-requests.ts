import { setTimeout } from 'node:timers/promises'
import { type ExactJson, parseExactJson, stringifyExactJson } from '../table/exact-json.ts'
import { CatalogError } from './catalog-error.ts'
import type { RequestSigner } from './sign-requests.ts'

/** An answer whose body was read to its end. */
export type Answer = {
  readonly kind: 'answer'
  /** Method and URL, for messages. */
  readonly request: string
  readonly status: number
  /** The body as JSON; undefined if it is not JSON. */
  readonly body: ExactJson | undefined
  /** The type and message of an error, in whichever form the catalog, or a proxy in front of it, sends them. */
  readonly type: string | undefined
  readonly message: string
}

/** No complete answer came, so the request may have been done, may still be done, or may never be done. */
export type NoAnswer = { readonly kind: 'no answer'; readonly request: string; readonly cause: unknown }

export type CatalogRequests = {
  /** Sends the request once. */
  send(method: string, path: string, body?: unknown): Promise<Answer | NoAnswer>
  /**
   * Repeats the request until the answer does not depend on the state of the catalog, such as being overloaded. It is
   * only for requests that may be done twice.
   */
  sendAgain(method: string, path: string, body?: unknown): Promise<Answer>
}

export type RequestOptions = {
  /** The URL before `/v1`. */
  readonly endpoint: string
  readonly sign?: RequestSigner | undefined
  readonly fetch?: typeof globalThis.fetch | undefined
  /** The time limit for a complete answer. */
  readonly timeoutMs?: number | undefined
  /** The pauses between the attempts of `sendAgain`. */
  readonly retryAfterMs?: readonly number[] | undefined
}

const TIMEOUT_MS = 30_000
const RETRY_AFTER_MS = [200, 1_000, 3_000]

/** Requests to a REST catalog. Integers of 64 bits are exact in both directions. */
export function makeCatalogRequests(options: RequestOptions): CatalogRequests {
  const send = (method: string, path: string, body?: unknown) => sendOnce(options, method, path, body)
  return {
    send,
    sendAgain: async (method, path, body) => {
      let last = await send(method, path, body)
      for (const wait of options.retryAfterMs ?? RETRY_AFTER_MS) {
        if (last.kind === 'answer' && !leavesOutcomeUnknown(last)) return last
        await setTimeout(wait)
        last = await send(method, path, body)
      }
      if (last.kind === 'answer') return last
      throw new CatalogError(`the catalog does not answer ${last.request}`, { cause: last.cause })
    },
  }
}

/**
 * Whether it is open after this answer if the request was done: the catalog, or a proxy in front of it, failed or was
 * too busy.
 */
export function leavesOutcomeUnknown({ status, type }: Answer): boolean {
  return status >= 500 || status === 408 || status === 429 || /throttl|too ?many ?requests|slow ?down/i.test(type ?? '')
}

async function sendOnce(options: RequestOptions, method: string, path: string, body: unknown) {
  const { endpoint, sign, fetch = globalThis.fetch, timeoutMs = TIMEOUT_MS } = options
  const url = new URL(`${endpoint.replace(/\/+$/, '')}${path}`)
  const request = `${method} ${url.href}`
  const text = body === undefined ? undefined : stringifyExactJson(body)
  const plain = { accept: 'application/json', ...(text === undefined ? {} : { 'content-type': 'application/json' }) }
  // Signing is outside of `try`: if there are no credentials, nothing was sent, and the error is not `no answer`.
  const headers = (await sign?.({ method, url, headers: plain, body: text })) ?? plain
  try {
    const response = await fetch(url, {
      method,
      headers,
      // Redirects are not followed, because a signature is valid for one URL, and a commit must be sent only once.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
      ...(text === undefined ? {} : { body: text }),
    })
    return readAnswer(request, response, await response.text())
  } catch (cause) {
    return { kind: 'no answer', request, cause } satisfies NoAnswer
  }
}

function readAnswer(request: string, response: Response, text: string): Answer {
  const body = parseJson(text)
  const error = fieldsOf(fieldsOf(body)['error'])
  const type = error['type'] ?? response.headers.get('x-amzn-errortype')?.split(':')[0] ?? fieldsOf(body)['__type']
  const message = error['message'] ?? fieldsOf(body)['message'] ?? fieldsOf(body)['Message'] ?? text.slice(0, 500)
  return {
    kind: 'answer',
    request,
    status: response.status,
    body,
    type: typeof type === 'string' ? type : undefined,
    message: typeof message === 'string' && message !== '' ? message : 'without a message',
  }
}

function parseJson(text: string): ExactJson | undefined {
  try {
    return parseExactJson(text)
  } catch {
    // The answer is cut short, or comes from something in front of the catalog, such as a proxy. The caller sees that
    // there is no JSON.
    return undefined
  }
}

const fieldsOf = (json: ExactJson | undefined): { readonly [key: string]: ExactJson } =>
  typeof json === 'object' && json !== null && !Array.isArray(json) ? json : {}

/** The error for an answer that is not a success. */
export function refusalOf(answer: Answer): CatalogError {
  const { request, status, type, message } = answer
  return new CatalogError(
    `the catalog answered ${request} with ${status}${type === undefined ? '' : ` ${type}`}: ${message}; ${adviceFor(answer)}`,
    {
      status,
      ...(type === undefined ? {} : { type }),
    },
  )
}

function adviceFor({ status, type }: Answer): string {
  if (isAboutCredentials(status, type)) return 'check the credentials, and the region and service they sign for'
  if (status === 403) return "check what the function's role may do, in IAM and in Lake Formation"
  if (status === 404) return "check the catalog's address, the warehouse, and that namespace and table are there"
  if (status >= 500 || status === 429) return 'the catalog has a problem of its own: try again later'
  return 'the catalog does not take this request: check the warehouse and the names'
}

/** AWS also answers a wrong signature with 403, so the type of the error decides. */
const isAboutCredentials = (status: number, type = ''): boolean =>
  status === 401 || status === 419 || /signature|token|credential|unrecognizedclient/i.test(type)
