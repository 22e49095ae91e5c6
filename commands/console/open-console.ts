import type { ServeConsole } from '#lambdas/serve-console/serve-console.ts'

/** A console that answers requests. */
export type OpenConsole = {
  readonly serve: ServeConsole
  /** Ends its connections. */
  close(): Promise<void>
}
