import type { IncomingHttpHeaders } from 'node:http'

/** A request with its whole body. */
export type Request = {
  method: string
  /** The decoded path, without the query. */
  path: string
  query: URLSearchParams
  headers: IncomingHttpHeaders
  body: Buffer
}

/** A response. `body` is sent unchanged when it is a Buffer or a string, otherwise as JSON. */
export type Response = { status: number; headers?: Record<string, string>; body?: unknown }

/** One service. It answers its own requests, and returns undefined for all others. */
export type Service = (request: Request) => Promise<Response | undefined> | Response | undefined

/** The header as one string; when it is repeated, the first one. */
export function headerOf(request: Request, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}
