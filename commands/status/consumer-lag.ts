import { CONSUMERS } from '#core/fixed-names.ts'
import type { MappingHealth } from '#localstack/engine.ts'
import { shortName } from './components.ts'
import type { Progress } from './target-observation.ts'
import type { TopicObservation } from './topic-observation.ts'

/** What a consumer of a topic has still to do. */
export type ConsumerLag = {
  topic: string
  work: 'apply' | 'archive'
  /** Records between where the consumer is and the end of the topic, also where it is stopped. */
  records: number
  /** Age of what was applied last, the oldest of the topic partitions that lag; null where the target does not know. */
  behindMs: number | null
  topicPartitions: { topicPartition: number; nextOffset: number; endOffset: number; records: number }[]
}

const archiveConsumer = CONSUMERS.archive

/**
 * The lag of each consumer of each topic by what it has committed to the target and by the end of the topic, which the
 * broker says: what the poller has in flight, or does not even fetch, counts too.
 */
export function describeLags(
  mappings: readonly MappingHealth[],
  topics: TopicObservation,
  progress: readonly Progress[],
): ConsumerLag[] {
  return mappings.map(({ topic, functionName }) => {
    const work = shortName(functionName).startsWith('archive') ? 'archive' : 'apply'
    const own = progress.filter(
      (each) => each.topic === topic && (each.consumer === archiveConsumer) === (work === 'archive'),
    )
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

/** Records that wait to be applied, or archived. */
export const lagOf = (lags: readonly ConsumerLag[], work: ConsumerLag['work']): number =>
  lags.reduce((sum, lag) => sum + (lag.work === work ? lag.records : 0), 0)
