import { UNAVAILABLE_PLACEHOLDER } from '#core/column-codec.ts'
import { epochName } from '#core/fixed-names.ts'
import { sessionOptions, WITHOUT_TIMEOUTS } from '../postgres/session/session-settings.ts'
import { type Captured, literally, tablePatterns } from './captured-tables.ts'

/** What the connector is told by its surroundings; everything else is decided here. */
export type ConnectorSettings = {
  /** Part of the slot's name and of every record's `source.name`. */
  epoch: number
  database: { host: string; port: number; name: string; tls: 'verify-full' | 'disable' }
  /** The one topic of all changes, and how many topic partitions it has. */
  topic: string
  topicPartitions: number
  captured: Captured
  /** The tables of the publication, `schema.table`: those the initial snapshot reads. */
  published: string[]
}

/** Debezium logs the prefix into every record as `source.name`; Connect keeps offsets by it, so an epoch starts afresh. */
export const topicPrefix = epochName

/** The replication slot of an epoch. */
export const slotName = epochName

/** The publication, which `sql/source` owns. */
export const PUBLICATION = 'tidemark'

/** Records of these say what the others mean; each of their rows belongs to one topic partition. */
const CONTROL_TABLES = ['tidemark.table_contract', 'tidemark.beacon']

/** What Debezium says about itself is sent to this name before it is routed. */
const NOTIFICATIONS = 'tidemark.notification'

/** The setting that lists what the initial snapshot reads. */
const SNAPSHOT_TABLES = 'snapshot.include.collection.list'

/** The snapshot of the reading transaction, which a blocking snapshot must ask for again: it knows no overrides. */
const BEACON_READING = `select slot, number, body || jsonb_build_object('snapshot', pg_current_snapshot()::text) as body, emitted_at from tidemark.beacon`

/** A record of this size passes producer and topic. */
const MAX_RECORD_BYTES = 16 * 1024 * 1024

/** A longer value is sent in parts: an event of 6 MB carries it in base64, with key, headers and frame. */
const LARGE_RECORD_BYTES = 3 * 1024 * 1024

/** A change whose JSON is longer is not carried: its table stops and says so (decision 019). */
export const LARGEST_CHANGE_BYTES = 64 * 1024 * 1024

/**
 * The configuration of the Debezium Postgres connector 3.7 that Connect is given. Pure: the same settings give the same
 * configuration. Credentials are named, not held: the worker reads them from its own environment.
 */
export function connectorConfiguration(settings: ConnectorSettings): Record<string, string> {
  return {
    // Debezium's, which sends a large record in parts (cdk/capture/image/connector).
    'connector.class': 'tidemark.capture.PartedPostgresConnector',
    'tasks.max': '1',
    'tidemark.record.bytes': String(LARGE_RECORD_BYTES),
    'tidemark.row.bytes': String(LARGEST_CHANGE_BYTES),
    ...source(settings),
    ...replication(settings),
    ...initialSnapshot(settings),
    ...signals(),
    ...notifications(),
    ...encoding(),
    ...routing(settings),
    ...producing(),
  }
}

/**
 * The wanted configuration for a connector that has one already. Within an epoch the initial snapshot is that of its
 * start: tables published since are read by signal, and a list that names them would restart the connector for nothing.
 */
export function continuing(
  present: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): Record<string, string> {
  const begun = present[SNAPSHOT_TABLES]
  const sameEpoch = present['slot.name'] === wanted['slot.name']
  return { ...wanted, ...(sameEpoch && begun !== undefined ? { [SNAPSHOT_TABLES]: begun } : {}) }
}

function source({ database }: ConnectorSettings): Record<string, string> {
  return {
    'database.hostname': database.host,
    'database.port': String(database.port),
    'database.dbname': database.name,
    'database.user': workerVariable('SOURCE_USERNAME'),
    'database.password': workerVariable('SOURCE_PASSWORD'),
    'database.sslmode': database.tls,
    ...(database.tls === 'verify-full' ? { 'database.sslrootcert': '/kafka/rds-ca.pem' } : {}),
    // Of every connection, also that of the log: values are written as Debezium reads them, and no timeout ends a reading,
    // whatever is set for the database, the role, or the role in the database.
    'driver.options': sessionOptions(WITHOUT_TIMEOUTS),
  }
}

