-- What is captured; one row, written by tidemark.configure.
create table if not exists tidemark.setting (
  only_row boolean primary key default true check (only_row),
  topic_partitions integer not null check (topic_partitions > 0),
  captured jsonb not null,
  epoch integer not null check (epoch > 0),
  -- The generation of tables that are new, and the least of those since the epoch began: no number is used twice.
  first_generation integer not null default 1,
  -- Whether each table is read by a signal. Otherwise the initial snapshot reads those that are published before it.
  reads_by_signal boolean not null default false,
  changed_at timestamptz not null default now()
);

comment on column tidemark.setting.captured is '{schemas, includeTables, excludeTables, excludeColumns}; where tables are included, schemas mean nothing';

-- What each captured relation looks like, by version, once per topic partition; slot s travels to topic partition s.
create table if not exists tidemark.table_contract (
  relation bigint not null,
  version integer not null,
  slot integer not null,
  contract jsonb not null,
  created_at timestamptz not null default now(),
  primary key (relation, version, slot)
);

-- One row per topic partition, all updated in one transaction: what was committed before is before it in each of them.
create table if not exists tidemark.beacon (
  slot integer primary key,
  number bigint not null default 0,
  body jsonb not null default '{}',
  emitted_at timestamptz
) with (fillfactor = 50);

-- Debezium's signals: what it is told to read, and the marks it sets around each chunk it reads.
create table if not exists tidemark.signal (
  id text primary key,
  type text not null,
  data text
);

-- How far the capture of each table has come.
create table if not exists tidemark.captured_table (
  relation bigint primary key,
  schema_name text not null,
  table_name text not null,
  state text not null check (state in ('pending', 'awaiting writers', 'reading', 'captured', 'refused')),
  reason text,
  fix text,
  last_error text,
  identity_given boolean not null default false,
  failed_readings integer not null default 0,
  -- As core/contract.ts says; what a contract that is still to be written will say.
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

-- Contracts that an event trigger could not write, as often as it could not: who notes it waits for nobody. The
-- application's DDL went through all the same.
create table if not exists tidemark.contract_failure (
  relation bigint not null,
  message text not null,
  -- The rows were computed anew, and that could not be noted either.
  rewritten boolean not null default false,
  failed_at timestamptz not null default now()
);
alter table tidemark.contract_failure drop constraint if exists contract_failure_pkey;
-- It has no key: where a publication of the application has all tables, its rows could not be deleted otherwise.
alter table tidemark.contract_failure replica identity full;

grant select on tidemark.table_contract, tidemark.beacon to tidemark_capture;
grant select, insert on tidemark.signal to tidemark_capture;

-- Where the log was when the publication was made, the last time. What was written before that, while there was none, cannot
-- be decoded: a slot that has not passed it yet never does.
create table if not exists tidemark.publication_made (
  lsn pg_lsn not null
);
create unique index if not exists publication_made_once on tidemark.publication_made ((true));

-- Makes the publication where it is missing; the tables that are captured are added to it one by one.
create or replace function tidemark.make_publication() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from pg_publication p where p.pubname = 'tidemark') then
    create publication tidemark
      for table tidemark.table_contract, tidemark.beacon, tidemark.signal
      with (publish = 'insert, update, delete, truncate');
    insert into tidemark.publication_made (lsn)
    values (pg_current_wal_insert_lsn())
    on conflict ((true)) do update
    set lsn = excluded.lsn;
  end if;
end
$$;

select tidemark.make_publication();
