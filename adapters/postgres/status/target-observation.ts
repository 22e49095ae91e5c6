import type pg from 'pg'
import type { TargetObservation } from '#core/status/observations.ts'
import { makeCountRows, readability, statistics } from './row-counts.ts'

const readProgress = `
select consumer, topic, topic_partition as "topicPartition", next_offset::float8 as "nextOffset",
  beacon_number::float8 as beacon,
  (extract(epoch from clock_timestamp() - greatest(beacon_at, committed_at)) * 1000)::float8 as "behindMs",
  (extract(epoch from clock_timestamp() - beacon_at) * 1000)::float8 as "beaconAgeMs"
from tidemark.progress
order by consumer, topic, topic_partition`

const readStops = `
select consumer, topic, topic_partition as "topicPartition", at_offset::float8 as "atOffset", reason,
  to_json(first_seen_at)#>>'{}' as since, deliveries::float8 as deliveries
from tidemark.stop
order by consumer, topic, topic_partition`

const readStopped = `
select s.schema_name || '.' || s.table_name as name, s.reason, s.repair, s.automatic,
  case
    when exists (select from tidemark.table_marker m where m.relation = s.relation and m.dropped_at is not null) then 'dropped'
    when exists (select from tidemark.contract c where c.relation = s.relation) then 'captured'
    else 'unknown'
  end as "isOf",
  to_json(s.stopped_at)#>>'{}' as since,
  (
    select count(*)::float8
    from tidemark.quarantine q
    where q.relation = s.relation and s.relation <> 0
  ) as "keptRecords"
from tidemark.stopped_table s
order by name`

const readNotCaptured = `
select schema_name || '.' || table_name as name, reason
from tidemark.not_captured
where not stopped
order by name`

// An aggregate of arrays finds the newest reason in one pass. Sorting all records by time would take long.
const readQuarantined = `
select q.topic, q.table_name as table, count(*)::float8 as records,
  (max(array[to_char(q.quarantined_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), q.reason]))[2]
    as "newestReason",
  to_json(max(q.quarantined_at))#>>'{}' as "newestAt"
from tidemark.quarantine q
where q.relation = 0 or q.relation not in (select s.relation from tidemark.stopped_table s)
group by q.topic, q.table_name
order by q.topic, q.table_name`

const readArchiveProblems = `
select kind, reason, command, to_json(since)#>>'{}' as since
from tidemark.archive_problem
order by since`

const readEmptyViews = `
select schema_name || '.' || table_name as name, dependents, dropped_by as "droppedBy"
from tidemark.empty_view
order by name, view`

// An index of a table that is not captured now is no problem, and one that is being made is not one yet.
const readIndexProblems = `
select schema_name || '.' || table_name as table, index_name as name,
  coalesce(min(problem), 'it is not on all rows yet') as reason,
  bool_and(state <> 'does not fit') as fits
from tidemark.user_index_state
where state in ('missing', 'unfinished', 'does not fit')
group by schema_name, table_name, index_name
order by 1, 2`

// A table whose rows were dropped may be stopped for that reason. It is then shown only as stopped.
const readMissing = `
select l.schema_name || '.' || l.table_name as name, 'rows' as part
from tidemark.missing_rows() l
where not exists (select from tidemark.stopped_table s where s.relation = l.relation)
union all
select v.schema_name || '.' || v.table_name, 'view'
from tidemark.missing_views() v
order by 1`

const readHealth = `
select state, cause, follows, command, to_json(since)#>>'{}' as since
from tidemark.capture_health`

const readTables = `
select m.schema_name as schema, m.table_name as table, ${statistics},
  ${readability('m.schema_name', 'm.table_name')}
from tidemark.table_marker m
join tidemark.generation g on g.relation = m.relation and g.shown
join pg_stat_user_tables s
  on s.schemaname = 'tidemark_rows'
  and s.relname = tidemark.rows_name(g.relation, g.generation)
join pg_class c on c.oid = s.relid
where m.dropped_at is null
order by 1, 2`

/** Observes the target as a role that may read. */
export function makeObserveTarget(target: pg.Pool): () => Promise<TargetObservation> {
  const countRows = makeCountRows(target)
  return async () => {
    const [
      progress,
      stops,
      stopped,
      notCaptured,
      quarantined,
      archiveProblems,
      emptyViews,
      indexProblems,
      missing,
      health,
      listed,
    ] = await Promise.all([
      target.query(readProgress),
      target.query(readStops),
      target.query(readStopped),
      target.query(readNotCaptured),
      target.query(readQuarantined),
      target.query(readArchiveProblems),
      target.query(readEmptyViews),
      target.query(readIndexProblems),
      target.query(readMissing),
      target.query(readHealth),
      target.query(readTables),
    ])
    return {
      progress: progress.rows,
      stops: stops.rows,
      stopped: stopped.rows,
      notCaptured: notCaptured.rows,
      quarantined: quarantined.rows,
      archiveProblems: archiveProblems.rows,
      emptyViews: emptyViews.rows,
      indexProblems: indexProblems.rows,
      missing: missing.rows,
      captureHealth: health.rows[0] ?? null,
      tables: await countRows(listed.rows),
    }
  }
}
