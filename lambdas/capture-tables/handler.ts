// Invoked each minute, by apply-latest-state when a table waits, and by npm run resync; adds tables to the publication
// of the source and has their rows read.

import { setTimeout as pause } from 'node:timers/promises'
import type { Context } from 'aws-lambda'
import { databaseSecret } from '#adapters/aws/secrets.ts'
import { makePool } from '#adapters/postgres/session/connect.ts'
import { makeCapturePendingTables } from './capture-pending-tables.ts'
import { readRequest } from './capture-request.ts'
import { readEnvironment } from './environment.ts'

const environment = readEnvironment(process.env)
const source = makePool({
  credentials: databaseSecret(environment.SOURCE_SECRET_ARN),
  tls: environment.DATABASE_TLS,
  applicationName: 'tidemark-capture-tables',
  max: 1,
  timeouts: 'none',
})
const capturePendingTables = makeCapturePendingTables({ source, now: Date.now, pause })

export const handler = async (event: unknown, context: Context) => {
  const { resync } = readRequest(event)
  return capturePendingTables(Date.now() + context.getRemainingTimeInMillis() - 10_000, resync)
}
