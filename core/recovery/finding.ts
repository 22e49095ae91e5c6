import type { TableName } from './capture-facts.ts'

/** A repair that lets capture go on. */
export type Repair =
  /** Starts a task that failed again; recover-capture also does this without being asked. */
  | { readonly kind: 'restart task' }
  /** Starts a connector again that runs and sends nothing. */
  | { readonly kind: 'restart connector' }
  /** A user must act outside of Tidemark first, as `action` says. */
  | { readonly kind: 'by hand' }
  /** A user must make room in the quarantine. Nothing else has to be done. */
  | { readonly kind: 'make room' }
  /** Enables the event source mapping that feeds a consumer. */
  | { readonly kind: 'enable mapping'; readonly group: string; readonly topic: string }
  /** Registers the connector with its present epoch and starts it. */
  | { readonly kind: 'register connector' }
  /** Sets a consumer group back to the progress that the target has. */
  | {
      readonly kind: 'rewind'
      readonly group: string
      readonly topic: string
      readonly offsets: readonly PlaceOffset[]
    }
  /** Lets a consumer go on after records that are gone. */
  | {
      readonly kind: 'go on after a loss'
      readonly consumer: string
      readonly group: string
      readonly topic: string
      readonly losses: readonly Loss[]
    }
  /** The archive has a new, empty table: its consumers begin at the first records that exist. */
  | { readonly kind: 'begin archive again'; readonly groups: readonly GroupStart[] }
  | { readonly kind: 'restore views'; readonly views: readonly TableName[] }
  | { readonly kind: 'resync tables'; readonly tables: readonly TableName[] }
  | NewEpoch

/** Begins a new epoch, in which every table is read again. */
export type NewEpoch = {
  readonly kind: 'new epoch'
  /** Whether offsets from before do not apply to the topic any more. */
  readonly topicIsNew: boolean
  /** The new number of topic partitions; null keeps the present one. */
  readonly topicPartitions: number | null
  /** Records that are missing between those applied and those delivered. The topic partitions go on after them. */
  readonly losses: readonly LossBetween[]
}

export type PlaceOffset = { readonly topicPartition: number; readonly offset: number }

/** The offsets at which a consumer, and its group, begins. */
export type GroupStart = {
  readonly consumer: string
  readonly group: string
  readonly topic: string
  readonly offsets: readonly PlaceOffset[]
}

/** Offsets from `from` up to but not including `to` are lost. `to` is null when the topic is another one. */
export type Loss = { readonly topicPartition: number; readonly from: number; readonly to: number | null }

/** A loss for which the topic partition has records before and after it. */
export type LossBetween = Loss & { readonly to: number }

/** Something that is wrong, in sentences for the user. */
export type Finding = {
  readonly cause: string
  /** What it does to the copy. */
  readonly follows: string
  /** What a repair does, or what will happen by itself. */
  readonly action: string
  /** What readers of the target see until then. */
  readonly readers: string
  /** Null when waiting is enough. */
  readonly repair: Repair | null
  /** Whether changes of captured tables do not arrive because of it. */
  readonly stopsCapture: boolean
}

export const READERS_SEE_THE_LAST_STATE = 'Readers see the rows as they were when changes stopped arriving.'

export const NOTHING_IS_CAPTURED = 'No change of the source arrives in the target.'

const EPOCH_ACTION =
  'A new epoch begins: the connector gets a new replication slot, and a new snapshot is taken of every captured table.'

const EPOCH_READERS =
  'Until the snapshot of a table is complete, readers see the rows that the table has now. Then they see the new ones, and rows that were deleted in the meantime disappear.'

/** A finding that only a new epoch resolves. */
export function epochFinding(
  { cause, follows = NOTHING_IS_CAPTURED }: { cause: string; follows?: string },
  { topicIsNew = false, topicPartitions = null, losses = [] }: Partial<Omit<NewEpoch, 'kind'>> = {},
): Finding {
  return {
    cause,
    follows,
    action: EPOCH_ACTION,
    readers: EPOCH_READERS,
    repair: { kind: 'new epoch', topicIsNew, topicPartitions, losses },
    stopsCapture: true,
  }
}
