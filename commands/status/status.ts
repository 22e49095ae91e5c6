import type { ConnectorStatus } from '#adapters/connect/connect-api.ts'
import type { ComponentHealth, FunctionHealth, MappingHealth } from '#localstack/engine.ts'
import type { ApplyActivity, Percentiles } from '#localstack/metrics.ts'
import type { ArchiveObservation } from './archive-observation.ts'
import type { Latest } from './repeated-observation.ts'
import type { SourceObservation } from './source-observation.ts'
import type { TargetObservation } from './target-observation.ts'

/** One part of the running stack. `idle`: a function nobody has called for a while. */
export type Component = {
  kind: 'server' | 'mapping' | 'function'
  name: string
  state: 'healthy' | 'idle' | 'starting' | 'restarting' | 'failing' | 'stopped'
  restarts: number
  /** Failed invocations of a function. */
  errors: number
  lastError?: string
}

/** How far one table is. */
export type TableStatus = {
  name: string
  state: 'captured' | 'pending' | 'awaiting writers' | 'reading' | 'stopped'
  source: { rows: number; isEstimate: boolean }
  /** Null where the target does not have the table. An estimate counts delete markers, too. */
  target: { rows: number; isEstimate: boolean } | null
  /** Since the target's rows were last seen to change; null where they did not since the start. */
  changedSecondsAgo: number | null
}

/** Everything the status screen shows, as one document. */
export type Status = {
  uptimeSeconds: number
  residentBytes: number | null
  components: Component[]
  capturedPerSecond: number
  appliedPerSecond: number
  lagRecords: number
  lagMs: number
  /** Everything committed in the source until so long ago is visible; null before the first beacon. */
  visibleUntilMsAgo: number | null
  commitToVisibleMs: Percentiles | null
  retainedWalBytes: number | null
  /** Null until it was first looked at. */
  archive: ArchiveObservation | null
  /** While tables are read for the first time. */
  initialLoad: { rows: number; expectedRows: number; percent: number } | null
  tables: TableStatus[]
  uncaptured: { name: string; why: string; fix: string | null }[]
  stopped: { name: string; reason: string }[]
  quarantinedRecords: number
  lastError: string | null
}

/** What a status is made of. Times are milliseconds of one clock. */
export type StatusParts = {
  nowMs: number
  startedMs: number
  services: ComponentHealth[]
  functions: FunctionHealth[]
  mappings: MappingHealth[]
  connector: Latest<ConnectorStatus | undefined>
  source: Latest<SourceObservation>
  target: Latest<TargetObservation>
  archive: Latest<ArchiveObservation>
  activity: ApplyActivity
  capturedPerSecond: number
  /** By table, when its rows were last seen to change. */
  changedAtMs: ReadonlyMap<string, number>
  residentBytes: number | null
}

/** Puts the document together. */
export function describeStatus(parts: StatusParts): Status {
  const { nowMs, startedMs, source, target, activity } = parts
  const components = describeComponents(parts)
  const tables = describeTables(parts)
  const progress = target.value?.progress ?? []
  const lags = changesPartitions(parts.mappings).map(({ topicPartition, lagRecords }) => ({
    lagRecords,
    behindMs: progress.find((each) => topicPartition.endsWith(`-${each.topicPartition}`))?.behindMs ?? 0,
  }))
  return {
    uptimeSeconds: Math.round((nowMs - startedMs) / 1_000),
    residentBytes: parts.residentBytes,
    components,
    capturedPerSecond: parts.capturedPerSecond,
    appliedPerSecond: activity.changesPerSecond,
    lagRecords: lags.reduce((sum, { lagRecords }) => sum + lagRecords, 0),
    lagMs: Math.max(0, ...lags.filter(({ lagRecords }) => lagRecords > 0).map(({ behindMs }) => behindMs)),
    visibleUntilMsAgo: visibleUntil(progress, source.value),
    commitToVisibleMs: activity.commitToVisibleMs,
    retainedWalBytes: source.value?.retainedWalBytes ?? null,
    archive: parts.archive.value ?? null,
    initialLoad: describeInitialLoad(tables, isSnapshotOpen(progress, source.value)),
    tables,
    uncaptured: source.value?.uncaptured ?? [],
    stopped: describeStopped(target.value),
    quarantinedRecords: target.value?.quarantinedRecords ?? 0,
    lastError: lastErrorOf(parts, components),
  }
}

/** The topic partitions of captured changes, as they are delivered to be applied. */
export function changesPartitions(mappings: MappingHealth[]): MappingHealth['topicPartitions'] {
  return mappings
    .filter(({ topic, functionName }) => topic === 'changes' && shortName(functionName) === 'apply-latest-state')
    .flatMap(({ topicPartitions }) => topicPartitions)
}

/** What a mapping is that nothing has failed for. */
const mappingStates: Readonly<Record<MappingHealth['state'], Component['state']>> = {
  Creating: 'starting',
  Enabling: 'starting',
  Enabled: 'healthy',
  Updating: 'starting',
  Reconnecting: 'restarting',
  Disabling: 'stopped',
  Disabled: 'stopped',
  Deleting: 'stopped',
  Deleted: 'stopped',
}

