import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { connectApi } from '#adapters/connect/connect-api.ts'
import { statusOf } from '#adapters/connect/connector-states.ts'
import { CONNECTOR } from '#adapters/connect/running-connector.ts'
import { archiveTableName } from '#adapters/iceberg/archive/archive-catalog.ts'
import { readArchiveContent } from '#adapters/iceberg/archive/archive-content.ts'
import { makeTopicObserver } from '#adapters/kafka/topic-observation.ts'
import { makeObserveArchive } from '#adapters/observation/archive-observation.ts'
import { observeRepeatedly } from '#adapters/observation/repeated-observation.ts'
import { urlConfiguration } from '#adapters/postgres/session/client-of-url.ts'
import { observeArchiveLedger } from '#adapters/postgres/status/archive-ledger-observation.ts'
import { makeObserveSource } from '#adapters/postgres/status/source-observation.ts'
import { makeObserveTarget } from '#adapters/postgres/status/target-observation.ts'
import { makeObserveWindows, readWindows } from '#adapters/postgres/status/windows-observation.ts'
import { countCapturedChanges } from '#core/status/captured-changes.ts'
import type { LatencyHistory } from '#core/status/latency-history.ts'
import { Rate } from '#core/status/rate.ts'
import { describeStatus, type Status } from '#core/status/status.ts'
import { TableChanges } from '#core/status/table-changes.ts'
import { connectLogin } from '#localstack/assembly/local-account.ts'
import type { Engine } from '#localstack/engine.ts'
import type { ApplyMetrics } from '#localstack/metrics.ts'
import { localCatalog } from './archive/archive-access.ts'

/** Observes a running stack. */
export type StatusMonitor = {
  status(): Status
  stop(): Promise<void>
}

/** The period of rates and latencies. */
export const activityMs = 10_000

const everyMs = 1_000

/**
 * Starts to observe. `metrics` collects the output of the apply function over `activityMs`, and `latencies` over a day.
 * Times are those of `performance.now()`.
 */
export function startStatusMonitor(engine: Engine, metrics: ApplyMetrics, latencies: LatencyHistory): StatusMonitor {
  const { endpoints } = engine
  const startedMs = performance.now()
  const pools = [makePool(endpoints.source), makePool(endpoints.reader)] as const
  const connect = connectApi(endpoints.connect, async () => connectLogin(endpoints.key))
  const changes = new TableChanges()
  const captured = new Rate(activityMs)
  let capturedPerSecond = 0

  const topicObserver = makeTopicObserver(endpoints.kafka.split(','), endpoints.kafkaAccess)
  const topics = observeRepeatedly(
    () => topicObserver.observe([...new Set(engine.mappings().map(({ topic }) => topic))]),
    everyMs,
  )
  const source = observeRepeatedly(makeObserveSource(pools[0]), everyMs, (seen) => {
    const total = countCapturedChanges(seen, topics.latest().value)
    if (total !== undefined) capturedPerSecond = Math.max(0, captured.perSecond(total, performance.now()))
  })
  const observeTarget = makeObserveTarget(pools[1])
  const target = observeRepeatedly(
    async () => {
      // The ends of topics are read first. If they were read later, records that are applied meanwhile would look like
      // a lag.
      const ends = topics.latest().value
      return { ...(await observeTarget()), topics: ends }
    },
    everyMs,
    (seen) => changes.see(seen, performance.now()),
  )
  const connector = observeRepeatedly(() => inTime(statusOf(connect, CONNECTOR)), everyMs)
  const archive = observeRepeatedly(makeObserveLocalArchive(pools[1], engine), 2 * everyMs)
  const readEvery = () => readWindows(pools[1])
  const windows = observeRepeatedly(
    makeObserveWindows(readEvery, () => performance.now()),
    2 * everyMs,
  )
  // It is read rarely: to find shared memory, the kernel visits all pages of the processes, which takes a tenth of a
  // second of a core for the whole stack.
  const memory = observeRepeatedly(() => engine.residentBytes(), 15 * everyMs)
  return {
    status: () => {
      const nowMs = performance.now()
      return describeStatus({
        nowMs,
        startedMs,
        services: engine.health(),
        functions: engine.functions(),
        mappings: engine.mappings(),
        connector: connector.latest(),
        source: source.latest(),
        target: target.latest(),
        topics: topics.latest(),
        archive: archive.latest(),
        windows: windows.latest(),
        activity: metrics.activity(nowMs),
        latencyOfDay: latencies.describe(Date.now()),
        capturedPerSecond,
        changedAtMs: changes.changedAtMs,
        residentBytes: memory.latest().value ?? null,
      })
    },
    stop: async () => {
      await Promise.all(
        [source, target, topics, archive, windows, connector, memory].map((observation) => observation.stop()),
      )
      await Promise.all([...pools.map((pool) => pool.end()), topicObserver.close()])
    },
  }
}

/** Connect's client waits for a worker that rebalances; a status must not wait that long. */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  answer.catch(() => undefined)
  const late = setTimeout(2 * everyMs, undefined, { ref: false }).then(() => {
    throw new Error('Connect does not answer')
  })
  return Promise.race([answer, late])
}

/** Observes the archive of the running stack. */
function makeObserveLocalArchive(target: pg.Pool, { endpoints, outputs }: Pick<Engine, 'endpoints' | 'outputs'>) {
  const catalog = localCatalog(endpoints, outputs['ArchiveWarehouse'])
  const table = archiveTableName({ namespace: outputs['ArchiveNamespace'] ?? '' })
  return makeObserveArchive({
    readLedger: () => observeArchiveLedger(target),
    readContent: () => readArchiveContent(catalog, table),
    now: () => performance.now(),
  })
}

function makePool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({
    ...urlConfiguration(connectionString, 'tidemark-status'),
    max: 2,
    connectionTimeoutMillis: 2_000,
    query_timeout: 5_000,
  })
  // A server that restarts closes idle connections. The next observation opens new ones.
  pool.on('error', () => undefined)
  return pool
}
