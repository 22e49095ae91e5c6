import type { BrokerAccess } from './broker-access.ts'
import type { StackKey } from './stack-key.ts'

/** Addresses of the running stack, all on loopback. */
export type EngineEndpoints = {
  /** Serves the Invoke API, the AWS calls of functions, answers of custom resources, and pages. */
  endpoint: string
  /** The administrator's URL of each database, with the password. */
  source: string
  target: string
  /** URL of the role tidemark_read in the target. */
  reader: string
  /** `host:port,…` of the brokers. */
  kafka: string
  /** The administrator's login to the brokers; absent when the brokers require no login. */
  kafkaAccess?: BrokerAccess
  /** Connect's REST API. */
  connect: string
  /** S3's API. */
  objectStore: string
  /** URL of the Iceberg REST catalog without `/v1`. */
  catalog: string
  /** The credentials for Connect, the object store, the catalog and the endpoint's secrets. */
  key: StackKey
}

/** What a running engine publishes to other processes. */
export type RunningEngine = { pid: number; endpoints: EngineEndpoints; outputs: Record<string, string> }
