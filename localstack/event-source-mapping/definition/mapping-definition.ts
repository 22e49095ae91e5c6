import { type ErrorControls, readErrorControls } from './error-controls.ts'
import { type EventSource, readEventSource } from './event-source.ts'
import { readFilters, type ValueFilter } from './filter-criteria.ts'
import { constrain, members, type Properties, refuse, text, truth, whole } from './properties.ts'

/** Where a consumer group without offsets begins. */
export type StartingPosition = 'TRIM_HORIZON' | 'LATEST' | { timestampMs: number }

/** A Kafka event source mapping that has been checked, with AWS's defaults filled in. */
export type MappingDefinition = EventSource &
  ErrorControls & {
    functionName: string
    topic: string
    batchSize: number
    windowMs: number
    startingPosition: StartingPosition
    enabled: boolean
    /** The largest number of invocations at once, in provisioned mode. */
    maximumPollers?: number
    /** Whether the function gets a record with this value. Absent: it gets all. */
    filter?: ValueFilter
  }

/** Quotas that AWS raises on request. */
export type Quotas = {
  /** Filters of one mapping: 5, or up to 10. */
  filters: number
}

const defaultQuotas: Quotas = { filters: 5 }

const supported = new Set([
  'AmazonManagedKafkaEventSourceConfig',
  'BatchSize',
  'BisectBatchOnFunctionError',
  'DestinationConfig',
  'Enabled',
  'EventSourceArn',
  'FilterCriteria',
  'FunctionName',
  'FunctionResponseTypes',
  'MaximumBatchingWindowInSeconds',
  'MaximumRecordAgeInSeconds',
  'MaximumRetryAttempts',
  'MetricsConfig',
  'ProvisionedPollerConfig',
  'SelfManagedEventSource',
  'SelfManagedKafkaEventSourceConfig',
  'SourceAccessConfigurations',
  'StartingPosition',
  'StartingPositionTimestamp',
  'Tags',
  'Topics',
])

/**
 * Reads the resolved properties of an AWS::Lambda::EventSourceMapping, or the request of CreateEventSourceMapping.
 * Throws a MappingRefusedError that names the property which is missing, malformed, not supported yet, or refused by
 * AWS.
 */
export function readMapping(
  properties: Properties,
  quotas: Quotas = defaultQuotas,
  nowMs: number = Date.now(),
): MappingDefinition {
  for (const [name, value] of Object.entries(properties)) {
    if (!supported.has(name) && value !== undefined) refuse(`${name} is not supported locally yet`)
  }
  const pollers = readPollers(properties)
  const topic = readTopic(properties['Topics'])
  const filter = readFilters(properties['FilterCriteria'], quotas.filters)
  return {
    ...readEventSource(properties),
    ...readErrorControls(properties, pollers !== undefined, topic),
    functionName: text(properties, 'FunctionName'),
    topic,
    batchSize: whole(properties, 'BatchSize', 1, 10_000) ?? 100,
    windowMs: (whole(properties, 'MaximumBatchingWindowInSeconds', 0, 300) ?? 0.5) * 1000,
    startingPosition: readStartingPosition(properties, nowMs),
    enabled: truth(properties, 'Enabled', true),
    ...(pollers !== undefined && { maximumPollers: pollers }),
    ...(filter !== undefined && { filter }),
  }
}

/** Reads the maximum of pollers. With an empty object an update leaves provisioned mode. */
function readPollers(properties: Properties): number | undefined {
  const config = members(properties, 'ProvisionedPollerConfig', ['MinimumPollers', 'MaximumPollers', 'PollerGroupName'])
  if (config === undefined || Object.keys(config).length === 0) return undefined
  const minimum = whole(config, 'MinimumPollers', 1, 200) ?? 1
  const maximum = whole(config, 'MaximumPollers', 1, 2000) ?? Math.max(200, minimum)
  if (minimum > maximum) refuse('MinimumPollers is greater than MaximumPollers')
  return maximum
}

/** Source: Lambda API reference, "CreateEventSourceMapping", Topics: AWS refuses a name of one character. */
function readTopic(topics: unknown): string {
  const [topic, another] = Array.isArray(topics) ? topics : []
  if (typeof topic !== 'string' || another !== undefined) {
    return refuse('Topics takes the name of exactly one topic, as on AWS')
  }
  return constrain(topic, 'topics', { least: 1, most: 249, pattern: '[^.]([a-zA-Z0-9\\-_.]+)' })
}

function readStartingPosition(properties: Properties, nowMs: number): StartingPosition {
  const position = text(properties, 'StartingPosition')
  if (position === 'TRIM_HORIZON' || position === 'LATEST') return position
  if (position !== 'AT_TIMESTAMP') refuse(`StartingPosition ${position} is unknown`)
  const timestampMs = timestampOf(properties['StartingPositionTimestamp'])
  if (Number.isNaN(timestampMs)) refuse('AT_TIMESTAMP needs StartingPositionTimestamp in seconds since 1970')
  if (timestampMs > nowMs) refuse('StartingPositionTimestamp cannot be in the future')
  return { timestampMs }
}

/** Reads seconds since 1970, or a time in the format of the CLI. Returns milliseconds. */
function timestampOf(value: unknown): number {
  if (typeof value === 'string' && !/^[\d.]+$/.test(value)) return Date.parse(value)
  return Number(value ?? Number.NaN) * 1000
}
