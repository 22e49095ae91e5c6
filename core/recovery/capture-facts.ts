import type { Lsn } from '../lsn.ts'

/** What was read, or why it could not be read. */
export type Seen<T> = { readonly value: T } | { readonly error: string }

/** State of a connector or of its task, in Connect's words. */
export type RunState = 'UNASSIGNED' | 'RUNNING' | 'PAUSED' | 'STOPPED' | 'FAILED' | 'RESTARTING'

/** The connector as Connect describes it. */
export type ConnectorFacts = {
  /** The epoch in its slot's name; null when the name is not one that Tidemark gives. */
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
  /** Why it was invalidated, since Postgres 17; null before Postgres 17 and when it is valid. */
  readonly invalidationReason: string | null
}

/** The source as its administrator sees it. Times are in ms since 1970, by its clock. */
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
  /** The Lsn at which the publication was last created; null when it is not known. */
  readonly publicationLsn: Lsn | null
  /** Number of tables that are being snapshotted. Debezium may send no beacon during that time. */
  readonly tablesBeingSnapshotted: number
}

/** What a consumer has applied, or archived, of a topic partition. */
export type PlaceFacts = {
  readonly consumer: string
  readonly topic: string
  readonly topicPartition: number
  readonly nextOffset: number
  readonly beacon: { readonly number: number; readonly lsn: Lsn; readonly atMs: number; readonly epoch: number } | null
  readonly systemIdentifier: string | null
  /** Whether the next record is taken whatever its offset is. Then earlier stops and gaps do not count any more. */
  readonly isRebased: boolean
}

/** A topic partition that is not applied further. */
export type StopFacts = {
  readonly consumer: string
  readonly topic: string
  readonly topicPartition: number
  readonly reason: string
  /** How often it was delivered and refused since the stop. */
  readonly deliveries: number
}

/** A table or view by its name. */
export type TableName = { readonly schema: string; readonly table: string }

export type TargetFacts = {
  readonly progress: readonly PlaceFacts[]
  readonly stops: readonly StopFacts[]
  /** Epochs that were ordered, in any order. An epoch has begun when records of it were applied. */
  readonly epochs: readonly { readonly epoch: number; readonly hasBegun: boolean }[]
  /**
   * Captured tables that have lost their rows in the target, and those that have lost only their view: they were
   * dropped.
   */
  readonly missingRows: readonly TableName[]
  readonly missingViews: readonly TableName[]
  /**
   * `table` while a new table of the archive is being prepared, `offsets` when its consumer groups have to be set to
   * the first records of their topics, null when the archive does not begin again.
   */
  readonly archiveRenewal: 'table' | 'offsets' | null
}

/** A consumer group, and the consumer whose progress in the target its offsets follow. */
export type GroupFacts = {
  readonly group: string
  readonly consumer: string
  readonly topic: string
  /** Whether its event source mapping is enabled or is being enabled. */
  readonly isEnabled: boolean
  /** Whether a gap in the offsets means that records were lost, as in core/delivery.ts. */
  readonly isContiguous: boolean
  /** Offset at which the group goes on, by topic partition; null when it has committed none. */
  readonly committed: readonly (number | null)[]
}

/** The first offset of a topic partition, and the offset after its last record. */
export type TopicPartitionFacts = { readonly first: number; readonly end: number }

export type BrokerFacts = {
  /** By name; a topic that does not exist is left out. */
  readonly topics: ReadonlyMap<string, readonly TopicPartitionFacts[]>
  readonly groups: readonly GroupFacts[]
}

/**
 * All facts that a diagnosis uses. They are read in this order, so that they can be compared: the slot before Connect's
 * stored offsets, group offsets before the target's progress, and progress before the ends of topics and the source's
 * beacon. In a healthy stack the second of such a pair is then never behind the first.
 */
export type CaptureFacts = {
  /** Topic of captured changes. */
  readonly changesTopic: string
  /** The consumer that applies these changes. */
  readonly applyConsumer: string
  /** Undefined when no connector is registered. */
  readonly connector: Seen<ConnectorFacts | undefined>
  readonly source: Seen<SourceFacts>
  readonly target: TargetFacts
  readonly brokers: Seen<BrokerFacts>
}
