import type { InferOutput, ObjectSchema } from 'valibot'
import { archiveEntries, commitEntries } from '../archive-environment.ts'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** Secret of the role tidemark_archive: {host, port, dbname, username, password}. */
  TARGET_SECRET_ARN: text,
  DATABASE_TLS: databaseTls,
  /** Topic of captured changes. */
  CHANGES_TOPIC: text,
  /** Topic of plain deltas. */
  USER_EVENTS_TOPIC: text,
  ...archiveEntries,
  /** Function that is invoked asynchronously to commit the files that wait. */
  COMMIT_ARCHIVE_FUNCTION: text,
  ...commitEntries,
}

/** Variables of archive-changes. */
export type ArchiveChangesEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks the variables. Throws an Error that names those that are missing or malformed. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): ArchiveChangesEnvironment =>
  parseEnvironment(entries, variables)
