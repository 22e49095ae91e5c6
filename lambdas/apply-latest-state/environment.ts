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
  /** Function that is invoked asynchronously when a contract arrives whose table waits to be captured. */
  CAPTURE_TABLES_FUNCTION: text,
}

/** Variables of apply-latest-state. */
export type ApplyLatestStateEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks the variables. Throws an Error that names those that are missing or malformed. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): ApplyLatestStateEnvironment =>
  parseEnvironment(entries, variables)
