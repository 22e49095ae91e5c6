import type { TableName } from './capture-facts.ts'

/** What lets capture go on. */
export type Repair =
  /** Of a task that failed; done without being asked, too. */
  | { readonly kind: 'restart task' }
  /** Of one that runs and sends nothing. */
  | { readonly kind: 'restart connector' }
  /** Somebody must act outside of Tidemark first, as `action` says. */
  | { readonly kind: 'by hand' }
  /** The event source mapping that feeds a consumer is enabled. */
  | { readonly kind: 'enable mapping'; readonly group: string; readonly topic: string }
  /** The connector is registered with its present epoch and started. */
  | { readonly kind: 'register connector' }
  /** A consumer group goes back to what the target has. */
  | {
      readonly kind: 'rewind'
      readonly group: string
      readonly topic: string
      readonly offsets: readonly PlaceOffset[]
    }
  /** A consumer goes on after records that are gone. */
  | {
      readonly kind: 'go on after a loss'
      readonly consumer: string
      readonly group: string
      readonly topic: string
      readonly losses: readonly Loss[]
    }
  /** The archive has a new, empty table: its consumers go on at the first records that there are. */
  | { readonly kind: 'begin archive again'; readonly groups: readonly GroupStart[] }
  | { readonly kind: 'restore views'; readonly views: readonly TableName[] }
  | { readonly kind: 'read again'; readonly tables: readonly TableName[] }
  | NewEpoch

/** Everything is read again. */
export type NewEpoch = {
  readonly kind: 'new epoch'
  /** Offsets of before say nothing of the topic any more. */
  readonly topicIsNew: boolean
  /** Null: as many as before. */
  readonly topicPartitions: number | null
  /** Records that are missing between what was applied and what is delivered: topic partitions go on after them. */
  readonly losses: readonly LossBetween[]
}

export type PlaceOffset = { readonly topicPartition: number; readonly offset: number }

/** Where a consumer, and its group, begins. */
export type GroupStart = {
  readonly consumer: string
  readonly group: string
  readonly topic: string
  readonly offsets: readonly PlaceOffset[]
}

/** Offsets from `from` to before `to` cannot be had any more; null where the topic is another one. */
export type Loss = { readonly topicPartition: number; readonly from: number; readonly to: number | null }

/** A loss before and after which the topic partition has records. */
export type LossBetween = Loss & { readonly to: number }

/** Something that is wrong, in sentences for the user. */
export type Finding = {
  readonly cause: string
  /** What that does to the copy. */
  readonly follows: string
  /** What a repair does, or what will happen by itself. */
  readonly action: string
  /** What readers of the target see until then. */
  readonly readers: string
  /** Null where waiting is all that there is to do. */
  readonly repair: Repair | null
  /** Whether changes of captured tables do not arrive because of it. */
  readonly stopsCapture: boolean
}

export const READERS_SEE_THE_LAST_STATE = 'Readers see the rows as they were when changes stopped arriving.'

export const NOTHING_IS_CAPTURED = 'No change of the source arrives in the target.'

const EPOCH_ACTION =
  'A new epoch begins: the connector gets a new replication slot, and every captured table is read again.'

const EPOCH_READERS =
  'Readers see the rows that each table has now until it has been read again as a whole, then the new ones; rows that were deleted meanwhile go at that moment.'

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
