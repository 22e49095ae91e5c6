import type { ConsolePart, Unreachable } from '#core/console/values.ts'
import type { Component } from '#core/status/components.ts'
import type { Status } from '#core/status/status.ts'
import { formatBytes, formatCount, formatDuration, formatQuantity, formatRate } from '../../text/numbers.ts'

/** The boxes of the picture. */
export type PartName =
  | 'source'
  | 'connector'
  | 'topics'
  | 'apply'
  | 'windows'
  | 'archive'
  | 'target'
  | 'window rows'
  | 'iceberg'

/** A box: its title, how well it is, why if it is not, and what is known of it. */
export type PipelinePart = {
  readonly name: PartName
  readonly title: string
  readonly state: Component['state'] | 'unreachable' | 'unknown'
  readonly why: string | null
  readonly lines: readonly string[]
  readonly href: string
}

/** An arrow with what passes, and whether anything does. */
export type PipelineEdge = {
  readonly from: PartName
  readonly to: PartName
  readonly label: string
  readonly isLive: boolean
}

/** The worst state first. */
const order: readonly PipelinePart['state'][] = [
  'unreachable',
  'failing',
  'stopped',
  'restarting',
  'starting',
  'healthy',
  'idle',
  'unknown',
]

const isOf = (name: PartName, { kind, name: component }: Component): boolean => {
  switch (name) {
    case 'source':
    case 'target':
      return kind === 'server' && component.includes(name)
    case 'connector':
      return kind === 'server' && /^connect/.test(component)
    case 'topics':
      return kind === 'server' && /kafka|broker|topics/.test(component)
    case 'apply':
      return kind !== 'server' && component.includes('apply-latest-state')
    case 'windows':
      return kind !== 'server' && component.includes('maintain-windows')
    case 'archive':
      return kind !== 'server' && component.includes('archive-changes')
    case 'window rows':
      return false
    case 'iceberg':
      return kind !== 'mapping' && /object-store|catalog|^archive$|commit-archive|maintain-archive/.test(component)
  }
}

const askedParts: Partial<Record<PartName, ConsolePart>> = {
  source: 'source',
  target: 'target',
  topics: 'kafka',
  connector: 'connect',
  iceberg: 'archive',
  'window rows': 'target',
}

/** The boxes of the picture, from what is known. */
export function pipelineParts(status: Status, unreachable: readonly Unreachable[]): readonly PipelinePart[] {
  return descriptions(status).map((part) => ({ ...part, ...healthOf(part.name, status, unreachable) }))
}

function healthOf(
  name: PartName,
  status: Status,
  unreachable: readonly Unreachable[],
): Pick<PipelinePart, 'state' | 'why'> {
  const lost = unreachable.find(({ part }) => part === askedParts[name])
  if (lost !== undefined) return { state: 'unreachable', why: lost.why }
  const trouble = troubleOf(name, status)
  if (trouble !== null) return { state: 'stopped', why: trouble }
  const components = status.components.filter((component) => isOf(name, component))
  if (name === 'window rows') return { state: status.windows.length === 0 ? 'idle' : 'healthy', why: null }
  const [worst] = components.toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
  return worst === undefined ? { state: 'unknown', why: null } : { state: worst.state, why: worst.lastError ?? null }
}

/** What is stopped although its process runs. */
function troubleOf(name: PartName, { capture, archiveProblems, stopped, windows }: Status): string | null {
  const stop = (consumer: RegExp) =>
    stopped.find((part) => part.kind === 'topic partition' && consumer.test(part.consumer))?.reason ?? null
  switch (name) {
    case 'connector':
      return capture.state === 'down' ? (capture.cause ?? 'nothing is captured') : null
    case 'apply':
      return stop(/latest|apply/)
    case 'windows':
      return stop(/window/) ?? windows.find(({ state }) => state === 'stopped')?.reason ?? null
    case 'archive':
      return stop(/archive/)
    case 'iceberg':
      return archiveProblems[0]?.reason ?? null
    default:
      return null
  }
}

const lag = (records: number | null): string => (records === null ? 'lag unknown' : `${formatCount(records)} waiting`)

function descriptions(status: Status): readonly Pick<PipelinePart, 'name' | 'title' | 'lines' | 'href'>[] {
  const { tables, windows, archive, visibleUntilMsAgo, retainedWalBytes } = status
  const open = windows.reduce((sum, definition) => sum + (definition.open ?? 0), 0)
  const topics = new Set(status.lags.map(({ topic }) => topic))
  return [
    {
      ...{ name: 'source', title: 'Source', href: '/tables' },
      lines: [
        formatQuantity(tables.length, 'table'),
        retainedWalBytes === null ? 'no replication slot' : `${formatBytes(retainedWalBytes)} of WAL kept`,
      ],
    },
    {
      name: 'connector',
      title: 'Connector',
      href: '/connectors',
      lines: [`capture ${status.capture.state}`, 'Kafka Connect'],
    },
    {
      name: 'topics',
      title: 'Topics',
      href: '/topics',
      lines: [topics.size === 0 ? 'not observed' : [...topics].join(', '), 'Kafka'],
    },
    { name: 'apply', title: 'apply-latest-state', href: '/consumers', lines: [lag(status.lagRecords)] },
    { name: 'windows', title: 'maintain-windows', href: '/consumers', lines: [lag(status.windowsLagRecords)] },
    { name: 'archive', title: 'archive-changes', href: '/consumers', lines: [lag(status.archiveLagRecords)] },
    {
      ...{ name: 'target', title: 'Target', href: '/tables' },
      lines: [
        visibleUntilMsAgo === null ? 'initial snapshot' : `all until ${formatDuration(visibleUntilMsAgo)} ago`,
        'rows, history, progress',
      ],
    },
    {
      ...{ name: 'window rows', title: 'Windows', href: '/windows' },
      lines: [formatQuantity(windows.length, 'definition'), `${formatCount(open)} open`],
    },
    {
      ...{ name: 'iceberg', title: 'Archive', href: '/archive' },
      lines:
        archive === null
          ? ['not observed']
          : [
              formatQuantity(archive.rows, 'record'),
              archive.committedMsAgo === null
                ? 'no commit yet'
                : `commit ${formatDuration(archive.committedMsAgo)} ago`,
            ],
    },
  ]
}

/** The arrows of the picture. */
export function pipelineEdges(status: Status): readonly PipelineEdge[] {
  const { capturedPerSecond: captured, appliedPerSecond: applied } = status
  const edge = (from: PartName, to: PartName, label: string, isLive: boolean): PipelineEdge => ({
    from,
    to,
    label,
    isLive,
  })
  const isCapturing = captured > 0 && status.capture.state === 'running'
  return [
    edge('source', 'connector', 'WAL', isCapturing),
    edge('connector', 'topics', formatRate(captured), isCapturing),
    edge('topics', 'apply', '', applied > 0),
    edge('topics', 'windows', '', applied > 0 && status.windows.length > 0),
    edge('topics', 'archive', '', applied > 0),
    edge('apply', 'target', formatRate(applied), applied > 0),
    edge('windows', 'window rows', '', applied > 0 && status.windows.length > 0),
    edge('archive', 'iceberg', '', applied > 0),
  ]
}
