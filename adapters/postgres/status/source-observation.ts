import type pg from 'pg'
import { EPOCH_PREFIX } from '#core/fixed-names.ts'
import type { SourceObservation } from '#core/status/observations.ts'
import { makeCountRows, readability, statistics } from './row-counts.ts'

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
    where r.slot_name = '${EPOCH_PREFIX}' || s.epoch
  ) as "retainedWalBytes",
  exists (
    select from pg_replication_slots r
    where r.slot_name = '${EPOCH_PREFIX}' || s.epoch
      and r.active
  ) as "isSlotRead"
from tidemark.setting s`

const readTables = `
select t.schema_name as schema, t.table_name as table, t.state, ${statistics},
  ${readability('t.schema_name', 't.table_name')}
from tidemark.captured_table t
join pg_class c on c.oid = t.relation
join pg_stat_user_tables s on s.relid = t.relation
where t.state <> 'refused'
order by t.schema_name, t.table_name`

const readUncaptured = `
select schema_name || '.' || table_name as name, why, fix
from tidemark.uncaptured
order by name`

/** Observes the source. With `estimateRows` no table is counted, and otherwise those that the role may read. */
export function makeObserveSource(
  source: pg.Pool,
  countRows: ReturnType<typeof makeCountRows> = makeCountRows(source),
): () => Promise<SourceObservation> {
  return async () => {
    const [capture, listed, uncaptured] = await Promise.all([
      source.query(readCapture),
      source.query(readTables),
      source.query(readUncaptured),
    ])
    const counts = await countRows(listed.rows)
    const tables = counts.map((count, index) => ({ ...count, state: listed.rows[index].state }))
    return { ...capture.rows[0], tables, uncaptured: uncaptured.rows }
  }
}
