import { gapOf, isForeignTopic } from '../delivery.ts'
import { isOfBrokenLog } from '../unkeyed-ledger.ts'

/** How the reason begins for which a topic partition stops where a beacon is of another source in the same epoch. */
export const ANOTHER_CLUSTER = 'the source is another database cluster'

/** Whether a stop's reason is that the records are of another log of the source, so that only the next epoch is applied. */
export const isOfAnotherLog = (reason: string): boolean => isOfBrokenLog(reason) || reason.startsWith(ANOTHER_CLUSTER)

/** Whether a topic partition that is stopped for the reason waits for a recovery; any other goes on by itself. */
export const needsRecovery = (reason: string): boolean =>
  isOfAnotherLog(reason) || isForeignTopic(reason) || gapOf(reason) !== undefined
