import type { CaptureFacts } from './capture-facts.ts'

/**
 * A beacon comes each second. After this time without one nothing is captured, whatever state the connector reports.
 */
export const BEACON_OVERDUE_MS = 30_000

/**
 * Age of the newest beacon in ms, by the source's clock, when only capture can be the cause of it: every record of the
 * topic is applied, nothing is stopped and no table is being snapshotted. A table does not count as being snapshotted
 * while the slot is not active. Null in other cases, and before the first beacon.
 */
export function newestBeaconAgeMs(facts: CaptureFacts): number | null {
  const { source, target, brokers, changesTopic, applyConsumer } = facts
  if ('error' in source || 'error' in brokers) return null
  if (source.value.tablesBeingSnapshotted > 0 && source.value.slot?.active === true) return null
  const places = target.progress.filter(({ consumer, topic }) => consumer === applyConsumer && topic === changesTopic)
  const ends = brokers.value.topics.get(changesTopic) ?? []
  const isBehind = ends.some(({ end }, topicPartition) => {
    const place = places.find((one) => one.topicPartition === topicPartition)
    return (place?.nextOffset ?? 0) < end
  })
  const isStopped = target.stops.some(({ consumer, topic }) => consumer === applyConsumer && topic === changesTopic)
  if (isBehind || isStopped || places.length === 0) return null
  const times = places.map(({ beacon }) => beacon?.atMs ?? null)
  if (times.some((atMs) => atMs === null)) return null
  return source.value.nowMs - Math.max(...times.map((atMs) => atMs!))
}
