// Invoked by an HTTP API for each request of the console's page, with the user whom its authorizer has let in; answers what
// the pipeline does, and executes actions where the stage allows them.

import { createHmac } from 'node:crypto'
import { invokeFunction } from '#adapters/aws/invoke-function.ts'
import { invokeLater } from '#adapters/aws/invoke-later.ts'
import { makeMappingHealth } from '#adapters/aws/mapping-health.ts'
import { databaseSecret, loginSecret } from '#adapters/aws/secrets.ts'
import { connectApi, connectCalls } from '#adapters/connect/connect-api.ts'
import { makeConnectors } from '#adapters/connect/connector-listing.ts'
import { statusOf } from '#adapters/connect/connector-states.ts'
import { CONNECTOR } from '#adapters/connect/running-connector.ts'
import { archiveCatalog, archiveTableName } from '#adapters/iceberg/archive/archive-catalog.ts'
import { readArchiveContent } from '#adapters/iceberg/archive/archive-content.ts'
import { makeArchiveReader } from '#adapters/iceberg/archive/archive-view.ts'
import { makeObserveTopics } from '#adapters/kafka/topic-observation.ts'
import { mskBrokers } from '#adapters/kafka/topics/msk-brokers.ts'
import { makeTopicReader } from '#adapters/kafka/topics/topic-reader.ts'
import { makeObjectStore } from '#adapters/object-store/object-store.ts'
import { makeObserveArchive } from '#adapters/observation/archive-observation.ts'
import { makeAskedStatus } from '#adapters/observation/asked-status.ts'
import { readSlotLimit } from '#adapters/postgres/console/slot-limit.ts'
import { makePool } from '#adapters/postgres/session/connect.ts'
import { observeArchiveLedger } from '#adapters/postgres/status/archive-ledger-observation.ts'
import { estimateRows } from '#adapters/postgres/status/row-counts.ts'
import { makeObserveSource } from '#adapters/postgres/status/source-observation.ts'
import { makeObserveTarget } from '#adapters/postgres/status/target-observation.ts'
import { makeObserveWindows, readWindows } from '#adapters/postgres/status/windows-observation.ts'
import { archivePlace } from '../archive-environment.ts'
import type { RecoveryAnswer } from '../recover-capture/recover-capture.ts'
import { type ApiAnswer, type ApiEvent, answerOf, requestOf } from './api-event.ts'
import { type Acting, consoleHandlers } from './console-handlers.ts'
import { consoleSession } from './console-session.ts'
import { readEnvironment } from './environment.ts'
import { makeServeConsole, type ServeConsole } from './serve-console.ts'
import { isUnreachable } from './unreachable-error.ts'
import { makeUnreachableParts } from './unreachable-parts.ts'

const environment = readEnvironment(process.env)
const { CLUSTER_ARN: clusterArn, KAFKA_AUTHENTICATION: authentication, CONNECT_SECRET_ARN, CONNECT_URL } = environment
/** A page must not wait for a worker that rebalances, and the API answers within 29 s. */
const patience = { answerMs: 10_000, rebalanceMs: 3_000 }
const now = () => performance.now()
const connect = (secretArn: string, max: number) =>
  makePool({
    ...{ credentials: databaseSecret(secretArn), tls: environment.DATABASE_TLS },
    ...{ applicationName: 'tidemark-console', max },
  })
const source = connect(environment.SOURCE_READ_SECRET_ARN, 2)
const target = connect(environment.TARGET_READ_SECRET_ARN, 4)
const readLogin = environment.KAFKA_SECRET_ARN === '' ? undefined : loginSecret(environment.KAFKA_SECRET_ARN)
const brokers = mskBrokers({ clusterArn, authentication, ...(readLogin && { readLogin }) })
const login = CONNECT_SECRET_ARN === '' ? undefined : loginSecret(CONNECT_SECRET_ARN)
const worker = connectApi(CONNECT_URL, login, patience)
const place = archivePlace(environment)
const catalog = archiveCatalog(place, process.env)
const table = archiveTableName(place)
const mappings = makeMappingHealth([
  ...[environment.APPLY_FUNCTION, environment.ARCHIVE_FUNCTION, environment.WINDOWS_FUNCTION],
])
const observeArchive = makeObserveArchive({
  readLedger: () => observeArchiveLedger(target),
  readContent: () => readArchiveContent(catalog, table),
  now,
})
const status = makeAskedStatus(
  {
    source: makeObserveSource(source, estimateRows),
    target: makeObserveTarget(target),
    topics: makeObserveTopics(brokers, [environment.CHANGES_TOPIC, environment.USER_EVENTS_TOPIC]),
    connector: () => statusOf(worker, CONNECTOR),
    archive: observeArchive,
    windows: makeObserveWindows(() => readWindows(target), now),
    mappings,
    functions: async () => [],
  },
  now,
)
const parts = makeUnreachableParts(() => new Date(), isUnreachable)

