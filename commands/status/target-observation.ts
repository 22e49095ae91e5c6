import type pg from 'pg'
import { makeCountRows, type RowCount, statistics } from './row-counts.ts'

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
  stops: { consumer: string; topic: string; topicPartition: number; atOffset: string; reason: string }[]
  /** Tables whose changes are not applied, why, and what lets them flow again. */
  stopped: { name: string; reason: string; repair: 'accept' | 'resync'; automatic: boolean }[]
  quarantinedRecords: number
  tables: RowCount[]
}

const readProgress = `
select topic_partition as "topicPartition", beacon_number::float8 as beacon,
  (extract(epoch from clock_timestamp() - greatest(beacon_at, committed_at)) * 1000)::float8 as "behindMs"
from tidemark.progress
where consumer = 'tidemark-latest-state'
order by topic_partition`

const readStops = `
select consumer, topic, topic_partition as "topicPartition", at_offset as "atOffset", reason
from tidemark.stop
order by consumer, topic, topic_partition`

const readStopped = `
select schema_name || '.' || table_name as name, reason, repair, automatic
from tidemark.stopped_table
order by name`

const readTables = `
select m.schema_name as schema, m.table_name as table, ${statistics}
from tidemark.table_marker m
join tidemark.generation g on g.relation = m.relation and g.shown
join pg_stat_user_tables s
  on s.schemaname = 'tidemark_rows'
  and s.relname = tidemark.rows_name(g.relation, g.generation)
join pg_class c on c.oid = s.relid
where m.dropped_at is null
order by 1, 2`

/** Asks the target, as a role that may read. */
export function makeObserveTarget(target: pg.Pool): () => Promise<TargetObservation> {
  const countRows = makeCountRows(target)
  return async () => {
    const [progress, stops, stopped, quarantined, listed] = await Promise.all([
      target.query(readProgress),
      target.query(readStops),
      target.query(readStopped),
      target.query('select count(*)::float8 as records from tidemark.quarantine'),
      target.query(readTables),
    ])
    return {
      progress: progress.rows,
      stops: stops.rows,
      stopped: stopped.rows,
      quarantinedRecords: quarantined.rows[0].records,
      tables: await countRows(listed.rows),
    }
  }
}
