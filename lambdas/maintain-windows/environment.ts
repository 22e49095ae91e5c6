import type { InferOutput, ObjectSchema } from 'valibot'
import * as v from 'valibot'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** Secret of the role tidemark_windows: {host, port, dbname, username, password}. */
  TARGET_SECRET_ARN: text,
  DATABASE_TLS: databaseTls,
  /** Topic of captured changes. */
  CHANGES_TOPIC: text,
  /** MSK cluster whose brokers' addresses are read from the MSK API. */
  CLUSTER_ARN: text,
  /** `iam` or `scram` over TLS, `none` on loopback. */
  KAFKA_AUTHENTICATION: v.picklist(['iam', 'scram', 'none']),
  /** Secret of the Kafka user in MSK's format; empty unless the function logs in with name and password. */
  KAFKA_SECRET_ARN: v.string(),
}

/** Variables of maintain-windows. */
export type MaintainWindowsEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks the variables. Throws an Error that names those that are missing or malformed. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): MaintainWindowsEnvironment =>
  parseEnvironment(entries, variables)
