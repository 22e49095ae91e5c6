import type { InferOutput, ObjectSchema } from 'valibot'
import * as v from 'valibot'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** MSK cluster whose brokers are asked of the Kafka API. */
  CLUSTER_ARN: text,
  /** `iam` or `scram` over TLS, `none` on loopback. */
  KAFKA_AUTHENTICATION: v.picklist(['iam', 'scram', 'none']),
  /** Secret of the Kafka user, as MSK takes it; empty unless it logs in by name and password. */
  KAFKA_SECRET_ARN: v.string(),
  /** Topic of plain deltas; created if absent. */
  USER_EVENTS_TOPIC: text,
  /** Secret of the source's role tidemark_producer. */
  SOURCE_SECRET_ARN: text,
  DATABASE_TLS: databaseTls,
}

/** Variables of producer. */
export type ProducerEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks them; throws with the name of what is missing. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): ProducerEnvironment =>
  parseEnvironment(entries, variables)
