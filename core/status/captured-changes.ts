import type { SourceObservation, TopicObservation } from './observations.ts'

/**
 * The number of changes that were ever sent to the topic of captured changes. Undefined if the topic was not observed.
 * Each beacon is a record in every topic partition, but not a change, and is subtracted.
 */
export function countCapturedChanges(
  { beacon, topicPartitions }: Pick<SourceObservation, 'beacon' | 'topicPartitions'>,
  topics: TopicObservation | undefined,
): number | undefined {
  const ends = topics?.get('changes')
  return ends?.reduce((sum, { end }) => sum + end, -beacon * topicPartitions)
}
