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
  /** Invoked asynchronously when what waits is to be committed. */
  COMMIT_ARCHIVE_FUNCTION: text,
  ...commitEntries,
}

/** Variables of archive-changes. */
export type ArchiveChangesEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks them; throws with the name of what is missing. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): ArchiveChangesEnvironment =>
  parseEnvironment(entries, variables)
