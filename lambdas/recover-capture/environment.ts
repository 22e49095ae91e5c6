import type { InferOutput, ObjectSchema } from 'valibot'
import * as v from 'valibot'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** Connect's REST API, reachable inside the network only. */
  CONNECT_URL: text,
  /** Secret with the name and password for Connect's REST API; empty when the API asks for none. */
  CONNECT_SECRET_ARN: v.string(),
  /** Secret of the source's administrator, which reads slots, begins an epoch, and drops slots of earlier epochs. */
  SOURCE_SECRET_ARN: text,
  /** Secret of the target's role tidemark_apply. */
  TARGET_SECRET_ARN: text,
  DATABASE_TLS: databaseTls,
  /** MSK cluster whose brokers' addresses are read from the MSK API. */
  CLUSTER_ARN: text,
  /** `iam` or `scram` over TLS, `none` on loopback. */
  KAFKA_AUTHENTICATION: v.picklist(['iam', 'scram', 'none']),
  /** Secret of the Kafka user in MSK's format; empty unless the function logs in with name and password. */
  KAFKA_SECRET_ARN: v.string(),
  CHANGES_TOPIC: text,
  /** Functions whose event source mappings are disabled while the offsets of their consumer groups are set. */
  APPLY_FUNCTION: text,
  ARCHIVE_FUNCTION: text,
  WINDOWS_FUNCTION: text,
}

/** Variables of recover-capture. */
export type RecoverCaptureEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks the variables. Throws an Error that names those that are missing or malformed. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): RecoverCaptureEnvironment =>
  parseEnvironment(entries, variables)
