import type { ConsumerLag } from '../status/consumer-lag.ts'

/** `GET /connectors`: the connectors of Connect, Tidemark's own and any other. */
export type ListedConnector = {
  readonly name: string
  /** Tidemark's own connector. Deleting it ends capture, so the page says so first. */
  readonly isOwn: boolean
  readonly class: string
  readonly state: string
  readonly tasks: readonly { readonly id: number; readonly state: string; readonly trace: string | null }[]
}

/** `GET /connectors/<name>`. */
export type ConnectorDetail = ListedConnector & {
  /** Values of passwords and secrets are replaced by `••••••`. */
  readonly configuration: Readonly<Record<string, string>>
  readonly trace: string | null
  /** The source offsets that Connect has stored, as JSON. */
  readonly offsets: readonly string[]
}

/** `POST /connectors/inspect` with a Connection: the test of the wizard's first step. */
export type Connection = {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string
}

/** What the database is, and what it lacks to be a source. */
export type Inspection = {
  readonly server: string
  readonly findings: readonly {
    readonly severity: 'error' | 'warning' | 'note'
    readonly what: string
    readonly sql: string | null
  }[]
  readonly schemas: readonly {
    readonly name: string
    readonly tables: readonly {
      readonly name: string
      readonly rows: number
      readonly hasKey: boolean
      readonly columns: readonly { readonly name: string; readonly type: string; readonly isKey: boolean }[]
    }[]
  }[]
}

/** `GET /consumers`: each consumer of each topic, with its mapping. */
export type ShownConsumer = ConsumerLag & {
  readonly function: string
  readonly mapping: { readonly state: string; readonly lastError: string | null }
}
