import type { InferOutput, ObjectSchema } from 'valibot'
import * as v from 'valibot'
import { archiveEntries } from '../archive-environment.ts'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** Name of the stage, which the page shows. */
  STAGE: text,
  /** Secrets of the role tidemark_console_read: {host, port, dbname, username, password}. */
  SOURCE_READ_SECRET_ARN: text,
  TARGET_READ_SECRET_ARN: text,
  /** Secrets of the role tidemark_console_act; empty where the console only shows. */
  SOURCE_ACT_SECRET_ARN: v.string(),
  TARGET_ACT_SECRET_ARN: v.string(),
  DATABASE_TLS: databaseTls,
  /** Connect's REST API, reachable inside the network only. */
  CONNECT_URL: text,
  /** Secret with the name and password for Connect's REST API; empty when the API asks for none. */
  CONNECT_SECRET_ARN: v.string(),
  /** MSK cluster whose brokers' addresses are read from the MSK API. */
  CLUSTER_ARN: text,
  /** `iam` or `scram` over TLS, `none` on loopback. */
  KAFKA_AUTHENTICATION: v.picklist(['iam', 'scram', 'none']),
  /** Secret of the Kafka user in MSK's format; empty unless the function logs in with name and password. */
  KAFKA_SECRET_ARN: v.string(),
  ...archiveEntries,
  CHANGES_TOPIC: text,
  USER_EVENTS_TOPIC: text,
  /** Functions whose event source mappings are shown. */
  APPLY_FUNCTION: text,
  ARCHIVE_FUNCTION: text,
  WINDOWS_FUNCTION: text,
  /** Functions that actions invoke, besides APPLY_FUNCTION. */
  CAPTURE_TABLES_FUNCTION: text,
  RECOVER_CAPTURE_FUNCTION: text,
}

/** Variables of serve-console. */
export type ServeConsoleEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks the variables. Throws an Error that names those that are missing or malformed. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): ServeConsoleEnvironment =>
  parseEnvironment(entries, variables)