/** Resolved by the worker's `env` config provider when the task starts; what Connect stores is the name. */
const workerVariable = (name: string): string => `\${env:${name}}`

function replication({ epoch, captured }: ConnectorSettings): Record<string, string> {
  return {
    'plugin.name': 'pgoutput',
    'topic.prefix': topicPrefix(epoch),
    'slot.name': slotName(epoch),
    // A worker that died may hold its slot until the server's wal_sender_timeout of 60 s: the task must outwait it.
    'slot.max.retries': '60',
    'slot.retry.delay.ms': '2000',
    // sql/source decides what is published; Debezium would add tables with a lock that blocks their writers.
    'publication.name': PUBLICATION,
    'publication.autocreate.mode': 'disabled',
    // The order of this list is the order of the initial snapshot: a contract stands before the rows it explains.
    'table.include.list': [...CONTROL_TABLES.map(literally), ...tablePatterns(captured)].join(','),
    // With no list at all, reading a table captured later selects * and fails on a generated column.
    'column.exclude.list': excludedColumns(captured),
    // The default skips silently what lies between the stored offset and a slot that is ahead of it.
    'offset.mismatch.strategy': 'trust_offset',
    // The default leaves truncates out.
    'skipped.operations': 'none',
    // Its total_order changes when a worker restarts within a transaction, so nothing may rely on it; nothing reads it.
    'provide.transaction.metadata': 'false',
    'message.prefix.include.list': 'audit',
    // An idle slot otherwise retains the log of its whole server, which RDS writes every five minutes.
    'heartbeat.interval.ms': '1000',
    'heartbeat.action.query': 'select tidemark.emit_beacon()',
    'status.update.interval.ms': '1000',
    // Idle the worker takes 0.19 of a core; polling every 1 ms would take 0.50.
    'poll.interval.ms': '5',
    'max.batch.size': '8192',
    'max.queue.size': '32768',
    // Counted in records alone, a queue of large rows ends the worker for want of memory.
    'max.queue.size.in.bytes': '67108864',
  }
}

function excludedColumns({ excludeColumns }: Captured): string {
  return (excludeColumns.length === 0 ? ['tidemark.none.none'] : excludeColumns).map(literally).join(',')
}

function initialSnapshot({ published }: ConnectorSettings): Record<string, string> {
  return {
    'snapshot.mode': 'initial',
    // Reads what is published: without the list it reads tables outside the publication, whose changes never follow.
    [SNAPSHOT_TABLES]: [...CONTROL_TABLES, ...published.filter((name) => !CONTROL_TABLES.includes(name))]
      .map(literally)
      .join(','),
    'snapshot.locking.mode': 'none',
    'snapshot.fetch.size': '10000',
    // Once the slot exists Debezium sets no isolation level, and each table would be read by a snapshot of its own. A
    // heartbeat that meets another beacon fails by it, and is repeated a second later.
    'database.initial.statements': 'set session characteristics as transaction isolation level repeatable read',
    // Beacons are read with the rows, so that they say which transactions' rows a reading holds.
    'snapshot.select.statement.overrides': 'tidemark.beacon',
    'snapshot.select.statement.overrides.tidemark.beacon': BEACON_READING,
  }
}

/** Tables captured later are read when the source's signal table says so. */
function signals(): Record<string, string> {
  return {
    'signal.data.collection': 'tidemark.signal',
    'signal.enabled.channels': 'source',
    'incremental.snapshot.chunk.size': '8192',
    // With it, reading a table that Debezium never saw before fails for want of a schema.
    'include.schema.changes': 'false',
  }
}

/** Each start of the task is told on the topic, before the first record it may send again. */
function notifications(): Record<string, string> {
  return {
    'notification.enabled.channels': 'sink',
    'notification.sink.topic.name': NOTIFICATIONS,
  }
}

