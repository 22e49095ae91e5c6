import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { type MappingDefinition, readMapping } from '#localstack/event-source-mapping/definition/mapping-definition.ts'
import {
  type EventSourceMappingOptions,
  type RunningEventSourceMapping,
  startEventSourceMapping,
} from '#localstack/event-source-mapping/event-source-mapping.ts'
import type { MappingEvent } from '#localstack/event-source-mapping/mapping-record.ts'
import type { InvocationAnswer } from '#localstack/lambda-host/invocation/invocation.ts'
import { eventually } from '../eventually.ts'
import { startTestBroker, type TestBroker, type TestBrokerOptions, type TestRecord } from './kafka-broker.ts'

export const eventSourceArn = 'arn:aws:kafka:eu-central-1:000000000000:cluster/tidemark/1'
export const success: InvocationAnswer = { statusCode: 200, payload: Buffer.from('null'), logTail: '' }
export const failure: InvocationAnswer = { ...success, functionError: 'Unhandled' }

export type Delivered = { topic: string; partition: number; offset: number; value?: string }

/** Stands for the function. It gets the event parsed, and as it was sent. */
export type Invoke = (event: { records: Record<string, Delivered[]> }, payload: Buffer) => Promise<InvocationAnswer>

/** A topic for one test, whose name is also that of its consumer group, and the mappings that poll it. */
export type MappedTopic = {
  broker: TestBroker
  name: string
  create(partitions: number, configuration?: Record<string, string>): Promise<void>
  produce(records: TestRecord[]): Promise<void>
  /** Starts a mapping, which is stopped after the test. By default it has no window. */
  start(
    invoke: Invoke,
    properties?: object,
    options?: Partial<EventSourceMappingOptions>,
  ): { mapping: RunningEventSourceMapping; events: MappingEvent[] }
  /** The definition from these properties, with the defaults of `start`. */
  define(properties?: object): MappingDefinition
  /** The group's offsets by topic partition; -1 when there is none. */
  groupOffsets(): Promise<number[]>
  /** Settles when these are the group's offsets. */
  committed(offsets: number[]): Promise<void>
}

/** Uses one broker for the test file and a new topic for each test. */
export function useMappedTopic(brokerOptions: TestBrokerOptions = {}): MappedTopic {
  const running: RunningEventSourceMapping[] = []
  const topic: MappedTopic = {
    broker: undefined as unknown as TestBroker,
    name: '',
    create: (partitions, configuration) => topic.broker.createTopic(topic.name, partitions, configuration),
    produce: (records) => topic.broker.produce(topic.name, records),
    groupOffsets: () => topic.broker.groupOffsets(topic.name, topic.name),
    async committed(offsets) {
      await eventually(async () => expect(await topic.groupOffsets()).toEqual(offsets))
    },
    define: (properties = {}) => define(topic.name, properties),
    start(invoke, properties = {}, options = {}) {
      const events: MappingEvent[] = []
      const mapping = startEventSourceMapping(define(topic.name, properties), {
        id: randomUUID(),
        bootstrapServers: topic.broker.bootstrapServers,
        concurrency: 10,
        invoke: (payload) => invoke(JSON.parse(payload.toString()), payload),
        onEvent: (event) => events.push(event),
        ...options,
      })
      running.push(mapping)
      return { mapping, events }
    },
  }
  beforeAll(async () => {
    topic.broker = await startTestBroker(brokerOptions)
  })
  afterAll(() => topic.broker.stop())
  beforeEach(() => {
    topic.name = `t-${randomUUID()}`
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map((mapping) => mapping.stop(0)))
  })
  return topic
}

function define(topic: string, properties: object): MappingDefinition {
  const group = { ConsumerGroupId: topic }
  const source =
    'SelfManagedEventSource' in properties
      ? { SelfManagedKafkaEventSourceConfig: group }
      : { EventSourceArn: eventSourceArn, AmazonManagedKafkaEventSourceConfig: group }
  return readMapping({
    FunctionName: 'f',
    Topics: [topic],
    StartingPosition: 'TRIM_HORIZON',
    MaximumBatchingWindowInSeconds: 0,
    ...source,
    ...properties,
  })
}

/** An `invoke` that accepts everything, and keeps the records in the order in which they came. */
export function collector() {
  const delivered: Delivered[] = []
  const invoke: Invoke = async ({ records }) => {
    delivered.push(...Object.values(records).flat())
    return success
  }
  const offsets = (partition: number) =>
    delivered.filter((each) => each.partition === partition).map(({ offset }) => offset)
  return { delivered, invoke, offsets }
}

/** Records of one topic partition. */
export const records = (partition: number, count: number): TestRecord[] =>
  Array.from({ length: count }, (_, index) => ({ partition, key: 'k', value: String(index) }))

/** The numbers 0, 1, 2 … below `count`. */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, offset) => offset)
