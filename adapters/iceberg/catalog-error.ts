/** A request that the catalog refused, or did not answer after several attempts; `message` says what to look at. */
export class CatalogError extends Error {
  override readonly name = 'CatalogError'
  /** Undefined where there was no answer. */
  readonly status: number | undefined
  /** The type of the catalog's error, such as `ForbiddenException`. */
  readonly type: string | undefined
  /** Whether the same request may succeed later. */
  readonly retryable: boolean

  constructor(
    message: string,
    { status, type, retryable, cause }: { status?: number; type?: string; retryable: boolean; cause?: unknown },
  ) {
    super(message, { cause })
    this.status = status
    this.type = type
    this.retryable = retryable
  }
}
