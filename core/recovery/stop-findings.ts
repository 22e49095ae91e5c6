import { CONSUMERS } from '../fixed-names.ts'
import type { CaptureFacts, StopFacts } from './capture-facts.ts'
import { type Finding, READERS_SEE_THE_LAST_STATE } from './finding.ts'
import { isOfCapture, isOfFullQuarantine, MAKE_ROOM } from './stop-reasons.ts'

/**
 * Findings for topic partitions that are stopped for a reason which the topics and the source do not show. The archive
 * has a recovery of its own.
 */
export function stopFindings({ target, changesTopic, applyConsumer }: CaptureFacts): Finding[] {
  const stops = target.stops.filter(({ consumer, reason }) => consumer !== CONSUMERS.archive && !isOfCapture(reason))
  return stops.map((stop): Finding => {
    const isOfChanges = stop.topic === changesTopic && stop.consumer === applyConsumer
    return isOfFullQuarantine(stop.reason) ? withoutRoom(stop, isOfChanges) : waiting(stop)
  })
}

const withoutRoom = (stop: StopFacts, isOfChanges: boolean): Finding => ({
  ...describe(stop),
  action: `Run npm run quarantine -- list to see what these records are, stop what sends them, and run ${MAKE_ROOM}, which deletes no change of a captured table. The topic partition then goes on by itself.`,
  repair: { kind: 'make room' },
  stopsCapture: isOfChanges,
})

const waiting = (stop: StopFacts): Finding => ({
  ...describe(stop),
  action: 'It is tried again and again, and goes on by itself once the cause is gone.',
  repair: null,
  stopsCapture: false,
})

const describe = ({ consumer, topic, topicPartition, reason }: StopFacts) => ({
  cause: `topic partition ${topicPartition} of ${topic} is stopped for ${consumer}: ${reason}`,
  follows: `No record that comes in this topic partition reaches ${consumer}, of whatever table it is.`,
  readers: READERS_SEE_THE_LAST_STATE,
})
