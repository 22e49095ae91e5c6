-- Windows: groups of rows of a captured table by event time and keys, kept equal to the rows by maintain-windows.

-- tidemark_windows is the role of that function. It reads latest-state rows, and writes only what belongs to windows.
do $$
begin
  if not exists (select from pg_roles where rolname = 'tidemark_windows') then
    create role tidemark_windows login;
  end if;
end
$$;

-- A function instance that is frozen in a transaction would hold its progress row: the server ends the session.
alter role tidemark_windows set idle_in_transaction_session_timeout = '60s';
alter role tidemark_windows set statement_timeout = '5min';
alter role tidemark_windows set lock_timeout = '10s';
alter role tidemark_windows set work_mem = '32MB';
do $$
begin
  -- This setting exists since Postgres 17.
  if exists (select from pg_settings where name = 'transaction_timeout') then
    alter role tidemark_windows set transaction_timeout = 0;
  end if;
end
$$;

-- What each definition keeps: tidemark_window_rows.w<id>_rows and w<id>_groups. Users read the views in tidemark_windows.
create schema if not exists tidemark_window_rows;
create schema if not exists tidemark_windows;
grant create, usage on schema tidemark_window_rows, tidemark_windows to tidemark_owner;
grant usage on schema tidemark, tidemark_rows, tidemark_window_rows to tidemark_windows;
grant usage on schema tidemark_windows to tidemark_read;

do $$
declare
  rows_name text;
begin
  for rows_name in
    select c.relname
    from pg_class c
    where c.relnamespace = 'tidemark_rows'::regnamespace and c.relkind = 'r' and c.relname ~ '^t\d+_\d+$'
  loop
    execute format('grant select on tidemark_rows.%I to tidemark_windows', rows_name);
  end loop;
end
$$;

-- One row per version of a definition. A changed definition is a new row, which is built beside the one that is shown.
create table tidemark.window_definition (
  id bigint generated always as identity primary key,
  name text not null check (name ~ '^[a-z][a-z0-9_]{0,47}$'),
  text text not null,
  definition jsonb not null,
  state text not null default 'awaiting table' check (state in ('awaiting table', 'backfilling', 'shown', 'stopped')),
  reason text,
  relation bigint,
  generation integer,
  plan jsonb,
  phase text check (phase in ('rows', 'groups')),
  phase_after text[],
  rows_done bigint not null default 0,
  rows_total bigint,
  covers_mark bigint not null default 0,
  was_shown boolean not null default false,
  emitted_until timestamp,
  created_at timestamptz not null default clock_timestamp(),
  checked_at timestamptz not null default clock_timestamp(),
  shown_at timestamptz,
  stopped_at timestamptz
);
create unique index on tidemark.window_definition (name) where was_shown;
comment on column tidemark.window_definition.reason is 'why it is stopped, or what it waits for';
comment on column tidemark.window_definition.relation is 'the relation and the generation whose rows the image has';
comment on column tidemark.window_definition.plan is 'the columns and types that its tables were made with';
comment on column tidemark.window_definition.phase is 'what is being reconciled: first the image of the rows, then, of a definition that is not shown yet, the groups; null: nothing';
comment on column tidemark.window_definition.phase_after is 'the key after which the phase continues';
comment on column tidemark.window_definition.covers_mark is 'the marks that the reconciliation under way covers, or the last one covered';
comment on column tidemark.window_definition.was_shown is 'whether the view of the name shows this version';
comment on column tidemark.window_definition.checked_at is 'when its table was last compared with the definition';
comment on column tidemark.window_definition.emitted_until is 'of a definition that emits on close: the watermark up to which windows were emitted';

-- Rows of a relation changed without a record of each: its definitions are reconciled. Marks are only inserted, so that the
-- transaction that changes the rows never waits here.
create table tidemark.window_mark (
  mark bigint generated always as identity primary key,
  relation bigint not null,
  reason text not null,
  marked_at timestamptz not null default clock_timestamp()
);
create index on tidemark.window_mark (relation, mark);

-- How far event time has come in each topic partition.
create table tidemark.window_watermark (
  definition_id bigint not null references tidemark.window_definition on delete cascade,
  topic text not null,
  topic_partition integer not null,
  newest_event timestamp,
  last_row_at timestamptz,
  reached timestamp,
  primary key (definition_id, topic, topic_partition)
) with (fillfactor = 50);
comment on column tidemark.window_watermark.newest_event is 'the newest event time of the topic partition';
comment on column tidemark.window_watermark.last_row_at is 'when the source committed the last row: tidemark.progress.beacon_at shows how long there has been none';
comment on column tidemark.window_watermark.reached is 'the greatest watermark of the definition that the topic partition has met, since a watermark never goes back';

-- What is published, in order. A row is deleted once the topic has it.
create table tidemark.window_outbox (
  seq bigint generated always as identity primary key,
  definition text not null,
  topic text not null,
  record_key text not null,
  record_value text
);
create index on tidemark.window_outbox (definition, seq);
comment on column tidemark.window_outbox.definition is 'the name: a tombstone of a definition that is gone is published, too';
comment on column tidemark.window_outbox.record_value is 'null: a tombstone, since the group is not in the result any more';
