-- The state of the archive for people and alarms, and the steps of its ledger that need more than one statement.

-- The state of each topic partition in the archive, for people, their tools and the alarm. It includes records that were
-- never archived, which the ledger does not know. An archive that is stopped has a topic partition with
-- uncommitted_since.
create or replace view tidemark.archive_status as
with ledger as (
  select s.topic,
    s.topic_partition,
    sum(r.records) filter (where c.committed_at is not null) as committed_records,
    sum(r.records) filter (where c.committed_at is null) as waiting_records,
    max(upper(r.offsets)) filter (where c.committed_at is not null) as committed_to,
    max(upper(r.offsets)) as archived_to,
    min(r.written_at) filter (where c.committed_at is null) as waiting_since,
    max(c.committed_at) as committed_at
  from tidemark.archive_stream s
  left join tidemark.archive_range r using (stream)
  left join tidemark.archive_commit c on c.number = r.commit_number
  group by s.topic, s.topic_partition
),
-- A consumer that applies records has seen how far the topic goes.
seen as (
  select p.topic,
    p.topic_partition,
    greatest(max(p.next_offset) - coalesce(max(p.next_offset) filter (where p.consumer = 'tidemark-archive'), 0), 0) as records,
    coalesce(max(p.applied_at) filter (where p.consumer = 'tidemark-archive'), min(p.began_at)) as since
  from tidemark.progress p
  group by p.topic, p.topic_partition
),
failing as (
  select s.topic, s.topic_partition, s.first_seen_at as since, s.reason
  from tidemark.stop s
  where s.consumer = 'tidemark-archive'
)
select topic,
  topic_partition,
  coalesce(l.committed_records, 0)::bigint as committed_records,
  coalesce(l.waiting_records, 0)::bigint as waiting_records,
  l.committed_to,
  l.archived_to,
  l.waiting_since,
  l.committed_at,
  coalesce(s.records, 0)::bigint as not_taken_records,
  f.since as failing_since,
  f.reason as failure,
  least(l.waiting_since, f.since, case when s.records > 0 then s.since end) as uncommitted_since
from ledger l
full join seen s using (topic, topic_partition)
full join failing f using (topic, topic_partition);

comment on view tidemark.archive_status is 'how far each topic partition is archived; waiting: in data files, not in the Iceberg table yet';

-- Marks the prepared commit as made. Its ranges become one with those that were committed before them. Returns the paths
-- of files that are not needed any more, because a joined file has their rows.
create or replace function tidemark.finish_archive_commit(finished bigint) returns setof text
language plpgsql
as $$
declare
  stream_id integer;
  whole record;
begin
  update tidemark.archive_commit c
  set committed_at = clock_timestamp()
  where c.number = finished
    and c.committed_at is null;
  if not found then
    return;
  end if;
  return query
    delete from tidemark.archive_file f
    using tidemark.archive_range r
    where r.range = f.range
      and r.commit_number = finished
      and f.commit_number is null
    returning f.path;
  delete from tidemark.archive_file f where f.commit_number = finished;
  for stream_id in
    select distinct r.stream from tidemark.archive_range r where r.commit_number = finished order by r.stream
  loop
    select range_merge(range_agg(r.offsets)) as offsets, sum(r.records) as records, max(r.range) as newest
    into whole
    from tidemark.archive_range r
    where r.stream = stream_id
      and r.commit_number <= finished;
    delete from tidemark.archive_range r
    where r.stream = stream_id
      and r.commit_number <= finished
      and r.range <> whole.newest;
    update tidemark.archive_range r
    set offsets = whole.offsets,
      records = whole.records
    where r.range = whole.newest;
  end loop;
end
$$;

-- Deletes commits that are older than the retention, except for the newest one and those that ranges refer to. Returns
-- how many.
create or replace function tidemark.prune_archive_commits(retention interval) returns bigint
language sql
set search_path = pg_catalog, pg_temp
begin atomic
  with deleted as (
    delete from tidemark.archive_commit c
    where c.committed_at < now() - retention
      and c.number < (select max(newest.number) from tidemark.archive_commit newest)
      and not exists (select from tidemark.archive_range r where r.commit_number = c.number)
    returning 1
  )
  select count(*) from deleted;
end;
