import type { IncomingHttpHeaders } from 'node:http'

/** A request as it came, with its body read. */
export type Request = {
  method: string
  /** Path, decoded, without query. */
  path: string
  query: URLSearchParams
  headers: IncomingHttpHeaders
  body: Buffer
}

/** What is answered. `body` is sent as it is when it is a Buffer or a string, otherwise as JSON. */
export type Response = { status: number; headers?: Record<string, string>; body?: unknown }

/** One service: answers the requests that are its own, undefined for others. */
export type Service = (request: Request) => Promise<Response | undefined> | Response | undefined

/** The header as one string; repeated headers count as their first. */
export function headerOf(request: Request, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}
