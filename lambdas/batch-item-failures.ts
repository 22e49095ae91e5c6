import type { MSKEvent } from 'aws-lambda'

/** The answer of a function to a Kafka event whose mapping has `ReportBatchItemFailures`. */
export type KafkaBatchResponse = {
  readonly batchItemFailures: readonly {
    readonly itemIdentifier: { readonly partition: string; readonly offset: number }
  }[]
}

/** A topic partition of an event. */
export type TopicPartition = { readonly topic: string; readonly topicPartition: number }

/** A topic partition of an event, as `<topic>-<number>`, whose records were not processed, and the reason. */
export type FailedTopicPartition = { readonly name: string; readonly reason: Error }

/**
 * Does the work for each topic partition of the event, or for those in `names`, all at the same time, and waits for all
 * of them. A failure of one does not end the others.
 */
export async function eachTopicPartition(
  event: MSKEvent,
  work: (records: MSKEvent['records'][string], of: TopicPartition) => Promise<void>,
  names = Object.keys(event.records),
): Promise<FailedTopicPartition[]> {
  const settled = await Promise.allSettled(names.map((name) => work(event.records[name]!, topicPartitionOf(name))))
  return settled.flatMap((one, i) =>
    one.status === 'rejected' ? [{ name: names[i]!, reason: one.reason as Error }] : [],
  )
}

function topicPartitionOf(name: string): TopicPartition {
  const dash = name.lastIndexOf('-')
  return { topic: name.slice(0, dash), topicPartition: Number(name.slice(dash + 1)) }
}

/**
 * Makes the mapping deliver every record of the failed topic partitions again, and no other record. All records of a
 * topic partition are named, because AWS does not say whether records after a reported one are delivered again.
 */
export function reportFailures(event: MSKEvent, failed: readonly FailedTopicPartition[]): KafkaBatchResponse {
  return {
    batchItemFailures: failed.flatMap(({ name: partition }) =>
      event.records[partition]!.map(({ offset }) => ({ itemIdentifier: { partition, offset } })),
    ),
  }
}