const connectors = makeConnectors(connectCalls(CONNECT_URL, login, patience))
const acting = environment.TARGET_ACT_SECRET_ARN === '' ? undefined : openActing()

/** What actions are executed with. */
function openActing(): Acting {
  const startRecovery = invokeLater(environment.RECOVER_CAPTURE_FUNCTION)
  const diagnose = invokeFunction<RecoveryAnswer>(environment.RECOVER_CAPTURE_FUNCTION)
  const startCapture = invokeLater(environment.CAPTURE_TABLES_FUNCTION)
  const startApply = invokeLater(environment.APPLY_FUNCTION)
  return {
    target: connect(environment.TARGET_ACT_SECRET_ARN, 2),
    source: connect(environment.SOURCE_ACT_SECRET_ARN, 1),
    connectors,
    hasOwnTopicsOnly: authentication !== 'none',
    startCapture: () => startCapture({}),
    startApply: () => startApply({ records: {} }),
    recovery: {
      diagnose: () => diagnose({ recover: { dryRun: true } }),
      begin: () => startRecovery({ recover: {} }),
    },
  }
}

const ACTIONS_OFF = 'Actions are off in this stage: actions in its console settings (cdk/stages.ts) allows them.'

/** Athena queries S3 Tables and Glue; its page opens in the region of the stack. */
const region = process.env['AWS_REGION'] ?? 'us-east-1'
const archiveQuery = {
  kind: 'athena',
  url: `https://${region}.console.aws.amazon.com/athena/home?region=${region}#/query-editor`,
} as const

/**
 * All environments of the function have the same token, so that a page need not always meet the same one. It is made of a
 * password that only they can read.
 */
async function openConsole(): Promise<ServeConsole> {
  const { password } = await databaseSecret(environment.TARGET_READ_SECRET_ARN)()
  const token = createHmac('sha256', password).update('token of the console').digest('base64url')
  const handlers = consoleHandlers({
    ...{ parts, target, source, acting, mappings },
    overview: {
      session: consoleSession({
        ...{ token, events: false, archiveQuery, stage: environment.STAGE },
        actionsOff: acting === undefined ? ACTIONS_OFF : null,
      }),
      status,
      slotLimit: () => readSlotLimit(source),
      now: () => new Date(),
    },
    topics: makeTopicReader(brokers),
    archive: {
      observe: observeArchive,
      read: makeArchiveReader({ catalog, table, store: makeObjectStore(), now }),
      query: null,
    },
    archiveTable: `"${table.namespace}"."${table.name}"`,
    connectors,
    // It would open connections from the network of the pipeline to any host.
    inspect: null,
    // A comparison takes longer than an answer may. npm run compare does it from inside the network.
    equality: null,
  })
  return makeServeConsole(handlers, parts, token)
}

let opened: Promise<ServeConsole> | undefined

export const handler = async (event: ApiEvent): Promise<ApiAnswer> => {
  const request = requestOf(event)
  if (request === undefined) return answerOf(NOBODY)
  opened ??= openConsole()
  // A secret that could not be read is read again for the next request.
  opened.catch(() => {
    opened = undefined
  })
  return answerOf(await (await opened)(request))
}

const NOBODY = {
  status: 401,
  headers: { 'content-type': 'application/json; charset=utf-8' },
  body: JSON.stringify({ error: { message: 'no authorizer has named a user', hint: null } }),
}
