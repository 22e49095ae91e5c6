import type pg from 'pg'
import type { CaptureState } from '#core/recovery/diagnosis.ts'
import { makeCountRows, type RowCount, statistics } from './row-counts.ts'

/** How far a consumer is in a topic partition. */
export type Progress = {
  consumer: string
  topic: string
  topicPartition: number
  /** Offset of the first record that is not applied, or archived. */
  nextOffset: number
  beacon: number | null
  /** Age of the newest beacon or change applied, whichever is younger; null where none was. */
  behindMs: number | null
  /** Age of the newest beacon applied; null where none was. */
  beaconAgeMs: number | null
}

/** What the target tells of what it has applied. */
export type TargetObservation = {
  progress: Progress[]
  /** Topic partitions that are not applied or archived further, why, and how often that has been tried. */
  stops: {
    consumer: string
    topic: string
    topicPartition: number
    atOffset: number
    reason: string
    since: string
    deliveries: number
  }[]
  /** Tables whose changes are not applied, why, what lets them flow again, and the changes that are kept meanwhile. */
  stopped: {
    name: string
    reason: string
    repair: 'accept' | 'resync'
    automatic: boolean
    since: string
    keptRecords: number
  }[]
  /** Tables that were captured and are not any more, and why, but for those that are stopped. */
  notCaptured: { name: string; reason: string }[]
  /** Records in quarantine for their own sake: those kept of a stopped table are counted there. */
  quarantined: { topic: string; table: string | null; records: number; newestReason: string; newestAt: string }[]
  /** What the archive does not get over by itself, since when (ISO 8601), and what resolves it. */
  archiveProblems: {
    kind: 'table' | 'waiting files' | 'data files' | 'renewal'
    reason: string
    command: string
    since: string
  }[]
  /** Views without rows: the source has no table of the name any more, and objects of users depend on the view. */
  emptyViews: { name: string; dependents: string; droppedBy: string }[]
  /** Captured tables of which somebody dropped the rows or the view in the target. */
  missing: { name: string; part: 'rows' | 'view' }[]
  /** What the last look of recover-capture found; null before the first. */
  captureHealth: {
    state: CaptureState
    cause: string | null
    follows: string | null
    command: string | null
    since: string
  } | null
  tables: RowCount[]
}

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

// An aggregate of arrays finds the newest reason in one pass; to order every record by its time would take long.
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

// A table whose rows were dropped and that is stopped for it is told there.
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
    const [progress, stops, stopped, notCaptured, quarantined, archiveProblems, emptyViews, missing, health, listed] =
      await Promise.all([
        target.query(readProgress),
        target.query(readStops),
        target.query(readStopped),
        target.query(readNotCaptured),
        target.query(readQuarantined),
        target.query(readArchiveProblems),
        target.query(readEmptyViews),
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
      missing: missing.rows,
      captureHealth: health.rows[0] ?? null,
      tables: await countRows(listed.rows),
    }
  }
}
