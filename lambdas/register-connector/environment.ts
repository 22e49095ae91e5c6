import type { InferOutput, ObjectSchema } from 'valibot'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** Connect's REST API, reachable inside the network only, e.g. http://connect.tidemark.internal:8083. */
  CONNECT_URL: text,
  /** Secret of the source's administrator: reads the publication, drops slot and publication on delete. */
  SOURCE_SECRET_ARN: text,
  DATABASE_TLS: databaseTls,
}

/** Variables of register-connector. */
export type RegisterConnectorEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks them; throws with the name of what is missing. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): RegisterConnectorEnvironment =>
  parseEnvironment(entries, variables)
