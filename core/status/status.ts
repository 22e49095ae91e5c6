import { CONSUMERS } from '../fixed-names.ts'
import type { ApplyActivity } from './apply-activity.ts'
import { type CaptureStatus, describeCapture } from './capture-status.ts'
import {
  type Component,
  type ComponentParts,
  describeComponents,
  healedErrorOf,
  isWell,
  lastErrorOf,
} from './components.ts'
import { type ConsumerLag, describeLags, lagOf } from './consumer-lag.ts'
import type { LatencyPercentiles, Percentiles } from './latencies.ts'
import type { LatencyOfDay } from './latency-history.ts'
import type {
  ArchiveObservation,
  Latest,
  Progress,
  SourceObservation,
  TargetObservation,
  TopicObservation,
  WindowsOfDefinition,
} from './observations.ts'
import {
  describeIndexProblems,
  describeNotCaptured,
  describeQuarantined,
  describeStopped,
  type IndexProblem,
  type NotCaptured,
  type QuarantinedRecords,
  type StoppedPart,
} from './stopped-parts.ts'

/** The state of one table. */
export type TableStatus = {
  name: string
  /** `capture is down` replaces `captured` while capture is down. */
  state: 'captured' | 'pending' | 'awaiting writers' | 'snapshotting' | 'stopped' | 'capture is down'
  source: { rows: number; isEstimate: boolean }
  /** Null if the target does not have the table. An estimate includes delete markers. */
  target: { rows: number; isEstimate: boolean } | null
  /** The time since the target's rows were last seen to change; null if they have not changed since the start. */
  changedSecondsAgo: number | null
}

/** Everything that the status screen shows, as one document. */
export type Status = {
  uptimeSeconds: number
  residentBytes: number | null
  components: Component[]
  /** Whether changes of the source are captured at all. */
  capture: CaptureStatus
  /** The topic partitions and tables that are not applied or archived any further. */
  stopped: StoppedPart[]
  /** The problems that the archive cannot resolve by itself, with the commands that resolve them. */
  archiveProblems: TargetObservation['archiveProblems']
  /** Tables whose rows the target shows and whose changes no longer come. */
  notCaptured: NotCaptured[]
  /** Records in quarantine that were not retried or discarded yet. */
  quarantined: QuarantinedRecords[]
  capturedPerSecond: number
  appliedPerSecond: number
  /**
   * The number of records of all topics that are not applied, and not archived. Null until the topics were observed,
   * and also while capture is down, because changes that the source has committed since are in no topic.
   */
  lagRecords: number | null
  archiveLagRecords: number | null
  /** The number of records whose rows are not in windows yet. */
  windowsLagRecords: number | null
  /** Null if the number of records is null. */
  lagMs: number | null
  lags: ConsumerLag[]
  /** Everything that the source had committed this long ago is visible; null before the first beacon. */
  visibleUntilMsAgo: number | null
  commitToVisibleMs: Percentiles | null
  /** Where the time goes between commit and visible: now, over the last day, and as a series of that day. */
  latency: { now: LatencyPercentiles } & LatencyOfDay
  retainedWalBytes: number | null
  /** Null until it was observed. */
  archive: ArchiveObservation | null
  /** The definitions of windows. */
  windows: WindowsOfDefinition[]
  /** Set while tables are read for the first time. */
  initialLoad: { rows: number; expectedRows: number; percent: number } | null
  tables: TableStatus[]
  /** Tables that are not captured yet, or cannot be. */
  uncaptured: { name: string; why: string; fix: string | null }[]
  /** Views of tables that no longer exist in the source, and the SQL that drops the objects which depend on them. */
  emptyViews: TargetObservation['emptyViews']
  /** Declared indexes that are not on the rows of their table, why, and the command for each. */
  indexProblems: IndexProblem[]
  /** Captured tables whose rows or view were dropped by hand in the target. */
  missing: TargetObservation['missing']
  /** The last error of something that fails now, or, if nothing is wrong, of something that failed and works again. */
  lastError: string | null
}

