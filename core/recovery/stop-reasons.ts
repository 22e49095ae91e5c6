import { gapOf, isForeignTopic } from '../delivery.ts'
import { CONSUMERS } from '../fixed-names.ts'
import { isOfBrokenLog } from '../keyless/beacon-log.ts'

/** How the reason begins for which a topic partition stops where a beacon is of another source in the same epoch. */
export const ANOTHER_CLUSTER = 'the source is another database cluster'

/** Whether a stop's reason is that the records are of another log of the source, so that only the next epoch is applied. */
export const isOfAnotherLog = (reason: string): boolean => isOfBrokenLog(reason) || reason.startsWith(ANOTHER_CLUSTER)

/** The archive's own recovery, which knows its table. */
export const RECOVER_ARCHIVE = 'npm run archive -- recover'

/** Whether the archive's table has other records under the offsets of the topic partition: it was stopped for this reason. */
export const isOfReplacedArchive = (consumer: string, reason: string): boolean =>
  consumer === CONSUMERS.archive && isForeignTopic(reason)

/** The command that lets a topic partition go on which is stopped for the reason; null where it goes on by itself. */
export function commandFor(consumer: string, reason: string): string | null {
  if (isOfReplacedArchive(consumer, reason)) return RECOVER_ARCHIVE
  const waits = isOfAnotherLog(reason) || isForeignTopic(reason) || gapOf(reason) !== undefined
  return waits ? 'npm run recover' : null
}
