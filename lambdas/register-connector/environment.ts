import type { InferInput, InferOutput, ObjectSchema } from 'valibot'
import * as v from 'valibot'
import { captured } from '#adapters/connect/captured-tables.ts'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** Connect's REST API, reachable inside the network only, e.g. http://connect.tidemark.internal:8083. */
  CONNECT_URL: text,
  /** Secret of a name and password that Connect's REST API asks for; empty where it asks for none. */
  CONNECT_SECRET_ARN: v.string(),
  /** Secret of the source's administrator: reads the publication, drops slot and publication on delete. */
  SOURCE_SECRET_ARN: text,
  DATABASE_TLS: databaseTls,
}

/** Variables of register-connector. */
export type RegisterConnectorEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks them; throws with the name of what is missing. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): RegisterConnectorEnvironment =>
  parseEnvironment(entries, variables)

/** CloudFormation hands every number over as text. */
const count = v.pipe(v.union([v.string(), v.number()]), v.transform(Number), v.integer(), v.minValue(1))

const connectorProperties = v.object({
  /** Has it registered again where a deployment begins one; which is in force the source says. */
  Epoch: count,
  Topic: text,
  TopicPartitions: count,
  Captured: captured,
  Database: v.object({ Host: text, Port: count, Name: text, Tls: databaseTls }),
  /** Changes with the function's code, which holds the connector's settings. */
  Code: text,
})

/** Properties of `Custom::Connector`, as the stack writes them. */
export type ConnectorProperties = InferInput<typeof connectorProperties>

/** Reads and checks them; throws with the name of what is missing or malformed. */
export function readConnectorProperties(properties: unknown): InferOutput<typeof connectorProperties> {
  const parsed = v.safeParse(connectorProperties, properties)
  if (parsed.success) return parsed.output
  const names = parsed.issues.map((issue) => `${v.getDotPath(issue)}: ${issue.message}`)
  throw new Error(`properties of the connector are incomplete. ${names.join('; ')}`)
}
