import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { type ColumnContract, parseContract, type TableContract } from '#core/contract.ts'
import { createDatabase, type TestDatabase } from './database.ts'

/**
 * Two databases, of which the second shows the content of the first. It is a small pipeline without capture and Kafka.
 */
export type FabricatedPipeline = {
  source: TestDatabase
  target: TestDatabase
  /** The URL of a role that may only read. */
  targetUrl: string
  /**
   * SQL that runs in the target after it has confirmed a beacon, when it shows everything that was committed before.
   */
  tamper: string
  /** Describes the tables as captured, and shows them in the target as views over `held."<schema>.<table>"`. */
  capture(tables: string[], changes?: Partial<TableContract>): Promise<void>
  /** Stops the copying. */
  halt(): Promise<void>
  stop(): Promise<void>
}

/** Starts the pipeline; `ddl` runs in the source. */
export async function startFabricatedPipeline(ddl: string): Promise<FabricatedPipeline> {
  const [source, target] = await Promise.all([createDatabase('source'), createDatabase('target')])
  await source.pool.query(
    `select tidemark.configure(2, '{"schemas":["none"],"includeTables":[],"excludeTables":[],"excludeColumns":[]}')`,
  )
  await source.pool.query(ddl)
  await target.pool.query('create schema held')
  const shown: TableContract[] = []
  const end = new AbortController()
  const pipeline: FabricatedPipeline = {
    source,
    target,
    targetUrl: `${target.url}?options=-c%20role%3Dtidemark_read`,
    tamper: '',
    capture: async (tables, changes) => {
      for (const table of tables) shown.push(await captureTable(pipeline, table, changes))
    },
    halt: async () => {
      end.abort()
      await copying
    },
    stop: async () => {
      await pipeline.halt()
      await Promise.all([source.drop(), target.drop()])
    },
  }
  const copying = copyUntil(end.signal, pipeline, shown)
  return pipeline
}

async function captureTable(
  { source, target }: FabricatedPipeline,
  table: string,
  changes?: Partial<TableContract>,
): Promise<TableContract> {
  const contract = parseContract({ ...(await describe(source.pool, table)), ...changes })
  await source.pool.query(
    `insert into tidemark.captured_table (relation, schema_name, table_name, state, complete) values ($1, $2, $3, 'captured', true)
    on conflict (relation) do nothing`,
    [contract.relation, contract.schema, contract.table],
  )
  await source.pool.query(
    `insert into tidemark.table_contract (relation, version, slot, contract)
    select $1, $2, slot, $3 from generate_series(0, 1) as slot`,
    [contract.relation, contract.version, contract],
  )
  const columns = contract.columns.map(({ name, carried }) => `${pg.escapeIdentifier(name)} ${carried}`)
  const schema = pg.escapeIdentifier(contract.schema)
  await target.pool.query(`
    create table ${heldName(contract)} (${columns.join(', ')});
    create schema if not exists ${schema};
    grant usage on schema ${schema} to tidemark_read;
    create view ${schema}.${pg.escapeIdentifier(contract.table)} as select * from ${heldName(contract)};
    grant select on ${schema}.${pg.escapeIdentifier(contract.table)} to tidemark_read`)
  return contract
}

const heldName = ({ schema, table }: TableContract) => `held.${pg.escapeIdentifier(`${schema}.${table}`)}`

async function describe(source: pg.Pool, table: string): Promise<object> {
  // With this search path, the types that it does not find are written with their schemas.
  const client = await source.connect()
  await client.query('set search_path = pg_catalog')
  const { rows } = await client.query(
    `select c.oid::int8::int as relation, n.nspname as schema, c.relname as table,
      array(
        select json_build_object('schema', pn.nspname, 'table', p.relname)
        from pg_inherits i
        join pg_class p on p.oid = i.inhparent
        join pg_namespace pn on pn.oid = p.relnamespace
        where i.inhrelid = c.oid
      ) as parents,
      array(
        select json_build_object(
          'number', a.attnum, 'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
          'carried', case t.typtype when 'b' then format_type(a.atttypid, a.atttypmod)
            when 'd' then format_type(t.typbasetype, t.typtypmod) else 'text' end,
          'wire', 'value', 'nullable', not a.attnotnull, 'generated', false, 'expression', null, 'missing', null,
          'definition', null, 'key', array_position(k.indkey::int2[], a.attnum) + 1
        )
        from pg_attribute a
        join pg_type t on t.oid = a.atttypid
        left join pg_index k on k.indrelid = c.oid and k.indisprimary
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        order by a.attnum
      ) as columns
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.oid = $1::regclass`,
    [table],
  )
  await client.query('reset search_path')
  client.release()
  const fixed = { version: 1, dropped: false, published: true, refusal: null, replicaIdentity: 'default' }
  return { ...fixed, generation: 1, complete: true, topicPartitions: 2, ...rows[0] }
}

async function copyUntil(signal: AbortSignal, pipeline: FabricatedPipeline, shown: TableContract[]): Promise<void> {
  for (let applied = 0; !signal.aborted; await setTimeout(2)) {
    const seen = await readSource(pipeline.source.pool, [...shown])
    if (seen.beacon > applied) await showInTarget(pipeline, seen)
    applied = seen.beacon
  }
}

type Seen = { beacon: number; tables: { contract: TableContract; rows: (string | null)[][] }[] }

async function readSource(source: pg.Pool, contracts: TableContract[]): Promise<Seen> {
  const client = await source.connect()
  try {
    await client.query('begin isolation level repeatable read')
    const { rows } = await client.query('select number::integer from tidemark.beacon where slot = 0')
    const tables = []
    for (const contract of contracts) {
      const text = contract.columns.map(textOf).join(', ')
      const from = `only ${pg.escapeIdentifier(contract.schema)}.${pg.escapeIdentifier(contract.table)}`
      const read = await client.query({ text: `select ${text} from ${from}`, rowMode: 'array' })
      tables.push({ contract, rows: read.rows })
    }
    await client.query('commit')
    return { beacon: rows[0].number, tables }
  } finally {
    client.release()
  }
}

function textOf({ name }: ColumnContract): string {
  const column = pg.escapeIdentifier(name)
  return `case when num_nulls(${column}) = 0 then format('%s', ${column}) end`
}

async function showInTarget({ target, tamper }: FabricatedPipeline, { beacon, tables }: Seen): Promise<void> {
  const client = await target.pool.connect()
  try {
    await client.query('begin')
    for (const { contract, rows } of tables) {
      await client.query(`delete from ${heldName(contract)}`)
      const values = contract.columns.map(({ carried }, index) => `u.v${index}::${carried}`).join(', ')
      const arrays = contract.columns.map((_, index) => `$${index + 1}::text[]`).join(', ')
      const names = contract.columns.map((_, index) => `v${index}`).join(', ')
      await client.query(
        `insert into ${heldName(contract)} select ${values} from unnest(${arrays}) as u (${names})`,
        contract.columns.map((_, index) => rows.map((row) => row[index])),
      )
    }
    await client.query(tamper)
    await client.query(
      `insert into tidemark.progress (consumer, topic, topic_partition, beacon_number, beacon_epoch)
      select 'tidemark-latest-state', 'changes', topic_partition, $1, 1
      from generate_series(0, 1) as topic_partition
      on conflict (consumer, topic, topic_partition) do update
      set beacon_number = excluded.beacon_number`,
      [beacon],
    )
    await client.query('commit')
  } finally {
    client.release()
  }
}
