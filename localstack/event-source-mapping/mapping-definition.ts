/** Where a consumer group without offsets begins. */
export type StartingPosition = 'TRIM_HORIZON' | 'LATEST' | { timestampMs: number }

/** An MSK event source mapping, checked and with AWS's defaults filled in. */
export type MappingDefinition = {
  eventSourceArn: string
  functionName: string
  topic: string
  /** Absent: the mapping's own id, as on AWS. */
  consumerGroupId?: string
  batchSize: number
  windowMs: number
  startingPosition: StartingPosition
  enabled: boolean
  /** Most invocations at once in provisioned mode. */
  maximumPollers?: number
  /** The function may answer with `batchItemFailures`. */
  reportsItemFailures: boolean
}

type Properties = Record<string, unknown>

const supported = new Set([
  'AmazonManagedKafkaEventSourceConfig',
  'BatchSize',
  'Enabled',
  'EventSourceArn',
  'FunctionName',
  'FunctionResponseTypes',
  'MaximumBatchingWindowInSeconds',
  'ProvisionedPollerConfig',
  'StartingPosition',
  'StartingPositionTimestamp',
  'Tags',
  'Topics',
])

/** Values that ask for what happens anyway. */
const withoutEffect: Properties = {
  BisectBatchOnFunctionError: false,
  MaximumRecordAgeInSeconds: -1,
  MaximumRetryAttempts: -1,
}

/**
 * Reads the resolved properties of an AWS::Lambda::EventSourceMapping. Throws an Error that names the property which is
 * missing, malformed, or not supported yet.
 */
export function readMapping(properties: Properties): MappingDefinition {
  refuseUnsupported(properties)
  const { consumerGroupId } = readGroup(properties['AmazonManagedKafkaEventSourceConfig'])
  const pollers = readPollers(properties['ProvisionedPollerConfig'])
  const reportsItemFailures = readResponseTypes(properties['FunctionResponseTypes'])
  if (reportsItemFailures && pollers === undefined) {
    throw new Error('event source mapping: FunctionResponseTypes needs ProvisionedPollerConfig, as on AWS')
  }
  return {
    eventSourceArn: text(properties, 'EventSourceArn'),
    functionName: text(properties, 'FunctionName'),
    topic: readTopic(properties['Topics']),
    batchSize: whole(properties, 'BatchSize', 1, 10_000) ?? 100,
    windowMs: (whole(properties, 'MaximumBatchingWindowInSeconds', 0, 300) ?? 0.5) * 1000,
    startingPosition: readStartingPosition(properties),
    enabled: String(properties['Enabled'] ?? true) === 'true',
    reportsItemFailures,
    ...(consumerGroupId !== undefined && { consumerGroupId }),
    ...(pollers !== undefined && { maximumPollers: pollers }),
  }
}

function refuseUnsupported(properties: Properties): void {
  for (const [name, value] of Object.entries(properties)) {
    if (supported.has(name) || value === undefined || withoutEffect[name] === value) continue
    throw new Error(`event source mapping: ${name} is not supported locally yet`)
  }
}

function readGroup(config: unknown): { consumerGroupId?: string } {
  if (config === undefined) return {}
  const { ConsumerGroupId, ...rest } = config as Properties
  const [other] = Object.keys(rest)
  if (other !== undefined) {
    throw new Error(`event source mapping: AmazonManagedKafkaEventSourceConfig.${other} is not supported locally yet`)
  }
  return ConsumerGroupId === undefined ? {} : { consumerGroupId: text({ ConsumerGroupId }, 'ConsumerGroupId') }
}

function readPollers(config: unknown): number | undefined {
  if (config === undefined) return undefined
  const { MinimumPollers, MaximumPollers, ...rest } = config as Properties
  const [other] = Object.keys(rest)
  if (other !== undefined) {
    throw new Error(`event source mapping: ProvisionedPollerConfig.${other} is not supported locally yet`)
  }
  const minimum = whole({ MinimumPollers }, 'MinimumPollers', 1, 200) ?? 1
  const maximum = whole({ MaximumPollers }, 'MaximumPollers', 1, 2000) ?? Math.max(200, minimum)
  if (minimum > maximum) throw new Error('event source mapping: MinimumPollers is greater than MaximumPollers')
  return maximum
}

function readResponseTypes(types: unknown): boolean {
  if (types === undefined) return false
  if (!Array.isArray(types) || types.some((type) => type !== 'ReportBatchItemFailures')) {
    throw new Error('event source mapping: FunctionResponseTypes takes ReportBatchItemFailures only')
  }
  return types.length > 0
}

function readTopic(topics: unknown): string {
  const [topic, another] = Array.isArray(topics) ? topics : []
  if (typeof topic === 'string' && another === undefined) return topic
  throw new Error('event source mapping: Topics takes the name of exactly one topic, as on AWS')
}

function readStartingPosition(properties: Properties): StartingPosition {
  const position = text(properties, 'StartingPosition')
  if (position === 'TRIM_HORIZON' || position === 'LATEST') return position
  if (position !== 'AT_TIMESTAMP') throw new Error(`event source mapping: StartingPosition ${position} is unknown`)
  const timestampMs = Number(properties['StartingPositionTimestamp'] ?? Number.NaN) * 1000
  if (Number.isFinite(timestampMs)) return { timestampMs }
  throw new Error('event source mapping: AT_TIMESTAMP needs StartingPositionTimestamp in seconds since 1970')
}

function text(properties: Properties, name: string): string {
  const value = properties[name]
  if (typeof value === 'string' && value !== '') return value
  throw new Error(`event source mapping: ${name} is missing`)
}

/** CloudFormation takes numbers as text, too. */
function whole(properties: Properties, name: string, least: number, most: number): number | undefined {
  const value = properties[name]
  if (value === undefined) return undefined
  const number = Number(value)
  if (Number.isInteger(number) && number >= least && number <= most) return number
  throw new Error(`event source mapping: ${name} must be a whole number from ${least} to ${most}, not ${value}`)
}
