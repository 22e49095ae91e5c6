import { randomUUID } from 'node:crypto'
import type { DestinationMessage, FailureDestination } from '../definition/failure-destination.ts'
import type { Batch } from '../polling/batch.ts'
import type { EventFrame } from '../polling/event.ts'
import { recordTexts } from '../polling/record-queue.ts'
import type { Invoked } from './invocation.ts'

/**
 * Why records are not sent to the function any more. AWS's pages about Kafka have no condition for the age; this one
 * comes from Lambda's other streams.
 */
export type DiscardCondition = 'RetryAttemptsExhausted' | 'MaximumPayloadSizeExceeded' | 'RecordAgeExceeded'

export type Discarded = {
  condition: DiscardCondition
  batch: Batch
  /** Invocations with these records. */
  invocations: number
  /** The last one of these; absent when there was none. */
  invoked?: Invoked
}

/** What the messages say about the mapping. */
export type DiscardedFrom = {
  mappingId: string
  functionArn: string
  eventSourceArn?: string
  bootstrapServers: string
  frame: EventFrame
}

/** A topic gets another name for this condition than queues and buckets do. */
const kafkaCondition: Partial<Record<DiscardCondition, string>> = { RetryAttemptsExhausted: 'RetriesExhausted' }

/**
 * The messages that a destination gets for a discarded batch. SQS and SNS get the metadata. S3 also gets the event as
 * escaped text. A topic gets one message for each record, with its key and its event. `now`: ms since 1970.
 * Source: AWS, "Capturing discarded batches for Amazon MSK and self-managed Apache Kafka event sources" and "Using a
 * Kafka topic as an on-failure destination".
 */
export function destinationMessages(
  { kind }: FailureDestination,
  discarded: Discarded,
  from: DiscardedFrom,
  now: number,
): DestinationMessage[] {
  if (kind === 'kafka') return recordMessages(discarded, from, now)
  const { parts, records, payload } = discarded.batch
  const recordsInfo = Object.fromEntries(
    [...parts].map(([name, run]) => [
      name,
      {
        firstRecordOffset: String(run.firstOffset),
        lastRecordOffset: String(run.lastOffset),
        firstRecordTimestamp: isoTime(run.firstTimestamp),
        lastRecordTimestamp: isoTime(run.lastTimestamp),
      },
    ]),
  )
  const record = {
    ...contextOf(discarded, from.functionArn, discarded.condition, now),
    KafkaBatchInfo: { batchSize: records, ...sourceOf(from), payloadSize: payload.length, recordsInfo },
  }
  if (kind !== 's3') return [{ body: JSON.stringify(record) }]
  const body = JSON.stringify({ ...record, payload: payload.toString() })
  return [{ body, objectKey: objectKey(from.mappingId, [...parts.keys()][0]!, discarded, now) }]
}

function recordMessages(discarded: Discarded, from: DiscardedFrom, now: number): DestinationMessage[] {
  const { condition, batch } = discarded
  const functionArn = /:function:[^:]+$/.test(from.functionArn) ? `${from.functionArn}:$LATEST` : from.functionArn
  const context = contextOf(discarded, functionArn, kafkaCondition[condition] ?? condition, now)
  return [...batch.parts].flatMap(([name, run]) =>
    recordTexts(run).map((text) => {
      const event = `${from.frame.head}${JSON.stringify(name)}:[${text}]${from.frame.tail}`
      const { offset, timestamp, key } = JSON.parse(text)
      const recordInfo = { offset: String(offset), timestamp: isoTime(timestamp) }
      const info = { batchSize: 1, ...sourceOf(from), payloadSize: event.length, recordInfo }
      return {
        body: JSON.stringify({ ...context, KafkaBatchInfo: info, payload: JSON.parse(event) }),
        ...(key !== undefined && { key: Buffer.from(key, 'base64') }),
      }
    }),
  )
}

function contextOf({ invocations, invoked, condition }: Discarded, functionArn: string, said: string, now: number) {
  const requestContext = {
    requestId: invoked?.requestId ?? randomUUID(),
    functionArn,
    condition: said,
    approximateInvokeCount: invocations,
  }
  const wasSent = invoked !== undefined && condition !== 'MaximumPayloadSizeExceeded'
  const responseContext = wasSent
    ? {
        statusCode: invoked.statusCode,
        executedVersion: '$LATEST',
        ...(invoked.functionError !== undefined && { functionError: invoked.functionError }),
      }
    : null
  return { requestContext, responseContext, version: '1.0', timestamp: isoTime(now) }
}

const sourceOf = ({ eventSourceArn, bootstrapServers }: DiscardedFrom) => {
  return { ...(eventSourceArn !== undefined && { eventSourceArn }), bootstrapServers }
}

const isoTime = (ms: number): string => new Date(ms).toISOString()

/** The name has the form of Lambda's other streams, because AWS's pages about Kafka do not give one. */
function objectKey(mappingId: string, topicPartition: string, { invoked }: Discarded, now: number): string {
  const [date, time] = isoTime(now).slice(0, 19).split('T') as [string, string]
  const id = invoked?.requestId ?? randomUUID()
  return `aws/lambda/${mappingId}/${topicPartition}/${date.replaceAll('-', '/')}/${date}T${time.replaceAll(':', '.')}-${id}`
}
