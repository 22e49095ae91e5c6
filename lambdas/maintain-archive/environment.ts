import type { InferOutput, ObjectSchema } from 'valibot'
import { archiveEntries } from '../archive-environment.ts'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** Secret of the role tidemark_archive: {host, port, dbname, username, password}. */
  TARGET_SECRET_ARN: text,
  DATABASE_TLS: databaseTls,
  ...archiveEntries,
}

/** Variables of maintain-archive. */
export type MaintainArchiveEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks the variables. Throws an Error that names those that are missing or malformed. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): MaintainArchiveEnvironment =>
  parseEnvironment(entries, variables)
