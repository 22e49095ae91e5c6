import type pg from 'pg'
import { removeSlot } from '#adapters/connect/running-connector.ts'
import { lastingPool } from '#test-support/lasting-pool.ts'
import { connectTo, type MeasuredStack, slotCaughtUp, untilConnectorRuns, within } from '../measured-stack.ts'
import { createTables, type WorkloadTable } from '../workloads/workload.ts'
import type { PeerWorker } from './peer-worker.ts'

const DATABASE = 'bench_sink'

/** How changes travel to the sink. Each format has a capture of its own, with topics, slot and publication. */
export type SinkFormat = {
  /** Of the topics. */
  readonly prefix: string
  /** Name of the slot and of the publication. */
  readonly slot: string
  /** The settings of the connectors on both sides of the topics. */
  readonly converters: Readonly<Record<string, string>>
}

/** Debezium's usual format: every record has the schemas of its key and of its value in it. */
export const jsonFormat: SinkFormat = {
  prefix: 'peer',
  slot: 'bench_peer',
  converters: forKeyAndValue('org.apache.kafka.connect.json.JsonConverter', { 'schemas.enable': 'true' }),
}

/** Avro by Apicurio's converter: a record has the number of its schema in it, which is in the registry. */
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
  /** Everything committed so far is on the topics when it resolves. */
  caughtUp(): Promise<void>
  stop(): Promise<void>
}

/** Debezium's capture in a format, a topic for each table, beside that of the stack. */
export async function startPeerCapture(
  stack: MeasuredStack,
  { connect }: PeerWorker,
  { format, tables }: { format: SinkFormat; tables: readonly WorkloadTable[] },
): Promise<PeerCapture> {
  const { prefix, slot, converters } = format
  // Connect keeps offsets by this name: those of a capture before are in a slot that is gone.
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
    // A delete is followed by a record without a value otherwise, which the sink has no use for.
    'tombstones.on.delete': 'false',
    'status.update.interval.ms': '1000',
    'heartbeat.interval.ms': '1000',
    // What it has read is confirmed with its own records alone: without these it would stay behind the log's end.
    'heartbeat.action.query': `select pg_logical_emit_message(true, '${slot}', '')`,
    ...converters,
    'topic.creation.default.partitions': String(TOPIC_PARTITIONS),
    'topic.creation.default.replication.factor': '1',
    // How the stack's own connector reads and sends, so that the two differ in what they send alone.
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

/** As many as the stack's topic has. */
const TOPIC_PARTITIONS = 4

const isOfCapture = (name: string): boolean =>
  ['poll.interval.ms', 'max.batch.size', 'max.queue.size', 'max.queue.size.in.bytes'].includes(name) ||
  name.startsWith('producer.override.')

/** The sink's tables for those of the source: named after the topics. */
export const sinkTables = ({ prefix }: SinkFormat, tables: readonly WorkloadTable[]): WorkloadTable[] =>
  tables.map((table) => ({ ...table, name: `${prefix}_public_${table.name}` }))

/** A database of the target's server, which the sink enters as a user of its own. */
export type SinkDatabase = {
  readonly client: pg.Client
  readonly url: URL
  /** Creates tables that the sink may write to. */
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

/** What the sink is run with. */
export type SinkSettings = { readonly tasks: number; readonly format: SinkFormat }

/**
 * Debezium's JDBC sink as fast as its settings make it: batches of 5,000, one statement for each by unnest, one change for
 * each row of a batch. It reads the topics from their beginning. Resolves when it has been asked for.
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
