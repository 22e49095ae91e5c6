import { createHash, timingSafeEqual } from 'node:crypto'
import { API_ROOT, type Routes, TOKEN_HEADER } from '#core/console/routes.ts'
import type { Problem } from '#core/console/values.ts'
import { type ConsoleRequest, type ConsoleResponse, PlainAnswer, type RoutedRequest } from './console-request.ts'
import { messageOf, PartUnreachableError, RequestProblem } from './request-problem.ts'
import type { UnreachableParts } from './unreachable-parts.ts'

/** What answers each route: its content, or a PlainAnswer. It throws a RequestProblem for a wrong request. */
export type RouteHandlers = {
  readonly [R in keyof Routes]: (request: RoutedRequest) => Promise<Routes[R] | PlainAnswer>
}

/** Answers a request of the page. It never rejects: what fails becomes an answer that says what and why. */
export type ServeConsole = (request: ConsoleRequest) => Promise<ConsoleResponse>

/** Lambda takes no larger answer (6 MB), and a browser shows nothing useful of one. */
const MOST_BYTES = 5_500_000

/** `token` has to come with everything that is not GET, so that a page of another origin cannot do anything. */
export function makeServeConsole(handlers: RouteHandlers, parts: UnreachableParts, token: string): ServeConsole {
  const routes = Object.entries(handlers).map(([route, handle]) => ({ ...patternOf(route), handle }))
  return async (request) => {
    try {
      const found = routes
        .map((route) => ({ route, match: route.method === request.method ? route.path.exec(request.path) : null }))
        .find(({ match }) => match !== null)
      if (found === undefined)
        throw new RequestProblem(404, `the console has no ${request.method} ${API_ROOT}${request.path}`)
      if (request.method !== 'GET' && !isToken(request.headers[TOKEN_HEADER], token)) {
        throw new RequestProblem(403, 'the request has no token of this console', 'Load the page again.')
      }
      const content = await found.route.handle({ ...request, params: decoded(found.match!.groups ?? {}) })
      return answerWith(content, request)
    } catch (error) {
      return problemOf(error, parts)
    }
  }
}

function patternOf(route: string): { method: string; path: RegExp } {
  const [method, path] = route.split(' ') as [string, string]
  return { method, path: new RegExp(`^${path.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}$`) }
}

function decoded(groups: Record<string, string>): Record<string, string> {
  try {
    return Object.fromEntries(Object.entries(groups).map(([name, text]) => [name, decodeURIComponent(text)]))
  } catch (cause) {
    throw Object.assign(new RequestProblem(400, 'the path is not encoded as URLs are'), { cause })
  }
}

/** Compared in constant time, so that a token cannot be guessed byte by byte. */
function isToken(given: string | undefined, token: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest()
  return given !== undefined && timingSafeEqual(hash(given), hash(token))
}

function answerWith(content: unknown, { method, headers }: ConsoleRequest): ConsoleResponse {
  if (content instanceof PlainAnswer) return { status: 200, headers: content.headers, body: content.body }
  const body = JSON.stringify(content)
  if (Buffer.byteLength(body) > MOST_BYTES)
    throw new RequestProblem(413, 'the answer is too large', 'Ask for fewer rows.')
  if (method !== 'GET') return { status: 200, headers: json, body }
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  const isKnown = headers['if-none-match'] === etag
  return {
    status: isKnown ? 304 : 200,
    headers: { ...json, etag, 'cache-control': 'no-cache' },
    body: isKnown ? '' : body,
  }
}

const json = { 'content-type': 'application/json; charset=utf-8' }

function problemOf(error: unknown, parts: UnreachableParts): ConsoleResponse {
  if (error instanceof RequestProblem) return problem(error.status, { message: error.message, hint: error.hint })
  if (error instanceof PartUnreachableError) {
    const unreachable = parts.of(error)
    const message = `${unreachable.part} does not answer: ${unreachable.why}`
    return problem(503, { message, hint: unreachable.command, unreachable })
  }
  if (isOfDatabase(error)) {
    const status = error.code === '42501' ? 403 : 409
    return problem(status, { message: error.message, hint: error.hint ?? null })
  }
  return problem(500, { message: messageOf(error), hint: null })
}

const problem = (status: number, error: Problem['error']): ConsoleResponse => ({
  status,
  headers: json,
  body: JSON.stringify({ error } satisfies Problem),
})

/** An error that Postgres has raised: a missing right, or one that a function of Tidemark raises with a hint. */
const isOfDatabase = (error: unknown): error is Error & { code: string; hint?: string } =>
  error instanceof Error && 'severity' in error && 'code' in error && typeof error.code === 'string'
