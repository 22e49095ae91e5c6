import type { Lsn } from '../lsn.ts'

/** What was seen of something, or why it could not be looked at. */
export type Seen<T> = { readonly value: T } | { readonly error: string }

/** State of a connector or of its task, in Connect's words. */
export type RunState = 'UNASSIGNED' | 'RUNNING' | 'PAUSED' | 'STOPPED' | 'FAILED' | 'RESTARTING'

/** The connector as Connect has it. */
export type ConnectorFacts = {
  /** By its slot's name; null where that is not one of ours. */
  readonly epoch: number | null
  readonly state: RunState
  readonly tasks: readonly { readonly state: RunState; readonly trace?: string }[]
  readonly trace?: string
  /** The greatest lsn of the offsets that Connect stores for the epoch; null where it stores none. */
  readonly storedLsn: Lsn | null
}

/** The replication slot of the source's epoch. */
export type SlotFacts = {
  readonly active: boolean
  readonly confirmedLsn: Lsn | null
  readonly restartLsn: Lsn | null
  /** `reserved`, `extended`, `unreserved` or `lost`; null where the slot has never been used. */
  readonly walStatus: string | null
  /** Why it was invalidated: since Postgres 17, null before and where it is valid. */
  readonly invalidationReason: string | null
}

/** The source as its administrator sees it. Times are of its clock, in ms since 1970. */
export type SourceFacts = {
  readonly nowMs: number
  readonly systemIdentifier: string
  readonly timeline: number
  readonly currentLsn: Lsn
  /** Null where the source is not set up for capture. */
  readonly setting: { readonly epoch: number; readonly topicPartitions: number } | null
  readonly slot: SlotFacts | null
  /** The newest beacon; lsn is null before the first. */
  readonly beacon: { readonly number: number; readonly lsn: Lsn | null } | null
  readonly hasPublication: boolean
  /** Where the log was when the publication was made, the last time; null where that is not known. */
  readonly publicationLsn: Lsn | null
  /** Tables that are being read at the moment: Debezium may send no beacon meanwhile. */
  readonly tablesBeingRead: number
}

/** What a consumer has applied, or archived, of a topic partition. */
export type PlaceFacts = {
  readonly consumer: string
  readonly topic: string
  readonly topicPartition: number
  readonly nextOffset: number
  readonly beacon: { readonly number: number; readonly lsn: Lsn; readonly atMs: number; readonly epoch: number } | null
  readonly systemIdentifier: string | null
  /** What is delivered next is taken, whatever its offset: stops and gaps of before do not count any more. */
  readonly isRebased: boolean
}

/** A topic partition that is not applied further. */
export type StopFacts = {
  readonly consumer: string
  readonly topic: string
  readonly topicPartition: number
  readonly reason: string
  /** How often it was delivered since and refused. */
  readonly deliveries: number
}

/** A table or view by its name. */
export type TableName = { readonly schema: string; readonly table: string }

export type TargetFacts = {
  readonly progress: readonly PlaceFacts[]
  readonly stops: readonly StopFacts[]
  /** Epochs that were ordered, in any order; one that has begun has records that were applied. */
  readonly epochs: readonly { readonly epoch: number; readonly hasBegun: boolean }[]
  /** Captured tables whose rows, or whose view alone, somebody dropped in the target. */
  readonly missingRows: readonly TableName[]
  readonly missingViews: readonly TableName[]
  /**
   * The archive begins again with a new table: `table` while that is under way, `offsets` when its consumer groups are to be
   * set to the first records of their topics, null otherwise.
   */
  readonly archiveRenewal: 'table' | 'offsets' | null
}

/** A consumer group, and whose progress in the target its offsets follow. */
export type GroupFacts = {
  readonly group: string
  readonly consumer: string
  readonly topic: string
  /** Whether its event source mapping is enabled, or on the way there. */
  readonly isEnabled: boolean
  /** Whether a gap in the offsets means loss, as core/delivery.ts has it. */
  readonly isContiguous: boolean
  /** Offset at which the group goes on, by topic partition; null where it has committed none. */
  readonly committed: readonly (number | null)[]
}

/** Where the records of a topic partition begin and end: offset of the first one, and behind the last one. */
export type TopicPartitionFacts = { readonly first: number; readonly end: number }

export type BrokerFacts = {
  /** By name; a topic that does not exist is left out. */
  readonly topics: ReadonlyMap<string, readonly TopicPartitionFacts[]>
  readonly groups: readonly GroupFacts[]
}

/**
 * All that a diagnosis is made of. To compare them, they are read in this order: the slot before Connect's stored offsets,
 * group offsets before the target's progress, progress before the ends of topics and before the source's beacon. What
 * follows the other in a healthy stack is then never behind it.
 */
export type CaptureFacts = {
  /** Topic of captured changes. */
  readonly changesTopic: string
  /** The consumer that applies them. */
  readonly applyConsumer: string
  /** Undefined where no connector is registered. */
  readonly connector: Seen<ConnectorFacts | undefined>
  readonly source: Seen<SourceFacts>
  readonly target: TargetFacts
  readonly brokers: Seen<BrokerFacts>
}
