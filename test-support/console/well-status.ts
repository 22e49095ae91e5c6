import { eachStage } from '#core/status/latencies.ts'
import type { Status } from '#core/status/status.ts'

const noLatency = { commitToVisibleMs: null, stagesMs: eachStage(() => null) }

/** The status of a stack in which nothing is wrong, with no table yet. */
export const wellStatus: Status = {
  uptimeSeconds: 60,
  residentBytes: null,
  components: [],
  capture: { state: 'running', cause: null, follows: null, command: null, since: null },
  stopped: [],
  archiveProblems: [],
  notCaptured: [],
  quarantined: [],
  capturedPerSecond: 0,
  appliedPerSecond: 0,
  lagRecords: 0,
  archiveLagRecords: 0,
  windowsLagRecords: 0,
  lagMs: 0,
  lags: [],
  visibleUntilMsAgo: 400,
  commitToVisibleMs: null,
  latency: { now: noLatency, lastDay: noLatency, series: [] },
  retainedWalBytes: 4_096,
  archive: null,
  windows: [],
  initialLoad: null,
  tables: [],
  uncaptured: [],
  emptyViews: [],
  indexProblems: [],
  missing: [],
  lastError: null,
}
