// Invoked by an event source mapping for each of the topics changes and user-events, and each minute without records;
// applies records to the target.

import { invokeLater } from '#adapters/aws/invoke-later.ts'
import { databaseSecret } from '#adapters/aws/secrets.ts'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { countNotCaptured } from '#adapters/postgres/capture/not-captured.ts'
import { topicPartitionsToRetry } from '#adapters/postgres/delivery/quarantine.ts'
import { makePool, type PoolOptions } from '#adapters/postgres/session/connect.ts'
import { makeUserState } from '#adapters/postgres/user-state/user-state.ts'
import { CONSUMERS } from '#core/fixed-names.ts'
import { makeApplyLatestState } from './apply-latest-state.ts'
import { readEnvironment } from './environment.ts'

const environment = readEnvironment(process.env)
const credentials = databaseSecret(environment.TARGET_SECRET_ARN)
const connect = (options: Pick<PoolOptions, 'applicationName' | 'max' | 'plans'>) =>
  makePool({ credentials, tls: environment.DATABASE_TLS, ...options })
const pool = connect({ applicationName: 'tidemark apply', max: 4, plans: 'kept' })
/** A pool of its own, because all connections of the other pool may be waiting for locks. */
const asking = connect({ applicationName: 'tidemark apply locks', max: 1 })

export const handler = makeApplyLatestState({
  consumers: new Map([
    [environment.CHANGES_TOPIC, { consumer: CONSUMERS.latestState, ...makeLatestState(pool) }],
    [environment.USER_EVENTS_TOPIC, { consumer: CONSUMERS.userState, ...makeUserState(pool) }],
  ]),
  waiting: () => topicPartitionsToRetry(pool),
  countNotCaptured: () => countNotCaptured(pool),
  asking,
  requestCapture: invokeLater(environment.CAPTURE_TABLES_FUNCTION),
  now: Date.now,
  print: (line) => process.stdout.write(`${line}\n`),
})
