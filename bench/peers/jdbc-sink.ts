import type pg from 'pg'
import { removeSlot } from '#adapters/connect/running-connector.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'
import { connectTo, type MeasuredStack, slotCaughtUp, untilConnectorRuns, within } from '../measured-stack.ts'
import { createTables, type WorkloadTable } from '../workloads/workload.ts'
import type { PeerWorker } from './peer-worker.ts'

const DATABASE = 'bench_sink'

/**
 * The format of the changes for the sink. Each format has a capture of its own, with its own topics, slot and
 * publication.
 */
export type SinkFormat = {
  /** Prefix of the topics. */
  readonly prefix: string
  /** Name of the slot and of the publication. */
  readonly slot: string
  /** Settings of the connectors on both sides of the topics. */
  readonly converters: Readonly<Record<string, string>>
}

/** Debezium's default format: every record contains the schemas of its key and of its value. */
export const jsonFormat: SinkFormat = {
  prefix: 'peer',
  slot: 'bench_peer',
  converters: forKeyAndValue('org.apache.kafka.connect.json.JsonConverter', { 'schemas.enable': 'true' }),
}

/** Avro by Apicurio's converter: a record contains the number of its schema, and the registry has the schema. */
export const avroFormat = (registryUrl: string): SinkFormat => ({
  prefix: 'peer_avro',
  slot: 'bench_peer_avro',
  converters: forKeyAndValue('io.apicurio.registry.utils.converter.AvroConverter', {
    'apicurio.registry.url': registryUrl,
    'apicurio.registry.auto-register': 'true',
  }),
})

function forKeyAndValue(converter: string, settings: Record<string, string>): Record<string, string> {
  const named = (side: string) => [
    [`${side}.converter`, converter],
    ...Object.entries(settings).map(([name, value]) => [`${side}.converter.${name}`, value]),
  ]
  return Object.fromEntries([...named('key'), ...named('value')])
}

export type PeerCapture = {
  /** Resolves when everything that was committed so far is on the topics. */
  caughtUp(): Promise<void>
  stop(): Promise<void>
}

/** Starts Debezium's capture in a format, with a topic for each table, beside the capture of the stack. */
export async function startPeerCapture(
  stack: MeasuredStack,
  { connect }: PeerWorker,
  { format, tables }: { format: SinkFormat; tables: readonly WorkloadTable[] },
): Promise<PeerCapture> {
  const { prefix, slot, converters } = format
  // Connect keeps offsets by this name. It differs for each capture, because the offsets of an earlier one belong to a
  // slot that is gone.
  const name = `capture-${prefix}-${tables[0]!.name}`
  const source = new URL(stack.pipeline.engine.endpoints.source)
  const names = tables.map(({ name }) => `public.${name}`)
  const ours = await stack.capture.configuration()
  await stack.source.query(`create publication ${slot} for table ${names.join(', ')}`)
  await connect.put(name, {
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'tasks.max': '1',
    'database.hostname': source.hostname,
    'database.port': source.port,
    'database.dbname': source.pathname.slice(1),
    'database.user': decodeURIComponent(source.username),
    'database.password': decodeURIComponent(source.password),
    'plugin.name': 'pgoutput',
    'topic.prefix': prefix,
    'slot.name': slot,
    'publication.name': slot,
    'publication.autocreate.mode': 'disabled',
    'table.include.list': names.join(','),
    'snapshot.mode': 'no_data',
    // Otherwise a record without a value would follow each delete, which the sink does not need.
    'tombstones.on.delete': 'false',
    'status.update.interval.ms': '1000',
    'heartbeat.interval.ms': '1000',
    // Debezium confirms the log only with records of its own tables. These messages make it confirm up to the end of
    // the log.
    'heartbeat.action.query': `select pg_logical_emit_message(true, '${slot}', '')`,
    ...converters,
    'topic.creation.default.partitions': String(TOPIC_PARTITIONS),
    'topic.creation.default.replication.factor': '1',
    // These settings are those of the stack's own connector, so that the two captures differ only in what they send.
    ...Object.fromEntries(Object.entries(ours).filter(([name]) => isOfCapture(name))),
  })
  await untilConnectorRuns(connect, name)
  await within()(`slot ${slot} is there`, async () => {
    const { rowCount } = await stack.source.query('select from pg_replication_slots where slot_name = $1 and active', [
      slot,
    ])
    return rowCount === 1 ? { done: undefined } : { state: 'absent' }
  })
  return {
    caughtUp: () => slotCaughtUp(stack.source, slot),
    async stop() {
      await connect.delete(name)
      const pool = lastingPool({ connectionString: stack.pipeline.engine.endpoints.source, max: 1 })
      await removeSlot(slot, pool, within())
      await pool.end()
      await stack.source.query(`drop publication ${slot}`)
    },
  }
}

