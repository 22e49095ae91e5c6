import type { InferOutput, ObjectSchema } from 'valibot'
import * as v from 'valibot'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** Connect's REST API, reachable inside the network only. */
  CONNECT_URL: text,
  /** Secret of a name and password that Connect's REST API asks for; empty where it asks for none. */
  CONNECT_SECRET_ARN: v.string(),
  /** Secret of the source's administrator: reads slots, begins an epoch, drops slots of earlier ones. */
  SOURCE_SECRET_ARN: text,
  /** Secret of the target's role tidemark_apply. */
  TARGET_SECRET_ARN: text,
  DATABASE_TLS: databaseTls,
  /** MSK cluster whose brokers are asked of the Kafka API. */
  CLUSTER_ARN: text,
  /** `iam` or `scram` over TLS, `none` on loopback. */
  KAFKA_AUTHENTICATION: v.picklist(['iam', 'scram', 'none']),
  /** Secret of the Kafka user, as MSK takes it; empty unless it logs in by name and password. */
  KAFKA_SECRET_ARN: v.string(),
  CHANGES_TOPIC: text,
  /** Functions whose event source mappings are disabled while offsets of their consumer groups are set. */
  APPLY_FUNCTION: text,
  ARCHIVE_FUNCTION: text,
}

/** Variables of recover-capture. */
export type RecoverCaptureEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks them; throws with the name of what is missing. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): RecoverCaptureEnvironment =>
  parseEnvironment(entries, variables)
