// How is Debezium configured, and which failure does each option prevent?

import { UNAVAILABLE_PLACEHOLDER } from '#core/column-codec.ts'
import { epochName } from '#core/fixed-names.ts'
import { sessionOptions, WITHOUT_TIMEOUTS } from '../postgres/session/session-settings.ts'
import { type Captured, literally, tablePatterns } from './captured-tables.ts'

/** The settings of the connector that its surroundings decide. Everything else is decided in this file. */
export type ConnectorSettings = {
  /** It is a part of the slot's name and of `source.name` in every record. */
  epoch: number
  database: { host: string; port: number; name: string; tls: 'verify-full' | 'disable' }
  /** The one topic of all changes, and the number of its topic partitions. */
  topic: string
  topicPartitions: number
  captured: Captured
  /** The tables of the publication as `schema.table`: the initial snapshot reads these. */
  published: string[]
}

/**
 * Debezium writes the prefix into every record as `source.name`. Connect stores offsets under it, so a new epoch starts
 * without offsets.
 */
export const topicPrefix = epochName

/** The replication slot of an epoch. */
export const slotName = epochName

/** The publication, which is created and changed by `sql/source`. */
export const PUBLICATION = 'tidemark'

/**
 * Tables whose records say what other records mean: the contracts, and the beacons. Each of their rows belongs to one
 * topic partition.
 */
const CONTROL_TABLES = ['tidemark.table_contract', 'tidemark.beacon']

/** The topic name of Debezium's own notifications, before they are routed to the topic of all changes. */
const NOTIFICATIONS = 'tidemark.notification'

/** The setting that lists the tables which the initial snapshot reads. */
const SNAPSHOT_TABLES = 'snapshot.include.collection.list'

/**
 * Beacons are read with the Postgres snapshot of the transaction that reads them. `sql/source` puts such a query into
 * the signal of a blocking snapshot, because a blocking snapshot ignores the overrides of this configuration.
 */
const BEACON_SNAPSHOT_QUERY = `select slot, number, body || jsonb_build_object('snapshot', pg_current_snapshot()::text) as body, emitted_at from tidemark.beacon`

/** The producer and the topic accept records of up to this size. */
const MAX_RECORD_BYTES = 16 * 1024 * 1024

/**
 * A longer value is sent in parts, because an event of Lambda is limited to 6 MB, and carries the value in base64, with
 * key, headers and the JSON around it.
 */
const LARGE_RECORD_BYTES = 3 * 1024 * 1024

/** A change whose JSON is longer is not sent: its table stops with this reason (decision 019). */
export const LARGEST_CHANGE_BYTES = 64 * 1024 * 1024

/**
 * The configuration that Connect gets for the Debezium Postgres connector 3.7. It is pure: the same settings give the
 * same configuration. It has no credentials, only the names of variables that the worker reads from its own
 * environment.
 */
export function connectorConfiguration(settings: ConnectorSettings): Record<string, string> {
  return {
    // This is Debezium's connector, extended so that a large record is sent in parts (cdk/capture/image/connector).
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
 * The wanted configuration for a connector that already has one. Within an epoch the list of the initial snapshot stays
 * as it was at the start of the epoch: tables that were published later are read by a signal, and a changed list would
 * restart the connector without need.
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
    // These options apply to every connection, including the replication connection. They make Postgres write values in
    // the form that Debezium reads, and switch off every timeout that would end a snapshot, whatever the settings of
    // the database and the role are.
    'driver.options': sessionOptions(WITHOUT_TIMEOUTS),
  }
}

/** The `env` config provider of the worker puts in the value when the task starts, so Connect stores only the name. */
const workerVariable = (name: string): string => `\${env:${name}}`

