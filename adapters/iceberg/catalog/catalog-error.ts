/** A request that the catalog refused, or did not answer after several attempts; `message` says what to look at. */
export class CatalogError extends Error {
  override readonly name = 'CatalogError'
  /** Undefined where there was no answer. */
  readonly status: number | undefined
  /** The type of the catalog's error, such as `ForbiddenException`. */
  readonly type: string | undefined

  constructor(message: string, { status, type, cause }: { status?: number; type?: string; cause?: unknown } = {}) {
    super(message, { cause })
    this.status = status
    this.type = type
  }
}