/** Values arrive exact and readable. */
function encoding(): Record<string, string> {
  return {
    'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'key.converter.schemas.enable': 'false',
    // With the schema in each record it is ten times as large, and an invocation takes 6 MB.
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter.schemas.enable': 'false',
    // Otherwise a null in a column with a default leaves as that default.
    'value.converter.replace.null.with.default': 'false',
    // Otherwise four headers per record, each an array of numbers in the function's event.
    'extended.headers.enabled': 'false',
    // The topic is not compacted: a tombstone says nothing the delete has not said.
    'tombstones.on.delete': 'false',
    'decimal.handling.mode': 'string',
    // The other modes send time 24:00 as 00:00, or fail on it; isostring is longer besides.
    'time.precision.mode': 'microseconds',
    // Numeric makes microseconds of months and days, which is another interval.
    'interval.handling.mode': 'string',
    // base64 in JSON all the same; the mode called base64 turns an unchanged TOASTed bytea into null.
    'binary.handling.mode': 'bytes',
    'hstore.handling.mode': 'json',
    // Columns of types Debezium does not know arrive as text instead of vanishing.
    'include.unknown.datatypes': 'true',
    'unavailable.value.placeholder': UNAVAILABLE_PLACEHOLDER,
    // The defaults write a warning and null for what cannot be converted.
    'event.converting.failure.handling.mode': 'fail',
    'event.processing.failure.handling.mode': 'fail',
  }
}

/** Everything goes to one topic: a table that a pattern missed would go to a topic nobody reads. */
function routing({ epoch, topic, topicPartitions }: ConnectorSettings): Record<string, string> {
  const prefix = literally(topicPrefix(epoch))
  const matches = 'org.apache.kafka.connect.transforms.predicates.TopicNameMatches'
  return {
    predicates: 'heartbeat,control,notification',
    'predicates.heartbeat.type': matches,
    'predicates.heartbeat.pattern': '__debezium-heartbeat\\..*',
    'predicates.control.type': matches,
    'predicates.control.pattern': `${prefix}\\.(${CONTROL_TABLES.map(literally).join('|')})`,
    'predicates.notification.type': matches,
    'predicates.notification.pattern': literally(NOTIFICATIONS),
    transforms: 'drop,partition,unkey,slot,route,hoist',
    'transforms.drop.type': 'org.apache.kafka.connect.transforms.Filter',
    'transforms.drop.predicate': 'heartbeat',
    // A notification's key is a fresh uuid. A field that is null, put into the key and then taken for it, leaves none.
    'transforms.partition.type': 'org.apache.kafka.connect.transforms.InsertField$Key',
    'transforms.partition.predicate': 'notification',
    'transforms.partition.partition.field': 'partition',
    'transforms.unkey.type': 'org.apache.kafka.connect.transforms.ExtractField$Key',
    'transforms.unkey.predicate': 'notification',
    'transforms.unkey.field': 'partition',
    // The row of slot s goes to topic partition s: in each of them a contract precedes what it explains.
    'transforms.slot.type': 'io.debezium.transforms.partitions.PartitionRouting',
    'transforms.slot.predicate': 'control',
    'transforms.slot.partition.payload.fields': 'change.slot',
    'transforms.slot.partition.topic.num': String(topicPartitions),
    'transforms.slot.partition.hash.function': 'java',
    'transforms.route.type': 'io.debezium.transforms.ToLogicalTopicRouter',
    'transforms.route.topic.regex': '.*',
    'transforms.route.topic.replacement': topic,
    // Rows of different tables with equal keys are different rows.
    'transforms.route.key.field.name': '_table',
    'transforms.route.key.field.regex': `${prefix}\\.(.*)`,
    'transforms.route.key.field.replacement': '$1',
    // The default remembers 16 tables and works out the others for every record.
    'transforms.route.logical.destination.cache.size': '2048',
    // Records without a key would spread; as {"key":null} all of them, and each start, are in order in one topic partition.
    'transforms.hoist.type': 'org.apache.kafka.connect.transforms.HoistField$Key',
    'transforms.hoist.field': 'key',
  }
}

function producing(): Record<string, string> {
  return {
    // Connect's default is false: a retried request may then swap or repeat records.
    'producer.override.enable.idempotence': 'true',
    'producer.override.acks': 'all',
    'producer.override.linger.ms': '0',
    // A larger row fails the task while the connector still says RUNNING.
    'producer.override.max.request.size': String(MAX_RECORD_BYTES),
    'producer.override.batch.size': '262144',
    'producer.override.buffer.memory': '67108864',
    'producer.override.compression.type': 'lz4',
  }
}
