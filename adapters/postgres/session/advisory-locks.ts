/**
 * The numbers of advisory locks, each of which means one thing: source and target may be one database. Those in `sql/` are
 * here too, and sql/shared-names.test.ts compares them.
 */
export const ADVISORY_LOCKS = {
  /** Two migrations of one database take turns. */
  migration: 7_305_110_017,
  /** One invocation of capture-tables works, and one more waits. */
  captureWorking: 7_305_110_018,
  captureWaiting: 7_305_110_019,
  /** One commit of the archive is in doubt at a time. */
  archiveCommit: 7_305_110_020,
} as const

/** The first numbers of locks with two numbers. */
export const LOCK_CLASSES = {
  /** The second is a day: a table partition of changes is not dropped while it is written to. */
  changeDay: 730_511_002,
  /** Two transactions do not attach table partitions of changes at once. */
  attachedChangeDay: 730_511_003,
} as const
