import pg from 'pg'

/** What the target tells of what it has applied. */
export type TargetObservation = {
  /** By topic partition of captured changes. */
  progress: {
    topicPartition: number
    beacon: number | null
    /** Age of the newest beacon or change applied, whichever is younger. */
    behindMs: number
  }[]
  /** Topic partitions that are not applied further, and why. */
  stops: { topic: string; topicPartition: number; atOffset: string; reason: string }[]
  /** Tables whose changes are not applied, and why. */
  stopped: { name: string; reason: string }[]
  quarantinedRecords: number
  tables: { name: string; rows: number; isEstimate: boolean; writes: number }[]
}

/** Up to so many rows a table is counted; delete markers make the statistics tell too many. */
const mostCounted = 100_000

const readProgress = `
select topic_partition as "topicPartition", beacon_number::float8 as beacon,
  (extract(epoch from clock_timestamp() - greatest(beacon_at, committed_at)) * 1000)::float8 as "behindMs"
from tidemark.progress
where consumer = 'tidemark-latest-state'
order by topic_partition`

const readStops = `
select topic, topic_partition as "topicPartition", at_offset as "atOffset", reason
from tidemark.stop
order by topic, topic_partition`

const readStopped = `
select schema_name || '.' || table_name as name, reason
from tidemark.stopped_table
order by name`

const readTables = `
select m.schema_name as schema, m.table_name as table,
  greatest(case when c.reltuples > 0 and s.n_tup_ins = 0 then c.reltuples else s.n_live_tup end, 0)::float8 as estimate,
  (s.n_tup_ins + s.n_tup_upd)::float8 as writes
from tidemark.table_marker m
join pg_stat_user_tables s on s.schemaname = 'tidemark_rows' and s.relname = 't' || m.relation
join pg_class c on c.oid = s.relid
where m.dropped_at is null
order by 1, 2`

/** Asks the target, as a role that may read, and counts a small table again when it was written to. */
export function makeObserveTarget(target: pg.Pool): () => Promise<TargetObservation> {
  const counted = new Map<string, { writes: number; rows: number }>()

  async function countRows(schema: string, table: string, writes: number): Promise<number> {
    const name = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`
    const known = counted.get(name)
    if (known?.writes === writes) return known.rows
    const { rows } = await target.query(`select count(*)::float8 as rows from ${name}`)
    counted.set(name, { writes, rows: rows[0].rows })
    return rows[0].rows
  }

  return async () => {
    const [progress, stops, stopped, quarantined, listed] = await Promise.all([
      target.query(readProgress),
      target.query(readStops),
      target.query(readStopped),
      target.query('select count(*)::float8 as records from tidemark.quarantine'),
      target.query(readTables),
    ])
    const tables = []
    for (const { schema, table, estimate, writes } of listed.rows) {
      const isEstimate = estimate > mostCounted
      const rows = isEstimate ? estimate : await countRows(schema, table, writes)
      tables.push({ name: `${schema}.${table}`, rows, isEstimate, writes })
    }
    return {
      progress: progress.rows,
      stops: stops.rows,
      stopped: stopped.rows,
      quarantinedRecords: quarantined.rows[0].records,
      tables,
    }
  }
}
