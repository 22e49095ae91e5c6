import { invokeLater } from '#adapters/aws/invoke-later.ts'
import { databaseSecret } from '#adapters/aws/secrets.ts'
import { makePool } from '#adapters/postgres/connect.ts'
import { makeLatestState } from '#adapters/postgres/latest-state.ts'
import { makeUserState } from '#adapters/postgres/user-state.ts'
import { makeApplyLatestState } from './apply-latest-state.ts'
import { readEnvironment } from './environment.ts'

const environment = readEnvironment(process.env)
const credentials = databaseSecret(environment.TARGET_SECRET_ARN)
const pool = makePool({ credentials, tls: environment.DATABASE_TLS, applicationName: 'tidemark apply', max: 4 })

export const handler = makeApplyLatestState({
  consumers: new Map([
    [environment.CHANGES_TOPIC, { consumer: 'tidemark-latest-state', ...makeLatestState(pool) }],
    [environment.USER_EVENTS_TOPIC, { consumer: 'tidemark-user-state', ...makeUserState(pool) }],
  ]),
  requestCapture: invokeLater(environment.CAPTURE_TABLES_FUNCTION),
  now: Date.now,
  print: (line) => process.stdout.write(`${line}\n`),
})
