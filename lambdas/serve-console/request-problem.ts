import type { ConsolePart } from '#core/console/values.ts'

/** The request cannot be answered as it is; the message says why, and the hint what helps. */
export class RequestProblem extends Error {
  override readonly name = 'RequestProblem'
  readonly status: 400 | 403 | 404 | 409 | 413
  readonly hint: string | null

  constructor(status: RequestProblem['status'], message: string, hint: string | null = null) {
    super(message)
    this.status = status
    this.hint = hint
  }
}

/** A part that the answer needs does not answer. Panels show it, and ask again. */
export class PartUnreachableError extends Error {
  override readonly name = 'PartUnreachableError'
  readonly part: ConsolePart

  constructor(part: ConsolePart, cause: unknown) {
    super(messageOf(cause), { cause })
    this.part = part
  }
}

/** The messages of an error and of its causes, as one line. */
export function messageOf(error: unknown): string {
  const messages: string[] = []
  for (let each: unknown = error; each instanceof Error && messages.length < 5; each = each.cause) {
    // Node names nobody where a connection was refused at each of several addresses.
    const message = each.message || (each as NodeJS.ErrnoException).code || each.name
    if (!messages.includes(message)) messages.push(message)
  }
  return messages.length === 0 ? String(error) : messages.join(', because ')
}
