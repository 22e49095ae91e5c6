import type { InferOutput, ObjectSchema } from 'valibot'
import * as v from 'valibot'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** Secrets of the databases' administrators: {host, port, dbname, username, password}. */
  SOURCE_SECRET_ARN: text,
  TARGET_SECRET_ARN: text,
  /**
   * Secrets with the passwords that the roles get. Source: tidemark_capture and tidemark_producer. Target:
   * tidemark_apply, tidemark_archive, tidemark_windows and tidemark_read.
   */
  CAPTURE_SECRET_ARN: text,
  PRODUCER_SECRET_ARN: text,
  APPLY_SECRET_ARN: text,
  ARCHIVE_SECRET_ARN: text,
  WINDOWS_SECRET_ARN: text,
  READ_SECRET_ARN: text,
  /**
   * Secrets of the console's roles tidemark_console_read and tidemark_console_act on both sides; empty where the stage
   * has no console, or one that cannot act. Such a role keeps the password that it has, which is none at first.
   */
  CONSOLE_READ_SOURCE_SECRET_ARN: v.string(),
  CONSOLE_READ_TARGET_SECRET_ARN: v.string(),
  CONSOLE_ACT_SOURCE_SECRET_ARN: v.string(),
  CONSOLE_ACT_TARGET_SECRET_ARN: v.string(),
  DATABASE_TLS: databaseTls,
}

/** Variables of migrate-schema. */
export type MigrateSchemaEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks the variables. Throws an Error that names those that are missing or malformed. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): MigrateSchemaEnvironment =>
  parseEnvironment(entries, variables)
