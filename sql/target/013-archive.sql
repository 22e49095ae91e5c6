-- The archive's ledger: which offsets of which topic partition stand in which data file, and which commit of the Iceberg
-- table has them. A data file is in the table exactly once because its offsets are in the ledger exactly once.
do $$
begin
  if not exists (select from pg_roles where rolname = 'tidemark_archive') then
    create role tidemark_archive login;
  end if;
end
$$;

alter role tidemark_archive set idle_in_transaction_session_timeout = '60s';
alter role tidemark_archive set statement_timeout = '5min';
alter role tidemark_archive set lock_timeout = '2min';
do $$
begin
  -- Since Postgres 17; the database's would end each large delivery again and again.
  if exists (select from pg_settings where name = 'transaction_timeout') then
    alter role tidemark_archive set transaction_timeout = 0;
  end if;
end
$$;

-- The Iceberg table that the ledger belongs to, at most one. Another one under its name would have none of what was archived.
create table if not exists tidemark.archive_table (
  name text primary key,
  table_uuid uuid not null,
  -- URL of its place, where its files are looked for when the catalog has it no more.
  location text
);
create unique index if not exists archive_table_once on tidemark.archive_table ((true));

-- What the archive does not get over by itself. While there is one of kind 'table' nothing is archived, and nothing
-- committed; of kind 'waiting files' nothing is committed; of kind 'renewal' nothing is archived.
create table if not exists tidemark.archive_problem (
  kind text primary key check (kind in ('table', 'waiting files', 'data files', 'renewal')),
  reason text not null,
  command text not null,
  since timestamptz not null default clock_timestamp()
);

-- At most one row, while the archive begins again with a new table, since a topic is another one under its name. Nothing is
-- archived meanwhile.
create table if not exists tidemark.archive_renewal (
  former_name text primary key,
  began_at timestamptz not null default clock_timestamp(),
  is_ledger_new boolean not null default false
);
create unique index if not exists archive_renewal_once on tidemark.archive_renewal ((true));

create table if not exists tidemark.archive_stream (
  stream integer generated always as identity primary key,
  topic text not null,
  topic_partition integer not null,
  unique (topic, topic_partition)
);

create table if not exists tidemark.archive_commit (
  number bigint primary key,
  -- Id of the table snapshot, chosen before the first attempt: whoever finds it in the table knows that the commit was made.
  snapshot_id bigint not null unique,
  records bigint not null,
  offsets jsonb not null,
  prepared_at timestamptz not null default clock_timestamp(),
  committed_at timestamptz
);
-- One commit at a time may be in doubt.
create unique index if not exists archive_commit_prepared on tidemark.archive_commit ((true)) where committed_at is null;

create table if not exists tidemark.archive_range (
  range bigint generated always as identity primary key,
  stream integer not null references tidemark.archive_stream,
  offsets int8range not null check (not isempty(offsets) and not lower_inf(offsets) and not upper_inf(offsets)),
  records bigint not null,
  commit_number bigint references tidemark.archive_commit,
  written_at timestamptz not null default clock_timestamp(),
  constraint archive_range_once exclude using gist (int4range(stream, stream, '[]') with &&, offsets with &&)
);
create index if not exists archive_range_by_commit on tidemark.archive_range (commit_number, range);

-- Offsets whose records were archived and that the table cannot hold any more, since their data files are gone.
create table if not exists tidemark.archive_lost (
  stream integer primary key references tidemark.archive_stream,
  offsets int8multirange not null,
  noted_at timestamptz not null default clock_timestamp()
);

-- Files of a range that wait to be committed or joined, and those that a commit puts into the table.
create table if not exists tidemark.archive_file (
  path text primary key,
  day date not null,
  records bigint not null,
  bytes bigint not null,
  metrics jsonb not null,
  range bigint references tidemark.archive_range on delete cascade,
  commit_number bigint references tidemark.archive_commit,
  check (range is not null or commit_number is not null)
);
create index if not exists archive_file_by_range on tidemark.archive_file (range);
create index if not exists archive_file_by_commit on tidemark.archive_file (commit_number);

comment on column tidemark.archive_renewal.former_name is 'name that the former table gets, in its namespace';
comment on column tidemark.archive_renewal.is_ledger_new is 'the ledger is that of the new table; the consumer groups go back to the beginning of their topics next';
comment on column tidemark.archive_range.offsets is 'all offsets of the topic partition from where the range before ended, also those without a record';
comment on column tidemark.archive_range.commit_number is 'null while it waits; ranges of one topic partition are one once they are committed';
comment on column tidemark.archive_commit.offsets is 'topic → topic partition → first offset that is not in the table after this commit';
comment on column tidemark.archive_file.metrics is 'counts, sizes and bounds of its columns by field id';

-- What became of the records of each topic partition, for people, their tools and the alarm: also of those that were never
-- archived, which the ledger does not know. An archive that is stopped has a topic partition with uncommitted_since.
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
-- Who applies records has seen how far the topic goes.
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

-- Marks the prepared commit as made; its ranges become one with those committed before them. Returns the paths of files
-- that no one needs any more: those whose rows a joined file has.
create or replace function tidemark.finish_archive_commit(finished bigint) returns setof text
language plpgsql
set search_path = pg_catalog, pg_temp
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

-- What maintenance does: commits older than the retention are forgotten, but for the newest and those that ranges name.
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

revoke all on function tidemark.finish_archive_commit(bigint), tidemark.prune_archive_commits(interval) from public;
grant usage on schema tidemark to tidemark_archive;
grant select, insert, update on tidemark.progress to tidemark_archive;
grant select, insert, update, delete on tidemark.stop to tidemark_archive;
grant select, insert, delete on tidemark.archive_stream to tidemark_archive;
grant select, insert, update, delete on tidemark.archive_table, tidemark.archive_problem, tidemark.archive_lost,
  tidemark.archive_renewal to tidemark_archive;
-- Who sets the consumer groups back ends it.
grant select, delete on tidemark.archive_renewal, tidemark.archive_problem to tidemark_apply;
grant select, insert, update, delete on tidemark.archive_commit, tidemark.archive_range, tidemark.archive_file to tidemark_archive;
grant select on tidemark.archive_status to tidemark_archive;
grant execute on function tidemark.finish_archive_commit(bigint), tidemark.prune_archive_commits(interval) to tidemark_archive;
grant select on tidemark.archive_table, tidemark.archive_problem, tidemark.archive_lost, tidemark.archive_renewal, tidemark.archive_stream,
  tidemark.archive_commit, tidemark.archive_range, tidemark.archive_file, tidemark.archive_status to tidemark_read;
