import { gapOf, isForeignTopic } from '../delivery.ts'
import { CONSUMERS } from '../fixed-names.ts'
import { isOfBrokenLog } from '../keyless/beacon-log.ts'

/** How the reason of a stop begins when a beacon is from another source in the same epoch. */
export const ANOTHER_CLUSTER = 'the source is another database cluster'

/**
 * Whether the reason of a stop is that records are from another log of the source. Then only the next epoch is applied.
 */
export const isOfAnotherLog = (reason: string): boolean => isOfBrokenLog(reason) || reason.startsWith(ANOTHER_CLUSTER)

/** The command of the archive's own recovery, which knows the archive table. */
export const RECOVER_ARCHIVE = 'npm run archive -- recover'

/** Whether a topic partition is stopped because the archive table has other records under its offsets. */
export const isOfReplacedArchive = (consumer: string, reason: string): boolean =>
  consumer === CONSUMERS.archive && isForeignTopic(reason)

/** The command that resolves a stop with this reason; null when the topic partition goes on by itself. */
export function commandFor(consumer: string, reason: string): string | null {
  if (isOfReplacedArchive(consumer, reason)) return RECOVER_ARCHIVE
  const waits = isOfAnotherLog(reason) || isForeignTopic(reason) || gapOf(reason) !== undefined
  return waits ? 'npm run recover' : null
}
