import type { InferOutput, ObjectSchema } from 'valibot'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** Secret of the role tidemark_apply: {host, port, dbname, username, password}. */
  TARGET_SECRET_ARN: text,
  DATABASE_TLS: databaseTls,
  /** Topic of captured changes. */
  CHANGES_TOPIC: text,
  /** Topic of plain deltas. */
  USER_EVENTS_TOPIC: text,
  /** Invoked asynchronously when the contract of a table that awaits capture arrives. */
  CAPTURE_TABLES_FUNCTION: text,
}

/** Variables of apply-latest-state. */
export type ApplyLatestStateEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks them; throws with the name of what is missing. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): ApplyLatestStateEnvironment =>
  parseEnvironment(entries, variables)
