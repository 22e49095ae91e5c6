import type { ConsoleRequest } from './console-request.ts'
import { RequestProblem } from './request-problem.ts'

/** The JSON object that was posted. Throws a RequestProblem if the body is none. */
export function postedBody({ body }: Pick<ConsoleRequest, 'body'>): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(body ?? '')
  } catch {
    // Neither the text nor the parser's message is shown, because they may have a password in them.
    throw new RequestProblem(400, 'the body of the request is no JSON')
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new RequestProblem(400, 'the body of the request is no JSON object')
}

/** The text under a name. Throws a RequestProblem if there is none. */
export function textIn(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = body[name]
  if (typeof value === 'string') return value
  throw new RequestProblem(400, `the body of the request has no text ${name}`)
}
