import { CONSUMERS } from '../fixed-names.ts'
import { shortName } from './components.ts'
import type { MappingHealth } from './health.ts'
import type { Progress, TopicObservation } from './observations.ts'

/** The lag of a consumer of a topic. */
export type ConsumerLag = {
  topic: string
  work: 'apply' | 'archive' | 'windows'
  /** The number of records from the consumer's next offset to the end of the topic, even if it is stopped. */
  records: number
  /**
   * The age of the last applied change, the oldest of all lagging topic partitions; null if the target does not know
   * it.
   */
  behindMs: number | null
  topicPartitions: { topicPartition: number; nextOffset: number; endOffset: number; records: number }[]
}

const worksOf: readonly [consumer: string, work: ConsumerLag['work']][] = [
  [CONSUMERS.archive, 'archive'],
  [CONSUMERS.windows, 'windows'],
]

const workOf = (consumer: string): ConsumerLag['work'] => worksOf.find(([name]) => name === consumer)?.[1] ?? 'apply'

/** The work of the function that a mapping delivers to. */
export const workOfFunction = (name: string): ConsumerLag['work'] =>
  name.startsWith('archive') ? 'archive' : name.endsWith('windows') ? 'windows' : 'apply'

/**
 * The lag of each consumer of each topic, from the progress in the target to the end of the topic in the broker. This
 * includes records that the poller has in flight or has not fetched yet.
 */
export function describeLags(
  mappings: readonly MappingHealth[],
  topics: TopicObservation,
  progress: readonly Progress[],
): ConsumerLag[] {
  return mappings.map(({ topic, functionName }) => {
    const work = workOfFunction(shortName(functionName))
    const own = progress.filter((each) => each.topic === topic && workOf(each.consumer) === work)
    const places = (topics.get(topic) ?? []).map(({ begin, end }, topicPartition) => {
      const known = own.find((each) => each.topicPartition === topicPartition)
      const nextOffset = Math.max(known?.nextOffset ?? 0, begin)
      const records = Math.max(0, end - nextOffset)
      return { topicPartition, nextOffset, endOffset: end, records, behindMs: known?.behindMs ?? null }
    })
    const ages = places.flatMap(({ records, behindMs }) => (records > 0 && behindMs !== null ? [behindMs] : []))
    return {
      ...{ topic, work },
      records: places.reduce((sum, { records }) => sum + records, 0),
      behindMs: ages.length === 0 ? null : Math.max(...ages),
      topicPartitions: places.map(({ behindMs, ...place }) => place),
    }
  })
}

/** The number of records that wait for this work. */
export const lagOf = (lags: readonly ConsumerLag[], work: ConsumerLag['work']): number =>
  lags.reduce((sum, lag) => sum + (lag.work === work ? lag.records : 0), 0)
