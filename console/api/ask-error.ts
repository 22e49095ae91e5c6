import type { Problem, Unreachable } from '#core/console/values.ts'

/** An answer of the console's server that says what is wrong, or that there is none: then `status` is 0. */
export class AskError extends Error {
  override readonly name = 'AskError'
  readonly status: number
  readonly hint: string | null
  readonly unreachable: Unreachable | null

  constructor(status: number, { message, hint, unreachable }: Problem['error'], cause?: unknown) {
    super(message, { cause })
    this.status = status
    this.hint = hint
    this.unreachable = unreachable ?? null
  }

  /** Whether the console's own server does not answer. */
  get isLost(): boolean {
    return this.status === 0
  }
}

/** The error of an answer. A server in front, such as a proxy, answers without the body of ours. */
export async function errorOf(response: Response): Promise<AskError> {
  try {
    const { error } = (await response.json()) as Problem
    return new AskError(response.status, error)
  } catch (cause) {
    const message = `the console's server answered ${response.status} ${response.statusText}`.trim()
    return new AskError(response.status, { message, hint: null }, cause)
  }
}
