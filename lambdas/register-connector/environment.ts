import type { InferInput, InferOutput, ObjectSchema } from 'valibot'
import * as v from 'valibot'
import { captured } from '#adapters/connect/captured-tables.ts'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** Connect's REST API, reachable inside the network only, e.g. http://connect.tidemark.internal:8083. */
  CONNECT_URL: text,
  /** Secret with the name and password for Connect's REST API; empty when the API asks for none. */
  CONNECT_SECRET_ARN: v.string(),
  /** Secret of the source's administrator, which reads the publication, and drops slot and publication on delete. */
  SOURCE_SECRET_ARN: text,
  DATABASE_TLS: databaseTls,
}

/** Variables of register-connector. */
export type RegisterConnectorEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks the variables. Throws an Error that names those that are missing or malformed. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): RegisterConnectorEnvironment =>
  parseEnvironment(entries, variables)

/** CloudFormation passes every number as text. */
const count = v.pipe(v.union([v.string(), v.number()]), v.transform(Number), v.integer(), v.minValue(1))

const connectorProperties = v.object({
  /**
   * A change of it registers the connector again when a deployment begins an epoch. The source has the epoch in force.
   */
  Epoch: count,
  Topic: text,
  TopicPartitions: count,
  Captured: captured,
  Database: v.object({ Host: text, Port: count, Name: text, Tls: databaseTls }),
  /** Changes with the function's code, which contains the connector's settings. */
  Code: text,
})

/** Properties of `Custom::Connector`, as the stack writes them. */
export type ConnectorProperties = InferInput<typeof connectorProperties>

/** Reads and checks the properties. Throws an Error that names those that are missing or malformed. */
export function readConnectorProperties(properties: unknown): InferOutput<typeof connectorProperties> {
  const parsed = v.safeParse(connectorProperties, properties)
  if (parsed.success) return parsed.output
  const names = parsed.issues.map((issue) => `${v.getDotPath(issue)}: ${issue.message}`)
  throw new Error(`properties of the connector are incomplete. ${names.join('; ')}`)
}
