import { databaseSecret } from '#adapters/aws/secrets.ts'
import { makePool } from '#adapters/postgres/session/connect.ts'
import { countStoppedDefinitions } from '#adapters/postgres/windows/stopped-definitions.ts'
import { makeWindows } from '#adapters/postgres/windows/windows.ts'
import { readEnvironment } from './environment.ts'
import { makeMaintainWindows } from './maintain-windows.ts'

const environment = readEnvironment(process.env)
const credentials = databaseSecret(environment.TARGET_SECRET_ARN)
const pool = makePool({
  credentials,
  tls: environment.DATABASE_TLS,
  applicationName: 'tidemark windows',
  max: 4,
  plans: 'kept by index',
})

export const handler = makeMaintainWindows({
  topic: environment.CHANGES_TOPIC,
  windows: makeWindows(pool),
  countStopped: () => countStoppedDefinitions(pool),
  now: Date.now,
  print: (line) => process.stdout.write(`${line}\n`),
})
