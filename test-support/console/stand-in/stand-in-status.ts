import type { Status } from '#core/status/status.ts'
import { HOSTILE_TABLE, hostile } from './hostile-names.ts'

/** What the stand-in shows: all is well, much is wrong, or nothing was done yet. */
export type Scene = 'well' | 'wrong' | 'empty'

const since = (secondsAgo: number) => new Date(Date.now() - secondsAgo * 1_000).toISOString()

/** The names of the tables that the stand-in has. */
export const tableNames = [
  'public.green_trips',
  'public.taxi_zones',
  'public.orders',
  'public.order_lines',
  'billing.invoices_of_the_european_subsidiaries_before_the_merger_of_2019',
  `public.${hostile.long}`,
  `public.${hostile.wide}`,
  HOSTILE_TABLE,
  ...Array.from({ length: 30 }, (_, i) => `warehouse.stock_${String(i + 1).padStart(2, '0')}`),
]

/** The status at a time; figures vary a little, as those of a stack that works do. */
export function standInStatus(scene: Scene, nowMs: number): Status {
  const wave = Math.sin(nowMs / 17_000)
  const isWrong = scene === 'wrong'
  const isEmpty = scene === 'empty'
  const rate = isEmpty ? 0 : 100 + 30 * wave
  return {
    uptimeSeconds: 4_521,
    residentBytes: 1_181_116_006,
    components: components(isWrong),
    capture: isWrong
      ? {
          ...{ state: 'down', cause: 'the replication slot tidemark_3 is gone', follows: 'nothing is captured' },
          ...{ command: 'npm run recover', since: since(312) },
        }
      : { state: 'running', cause: null, follows: null, command: null, since: null },
    stopped: [],
    archiveProblems: [],
    notCaptured: [],
    quarantined: isWrong
      ? [
          {
            topic: 'changes',
            table: 'public.orders',
            records: 17,
            newestReason: 'bad',
            newestAt: since(40),
            command: 'npm run quarantine -- list',
          },
        ]
      : [],
    capturedPerSecond: isWrong ? 0 : rate,
    appliedPerSecond: isWrong ? 0 : rate * (1 + 0.05 * Math.cos(nowMs / 5_000)),
    lagRecords: isWrong || isEmpty ? null : Math.max(0, Math.round(3 * wave)),
    archiveLagRecords: isWrong || isEmpty ? null : Math.round(60 + 50 * wave),
    windowsLagRecords: isWrong || isEmpty ? null : 0,
    lagMs: isWrong || isEmpty ? null : 9,
    lags: isEmpty ? [] : lags(),
    visibleUntilMsAgo: isEmpty ? null : isWrong ? 312_400 : 9,
    commitToVisibleMs:
      isWrong || isEmpty ? null : { p50: 14 + 2 * wave, p95: 24 + 6 * wave, p99: 48 + 25 * Math.abs(wave) },
    latency: latency(isWrong || isEmpty, nowMs),
    retainedWalBytes: isEmpty ? null : 16_777_216 * (isWrong ? 40 : 1),
    archive: isEmpty
      ? null
      : {
          rows: 6_903_112,
          files: 412,
          bytes: 1_181_116_006,
          tableSnapshots: 1_204,
          waitingRecords: 120,
          oldestWaitingMs: 900,
          committedMsAgo: 1_240,
        },
    windows: isEmpty ? [] : windows(isWrong),
    initialLoad: null,
    tables: isEmpty
      ? []
      : tableNames.map((name, index) => ({
          ...{ name, state: isWrong ? ('capture is down' as const) : ('captured' as const) },
          source: { rows: (index + 1) * 40_213, isEstimate: index > 3 },
          target: { rows: (index + 1) * 40_213 - (index === 3 ? 90_000 : 0), isEstimate: index > 3 },
          changedSecondsAgo: index === 4 ? null : index * 13,
        })),
    uncaptured: [],
    emptyViews: [],
    indexProblems: [],
    missing: [],
    lastError: null,
  }
}

function latency(isUnknown: boolean, nowMs: number): Status['latency'] {
  const stage = (p50: number) => (isUnknown ? null : { p50, p95: p50 * 2, p99: p50 * 5 })
  const percentiles = {
    commitToVisibleMs: stage(14),
    stagesMs: { capture: stage(5), topic: stage(2), mapping: stage(1), apply: stage(6) },
  }
  const series = Array.from({ length: 140 }, (_, i) => {
    const p50 = 14 + 4 * Math.sin(i / 9) + (i % 31 === 30 ? 40 : 0)
    return { atMs: nowMs - (140 - i) * 600_000, p50, p95: p50 * 2, p99: p50 * 4 + (i % 17), changes: 60_000 }
  })
  return { now: percentiles, lastDay: percentiles, series: isUnknown ? [] : series }
}

function components(isWrong: boolean): Status['components'] {
  const well = { restarts: 0, errors: 0, state: 'healthy' } as const
  const server = (name: string) => ({ kind: 'server' as const, name, ...well })
  return [
    ...['object-store', 'iceberg-catalog', 'postgres source', 'postgres target', 'kafka-1', 'kafka-2', 'connect'].map(
      server,
    ),
    isWrong
      ? {
          ...{ kind: 'server' as const, name: 'connector', state: 'failing' as const, restarts: 3, errors: 0 },
          lastError:
            'org.apache.kafka.connect.errors.ConnectException: Could not execute heartbeat action query and initiate to publish a heartbeat event',
        }
      : server('connector'),
    ...['apply-latest-state', 'maintain-windows', 'archive-changes'].map((name) => ({
      kind: 'mapping' as const,
      name: `changes to ${name}`,
      ...well,
    })),
    ...['apply-latest-state', 'maintain-windows', 'archive-changes', 'commit-archive'].map((name) => ({
      kind: 'function' as const,
      name,
      ...well,
    })),
    { kind: 'function', name: 'producer', state: 'idle', restarts: 0, errors: 2 },
  ]
}

function lags(): Status['lags'] {
  return (['apply', 'windows', 'archive'] as const).map((work, index) => ({
    ...{ topic: 'changes', work, records: index * 61, behindMs: index === 0 ? 9 : 1_240 },
    topicPartitions: [0, 1, 2, 3].map((topicPartition) => ({
      ...{
        topicPartition,
        nextOffset: 1_204_511 + topicPartition,
        endOffset: 1_204_511 + topicPartition + index * 15,
        records: index * 15,
      },
    })),
  }))
}

function windows(isWrong: boolean): Status['windows'] {
  const definition = {
    ...{ state: 'shown' as const, reason: null, open: 31, final: 2_214, revised: 402, closed: 12 },
    ...{
      late: 512,
      future: 70,
      nullTimes: 3,
      watermark: '2023-12-03 21:14',
      percent: null,
      since: since(4_000),
      publishing: null,
    },
  }
  return [
    { name: 'trips_by_zone', ...definition },
    {
      ...{ name: 'earnings_by_hour_and_payment_type', ...definition },
      ...(isWrong
        ? { state: 'stopped' as const, reason: 'a row of public.orders has an amount that is no number: NaN' }
        : {}),
    },
  ]
}
