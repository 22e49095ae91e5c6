import pg from 'pg'
import { connectApi, connectCalls } from '#adapters/connect/connect-api.ts'
import { makeConnectors } from '#adapters/connect/connector-listing.ts'
import { statusOf } from '#adapters/connect/connector-states.ts'
import { CONNECTOR } from '#adapters/connect/running-connector.ts'
import { makeObserveTopics } from '#adapters/kafka/topic-observation.ts'
import { makeTopicReader } from '#adapters/kafka/topics/topic-reader.ts'
import { makeAskedStatus, type Observers } from '#adapters/observation/asked-status.ts'
import { readSlotLimit } from '#adapters/postgres/console/slot-limit.ts'
import { urlConfiguration } from '#adapters/postgres/session/client-of-url.ts'
import { observeArchiveLedger } from '#adapters/postgres/status/archive-ledger-observation.ts'
import { estimateRows } from '#adapters/postgres/status/row-counts.ts'
import { makeObserveSource } from '#adapters/postgres/status/source-observation.ts'
import { makeObserveTarget } from '#adapters/postgres/status/target-observation.ts'
import { makeObserveWindows, readWindows } from '#adapters/postgres/status/windows-observation.ts'
import { consoleHandlers } from '#lambdas/serve-console/console-handlers.ts'
import { consoleSession } from '#lambdas/serve-console/console-session.ts'
import { PartUnreachableError } from '#lambdas/serve-console/request-problem.ts'
import { makeServeConsole } from '#lambdas/serve-console/serve-console.ts'
import { isUnreachable } from '#lambdas/serve-console/unreachable-error.ts'
import { makeUnreachableParts } from '#lambdas/serve-console/unreachable-parts.ts'
import type { ConsoleTarget } from './console-arguments.ts'
import type { OpenConsole } from './open-console.ts'

type Urls = Extract<ConsoleTarget, { kind: 'urls' }>

const PATIENCE = { answerMs: 10_000, rebalanceMs: 3_000 }

/** The topics that consumers' lags are counted by. */
const TOPICS = ['changes', 'user-events']

/**
 * The console of a pipeline elsewhere, of what its databases and servers at these URLs have. A part without a URL says so
 * where the page asks for it.
 */
export function openRemoteConsole(urls: Urls, token: string): OpenConsole {
  const parts = makeUnreachableParts(() => new Date(), isUnreachable)
  const target = makePool(urls.target)
  const source = urls.source === undefined ? undefined : makePool(urls.source)
  const status = makeAskedStatus(observersOf(urls, target, source), () => performance.now())
  const absent = (part: 'connect' | 'kafka' | 'archive' | 'functions', give: string) => async (): Promise<never> => {
    throw new PartUnreachableError(part, new Error(`this console was started without it: ${give}`))
  }
  const noKafka = absent('kafka', 'give --kafka host:port,…')
  const noConnect = absent('connect', 'give its URL as the second argument')
  const noArchive = absent('archive', 'npm run archive shows it')
  const { connect, kafka } = urls
  const handlers = consoleHandlers({
    ...{ parts, target, source, acting: undefined },
    overview: {
      session: consoleSession({
        ...{ token, events: true, archiveQuery: { kind: 'none' }, stage: new URL(urls.target).hostname },
        actionsOff: 'A console with the URLs of a pipeline only shows it.',
      }),
      status,
      slotLimit: async () => (source === undefined ? null : readSlotLimit(source)),
      now: () => new Date(),
    },
    topics:
      kafka === undefined
        ? { list: noKafka, read: noKafka, readOne: noKafka }
        : makeTopicReader(async () => ({ brokers: kafka.split(','), access: {} })),
    archive: { observe: noArchive, read: noArchive, query: null },
    archiveTable: null,
    connectors:
      connect === undefined
        ? { list: noConnect, read: noConnect }
        : makeConnectors(connectCalls(connect, undefined, PATIENCE)),
    inspect: null,
    equality: null,
    mappings: absent('functions', 'Lambda has no URL here'),
  })
  return {
    serve: makeServeConsole(handlers, parts, token),
    async close() {
      await Promise.all([target.end(), source?.end()])
    },
  }
}

/** What has no URL is observed as empty: it is unknown, and not failing. */
function observersOf({ connect, kafka }: Urls, target: pg.Pool, source: pg.Pool | undefined): Observers {
  const worker = connect === undefined ? undefined : connectApi(connect, undefined, PATIENCE)
  return {
    source: source && makeObserveSource(source, estimateRows),
    target: makeObserveTarget(target),
    topics:
      kafka === undefined
        ? undefined
        : makeObserveTopics(async () => ({ brokers: kafka.split(','), access: {} }), TOPICS),
    connector: worker && (() => statusOf(worker, CONNECTOR)),
    archive: async () => {
      const { committedAt: _, ...waiting } = await observeArchiveLedger(target)
      return { rows: 0, files: 0, bytes: 0, tableSnapshots: 0, ...waiting }
    },
    windows: makeObserveWindows(
      () => readWindows(target),
      () => performance.now(),
    ),
    mappings: async () => [],
    functions: async () => [],
  }
}

function makePool(url: string): pg.Pool {
  const pool = new pg.Pool({ ...urlConfiguration(url, 'tidemark-console'), max: 4, connectionTimeoutMillis: 10_000 })
  // A server that restarts closes idle connections. The next request opens new ones.
  pool.on('error', () => undefined)
  return pool
}
