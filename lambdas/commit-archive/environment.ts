import type { InferOutput, ObjectSchema } from 'valibot'
import { archiveEntries, commitEntries } from '../archive-environment.ts'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** Secret of the role tidemark_archive: {host, port, dbname, username, password}. */
  TARGET_SECRET_ARN: text,
  DATABASE_TLS: databaseTls,
  ...archiveEntries,
  ...commitEntries,
}

/** Variables of commit-archive. */
export type CommitArchiveEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks the variables. Throws an Error that names those that are missing or malformed. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): CommitArchiveEnvironment =>
  parseEnvironment(entries, variables)
