/**
 * The consumers of the topics, as rows of `tidemark.progress` and `tidemark.stop` name them. SQL and the stack repeat
 * the names; sql/shared-names.test.ts and cdk/pipeline.test.ts check that they are equal.
 */
export const CONSUMERS = {
  /** Applies changes to the latest state; its consumer group has the same name. */
  latestState: 'tidemark-latest-state',
  /** Applies the events of producers to the state of users; its consumer group has the same name. */
  userState: 'tidemark-user-state',
  /** Archives every topic; its consumer groups are called `tidemark-archive-<topic>`. */
  archive: 'tidemark-archive',
  /** Keeps windows equal to the latest state; its consumer group has the same name. */
  windows: 'tidemark-windows',
} as const

/** The name of an epoch is this prefix, followed by its number. */
export const EPOCH_PREFIX = 'tidemark_e'

/**
 * The name of an epoch, which its replication slot and the `source.name` of its records have. SQL builds the same name.
 */
export const epochName = (epoch: number): string => `${EPOCH_PREFIX}${epoch}`
