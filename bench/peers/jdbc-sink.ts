import type pg from 'pg'
import { removeSlot } from '#adapters/connect/running-connector.ts'
import { lastingPool } from '#test-support/lasting-pool.ts'
import { connectTo, type MeasuredStack, slotCaughtUp, untilConnectorRuns, within } from '../measured-stack.ts'
import { createTables, type WorkloadTable } from '../workloads/workload.ts'
import type { PeerWorker } from './peer-worker.ts'

/** Of the peers' own capture: topics, slot, publication. */
const PREFIX = 'peer'
const SLOT = 'bench_peer'
const DATABASE = 'bench_sink'

/** Debezium's capture with its usual format, a topic for each table, beside that of the stack. */
export async function startPeerCapture(
  stack: MeasuredStack,
  { connect }: PeerWorker,
  tables: readonly WorkloadTable[],
): Promise<{ caughtUp(): Promise<void>; stop(): Promise<void> }> {
  const source = new URL(stack.pipeline.engine.endpoints.source)
  const names = tables.map(({ name }) => `public.${name}`)
  const ours = await stack.capture.configuration()
  await stack.source.query(`create publication ${SLOT} for table ${names.join(', ')}`)
  await connect.put('capture', {
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'tasks.max': '1',
    'database.hostname': source.hostname,
    'database.port': source.port,
    'database.dbname': source.pathname.slice(1),
    'database.user': decodeURIComponent(source.username),
    'database.password': decodeURIComponent(source.password),
    'plugin.name': 'pgoutput',
    'topic.prefix': PREFIX,
    'slot.name': SLOT,
    'publication.name': SLOT,
    'publication.autocreate.mode': 'disabled',
    'table.include.list': names.join(','),
    'snapshot.mode': 'no_data',
    // A delete is followed by a record without a value otherwise, which the sink has no use for.
    'tombstones.on.delete': 'false',
    'status.update.interval.ms': '1000',
    'heartbeat.interval.ms': '1000',
    // What it has read is confirmed with its own records alone: without these it would stay behind the log's end.
    'heartbeat.action.query': `select pg_logical_emit_message(true, '${SLOT}', '')`,
    ...converters,
    'topic.creation.default.partitions': String(TOPIC_PARTITIONS),
    'topic.creation.default.replication.factor': '1',
    // How the stack's own connector reads and sends, so that the two differ in what they send alone.
    ...Object.fromEntries(Object.entries(ours).filter(([name]) => isOfCapture(name))),
  })
  await untilConnectorRuns(connect, 'capture')
  await within()(`slot ${SLOT} is there`, async () => {
    const { rowCount } = await stack.source.query('select from pg_replication_slots where slot_name = $1 and active', [
      SLOT,
    ])
    return rowCount === 1 ? { done: undefined } : { state: 'absent' }
  })
  return {
    caughtUp: () => slotCaughtUp(stack.source, SLOT),
    async stop() {
      await connect.delete('capture')
      const pool = lastingPool({ connectionString: stack.pipeline.engine.endpoints.source, max: 1 })
      await removeSlot(SLOT, pool, within())
      await pool.end()
      await stack.source.query(`drop publication ${SLOT}`)
    },
  }
}

/** As many as the stack's topic has. */
const TOPIC_PARTITIONS = 4

const converters = {
  'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
  'key.converter.schemas.enable': 'true',
  'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
  'value.converter.schemas.enable': 'true',
}

const isOfCapture = (name: string): boolean =>
  ['poll.interval.ms', 'max.batch.size', 'max.queue.size', 'max.queue.size.in.bytes'].includes(name) ||
  name.startsWith('producer.override.')

/** The sink's tables: named after the topics. */
export const sinkTables = (tables: readonly WorkloadTable[]): WorkloadTable[] =>
  tables.map((table) => ({ ...table, name: `${PREFIX}_public_${table.name}` }))

/** A database of the target's server, which the sink enters as a user of its own. */
export type SinkDatabase = {
  readonly client: pg.Client
  readonly url: URL
  /** Creates the sink's tables for those of the source. */
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
      const created = sinkTables(tables)
      await client.query(createTables(created))
      for (const { name } of created) await client.query(`alter table public.${name} owner to ${DATABASE}`)
    },
    stop: () => client.end(),
  }
}

/** What the sink is run with. */
export type SinkSettings = { readonly tasks: number }

/**
 * Debezium's JDBC sink as fast as its settings make it: batches of 5,000, one statement for each by unnest, one change for
 * each row of a batch. It reads the topics from their beginning. Resolves when it has been asked for.
 */
export async function startSink(
  { connect }: PeerWorker,
  { url }: SinkDatabase,
  { name, tasks, tables }: SinkSettings & { name: string; tables: readonly WorkloadTable[] },
): Promise<void> {
  await connect.put(name, {
    'connector.class': 'io.debezium.connector.jdbc.JdbcSinkConnector',
    'tasks.max': String(tasks),
    topics: tables.map((table) => `${PREFIX}.public.${table.name}`).join(','),
    'connection.url': `jdbc:postgresql://${url.host}/${DATABASE}`,
    'connection.username': DATABASE,
    'connection.password': DATABASE,
    'insert.mode': 'upsert',
    'delete.enabled': 'true',
    'primary.key.mode': 'record_key',
    'schema.evolution': 'none',
    ...fastest,
    ...converters,
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
