import { databaseSecret, loginSecret } from '#adapters/aws/secrets.ts'
import { mskFencedProducers } from '#adapters/kafka/msk-publisher.ts'
import { makePool, type PoolOptions } from '#adapters/postgres/session/connect.ts'
import { countStoppedDefinitions } from '#adapters/postgres/windows/stopped-definitions.ts'
import { makeWindows } from '#adapters/postgres/windows/windows.ts'
import { readEnvironment } from './environment.ts'
import { makeMaintainWindows } from './maintain-windows.ts'
import { makePublishWindows } from './publish-windows.ts'

const environment = readEnvironment(process.env)
const credentials = databaseSecret(environment.TARGET_SECRET_ARN)
const connect = (options: Pick<PoolOptions, 'applicationName' | 'plans'>) =>
  makePool({ credentials, tls: environment.DATABASE_TLS, max: 4, ...options })
const pool = connect({ applicationName: 'tidemark windows', plans: 'kept by index' })
/** A pool of its own: a publisher keeps its session while it waits for brokers. */
const publishing = connect({ applicationName: 'tidemark windows publisher' })

export const handler = makeMaintainWindows({
  topic: environment.CHANGES_TOPIC,
  windows: makeWindows(pool),
  countStopped: () => countStoppedDefinitions(pool),
  publish: makePublishWindows({
    pool: publishing,
    producerOf: mskFencedProducers({
      clusterArn: environment.CLUSTER_ARN,
      authentication: environment.KAFKA_AUTHENTICATION,
      readLogin: loginSecret(environment.KAFKA_SECRET_ARN),
      idPrefix: 'tidemark-windows-',
    }),
    now: Date.now,
  }),
  now: Date.now,
  print: (line) => process.stdout.write(`${line}\n`),
})
