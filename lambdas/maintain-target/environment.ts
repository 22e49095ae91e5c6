import type { InferOutput, ObjectSchema } from 'valibot'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** Secret of the target's role tidemark_apply. */
  TARGET_SECRET_ARN: text,
  DATABASE_TLS: databaseTls,
}

/** Variables of maintain-target. */
export type MaintainTargetEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks them; throws with the name of what is missing. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): MaintainTargetEnvironment =>
  parseEnvironment(entries, variables)
