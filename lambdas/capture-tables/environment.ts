import type { InferOutput, ObjectSchema } from 'valibot'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** Secret of the source's administrator, which adds tables to the publication. */
  SOURCE_SECRET_ARN: text,
  DATABASE_TLS: databaseTls,
}

/** Variables of capture-tables. */
export type CaptureTablesEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks the variables. Throws an Error that names those that are missing or malformed. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): CaptureTablesEnvironment =>
  parseEnvironment(entries, variables)
