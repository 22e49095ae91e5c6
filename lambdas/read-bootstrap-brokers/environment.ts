import type { InferOutput, ObjectSchema } from 'valibot'
import * as v from 'valibot'
import { parseEnvironment, text } from '../environment.ts'

const entries = {
  /** MSK cluster whose brokers are asked for. */
  CLUSTER_ARN: text,
  /** Decides which of the cluster's listeners: `iam` or `scram` over TLS, `none` on loopback. */
  KAFKA_AUTHENTICATION: v.picklist(['iam', 'scram', 'none']),
}

/** Variables of read-bootstrap-brokers. */
export type ReadBootstrapBrokersEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks them; throws with the name of what is missing. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): ReadBootstrapBrokersEnvironment =>
  parseEnvironment(entries, variables)
