import type { InferOutput, ObjectSchema } from 'valibot'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** Secret of the role tidemark_windows: {host, port, dbname, username, password}. */
  TARGET_SECRET_ARN: text,
  DATABASE_TLS: databaseTls,
  /** Topic of captured changes. */
  CHANGES_TOPIC: text,
}

/** Variables of maintain-windows. */
export type MaintainWindowsEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks the variables. Throws an Error that names those that are missing or malformed. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): MaintainWindowsEnvironment =>
  parseEnvironment(entries, variables)
