import { shortName } from '../status/components.ts'
import { type ConsumerLag, workOfFunction } from '../status/consumer-lag.ts'
import type { MappingHealth } from '../status/health.ts'
import type { ShownConsumer } from './connectors.ts'

/** Each consumer of each topic with its mapping. A mapping whose topic was not observed yet has no topic partitions. */
export function shownConsumers(lags: readonly ConsumerLag[], mappings: readonly MappingHealth[]): ShownConsumer[] {
  return mappings.map(({ topic, functionName, state, lastError }) => {
    const name = shortName(functionName)
    const work = workOfFunction(name)
    const lag = lags.find((each) => each.topic === topic && each.work === work)
    return {
      ...(lag ?? { topic, work, records: 0, behindMs: null, topicPartitions: [] }),
      function: name,
      mapping: { state, lastError: lastError ?? null },
    }
  })
}
