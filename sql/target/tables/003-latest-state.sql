-- What is known of the captured relations: their contracts, generations, views and stops, and the epochs of the source.

-- Every version of every contract, by the place in the topic partition from which on it is in force.
create table tidemark.contract (
  topic text not null,
  topic_partition integer not null,
  epoch integer not null,
  relation bigint not null,
  version integer not null,
  at_offset bigint not null,
  phase smallint not null,
  lsn bigint not null,
  contract jsonb not null,
  primary key (topic, topic_partition, epoch, relation, version)
);

-- One row per captured relation.
create table tidemark.table_marker (
  relation bigint primary key,
  schema_name text not null,
  table_name text not null,
  epoch integer not null,
  version integer not null,
  dropped_at timestamptz,
  named_at timestamptz not null default clock_timestamp()
);
comment on column tidemark.table_marker.version is 'the newest contract that any topic partition has met';
comment on column tidemark.table_marker.named_at is 'when it took its name: of two relations of one name the view is that of the earlier';

-- The views that Tidemark made. No other object is ever replaced or dropped.
create table tidemark.shown_view (
  schema_name text not null,
  table_name text not null,
  view regclass not null,
  empty_of text[],
  primary key (schema_name, table_name)
);
comment on column tidemark.shown_view.empty_of is 'schema and table of a view without rows: the source has none of that name any more, and objects of users depend on the view';

-- One row per generation of a relation. The rows of each are in a table of its own, tidemark_rows.t<relation>_<generation>.
create table tidemark.generation (
  relation bigint not null,
  generation integer not null,
  contract jsonb not null,
  keyless boolean not null,
  shown boolean not null default false,
  truncated_epoch integer not null default 0,
  truncated_lsn bigint not null default 0,
  gap_epoch integer not null default 0,
  gap_lsn bigint not null default 0,
  read_snapshot text,
  primary key (relation, generation)
);
comment on column tidemark.generation.contract is 'the newest one of the generation: what the view of its rows is made from';
comment on column tidemark.generation.shown is 'whether the view shows its rows; another generation waits to be complete';
comment on column tidemark.generation.truncated_lsn is 'rows and changes from before it are gone';
comment on column tidemark.generation.gap_epoch is 'changes up to (gap_epoch, gap_lsn) may be missing in history: those that follow keep the row before them; 0: none';
comment on column tidemark.generation.read_snapshot is 'of a table without a key: the snapshot its rows were read in, as pg_snapshot writes it';

-- Tables whose changes are put in quarantine instead of applied, and why. Relation 0 means that no contract names the table.
-- A later generation of the table is not stopped, since its rows are read again.
create table tidemark.stopped_table (
  relation bigint not null,
  generation integer not null default 0,
  schema_name text not null,
  table_name text not null,
  reason text not null,
  repair text not null default 'resync' check (repair in ('accept', 'resync')),
  automatic boolean not null default false,
  requested_at timestamptz,
  accepted_at timestamptz,
  stopped_at timestamptz not null default now(),
  primary key (relation, schema_name, table_name)
);
comment on column tidemark.stopped_table.repair is 'accept: its cause is in the target, once that is gone its changes can be applied; resync: its rows have to be read again';
comment on column tidemark.stopped_table.automatic is 'the resync is asked for without anybody''s word';
comment on column tidemark.stopped_table.requested_at is 'when a resync was last asked for';
comment on column tidemark.stopped_table.accepted_at is 'when somebody said to apply what was kept';

-- The attempts of an initial snapshot. One that was interrupted begins again, and rows that were deleted between the two
-- attempts are neither read again nor streamed as deletes. All reads of one attempt have one lsn, and each attempt reads the
-- contracts again, so every topic partition sees it.
create table tidemark.initial_read (
  epoch integer not null,
  topic_partition integer not null,
  lsn bigint not null,
  attempts integer not null default 1,
  finished boolean not null default false,
  primary key (epoch, topic_partition)
);

-- The epochs of the source. Each begins by reading every table, since what was captured before it may lack changes.
create table tidemark.epoch (
  epoch integer primary key,
  reason text,
  ordered_at timestamptz,
  began_at timestamptz,
  known_at timestamptz
);
comment on column tidemark.epoch.reason is 'why it was ordered; null for one that a deployment began';
comment on column tidemark.epoch.began_at is 'when its first record was applied';
comment on column tidemark.epoch.known_at is 'when every topic partition had the contracts of all tables of the epoch';
