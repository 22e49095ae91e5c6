// Invoked each minute to find out why nothing is captured and to start a failed task again, and by npm run recover with
// {"recover": …}, which resolves what the minute's look does not.

import { KafkaClient } from '@aws-sdk/client-kafka'
import type { Context } from 'aws-lambda'
import { eventSourceMappings } from '#adapters/aws/event-source-mappings.ts'
import { databaseSecret, loginSecret } from '#adapters/aws/secrets.ts'
import { connectApi } from '#adapters/connect/connect-api.ts'
import { openGroupOffsets } from '#adapters/kafka/group-offsets.ts'
import { bootstrapBrokers } from '#adapters/kafka/msk-publisher.ts'
import { makePool } from '#adapters/postgres/session/connect.ts'
import { readEnvironment } from './environment.ts'
import { makeRecoverCapture } from './recover-capture.ts'
import { readRequest } from './recover-request.ts'

const environment = readEnvironment(process.env)
const { CONNECT_SECRET_ARN, CLUSTER_ARN: clusterArn, KAFKA_AUTHENTICATION: authentication } = environment
const sourceAddress = databaseSecret(environment.SOURCE_SECRET_ARN)
const database = { tls: environment.DATABASE_TLS, applicationName: 'tidemark-recover-capture' }
const kafka = new KafkaClient()

const recoverCapture = makeRecoverCapture({
  source: makePool({ credentials: sourceAddress, ...database, max: 1, timeouts: 'none' }),
  // One of the two connections holds the lock.
  target: makePool({ credentials: databaseSecret(environment.TARGET_SECRET_ARN), ...database, max: 2 }),
  connect: connectApi(environment.CONNECT_URL, CONNECT_SECRET_ARN === '' ? undefined : loginSecret(CONNECT_SECRET_ARN)),
  mappings: eventSourceMappings(),
  openOffsets: async () =>
    openGroupOffsets({
      brokers: await bootstrapBrokers(kafka, clusterArn, authentication),
      authentication,
      readLogin: loginSecret(environment.KAFKA_SECRET_ARN),
      // arn:aws:kafka:<region>:<account>:cluster/<name>/<uuid>
      region: clusterArn.split(':')[3] ?? '',
      clientId: 'tidemark-recover-capture',
      waitMs: 10_000,
    }),
  changesTopic: environment.CHANGES_TOPIC,
  applyFunction: environment.APPLY_FUNCTION,
  archiveFunction: environment.ARCHIVE_FUNCTION,
  windowsFunction: environment.WINDOWS_FUNCTION,
  sourceAddress,
  databaseTls: environment.DATABASE_TLS,
  now: Date.now,
  print: (line) => process.stdout.write(`${line}\n`),
})

/** Time that is reserved for the answer, and for enabling mappings again, before Lambda ends the function. */
const REPORT_MS = 20_000

export const handler = (event: unknown, context: Context) =>
  recoverCapture(readRequest(event), Date.now() + context.getRemainingTimeInMillis() - REPORT_MS)