function describeComponents({ services, functions, mappings, connector }: StatusParts): Component[] {
  const well = { restarts: 0, errors: 0 }
  return [
    ...services.map(
      ({ name, state, restarts, lastError }): Component => ({
        ...{ kind: 'server', name, state, restarts, errors: 0 },
        ...withError(lastError),
      }),
    ),
    { kind: 'server', name: 'connector', ...well, ...describeConnector(connector) },
    ...mappings.map(({ topic, functionName, state, lastError }): Component => {
      const health = state === 'Enabled' && lastError !== undefined ? 'failing' : mappingStates[state]
      const name = `${topic} to ${shortName(functionName)}`
      return { kind: 'mapping', name, state: health, ...well, ...withError(lastError) }
    }),
    ...functions.map(
      ({ name, processes, errors }): Component => ({
        ...{ kind: 'function', name: shortName(name), state: processes.length > 0 ? 'healthy' : 'idle' },
        ...{ restarts: 0, errors },
      }),
    ),
  ]
}

function describeConnector({
  value,
  error,
}: Latest<ConnectorStatus | undefined>): Pick<Component, 'state' | 'lastError'> {
  if (error !== undefined) return { state: 'failing', lastError: error }
  if (value === undefined) return { state: 'starting' }
  // A failed task leaves its connector RUNNING.
  const parts = [value.connector, ...value.tasks]
  const failed = parts.find(({ state }) => state === 'FAILED')
  if (failed !== undefined) return { state: 'failing', ...withError(failed.trace?.split('\n')[0]) }
  const isRunning = value.tasks.length > 0 && parts.every(({ state }) => state === 'RUNNING')
  return { state: isRunning ? 'healthy' : 'starting' }
}

function withError(lastError: string | undefined): { lastError?: string } {
  return lastError === undefined ? {} : { lastError }
}

/** `tidemark-local-producer` and its ARN are `producer`. */
export function shortName(functionName: string): string {
  return functionName.replace(/^.*:/, '').replace(/^tidemark-[a-z]+-/, '')
}

function describeTables({ source, target, changedAtMs, nowMs }: StatusParts): TableStatus[] {
  const inSource = source.value?.tables ?? []
  const inTarget = target.value?.tables ?? []
  const stopped = target.value?.stopped ?? []
  return inSource.map(({ name, state, rows, isEstimate }) => {
    const shown = inTarget.find((table) => table.name === name)
    const changedAt = changedAtMs.get(name)
    return {
      name,
      state: stopped.some((table) => table.name === name) ? 'stopped' : (state as TableStatus['state']),
      source: { rows, isEstimate },
      target: shown === undefined ? null : { rows: shown.rows, isEstimate: shown.isEstimate },
      changedSecondsAgo: changedAt === undefined ? null : Math.round((nowMs - changedAt) / 1_000),
    }
  })
}

/** The initial snapshot is over in a topic partition when a beacon has been applied in it. */
function isSnapshotOpen(progress: TargetObservation['progress'], source: SourceObservation | undefined): boolean {
  if (source === undefined) return false
  return progress.filter(({ beacon }) => beacon !== null).length < source.topicPartitions
}

function describeInitialLoad(tables: TableStatus[], isSnapshot: boolean): Status['initialLoad'] {
  const loading = tables.filter(({ state }) => isSnapshot || state === 'reading')
  const expectedRows = loading.reduce((sum, { source }) => sum + source.rows, 0)
  if (expectedRows === 0) return null
  const rows = loading.reduce((sum, { source, target }) => sum + Math.min(source.rows, target?.rows ?? 0), 0)
  return { rows, expectedRows, percent: Math.floor((rows / expectedRows) * 100) }
}

function visibleUntil(progress: TargetObservation['progress'], source: SourceObservation | undefined): number | null {
  if (source === undefined || isSnapshotOpen(progress, source)) return null
  return Math.max(0, ...progress.map(({ behindMs }) => behindMs))
}

function describeStopped(target: TargetObservation | undefined): Status['stopped'] {
  const partitions = (target?.stops ?? []).map(({ consumer, topic, topicPartition, atOffset, reason }) => ({
    name: `topic partition ${topic}-${topicPartition} at offset ${atOffset} (${consumer})`,
    reason,
  }))
  const tables = (target?.stopped ?? []).map(({ name, reason, repair, automatic }) => ({
    name,
    reason: `${reason}; ${automatic ? 'its rows are read again' : `npm run ${repair} -- ${name}`}`,
  }))
  return [...partitions, ...tables]
}

function lastErrorOf({ source, target, archive }: StatusParts, components: Component[]): string | null {
  const failing = components.find(({ state, lastError }) => state !== 'healthy' && lastError !== undefined)
  const earlier = components.find(({ lastError }) => lastError !== undefined)
  const told = failing ?? earlier
  if (failing === undefined && source.error !== undefined) return `source: ${source.error}`
  if (failing === undefined && target.error !== undefined) return `target: ${target.error}`
  if (told === undefined && archive.error !== undefined) return `archive: ${archive.error}`
  return told === undefined ? null : `${told.name}: ${told.lastError}`
}
