// Invoked each hour; makes the days of history to come, drops those past their retention, and deletes delete markers
// that are no longer needed.

import type { Context } from 'aws-lambda'
import { databaseSecret } from '#adapters/aws/secrets.ts'
import { makePool } from '#adapters/postgres/session/connect.ts'
import { readEnvironment } from './environment.ts'
import { makeMaintainTarget } from './maintain-target.ts'

const environment = readEnvironment(process.env)
const target = makePool({
  credentials: databaseSecret(environment.TARGET_SECRET_ARN),
  tls: environment.DATABASE_TLS,
  applicationName: 'tidemark-maintain-target',
  max: 1,
})
const maintainTarget = makeMaintainTarget({ target, now: Date.now })

export const handler = (_event: unknown, context: Context) =>
  maintainTarget(Date.now() + context.getRemainingTimeInMillis() - 10_000)
