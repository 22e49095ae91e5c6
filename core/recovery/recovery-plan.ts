import type { CaptureFacts, TableName } from './capture-facts.ts'
import type { Diagnosis } from './diagnosis.ts'
import type { Finding, GroupStart, Loss, NewEpoch, PlaceOffset } from './finding.ts'

/** A step of a recovery. Each may be repeated. They are executed in the order of the plan. */
export type RecoveryStep =
  | {
      readonly kind: 'rewind'
      readonly group: string
      readonly topic: string
      readonly offsets: readonly PlaceOffset[]
    }
  | {
      readonly kind: 'rebase'
      readonly consumer: string
      readonly topic: string
      readonly offsets: readonly PlaceOffset[]
    }
  /** Lets the archive take records again. */
  | { readonly kind: 'release archive' }
  | { readonly kind: 'enable mapping'; readonly group: string; readonly topic: string }
  | { readonly kind: 'restore views'; readonly views: readonly TableName[] }
  | { readonly kind: 'resync tables'; readonly tables: readonly TableName[] }
  | { readonly kind: 'restart task' }
  | { readonly kind: 'restart connector' }
  | { readonly kind: 'register connector' }
  | (NewEpoch & { readonly epoch: number; readonly reason: string })

/** The steps that resolve the findings. Findings that resolve by themselves need none. */
export function planRecovery({ findings }: Diagnosis, facts: CaptureFacts): RecoveryStep[] {
  const repairs = findings.flatMap(({ repair }) => (repair === null ? [] : [repair]))
  const delivery = repairs.flatMap((repair): RecoveryStep[] => {
    if (repair.kind === 'rewind' || repair.kind === 'enable mapping') return [repair]
    if (repair.kind === 'begin archive again') return planArchiveStart(repair.groups)
    if (repair.kind !== 'go on after a loss') return []
    const { consumer, group, topic, losses } = repair
    return [
      { kind: 'rebase', consumer, topic, offsets: losses.map(firstAfter) },
      { kind: 'rewind', group, topic, offsets: losses.map(firstAfter) },
    ]
  })
  const views = repairs.flatMap((repair): RecoveryStep[] => (repair.kind === 'restore views' ? [repair] : []))
  const epochs = findings.filter((finding) => finding.repair?.kind === 'new epoch')
  // A new epoch reads every table again, also those whose rows were dropped.
  if (epochs.length > 0) return [...delivery, ...views, newEpoch(epochs, facts)]
  const resyncs = repairs.flatMap((repair): RecoveryStep[] => (repair.kind === 'resync tables' ? [repair] : []))
  const connector = repairs.flatMap(({ kind }): RecoveryStep[] =>
    kind === 'register connector' || kind === 'restart task' || kind === 'restart connector' ? [{ kind }] : [],
  )
  return [...delivery, ...connector.slice(0, 1), ...views, ...resyncs]
}

/** The archive is released last. Records that are delivered before that are refused, and delivered again later. */
const planArchiveStart = (groups: readonly GroupStart[]): RecoveryStep[] => [
  ...groups.flatMap(({ consumer, group, topic, offsets }): RecoveryStep[] => [
    { kind: 'rebase', consumer, topic, offsets },
    { kind: 'rewind', group, topic, offsets },
  ]),
  { kind: 'release archive' },
]

/** When the topic is another one, `from` is the offset at which its records begin. */
const firstAfter = ({ topicPartition, from, to }: Loss): PlaceOffset => ({ topicPartition, offset: to ?? from })

function newEpoch(findings: readonly Finding[], facts: CaptureFacts): RecoveryStep {
  const repairs = findings.flatMap(({ repair }) => (repair?.kind === 'new epoch' ? [repair] : []))
  return {
    kind: 'new epoch',
    epoch: epochToBegin(facts),
    reason: findings.map(({ cause }) => cause).join('; '),
    topicIsNew: repairs.some(({ topicIsNew }) => topicIsNew),
    topicPartitions: repairs.find(({ topicPartitions }) => topicPartitions !== null)?.topicPartitions ?? null,
    losses: repairs.flatMap(({ losses }) => losses),
  }
}

/**
 * The number of the next epoch. It is greater than every epoch that the source, the target or the connector knows. An
 * epoch that an unfinished recovery ordered or began, and that no connector has had, is used again.
 */
export function epochToBegin({ source, target, connector }: CaptureFacts): number {
  const registered = 'value' in connector ? (connector.value?.epoch ?? 0) : 0
  const begun = Math.max(
    registered,
    ...target.progress.map(({ beacon }) => beacon?.epoch ?? 0),
    ...target.epochs.filter(({ hasBegun }) => hasBegun).map(({ epoch }) => epoch),
  )
  const inSource = 'value' in source ? (source.value.setting?.epoch ?? 0) : 0
  const ordered = Math.max(inSource, ...target.epochs.map(({ epoch }) => epoch))
  const hasSlot = 'value' in source && source.value.slot !== null && inSource === ordered
  return ordered > begun && !hasSlot ? ordered : Math.max(ordered, begun) + 1
}

/** Describes a step in words. */
export function describeStep(step: RecoveryStep): string {
  switch (step.kind) {
    case 'rewind':
      return `set the consumer group ${step.group} to offset ${placesOf(step)}`
    case 'rebase':
      return `let ${step.consumer} go on after records that are gone, at offset ${placesOf(step)}`
    case 'release archive':
      return 'let the archive accept records again, into its new table'
    case 'enable mapping':
      return `enable the event source mapping of the consumer group ${step.group}`
    case 'restore views':
      return `create the view ${step.views.map(nameOf).join(', ')} again`
    case 'resync tables':
      return `resync ${step.tables.map(nameOf).join(', ')}`
    case 'restart task':
      return "start the connector's failed task again"
    case 'restart connector':
      return 'start the connector and its task again'
    case 'register connector':
      return 'register the connector again and start it'
    case 'new epoch':
      return `begin epoch ${step.epoch} with a new snapshot of every captured table`
  }
}

/** A plan that begins a new epoch whatever the diagnosis is, in addition to what the diagnosis asks for. */
export function planNewEpoch(diagnosis: Diagnosis, facts: CaptureFacts): RecoveryStep[] {
  const planned = planRecovery(diagnosis, facts)
  if (planned.some(({ kind }) => kind === 'new epoch')) return planned
  return [
    ...planned.filter(({ kind }) => !IN_EPOCH.includes(kind)),
    {
      kind: 'new epoch',
      epoch: epochToBegin(facts),
      reason: 'somebody asked for it',
      topicIsNew: false,
      topicPartitions: null,
      losses: [],
    },
  ]
}

/** Steps that a new epoch includes. */
const IN_EPOCH: readonly RecoveryStep['kind'][] = [
  'resync tables',
  'restart task',
  'restart connector',
  'register connector',
]

const nameOf = ({ schema, table }: TableName): string => `${schema}.${table}`

const placesOf = ({ topic, offsets }: { topic: string; offsets: readonly PlaceOffset[] }): string =>
  offsets.map(({ topicPartition, offset }) => `${offset} of ${topic}-${topicPartition}`).join(', ')
