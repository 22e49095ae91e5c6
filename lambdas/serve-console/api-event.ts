import { API_ROOT } from '#core/console/routes.ts'
import type { ConsoleRequest, ConsoleResponse } from './console-request.ts'

/** What this function reads of an event of an HTTP API, in the payload format 2.0. */
export type ApiEvent = {
  readonly rawPath: string
  readonly rawQueryString: string
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly body?: string
  readonly isBase64Encoded?: boolean
  readonly requestContext: {
    readonly http: { readonly method: string }
    readonly authorizer?: {
      readonly iam?: { readonly userArn?: string } | null
      readonly jwt?: { readonly claims?: Readonly<Record<string, unknown>> } | null
    }
  }
}

/** The answer in the payload format 2.0. */
export type ApiAnswer = {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly isBase64Encoded: false
}

/**
 * The request that an HTTP API passes on. Undefined if no authorizer has named a user: an API without one must show
 * nothing.
 */
export function requestOf(event: ApiEvent): ConsoleRequest | undefined {
  const who = userOf(event)
  if (who === undefined) return undefined
  const { rawPath, rawQueryString, headers = {}, body, isBase64Encoded = false } = event
  return {
    method: event.requestContext.http.method,
    path: pathBelow(rawPath),
    query: new URLSearchParams(rawQueryString),
    headers,
    body: body === undefined ? null : isBase64Encoded ? Buffer.from(body, 'base64').toString('utf8') : body,
    who,
  }
}

/** An answer of the API may hold rows, so that no cache on the way keeps it. */
export const answerOf = ({ status, headers, body }: ConsoleResponse): ApiAnswer => ({
  statusCode: status,
  headers: { 'cache-control': 'no-store', ...headers, 'x-content-type-options': 'nosniff' },
  body,
  isBase64Encoded: false,
})

/** The caller's ARN, or the name that the user pool knows. */
function userOf({ requestContext: { authorizer } }: ApiEvent): string | undefined {
  const claims = authorizer?.jwt?.claims ?? {}
  const names = [
    authorizer?.iam?.userArn,
    claims['email'],
    claims['cognito:username'],
    claims['username'],
    claims['sub'],
  ]
  return names.find((name): name is string => typeof name === 'string' && name !== '')
}

/** HTTP APIs may have decoded the path already, so that a `%` in it need not begin an encoded character. */
function pathBelow(rawPath: string): string {
  const below = rawPath.startsWith(API_ROOT) ? rawPath.slice(API_ROOT.length) : rawPath
  return below
    .split('/')
    .map((segment) => (isDecodable(segment) ? segment : encodeURIComponent(segment)))
    .join('/')
}

function isDecodable(segment: string): boolean {
  try {
    decodeURIComponent(segment)
    return true
  } catch {
    return false
  }
}
