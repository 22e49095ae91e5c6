import { Admin, type AdminOptions, ListOffsetTimestamps } from '@platformatic/kafka'
import type { TopicObservation } from '#core/status/observations.ts'

/** Reads the begin and end offsets of topics. Topics that do not exist are left out. */
export type TopicObserver = { observe(topics: readonly string[]): Promise<TopicObservation>; close(): Promise<void> }

/** Makes an observer that keeps one connection open. `brokers` are `host:port`; `access` is how it logs in. */
export function makeTopicObserver(
  brokers: readonly string[],
  access: Pick<AdminOptions, 'sasl' | 'tls'> = {},
): TopicObserver {
  const admin = new Admin({
    clientId: 'tidemark-status',
    bootstrapBrokers: [...brokers],
    connectTimeout: 2_000,
    timeout: 3_000,
    retries: 0,
    ...access,
  })

  async function offsets(topics: { name: string; partitions: number }[], timestamp: bigint) {
    const asked = topics.map(({ name, partitions }) => ({
      name,
      partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp })),
    }))
    const answers = await admin.listOffsets({ topics: asked })
    return new Map(
      answers.map(({ name, partitions }) => [
        name,
        new Map(partitions.map(({ partitionIndex, offset }) => [partitionIndex, Number(offset)])),
      ]),
    )
  }

  return {
    async observe(topics) {
      const metadata = await admin.metadata({ topics: [...topics] })
      const known = topics.flatMap((name) => {
        const partitions = metadata.topics.get(name)?.partitionsCount ?? 0
        return partitions > 0 ? [{ name, partitions }] : []
      })
      const [begins, ends] = await Promise.all([
        offsets(known, ListOffsetTimestamps.EARLIEST),
        offsets(known, ListOffsetTimestamps.LATEST),
      ])
      return new Map(
        known.map(({ name, partitions }) => [
          name,
          Array.from({ length: partitions }, (_, index) => ({
            begin: begins.get(name)?.get(index) ?? 0,
            end: ends.get(name)?.get(index) ?? 0,
          })),
        ]),
      )
    },
    close: () => admin.close(),
  }
}

/** How brokers are reached: their addresses, which may change, and the login. */
export type FoundBrokers = { readonly brokers: readonly string[]; readonly access: Pick<AdminOptions, 'sasl' | 'tls'> }

/** Observes these topics at brokers that are looked up first, and again after a failure. */
export function makeObserveTopics(
  find: () => Promise<FoundBrokers>,
  topics: readonly string[],
): () => Promise<TopicObservation> {
  let found: Promise<TopicObserver> | undefined
  return async () => {
    found ??= find().then(({ brokers, access }) => makeTopicObserver(brokers, access))
    const observer = found
    try {
      return await (await observer).observe(topics)
    } catch (error) {
      if (found === observer) found = undefined
      await observer.then((each) => each.close()).catch(() => undefined)
      throw error
    }
  }
}
