-- The tables of the source: what is captured, how far each table is, and what Debezium carries besides the captured tables
-- (contracts, beacons and its own signals).

-- What is captured. It has one row, which tidemark.configure writes.
create table tidemark.setting (
  only_row boolean primary key default true check (only_row),
  topic_partitions integer not null check (topic_partitions > 0),
  captured jsonb not null,
  epoch integer not null check (epoch > 0),
  -- The generation that new tables begin with. Every generation of this epoch is at least this number, so that no number is
  -- used twice.
  first_generation integer not null default 1,
  -- Whether the rows of each table are read by a signal. Otherwise the initial snapshot reads the tables that are published
  -- before it.
  reads_by_signal boolean not null default false,
  changed_at timestamptz not null default now()
);

comment on column tidemark.setting.captured is '{schemas, includeTables, excludeTables, excludeColumns}; where tables are included, schemas mean nothing';

-- The contract of each captured relation, by version, once per topic partition: slot s travels to topic partition s.
create table tidemark.table_contract (
  relation bigint not null,
  version integer not null,
  slot integer not null,
  contract jsonb not null,
  created_at timestamptz not null default now(),
  primary key (relation, version, slot)
);

-- One row per topic partition, all updated in one transaction: whatever is committed before a beacon precedes it in each
-- topic partition.
create table tidemark.beacon (
  slot integer primary key,
  number bigint not null default 0,
  body jsonb not null default '{}',
  emitted_at timestamptz
) with (fillfactor = 50);

-- Debezium's signals: the snapshots that it is asked for, and the marks that it sets around each chunk that it reads.
create table tidemark.signal (
  id text primary key,
  type text not null,
  data text
);

-- How far the capture of each table is.
create table tidemark.captured_table (
  relation bigint primary key,
  schema_name text not null,
  table_name text not null,
  state text not null check (state in ('pending', 'awaiting writers', 'reading', 'captured', 'refused')),
  reason text,
  fix text,
  last_error text,
  identity_given boolean not null default false,
  failed_readings integer not null default 0,
  -- These two are members of the contract (core/contract.ts), and say what the next contract will have.
  generation integer not null default 1 check (generation > 0),
  complete boolean not null default false,
  not_before timestamptz,
  awaited text[],
  signal_id text,
  seen_marks bigint,
  seen_lsn pg_lsn,
  since timestamptz not null default now(),
  check (state <> 'captured' or complete)
);

comment on column tidemark.captured_table.reason is 'why the table is refused';
comment on column tidemark.captured_table.fix is 'the SQL that makes it one that can be captured';
comment on column tidemark.captured_table.last_error is 'why a step of its capture failed; it is tried again';
comment on column tidemark.captured_table.identity_given is 'its replica identity is full because capture needed it, not because its owner wanted it';
comment on column tidemark.captured_table.failed_readings is 'readings that failed one after the other: each is awaited longer than the one before';
comment on column tidemark.captured_table.generation is 'which reading of its rows: grows when they change without changes in the log';
comment on column tidemark.captured_table.complete is 'every row of the generation has been sent';
comment on column tidemark.captured_table.not_before is 'when the next step is tried';
comment on column tidemark.captured_table.awaited is 'virtual transactions that wrote to the table before it was published: those changes are not in the log';
comment on column tidemark.captured_table.signal_id is 'the signal that has Debezium read its rows';
comment on column tidemark.captured_table.seen_marks is 'marks that Debezium had set for the signal when the log was at seen_lsn';

-- Contracts that an event trigger could not write; the DDL of the application was committed all the same. Rows are only
-- inserted, never updated, so that recording a failure cannot block.
create table tidemark.contract_failure (
  relation bigint not null,
  message text not null,
  -- The DDL also rewrote the rows of the table, and that could not be recorded either.
  rewritten boolean not null default false,
  failed_at timestamptz not null default now()
);
-- The table has no key. Without this its rows could not be deleted where a publication of the application has all tables.
alter table tidemark.contract_failure replica identity full;

-- The place of the log at which the publication was made most recently. Postgres cannot decode what was written before that,
-- so a replication slot that has not passed this place never does.
create table tidemark.publication_made (
  lsn pg_lsn not null
);
create unique index publication_made_once on tidemark.publication_made ((true));
