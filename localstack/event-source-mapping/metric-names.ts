import type { MappingMetrics } from './mapping-record.ts'

/** Metrics of a mapping, by their names in CloudWatch. Source: AWS, "Types of metrics for Lambda functions". */
export type AwsMetrics = {
  PolledEventCount: number
  FilteredOutEventCount: number
  /** A record counts once for each attempt. */
  InvokedEventCount: number
  FailedInvokeEventCount: number
  /** Records that were given up without a destination, or that it refused. */
  DroppedEventCount: number
  OnFailureDestinationDeliveredEventCount: number
  /** Sum of how far the committed offset of each topic partition has moved. */
  CommittedEventCount: number
  MaxOffsetLag: number
  SumOffsetLag: number
}

export function awsMetrics({ failedRecords, topicPartitions }: MappingMetrics): AwsMetrics {
  const sum = (count: (each: MappingMetrics['topicPartitions'][number]) => number) =>
    topicPartitions.reduce((total, each) => total + count(each), 0)
  return {
    PolledEventCount: sum(({ polled }) => polled),
    FilteredOutEventCount: sum(({ filteredOut }) => filteredOut),
    InvokedEventCount: sum(({ invoked }) => invoked),
    FailedInvokeEventCount: failedRecords,
    DroppedEventCount: sum(({ dropped }) => dropped),
    OnFailureDestinationDeliveredEventCount: sum(({ deliveredToDestination }) => deliveredToDestination),
    CommittedEventCount: sum(({ committed }) => committed),
    MaxOffsetLag: Math.max(0, ...topicPartitions.map(({ lagRecords }) => lagRecords)),
    SumOffsetLag: sum(({ lagRecords }) => lagRecords),
  }
}