function replication({ epoch, captured }: ConnectorSettings): Record<string, string> {
  return {
    'plugin.name': 'pgoutput',
    'topic.prefix': topicPrefix(epoch),
    'slot.name': slotName(epoch),
    // After a worker has died, its slot may stay active until the server's wal_sender_timeout of 60 s. The task
    // retries for longer than that.
    'slot.max.retries': '60',
    'slot.retry.delay.ms': '2000',
    // sql/source decides which tables are published. Debezium would add tables with a lock that blocks their writers.
    'publication.name': PUBLICATION,
    'publication.autocreate.mode': 'disabled',
    // The initial snapshot reads the tables in the order of this list, so that each contract comes before the rows it
    // explains.
    'table.include.list': [...CONTROL_TABLES.map(literally), ...tablePatterns(captured)].join(','),
    // The list is never empty: without it, the snapshot of a table that is captured later uses `select *`, and fails on
    // a generated column.
    'column.exclude.list': excludedColumns(captured),
    // With the default strategy, Debezium would skip the changes between the stored offset and a slot that is ahead of
    // it, without an error.
    'offset.mismatch.strategy': 'trust_offset',
    // The default would skip truncates.
    'skipped.operations': 'none',
    // Transaction metadata is off: its total_order changes when a worker restarts within a transaction, so it is not
    // reliable, and nothing reads it.
    'provide.transaction.metadata': 'false',
    'message.prefix.include.list': 'audit',
    // The heartbeat writes a beacon, so that the slot of an idle database moves on. Otherwise it would retain the log
    // of the whole server, to which RDS writes every five minutes.
    'heartbeat.interval.ms': '1000',
    'heartbeat.action.query': 'select tidemark.emit_beacon()',
    'status.update.interval.ms': '1000',
    // With 5 ms an idle worker uses 0.19 of a core; with 1 ms it would use 0.50.
    'poll.interval.ms': '5',
    'max.batch.size': '8192',
    'max.queue.size': '32768',
    // If the queue were limited by the number of records alone, large rows in it would exceed the memory of the worker
    // and end it.
    'max.queue.size.in.bytes': '67108864',
  }
}

function excludedColumns({ excludeColumns }: Captured): string {
  return (excludeColumns.length === 0 ? ['tidemark.none.none'] : excludeColumns).map(literally).join(',')
}

function initialSnapshot({ published }: ConnectorSettings): Record<string, string> {
  return {
    'snapshot.mode': 'initial',
    // The list names the published tables. Without it, the snapshot would also read tables outside of the publication,
    // whose later changes never come.
    [SNAPSHOT_TABLES]: [...CONTROL_TABLES, ...published.filter((name) => !CONTROL_TABLES.includes(name))]
      .map(literally)
      .join(','),
    'snapshot.locking.mode': 'none',
    'snapshot.fetch.size': '10000',
    // If the slot exists already, Debezium sets no isolation level, and each table would be read by a Postgres snapshot
    // of its own. At this level a heartbeat fails if another session emits a beacon at the same time; it is repeated a
    // second later.
    'database.initial.statements': 'set session characteristics as transaction isolation level repeatable read',
    // Beacons are read with the Postgres snapshot of the rows, and so show which transactions the rows of a snapshot
    // include.
    'snapshot.select.statement.overrides': 'tidemark.beacon',
    'snapshot.select.statement.overrides.tidemark.beacon': BEACON_SNAPSHOT_QUERY,
  }
}

/** Tables that are captured later are read when a row of the source's signal table asks for it. */
function signals(): Record<string, string> {
  return {
    'signal.data.collection': 'tidemark.signal',
    'signal.enabled.channels': 'source',
    'incremental.snapshot.chunk.size': '8192',
    // If this were true, the snapshot of a table that is new to Debezium would fail, because Debezium has no schema of
    // it.
    'include.schema.changes': 'false',
  }
}

/** Debezium sends a notification at each start of the task, before the first record that it may send again. */
function notifications(): Record<string, string> {
  return {
    'notification.enabled.channels': 'sink',
    'notification.sink.topic.name': NOTIFICATIONS,
  }
}

