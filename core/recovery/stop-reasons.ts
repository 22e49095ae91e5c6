import { gapOf, isForeignTopic } from '../delivery.ts'
import { CONSUMERS } from '../fixed-names.ts'
import { isOfBrokenLog } from '../keyless/beacon-log.ts'

/** How the reason of a stop begins when a beacon is from another source in the same epoch. */
export const ANOTHER_CLUSTER = 'the source is another database cluster'

/**
 * Whether the reason of a stop is that records are from another log of the source. Then only the next epoch is applied.
 */
export const isOfAnotherLog = (reason: string): boolean => isOfBrokenLog(reason) || reason.startsWith(ANOTHER_CLUSTER)

/**
 * Why a topic partition is stopped once the quarantine has `limit` records of it that are of no captured table. `next`
 * is the reason of the record that it does not take.
 */
export const fullQuarantine = (topicPartition: string, limit: number, next: string): string =>
  `${QUARANTINE_IS_FULL}: it has ${limit} records of ${topicPartition} that are of no captured table. See what they ` +
  `are with "npm run quarantine -- list", stop what sends them, and make room with "${MAKE_ROOM}". ` +
  `The next such record has this reason: ${next}`

const QUARANTINE_IS_FULL = 'the quarantine is full'

/** The command that makes room in the quarantine. */
export const MAKE_ROOM = 'npm run quarantine -- discard all'

/** Whether a topic partition is stopped because the quarantine is full. It goes on with the next delivery once it is not. */
export const isOfFullQuarantine = (reason: string): boolean => reason.startsWith(`${QUARANTINE_IS_FULL}:`)

/** The command of the archive's own recovery, which knows the archive table. */
export const RECOVER_ARCHIVE = 'npm run archive -- recover'

/** Whether a topic partition is stopped because the archive table has other records under its offsets. */
export const isOfReplacedArchive = (consumer: string, reason: string): boolean =>
  consumer === CONSUMERS.archive && isForeignTopic(reason)

/** The command that resolves a stop with this reason; null when the topic partition goes on by itself. */
export function commandFor(consumer: string, reason: string): string | null {
  if (isOfReplacedArchive(consumer, reason)) return RECOVER_ARCHIVE
  if (isOfFullQuarantine(reason)) return MAKE_ROOM
  return isOfCapture(reason) ? 'npm run recover' : null
}

/** Whether the reason of a stop is about what is delivered, so that capture's recovery compares it with the topics. */
export const isOfCapture = (reason: string): boolean =>
  isOfAnotherLog(reason) || isForeignTopic(reason) || gapOf(reason) !== undefined