/** The same number as the stack's topic has. */
const TOPIC_PARTITIONS = 4

const isOfCapture = (name: string): boolean =>
  ['poll.interval.ms', 'max.batch.size', 'max.queue.size', 'max.queue.size.in.bytes'].includes(name) ||
  name.startsWith('producer.override.')

/** The sink's tables for those of the source. They are named after the topics. */
export const sinkTables = ({ prefix }: SinkFormat, tables: readonly WorkloadTable[]): WorkloadTable[] =>
  tables.map((table) => ({ ...table, name: `${prefix}_public_${table.name}` }))

/** A database of the target's server, to which the sink connects as a user of its own. */
export type SinkDatabase = {
  readonly client: pg.Client
  readonly url: URL
  /** Creates tables to which the sink may write. */
  addTables(tables: readonly WorkloadTable[]): Promise<void>
  stop(): Promise<void>
}

export async function createSinkDatabase({ target, pipeline }: MeasuredStack): Promise<SinkDatabase> {
  await target.query(`create role ${DATABASE} login password '${DATABASE}'`)
  await target.query(`create database ${DATABASE} owner ${DATABASE}`)
  const url = new URL(pipeline.engine.endpoints.target)
  url.pathname = `/${DATABASE}`
  const client = await connectTo(url.href)
  return {
    ...{ client, url },
    async addTables(tables) {
      await client.query(createTables(tables))
      for (const { name } of tables) await client.query(`alter table public.${name} owner to ${DATABASE}`)
    },
    stop: () => client.end(),
  }
}

/** The settings of one run of the sink. */
export type SinkSettings = { readonly tasks: number; readonly format: SinkFormat }

/**
 * Starts Debezium's JDBC sink, as fast as its settings make it: batches of 5,000, one statement with unnest for each,
 * one change for each row of a batch. It reads the topics from their beginning. Resolves when Connect has the
 * configuration.
 */
export async function startSink(
  { connect }: PeerWorker,
  { url }: SinkDatabase,
  { name, tasks, format, tables }: SinkSettings & { name: string; tables: readonly WorkloadTable[] },
): Promise<void> {
  await connect.put(name, {
    'connector.class': 'io.debezium.connector.jdbc.JdbcSinkConnector',
    'tasks.max': String(tasks),
    topics: tables.map((table) => `${format.prefix}.public.${table.name}`).join(','),
    'connection.url': `jdbc:postgresql://${url.host}/${DATABASE}`,
    'connection.username': DATABASE,
    'connection.password': DATABASE,
    'insert.mode': 'upsert',
    'delete.enabled': 'true',
    'primary.key.mode': 'record_key',
    'schema.evolution': 'none',
    ...fastest,
    ...format.converters,
  })
}

/** The sink's settings that decide how fast it is. */
export const fastest = {
  'batch.size': '5000',
  'use.reduction.buffer': 'true',
  'dialect.postgres.unnest.insert.enabled': 'true',
  'consumer.override.auto.offset.reset': 'earliest',
  'consumer.override.max.poll.records': '5000',
  'consumer.override.max.partition.fetch.bytes': '10485760',
}
