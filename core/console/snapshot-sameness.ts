import type { Status } from '../status/status.ts'
import type { Snapshot } from './overview.ts'

/**
 * A text that is equal for two snapshots between which nothing worth showing has happened. Ages, and what beacons move in
 * an idle stack, such as offsets and retained WAL, count by their order of magnitude only.
 */
export function samenessOf({ at: _, status, slot, ...rest }: Snapshot): string {
  return JSON.stringify({
    ...rest,
    status: status && samenessOfStatus(status),
    slot: slot && { limitBytes: slot.limitBytes, retained: stepOf(slot.retainedBytes, BYTES) },
  })
}

/** The steps between which a figure is shown as the same. */
const AGES_MS = [2_000, 10_000, 30_000, 60_000, 120_000, 300_000, 900_000, 3_600_000]
const RECORDS = [20, 100, 1_000, 10_000, 100_000, 1_000_000]
const BYTES = [64, 256, 1_024, 4_096, 16_384, 65_536].map((mebibytes) => mebibytes * 2 ** 20)

const stepOf = (figure: number | null, steps: readonly number[]): number | null =>
  figure === null ? null : steps.filter((step) => figure >= step).length

function samenessOfStatus(status: Status) {
  const { uptimeSeconds: _, residentBytes: _memory, commitToVisibleMs: _now, latency: _latency, ...shown } = status
  return {
    ...shown,
    capturedPerSecond: Math.round(shown.capturedPerSecond),
    appliedPerSecond: Math.round(shown.appliedPerSecond),
    lagRecords: stepOf(shown.lagRecords, RECORDS),
    archiveLagRecords: stepOf(shown.archiveLagRecords, RECORDS),
    windowsLagRecords: stepOf(shown.windowsLagRecords, RECORDS),
    lagMs: stepOf(shown.lagMs, AGES_MS),
    visibleUntilMsAgo: stepOf(shown.visibleUntilMsAgo, AGES_MS),
    retainedWalBytes: stepOf(shown.retainedWalBytes, BYTES),
    lags: shown.lags.map(({ topic, work, records }) => [topic, work, stepOf(records, RECORDS)]),
    archive: shown.archive && { oldestWaiting: stepOf(shown.archive.oldestWaitingMs, AGES_MS) },
    tables: shown.tables.map(({ changedSecondsAgo, ...table }) => ({
      ...table,
      changed: stepOf(changedSecondsAgo === null ? null : changedSecondsAgo * 1_000, AGES_MS),
    })),
  }
}