/** The parts of a status. Times are in milliseconds of one clock. */
export type StatusParts = Omit<ComponentParts, 'observed'> & {
  nowMs: number
  startedMs: number
  source: Latest<SourceObservation>
  /** The target, with the ends of the topics as they were before it was observed. */
  target: Latest<TargetObservation & { topics: TopicObservation | undefined }>
  topics: Latest<TopicObservation>
  archive: Latest<ArchiveObservation>
  windows: Latest<WindowsOfDefinition[]>
  activity: ApplyActivity
  latencyOfDay: LatencyOfDay
  capturedPerSecond: number
  /** When the rows of each table were last seen to change. */
  changedAtMs: ReadonlyMap<string, number>
  residentBytes: number | null
}

/** Makes the status from its parts. */
export function describeStatus(parts: StatusParts): Status {
  const { nowMs, startedMs, source, target, topics, archive, windows, activity } = parts
  const components = describeComponents({ ...parts, observed: { source, target, topics, archive } })
  const progress = (target.value?.progress ?? []).filter(({ consumer }) => consumer === latestState)
  const ends = target.value?.topics
  const uncaptured = source.value?.uncaptured ?? []
  const notCaptured = describeNotCaptured(target.value?.notCaptured ?? [], uncaptured)
  const lags = ends === undefined ? [] : describeLags(parts.mappings, ends, target.value?.progress ?? [])
  const capture = describeCapture({
    connector: parts.connector,
    health: target.value?.captureHealth ?? null,
    isStopped: isChangesStopped(target.value),
    isSlotRead: source.value?.isSlotRead ?? true,
    beaconAgeMs: beaconAge(parts, lags),
  })
  const isKnown = ends !== undefined && capture.state === 'running'
  const tables = describeTables(parts, capture)
  const wrong = {
    components,
    capture,
    stopped: target.value === undefined ? [] : describeStopped(target.value, namesOf(source)),
    archiveProblems: target.value?.archiveProblems ?? [],
    notCaptured,
    quarantined: describeQuarantined(target.value?.quarantined ?? []),
    missing: target.value?.missing ?? [],
    windows: windows.value ?? [],
  }
  return {
    uptimeSeconds: Math.round((nowMs - startedMs) / 1_000),
    residentBytes: parts.residentBytes,
    ...wrong,
    capturedPerSecond: parts.capturedPerSecond,
    appliedPerSecond: activity.changesPerSecond,
    lagRecords: isKnown ? lagOf(lags, 'apply') : null,
    archiveLagRecords: isKnown ? lagOf(lags, 'archive') : null,
    windowsLagRecords: isKnown ? lagOf(lags, 'windows') : null,
    lagMs: isKnown ? Math.max(0, ...lags.map(({ work, behindMs }) => (work === 'apply' ? (behindMs ?? 0) : 0))) : null,
    lags,
    visibleUntilMsAgo: visibleUntil(progress, source.value),
    commitToVisibleMs: activity.commitToVisibleMs,
    latency: {
      now: { commitToVisibleMs: activity.commitToVisibleMs, stagesMs: activity.stagesMs },
      ...parts.latencyOfDay,
    },
    retainedWalBytes: source.value?.retainedWalBytes ?? null,
    archive: archive.value ?? null,
    initialLoad: describeInitialLoad(tables, isSnapshotOpen(progress, source.value)),
    tables,
    uncaptured: uncaptured.filter(({ name }) => !notCaptured.some((table) => table.name === name)),
    emptyViews: target.value?.emptyViews ?? [],
    indexProblems: describeIndexProblems(target.value?.indexProblems ?? []),
    lastError:
      lastErrorOf(components) ?? archiveErrorOf(wrong) ?? (isAllWell(wrong) ? healedErrorOf(components) : null),
  }
}

/** The parts of a status that decide whether all is well. */
type Wrong = Pick<
  Status,
  'components' | 'capture' | 'stopped' | 'archiveProblems' | 'notCaptured' | 'quarantined' | 'missing' | 'windows'
>

/**
 * Whether everything runs, changes are captured, no table is missing or no longer captured, nothing is stopped or in
 * quarantine, the archive has no problem, and no definition of windows is stopped or cannot be published.
 */
