import type pg from 'pg'

/** What the source tells of its capture. */
export type SourceObservation = {
  /** Number of the newest beacon, and of topic partitions each one travels to. */
  beacon: number
  topicPartitions: number
  /** Bytes of log the replication slot keeps from being removed; null while there is no slot. */
  retainedWalBytes: number | null
  tables: { name: string; state: string; rows: number }[]
  /** Tables that are not captured, why, and the SQL that changes it. */
  uncaptured: { name: string; why: string; fix: string | null }[]
}

const readCapture = `
select s.topic_partitions as "topicPartitions",
  (
    select b.number::float8
    from tidemark.beacon b
    where b.slot = 0
  ) as beacon,
  (
    select pg_wal_lsn_diff(pg_current_wal_lsn(), r.restart_lsn)::float8
    from pg_replication_slots r
    where r.slot_name = 'tidemark_e' || s.epoch
  ) as "retainedWalBytes"
from tidemark.setting s`

// Counting a large table would cost the source more than it tells; the statistics follow within seconds.
const readTables = `
select t.schema_name || '.' || t.table_name as name, t.state,
  greatest(case when c.reltuples > 0 and s.n_tup_ins = 0 then c.reltuples else s.n_live_tup end, 0)::float8 as rows
from tidemark.captured_table t
left join pg_class c on c.oid = t.relation
left join pg_stat_user_tables s on s.relid = t.relation
where t.state <> 'refused'
order by name`

const readUncaptured = `
select schema_name || '.' || table_name as name, why, fix
from tidemark.uncaptured
order by name`

/** Asks the source, as its administrator. */
export async function observeSource(source: pg.Pool): Promise<SourceObservation> {
  const [capture, tables, uncaptured] = await Promise.all([
    source.query(readCapture),
    source.query(readTables),
    source.query(readUncaptured),
  ])
  return { ...capture.rows[0], tables: tables.rows, uncaptured: uncaptured.rows }
}
