import type pg from 'pg'
import type { Connectors } from '#adapters/connect/connector-listing.ts'
import type { TopicReader } from '#adapters/kafka/topics/topic-reader.ts'
import { readWindowSeries } from '#adapters/postgres/console/window-series.ts'
import { readWindows } from '#adapters/postgres/status/windows-observation.ts'
import type { ShownRecord } from '#core/console/topics.ts'
import { connectorActions } from './actions/connector-actions.ts'
import { recordedExecutors } from './actions/recorded-executors.ts'
import { type RecoveryPort, recoveryAction } from './actions/recovery-action.ts'
import { type DatabaseRouteParts, makeDatabaseRoutes } from './database-routes.ts'
import { type ArchiveParts, archiveRoutes } from './routes/archive.ts'
import { type ConnectorParts, connectorRoutes } from './routes/connectors.ts'
import { type ConsumerParts, consumerRoutes } from './routes/consumers.ts'
import { type EqualityPort, equalityRoutes } from './routes/equality.ts'
import { type OverviewParts, overviewRoutes } from './routes/overview.ts'
import type { QuarantinePlace } from './routes/quarantine.ts'
import { topicRoutes } from './routes/topics.ts'
import { windowsRoutes } from './routes/windows.ts'
import type { RouteHandlers } from './serve-console.ts'
import type { UnreachableParts } from './unreachable-parts.ts'

/** How actions are executed outside of the databases. */
export type Acting = NonNullable<DatabaseRouteParts['acting']> & {
  readonly connectors: Connectors
  /** Whether the brokers give Connect rights on Tidemark's own topics only. */
  readonly hasOwnTopicsOnly: boolean
  /** Invoke the functions without waiting for them. */
  readonly startCapture: () => Promise<unknown>
  readonly startApply: () => Promise<unknown>
  readonly recovery: RecoveryPort
}

/** What the subjects of the console are answered from. */
export type ConsoleParts = {
  readonly parts: UnreachableParts
  /** Target and source, as a role that may read what the console shows. Only actions ask the source. */
  readonly target: pg.Pool
  readonly source: pg.Pool | undefined
  /** Undefined where the console only shows. */
  readonly acting: Acting | undefined
  readonly overview: Omit<OverviewParts, 'parts' | 'equality'>
  readonly topics: TopicReader
  readonly archive: Omit<ArchiveParts, 'parts'>
  /** How a query names the table of the archive; null where there is no archive. */
  readonly archiveTable: string | null
  readonly connectors: ConnectorParts['connectors']
  readonly inspect: ConnectorParts['inspect']
  readonly mappings: ConsumerParts['mappings']
  /** Null where the console cannot compare source and target. */
  readonly equality: EqualityPort | null
}

/** The handlers of all routes. */
export function consoleHandlers(of: ConsoleParts): RouteHandlers {
  const { parts, target, source, acting, equality, topics } = of
  const { status, session } = of.overview
  return {
    ...overviewRoutes({ ...of.overview, equality: () => equality?.state() ?? null, parts }),
    ...makeDatabaseRoutes({
      ...{
        target,
        source,
        acting,
        parts,
        archiveTable: of.archiveTable,
        appVersion: session.version,
      },
      status: () => status().catch(() => null),
      readNeighbours: (place) => readNeighbours(topics, place),
      executors: acting === undefined ? {} : outsideExecutors(acting, parts),
      startCapture: async () => acting?.startCapture(),
      startApply: async () => acting?.startApply(),
      now: () => performance.now(),
    }),
    ...topicRoutes({ topics, parts }),
    ...archiveRoutes({ ...of.archive, parts }),
    ...windowsRoutes({
      definitions: () => readWindows(target),
      series: (request) => readWindowSeries(target, request),
      parts,
    }),
    ...connectorRoutes({ connectors: of.connectors, inspect: of.inspect, parts }),
    ...consumerRoutes({ status, mappings: of.mappings, parts }),
    ...equalityRoutes(equality),
  }
}

const outsideExecutors = ({ connectors, hasOwnTopicsOnly, recovery }: Acting, parts: UnreachableParts) => ({
  ...recordedExecutors(connectorActions({ connectors, hasOwnTopicsOnly, parts })),
  ...recoveryAction({
    diagnose: () => parts.ask('functions', recovery.diagnose),
    begin: () => parts.ask('functions', recovery.begin),
  }),
})

/** The records before and after a place. */
const AROUND = 3

async function readNeighbours(topics: TopicReader, { topic, topicPartition, offset }: QuarantinePlace) {
  const first = BigInt(offset) > AROUND ? BigInt(offset) - BigInt(AROUND) : 0n
  const page = await topics.read({
    ...{ topic, topicPartition, key: null, limit: 2 * AROUND + 1 },
    place: { kind: 'offset', offset: first },
  })
  return (page?.items ?? []).filter((record: ShownRecord) => record.offset !== offset)
}