export const isAllWell = ({
  components,
  capture,
  stopped,
  archiveProblems,
  notCaptured,
  quarantined,
  missing,
  windows,
}: Wrong): boolean =>
  components.every(isWell) &&
  capture.state !== 'down' &&
  windows.every(({ state, publishing }) => state !== 'stopped' && publishing === null) &&
  [stopped, archiveProblems, notCaptured, quarantined, missing].every(({ length }) => length === 0)

const { latestState } = CONSUMERS

const archiveErrorOf = ({ archiveProblems: [first] }: Pick<Status, 'archiveProblems'>): string | null =>
  first === undefined ? null : `archive: ${first.reason}`

const changes = 'changes'

const namesOf = (source: Latest<SourceObservation>): string[] => (source.value?.tables ?? []).map(({ name }) => name)

const isChangesStopped = (target: TargetObservation | undefined): boolean =>
  (target?.stops ?? []).some(({ consumer, topic }) => consumer === latestState && topic === changes)

/**
 * The age of the newest beacon if only capture can explain it: no record waits to be applied, nothing is stopped, and
 * no table is being snapshotted, because Debezium sends no beacons meanwhile.
 */
function beaconAge({ source, target }: StatusParts, lags: readonly ConsumerLag[]): number | null {
  const progress = (target.value?.progress ?? []).filter(
    ({ consumer, topic }) => consumer === latestState && topic === changes,
  )
  const isBehind = lags.some(({ topic, work, records }) => topic === changes && work === 'apply' && records > 0)
  // Debezium keeps its connection to the slot during a snapshot.
  const isSnapshotting =
    source.value?.isSlotRead === true && source.value.tables.some(({ state }) => state === 'snapshotting')
  const isKnown =
    source.value !== undefined && source.error === undefined && target.error === undefined && lags.length > 0
  if (
    !isKnown ||
    isBehind ||
    isSnapshotting ||
    isChangesStopped(target.value) ||
    isSnapshotOpen(progress, source.value)
  ) {
    return null
  }
  const ages = progress.flatMap(({ beaconAgeMs }) => (beaconAgeMs === null ? [] : [beaconAgeMs]))
  return ages.length === 0 ? null : Math.min(...ages)
}

function describeTables({ source, target, changedAtMs, nowMs }: StatusParts, capture: CaptureStatus): TableStatus[] {
  const inSource = source.value?.tables ?? []
  const inTarget = target.value?.tables ?? []
  const stopped = target.value?.stopped ?? []
  return inSource.map(({ name, state, rows, isEstimate }) => {
    const shown = inTarget.find((table) => table.name === name)
    const changedAt = changedAtMs.get(name)
    return {
      name,
      state: stopped.some((table) => table.name === name)
        ? 'stopped'
        : stateUnder(capture, state as TableStatus['state']),
      source: { rows, isEstimate },
      target: shown === undefined ? null : { rows: shown.rows, isEstimate: shown.isEstimate },
      changedSecondsAgo: changedAt === undefined ? null : Math.round((nowMs - changedAt) / 1_000),
    }
  })
}

/** While capture is down, a table is not captured, although the source has noted it as such. */
const stateUnder = ({ state: capture }: CaptureStatus, state: TableStatus['state']): TableStatus['state'] =>
  capture === 'down' && state === 'captured' ? 'capture is down' : state

/** The initial snapshot of a topic partition is complete when a beacon has been applied in it. */
function isSnapshotOpen(progress: Progress[], source: SourceObservation | undefined): boolean {
  if (source === undefined) return false
  return progress.filter(({ beacon }) => beacon !== null).length < source.topicPartitions
}

function describeInitialLoad(tables: TableStatus[], isSnapshot: boolean): Status['initialLoad'] {
  const loading = tables.filter(({ state }) => isSnapshot || state === 'snapshotting')
  const expectedRows = loading.reduce((sum, { source }) => sum + source.rows, 0)
  if (expectedRows === 0) return null
  const rows = loading.reduce((sum, { source, target }) => sum + Math.min(source.rows, target?.rows ?? 0), 0)
  return { rows, expectedRows, percent: Math.floor((rows / expectedRows) * 100) }
}

function visibleUntil(progress: Progress[], source: SourceObservation | undefined): number | null {
  if (source === undefined || isSnapshotOpen(progress, source)) return null
  return Math.max(0, ...progress.map(({ behindMs }) => behindMs ?? 0))
}
