-- The ledger of the archive: which offsets of which topic partition are in which data file, and which commit of the Iceberg
-- table has them. A data file is in the table exactly once because its offsets are in the ledger exactly once.

-- The Iceberg table that the ledger belongs to, at most one. Another table under its name would not have what was archived.
create table tidemark.archive_table (
  name text primary key,
  table_uuid uuid not null,
  -- URL of its location, where its files are looked for when the catalog does not have it any more.
  location text
);
create unique index archive_table_once on tidemark.archive_table ((true));

-- Problems that the archive cannot solve by itself. While there is one of kind 'table' nothing is archived and nothing is
-- committed; of kind 'waiting files' nothing is committed; of kind 'renewal' nothing is archived.
create table tidemark.archive_problem (
  kind text primary key check (kind in ('table', 'waiting files', 'data files', 'renewal')),
  reason text not null,
  command text not null,
  since timestamptz not null default clock_timestamp()
);

-- It has one row while the archive begins again with a new table, because a topic was replaced by another one of its name.
-- Nothing is archived meanwhile.
create table tidemark.archive_renewal (
  former_name text primary key,
  began_at timestamptz not null default clock_timestamp(),
  is_ledger_new boolean not null default false
);
create unique index archive_renewal_once on tidemark.archive_renewal ((true));

create table tidemark.archive_stream (
  stream integer generated always as identity primary key,
  topic text not null,
  topic_partition integer not null,
  unique (topic, topic_partition)
);

create table tidemark.archive_commit (
  number bigint primary key,
  -- Id of the table snapshot. It is chosen before the first attempt: if the table has it, the commit was made.
  snapshot_id bigint not null unique,
  records bigint not null,
  offsets jsonb not null,
  prepared_at timestamptz not null default clock_timestamp(),
  committed_at timestamptz
);
-- At most one commit is prepared and not known to be made.
create unique index archive_commit_prepared on tidemark.archive_commit ((true)) where committed_at is null;

create table tidemark.archive_range (
  range bigint generated always as identity primary key,
  stream integer not null references tidemark.archive_stream,
  offsets int8range not null check (not isempty(offsets) and not lower_inf(offsets) and not upper_inf(offsets)),
  records bigint not null,
  commit_number bigint references tidemark.archive_commit,
  written_at timestamptz not null default clock_timestamp(),
  constraint archive_range_once exclude using gist (int4range(stream, stream, '[]') with &&, offsets with &&)
);
create index archive_range_by_commit on tidemark.archive_range (commit_number, range);

-- Offsets whose records were archived, and that the table cannot get any more because their data files are gone.
create table tidemark.archive_lost (
  stream integer primary key references tidemark.archive_stream,
  offsets int8multirange not null,
  noted_at timestamptz not null default clock_timestamp()
);

-- Files of a range that wait to be committed or joined, and files that a commit puts into the table.
create table tidemark.archive_file (
  path text primary key,
  day date not null,
  records bigint not null,
  bytes bigint not null,
  metrics jsonb not null,
  range bigint references tidemark.archive_range on delete cascade,
  commit_number bigint references tidemark.archive_commit,
  check (range is not null or commit_number is not null)
);
create index archive_file_by_range on tidemark.archive_file (range);
create index archive_file_by_commit on tidemark.archive_file (commit_number);
comment on column tidemark.archive_renewal.former_name is 'name that the former table gets, in its namespace';
comment on column tidemark.archive_renewal.is_ledger_new is 'the ledger is that of the new table; the consumer groups go back to the beginning of their topics next';
comment on column tidemark.archive_range.offsets is 'all offsets of the topic partition from where the range before ended, also those without a record';
comment on column tidemark.archive_range.commit_number is 'null while it waits; ranges of one topic partition are one once they are committed';
comment on column tidemark.archive_commit.offsets is 'topic → topic partition → first offset that is not in the table after this commit';
comment on column tidemark.archive_file.metrics is 'counts, sizes and bounds of its columns by field id';
