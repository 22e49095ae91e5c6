import { LambdaClient } from '@aws-sdk/client-lambda'
import type pg from 'pg'
import { makeMappingHealth } from '#adapters/aws/mapping-health.ts'
import { connectCalls } from '#adapters/connect/connect-api.ts'
import { makeConnectors } from '#adapters/connect/connector-listing.ts'
import { readArchiveContent } from '#adapters/iceberg/archive/archive-content.ts'
import { makeArchiveReader } from '#adapters/iceberg/archive/archive-view.ts'
import { makeTopicReader } from '#adapters/kafka/topics/topic-reader.ts'
import { makeObserveArchive } from '#adapters/observation/archive-observation.ts'
import { readSlotLimit } from '#adapters/postgres/console/slot-limit.ts'
import { observeArchiveLedger } from '#adapters/postgres/status/archive-ledger-observation.ts'
import { consoleHandlers } from '#lambdas/serve-console/console-handlers.ts'
import { consoleSession } from '#lambdas/serve-console/console-session.ts'
import { makeServeConsole } from '#lambdas/serve-console/serve-console.ts'
import { isUnreachable } from '#lambdas/serve-console/unreachable-error.ts'
import { makeUnreachableParts } from '#lambdas/serve-console/unreachable-parts.ts'
import { makeConsoleQuery } from '#localstack/archive-readers/console-query.ts'
import { connectLogin } from '#localstack/assembly/local-account.ts'
import type { EngineEndpoints, RunningEngine } from '#localstack/engine.ts'
import { inspectForConsole } from '#preflight/console-inspection.ts'
import { localArchive } from '#verify/archive/archive-access.ts'
import { makeConsoleEquality } from '#verify/console-equality.ts'
import { callFunction } from '../invoke/function-call.ts'
import { askRecovery } from '../recover/recovery-call.ts'
import { askStatus } from '../running/running-status.ts'
import type { OpenConsole } from './open-console.ts'
import { type ConsoleRole, makeRolePool } from './role-pool.ts'

export type LocalConsoleOptions = { readonly token: string; readonly allowsActions: boolean }

/** Connect's client usually waits for a worker that rebalances. A page must not wait that long. */
const CONNECT_PATIENCE = { answerMs: 10_000, rebalanceMs: 3_000 }

/** The console of the stack that runs here. Nothing needs to answer yet. */
export function openLocalConsole(engine: RunningEngine, { token, allowsActions }: LocalConsoleOptions): OpenConsole {
  const { endpoints } = engine
  const { key } = endpoints
  const now = () => new Date()
  const parts = makeUnreachableParts(now, isUnreachable)
  const pool = (administrator: string, role: ConsoleRole) => makeRolePool({ administrator, role, key, max: 4 })
  const target = pool(endpoints.target, 'tidemark_console_read')
  const source = pool(endpoints.source, 'tidemark_console_read')
  const acting = allowsActions
    ? {
        target: pool(endpoints.target, 'tidemark_console_act'),
        source: pool(endpoints.source, 'tidemark_console_act'),
      }
    : undefined
  const connectors = makeConnectors(connectCalls(endpoints.connect, async () => connectLogin(key), CONNECT_PATIENCE))
  const { archive, close: closeArchive } = openArchive(engine, target)
  const handlers = consoleHandlers({
    ...{ parts, target, source, connectors, archive },
    overview: {
      session: consoleSession({
        ...{ token, events: true, archiveQuery: { kind: 'here' }, stage: 'local' },
        actionsOff: allowsActions ? null : ACTIONS_OFF,
      }),
      status: () => askStatus(engine),
      slotLimit: () => readSlotLimit(source),
      now,
    },
    topics: makeTopicReader(async () => ({ brokers: endpoints.kafka.split(','), access: endpoints.kafkaAccess ?? {} })),
    archiveTable: 'archive',
    inspect: allowsActions ? inspectForConsole : null,
    equality: makeConsoleEquality({ source: endpoints.source, target: endpoints.reader, now }),
    mappings: makeMappingHealth('all', lambdaOf(endpoints)),
    acting: acting && {
      ...{ ...acting, connectors, hasOwnTopicsOnly: endpoints.kafkaAccess !== undefined },
      ...functionsOf(endpoints),
    },
  })
  return {
    serve: makeServeConsole(handlers, parts, token),
    async close() {
      closeArchive()
      await Promise.all([target.end(), source.end(), acting?.target.end(), acting?.source.end()])
    },
  }
}

/** The archive, and the process that queries it. */
function openArchive({ endpoints, outputs }: RunningEngine, target: pg.Pool) {
  const { ArchiveWarehouse: warehouse = '', ArchiveNamespace: namespace = '' } = outputs
  const place = localArchive(endpoints, namespace, warehouse)
  const { catalog: catalogEndpoint, objectStore: s3Endpoint, key } = endpoints
  const { query, close } = makeConsoleQuery({ catalogEndpoint, s3Endpoint, key, warehouse, namespace })
  const observe = makeObserveArchive({
    readLedger: () => observeArchiveLedger(target),
    readContent: () => readArchiveContent(place.catalog, place.table),
    now: () => performance.now(),
  })
  return { archive: { observe, read: makeArchiveReader({ ...place, now: () => performance.now() }), query }, close }
}

/** The functions that actions invoke. */
function functionsOf({ endpoint }: Pick<EngineEndpoints, 'endpoint'>) {
  const start = (name: string, event: object) => async () =>
    callFunction(endpoint, { name, event: JSON.stringify(event), async: true })
  return {
    startCapture: start('capture-tables', {}),
    startApply: start('apply-latest-state', { records: {} }),
    recovery: {
      diagnose: () => askRecovery(endpoint, { dryRun: true, newEpoch: false }),
      begin: start('recover-capture', { recover: {} }),
    },
  }
}

/** The stack lists its mappings for everyone, so the credentials need not be right. */
const lambdaOf = ({ endpoint }: Pick<EngineEndpoints, 'endpoint'>): LambdaClient =>
  new LambdaClient({
    ...{ endpoint, region: 'us-east-1', maxAttempts: 1 },
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })

const ACTIONS_OFF =
  'Actions are off. Start the stack with npm start -- --allow-actions, or another console with npm run console -- --allow-actions.'
