import type { InferOutput, ObjectSchema } from 'valibot'
import * as v from 'valibot'
import { parseEnvironment, text } from '../environment.ts'

const entries = {
  /** MSK cluster whose brokers' addresses are read. */
  CLUSTER_ARN: text,
  /** Selects the cluster's listener: `iam` or `scram` over TLS, `none` on loopback. */
  KAFKA_AUTHENTICATION: v.picklist(['iam', 'scram', 'none']),
}

/** Variables of read-bootstrap-brokers. */
export type ReadBootstrapBrokersEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks the variables. Throws an Error that names those that are missing or malformed. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): ReadBootstrapBrokersEnvironment =>
  parseEnvironment(entries, variables)
