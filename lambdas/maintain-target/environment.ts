import type { InferOutput, ObjectSchema } from 'valibot'
import { databaseTls, parseEnvironment, text } from '../environment.ts'

const entries = {
  /** Secret of the target's role tidemark_apply. */
  TARGET_SECRET_ARN: text,
  DATABASE_TLS: databaseTls,
}

/** Variables of maintain-target. */
export type MaintainTargetEnvironment = InferOutput<ObjectSchema<typeof entries, undefined>>

/** Reads and checks the variables. Throws an Error that names those that are missing or malformed. */
export const readEnvironment = (variables: NodeJS.ProcessEnv): MaintainTargetEnvironment =>
  parseEnvironment(entries, variables)