/** These settings keep every value exact and readable. */
function encoding(): Record<string, string> {
  return {
    'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'key.converter.schemas.enable': 'false',
    // With its schema in it, each record would be ten times as large, and an invocation takes at most 6 MB.
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter.schemas.enable': 'false',
    // Otherwise a null in a column with a default would be sent as that default.
    'value.converter.replace.null.with.default': 'false',
    // Otherwise each record would have four more headers, each of them an array of numbers in the event of the
    // function.
    'extended.headers.enabled': 'false',
    // The topic is not compacted, so a tombstone would add nothing to the delete before it.
    'tombstones.on.delete': 'false',
    'decimal.handling.mode': 'string',
    // The other modes send the time 24:00 as 00:00 or fail on it. The mode isostring is exact, but longer.
    'time.precision.mode': 'microseconds',
    // The numeric mode would convert months and days to microseconds, which changes the interval.
    'interval.handling.mode': 'string',
    // In JSON the bytes are base64 in this mode too. The mode that is called base64 turns an unchanged TOASTed bytea
    // into null.
    'binary.handling.mode': 'bytes',
    'hstore.handling.mode': 'json',
    // Columns of types that Debezium does not know are sent as text. Otherwise they would be left out.
    'include.unknown.datatypes': 'true',
    'unavailable.value.placeholder': UNAVAILABLE_PLACEHOLDER,
    // The defaults log a warning, and write null for a value that cannot be converted.
    'event.converting.failure.handling.mode': 'fail',
    'event.processing.failure.handling.mode': 'fail',
  }
}

/** Every record goes to one topic, because a table that a pattern missed would go to a topic that nothing reads. */
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
    // The key of a notification is a new uuid. The first transform adds a field that is null, and the second one makes
    // the value of this field the key, so that the record has no key.
    'transforms.partition.type': 'org.apache.kafka.connect.transforms.InsertField$Key',
    'transforms.partition.predicate': 'notification',
    'transforms.partition.partition.field': 'partition',
    'transforms.unkey.type': 'org.apache.kafka.connect.transforms.ExtractField$Key',
    'transforms.unkey.predicate': 'notification',
    'transforms.unkey.field': 'partition',
    // The row of slot s goes to topic partition s, so that in each topic partition a contract comes before the rows it
    // explains.
    'transforms.slot.type': 'io.debezium.transforms.partitions.PartitionRouting',
    'transforms.slot.predicate': 'control',
    'transforms.slot.partition.payload.fields': 'change.slot',
    'transforms.slot.partition.topic.num': String(topicPartitions),
    'transforms.slot.partition.hash.function': 'java',
    'transforms.route.type': 'io.debezium.transforms.ToLogicalTopicRouter',
    'transforms.route.topic.regex': '.*',
    'transforms.route.topic.replacement': topic,
    // The table is a part of the key, because rows of different tables with equal keys are different rows.
    'transforms.route.key.field.name': '_table',
    'transforms.route.key.field.regex': `${prefix}\\.(.*)`,
    'transforms.route.key.field.replacement': '$1',
    // The default size is 16 tables, and the destination of the other tables would be computed for every record.
    'transforms.route.logical.destination.cache.size': '2048',
    // Records without a key would be spread over all topic partitions. With the key {"key":null} all of them are in one
    // topic partition and so in order, also the notifications of starts.
    'transforms.hoist.type': 'org.apache.kafka.connect.transforms.HoistField$Key',
    'transforms.hoist.field': 'key',
  }
}

function producing(): Record<string, string> {
  return {
    // Connect's default is false, with which a retried request may reorder or duplicate records.
    'producer.override.enable.idempotence': 'true',
    'producer.override.acks': 'all',
    'producer.override.linger.ms': '0',
    // A record beyond this size fails the task, while the connector still says RUNNING.
    'producer.override.max.request.size': String(MAX_RECORD_BYTES),
    'producer.override.batch.size': '262144',
    'producer.override.buffer.memory': '67108864',
    'producer.override.compression.type': 'lz4',
  }
}
