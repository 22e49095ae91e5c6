/**
 * The numbers of advisory locks. Each has a single meaning, because source and target may be one database. The locks of
 * `sql/` are in it too; sql/shared-names.test.ts compares them.
 */
export const ADVISORY_LOCKS = {
  /** Two migrations of one database run one after the other. */
  migration: 7_305_110_017,
  /** One invocation of capture-tables works, and at most one more waits. */
  captureWorking: 7_305_110_018,
  captureWaiting: 7_305_110_019,
  /** At most one commit of the archive is under way at a time. */
  archiveCommit: 7_305_110_020,
} as const

/** The first numbers of locks that have two numbers. */
export const LOCK_CLASSES = {
  /** The second number is a day. A table partition of changes is not dropped while it is written to. */
  changeDay: 730_511_002,
  /** Two transactions do not attach table partitions of changes at the same time. */
  attachedChangeDay: 730_511_003,
  /** The second number is the hash of an index's name. Two sessions do not make one index at the same time. */
  madeIndex: 730_511_004,
  /** The second number is the id of a definition of windows. Records share it, and what replaces rows has it alone. */
  windowDefinition: 730_511_005,
  /** The second number is the hash of a topic, to which one session publishes windows. */
  windowTopic: 730_511_006,
} as const
