import type { InferOutput, ObjectSchema } from 'valibot'
import * as v from 'valibot'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** MSK cluster whose brokers' addresses are read from the MSK API. */
  CLUSTER_ARN: text,
  /** `iam` or `scram` over TLS, `none` on loopback. */
  KAFKA_AUTHENTICATION: v.picklist(['iam', 'scram', 'none']),
  /** Secret of the Kafka user in MSK's format; empty unless the function logs in with name and password. */
  KAFKA_SECRET_ARN: v.string(),
  /** Topic of plain deltas; created if absent. */
  USER_EVENTS_TOPIC: text,
  /** Secret of the source's role tidemark_producer. */
  SOURCE_SECRET_ARN: text,
  DATABASE_TLS: databaseTls,
}

/** Variables of producer. */
export type ProducerEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks the variables. Throws an Error that names those that are missing or malformed. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): ProducerEnvironment =>
  parseEnvironment(entries, variables)
