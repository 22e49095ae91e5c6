import type { ConnectApi } from '#adapters/connect/connect-api.ts'
import { progressOf } from '#adapters/connect/connector-states.ts'
import type { ArchiveServices } from '#test-support/archive-readers/archive-functions.ts'

/** Apache Iceberg's sink for one topic, which writes to one table. */
export type IcebergSink = {
  /** The name of the connector. */
  readonly name: string
  readonly tasks: number
  readonly topic: string
  /** The sink's own topic, in which its tasks and its coordinator agree on commits. */
  readonly controlTopic: string
  readonly table: { readonly namespace: string; readonly name: string }
  readonly services: Omit<ArchiveServices, 'warehouse' | 'namespace'>
}

/** The consumer group of a sink's connector, by Connect's rule for its name. */
export const consumerGroup = (name: string): string => `connect-${name}`

/** How often the sink commits. */
export const COMMIT_EVERY_MS = 1_000

/** The sink's settings that decide how fast it is. */
export const fastest = {
  'consumer.override.max.poll.records': '5000',
  'consumer.override.max.partition.fetch.bytes': '10485760',
  'consumer.override.fetch.max.bytes': '52428800',
}

/**
 * The row of a record is its value as a string, with the record's place. Kafka's own transforms cannot read key and
 * headers. From JSON without a schema the sink would make a column for each field, so the value would not be kept.
 */
const rowOfRecord = {
  'key.converter': 'org.apache.kafka.connect.converters.ByteArrayConverter',
  'value.converter': 'org.apache.kafka.connect.storage.StringConverter',
  transforms: 'value,place',
  'transforms.value.type': 'org.apache.kafka.connect.transforms.HoistField$Value',
  'transforms.value.field': 'value',
  'transforms.place.type': 'org.apache.kafka.connect.transforms.InsertField$Value',
  'transforms.place.topic.field': 'topic',
  'transforms.place.partition.field': 'kafka_partition',
  'transforms.place.offset.field': 'kafka_offset',
  'transforms.place.timestamp.field': 'kafka_ts',
}

/** The configuration of Apache Iceberg's sink, which creates its table and reads the topic from its beginning. */
export const icebergSinkConfiguration = (sink: IcebergSink): Record<string, string> => {
  const { tasks, topic, controlTopic, table, services } = sink
  const { catalogEndpoint, s3Endpoint, token = '', credentials } = services
  return {
    'connector.class': 'org.apache.iceberg.connect.IcebergSinkConnector',
    'tasks.max': String(tasks),
    topics: topic,
    'iceberg.tables': `${table.namespace}.${table.name}`,
    'iceberg.tables.auto-create-enabled': 'true',
    'iceberg.control.topic': controlTopic,
    'iceberg.control.commit.interval-ms': String(COMMIT_EVERY_MS),
    // A commit that began before a task had its first record waits this long for the task.
    'iceberg.control.commit.timeout-ms': '5000',
    'iceberg.catalog.type': 'rest',
    'iceberg.catalog.uri': catalogEndpoint,
    'iceberg.catalog.token': token,
    'iceberg.catalog.io-impl': 'org.apache.iceberg.aws.s3.S3FileIO',
    // The default factory knows every service of AWS, and needs the client of each.
    'iceberg.catalog.s3.client-factory-impl': 'org.apache.iceberg.aws.s3.DefaultS3FileIOAwsClientFactory',
    'iceberg.catalog.s3.endpoint': s3Endpoint,
    'iceberg.catalog.s3.path-style-access': 'true',
    'iceberg.catalog.s3.access-key-id': credentials.accessKeyId,
    'iceberg.catalog.s3.secret-access-key': credentials.secretAccessKey,
    // The local object store closes the connection after a body in chunks with a trailer.
    'iceberg.catalog.s3.chunked-encoding-enabled': 'false',
    'iceberg.catalog.client.region': 'us-east-1',
    'iceberg.catalog.http-client.type': 'urlconnection',
    'consumer.override.auto.offset.reset': 'earliest',
    // The topic is filled in a transaction, whose commit begins the drain.
    'consumer.override.isolation.level': 'read_committed',
    'consumer.override.fetch.max.wait.ms': '50',
    ...fastest,
    ...rowOfRecord,
  }
}

/** Throws an Error that says why the sink has failed, if it has. */
export async function checkSink(connect: ConnectApi, name: string): Promise<void> {
  const progress = progressOf(await connect.status(name))
  if (progress.kind === 'failed') throw new Error(`connector ${name}: ${progress.reason}`)
}
