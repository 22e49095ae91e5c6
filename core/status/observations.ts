// What is observed of source, target, topics and archive. The adapters return these, and the status is described from
// them.

import type { CaptureState } from '../recovery/diagnosis.ts'

/** The value of the last successful observation, and the error if the last one failed. */
export type Latest<T> = { value?: T; error?: string }

/** The number of rows of a table. `writes` grows with every row that is written. */
export type RowCount = { name: string; rows: number; isEstimate: boolean; writes: number }

/** The state of capture according to the source. */
export type SourceObservation = {
  /** The number of the newest beacon, and the number of topic partitions to which each is sent. */
  beacon: number
  topicPartitions: number
  /** The bytes of log that the replication slot retains; null if there is no slot. */
  retainedWalBytes: number | null
  /** Whether a process reads the replication slot. */
  isSlotRead: boolean
  tables: (RowCount & { state: string })[]
  /** The tables that are not captured, the reasons, and the SQL that changes it. */
  uncaptured: { name: string; why: string; fix: string | null }[]
}

/** The offsets at which each topic partition begins and ends: that of its first record, and the one after its last. */
export type TopicObservation = ReadonlyMap<string, readonly { begin: number; end: number }[]>

/** The progress of a consumer in a topic partition. */
export type Progress = {
  consumer: string
  topic: string
  topicPartition: number
  /** The offset of the first record that is not applied, or archived. */
  nextOffset: number
  beacon: number | null
  /** The age of the newest applied beacon or change, whichever is younger; null if there was none. */
  behindMs: number | null
  /** The age of the newest applied beacon; null if there was none. */
  beaconAgeMs: number | null
}

/** The state of the target. */
export type TargetObservation = {
  progress: Progress[]
  /**
   * Topic partitions that are not applied or archived any further, with the reason and the number of deliveries that
   * were tried.
   */
  stops: {
    consumer: string
    topic: string
    topicPartition: number
    atOffset: number
    reason: string
    since: string
    deliveries: number
  }[]
  /** Tables whose changes are not applied, with the reason, the repair, and the number of quarantined changes. */
  stopped: {
    name: string
    reason: string
    repair: 'accept' | 'resync'
    automatic: boolean
    /**
     * Whether the records are of a table that is captured, of one that was dropped in the source, or of one that no
     * contract names.
     */
    isOf: 'captured' | 'dropped' | 'unknown'
    since: string
    keptRecords: number
  }[]
  /** Tables that are no longer captured and the reason, except for stopped ones. */
  notCaptured: { name: string; reason: string }[]
  /** Records that are in quarantine because of their own content. Those of a stopped table are counted in `stopped`. */
  quarantined: { topic: string; table: string | null; records: number; newestReason: string; newestAt: string }[]
  /**
   * The problems that the archive cannot resolve by itself, when each began (ISO 8601), and the command that resolves
   * it.
   */
  archiveProblems: {
    kind: 'table' | 'waiting files' | 'data files' | 'renewal'
    reason: string
    command: string
    since: string
  }[]
  /** Views without rows: the source no longer has a table of this name, and objects of users depend on the view. */
  emptyViews: { name: string; dependents: string; droppedBy: string }[]
  /** Declared indexes that are not on all rows of their table, why, and whether they fit its columns. */
  indexProblems: { table: string; name: string; reason: string; fits: boolean }[]
  /** Captured tables whose rows or view were dropped by hand in the target. */
  missing: { name: string; part: 'rows' | 'view' }[]
  /** The result of the last look of recover-capture; null before the first. */
  captureHealth: {
    state: CaptureState
    cause: string | null
    follows: string | null
    command: string | null
    since: string
  } | null
  tables: RowCount[]
}

/** The content of the archive table in its newest table snapshot. */
export type ArchiveContent = {
  rows: number
  files: number
  bytes: number
  tableSnapshots: number
}

/** What the ledger of the archive says of records that wait, and of commits. */
export type ArchiveWaiting = {
  /** The number of records that are in data files and not committed. */
  waitingRecords: number
  /** How long the oldest record has waited to be committed, or has failed to be written; null if none waits. */
  oldestWaitingMs: number | null
  /** The time since the newest commit; null before the first. */
  committedMsAgo: number | null
}

/** The state of the archive. The content may be ten seconds old. */
export type ArchiveObservation = ArchiveContent & ArchiveWaiting

/** A version of a definition of windows, and what is in its windows. Counts are null until it has any. */
export type WindowsOfDefinition = {
  name: string
  state: 'awaiting table' | 'backfilling' | 'shown' | 'stopped'
  /** Why it is stopped, or what it waits for. */
  reason: string | null
  /** Windows with a group that has rows, by state. */
  open: number | null
  final: number | null
  revised: number | null
  closed: number | null
  /** Rows that came too late, that are too far ahead, and that have no event time. */
  late: number | null
  future: number | null
  nullTimes: number | null
  /** The event time up to which windows are complete, such as `2025-12-01 10:00`. */
  watermark: string | null
  /** The part of the rows that are read, while it is backfilled or reconciled. */
  percent: number | null
  /** Since when it is in this state, in ISO 8601. */
  since: string
  /** Why its topic does not have all of it. */
  publishing: string | null
}
