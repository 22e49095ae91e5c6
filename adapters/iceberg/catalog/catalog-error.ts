/** The catalog refused a request, or did not answer it in several attempts; `message` says what to check. */
export class CatalogError extends Error {
  override readonly name = 'CatalogError'
  /** Undefined if there was no answer. */
  readonly status: number | undefined
  /** The type of the catalog's error, such as `ForbiddenException`. */
  readonly type: string | undefined

  constructor(message: string, { status, type, cause }: { status?: number; type?: string; cause?: unknown } = {}) {
    super(message, { cause })
    this.status = status
    this.type = type
  }
}
