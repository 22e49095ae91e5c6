import type { BrokerAccess } from './broker-access.ts'
import type { StackKey } from './stack-key.ts'

/** Where the running stack is reached, all on loopback. */
export type EngineEndpoints = {
  /** Invoke API, AWS calls of functions, custom resource answers, pages. */
  endpoint: string
  /** Administrator's URL of each database, with password. */
  source: string
  target: string
  /** URL of the role tidemark_read in the target. */
  reader: string
  /** `host:port,…` of the brokers. */
  kafka: string
  /** How who may do everything logs in to the brokers; absent where everybody may. */
  kafkaAccess?: BrokerAccess
  /** Connect's REST API. */
  connect: string
  /** S3's API. */
  objectStore: string
  /** The Iceberg REST catalog, what comes before `/v1`. */
  catalog: string
  /** What Connect, object store, catalog and the secrets of the endpoint are asked with. */
  key: StackKey
}

/** What another process learns of a running engine. */
export type RunningEngine = { pid: number; endpoints: EngineEndpoints; outputs: Record<string, string> }
