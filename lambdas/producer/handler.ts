// Invoked by hand (npm run invoke -- producer); creates load: plain events in Kafka, or rows in the source.

import { databaseSecret, loginSecret } from '#adapters/aws/secrets.ts'
import { mskPublisher } from '#adapters/kafka/msk-publisher.ts'
import { makePool } from '#adapters/postgres/session/connect.ts'
import { readEnvironment } from './environment.ts'
import { processClock } from './pace.ts'
import { makeProduce } from './produce.ts'
import { makePublishDeltas } from './publish-deltas.ts'
import { makeSimulateRows } from './simulate-rows.ts'

const environment = readEnvironment(process.env)
const source = makePool({
  credentials: databaseSecret(environment.SOURCE_SECRET_ARN),
  tls: environment.DATABASE_TLS,
  applicationName: 'tidemark-producer',
  max: 1,
})
const openPublisher = mskPublisher({
  clusterArn: environment.CLUSTER_ARN,
  authentication: environment.KAFKA_AUTHENTICATION,
  topic: environment.USER_EVENTS_TOPIC,
  readLogin: loginSecret(environment.KAFKA_SECRET_ARN),
})
const world = { clock: processClock, now: Date.now, random: Math.random, print: console.log }

export const handler = makeProduce({
  publishDeltas: makePublishDeltas({ openPublisher, ...world }),
  simulateRows: makeSimulateRows({ source, ...world }),
})
