-- Every change, in the order of the source's commits; one table partition per UTC day of the commit, made when the first
-- change of the day comes. Changes are appended: what guarantees that each is there once is the fence of a topic partition's
-- progress (core/apply/change-fence.ts), and a look-up of those that are not behind it.
-- Rows are kept as the texts that were sent, in the order of the contract's stored columns. The row before a change is kept
-- where the change before it may be missing; otherwise it is what that one left (tidemark.linked_change).
create table if not exists tidemark_rows.change (
  committed_at timestamptz not null,
  relation bigint not null,
  key_hash bigint not null,
  ordinal bigint not null,
  lsn bigint not null,
  txid bigint,
  epoch integer not null,
  generation integer not null default 1,
  version integer,
  op "char" not null,
  key text[],
  before text[],
  after text[]
) partition by range (committed_at);

comment on column tidemark_rows.change.committed_at is 'when the source committed: the same at each delivery';
comment on column tidemark_rows.change.key_hash is 'tidemark.key_hash(relation, key)';
comment on column tidemark_rows.change.ordinal is
  'grows with the changes of a row in an epoch: twice the offset of the record, one more for the second half of a key change';
comment on column tidemark_rows.change.generation is 'of the rows: the change before it is one of the same';
comment on column tidemark_rows.change.version is 'version of the contract the change was read by';
comment on column tidemark_rows.change.op is 'c create, u update, d delete, r read by a snapshot, t truncate';
comment on column tidemark_rows.change.key is
  'values of the key''s columns in key order; those that are equal as one text: citext in lower case, numeric without scale trimmed';
comment on column tidemark_rows.change.before is 'null: what the change before it left; empty: not known';

-- What the changes of a row have in common, or those of a table that have no key: its rows without one, and truncates.
create or replace function tidemark.key_hash(relation bigint, key text[]) returns bigint
language sql immutable parallel safe
return coalesce(hash_array_extended(key, relation), relation);

-- The changes of a row in their order.
create index if not exists change_by_row on tidemark_rows.change (key_hash, ordinal);
-- The last changes of a whole table.
create index if not exists change_by_time on tidemark_rows.change using brin (committed_at) with (pages_per_range = 32);

create index if not exists contract_by_relation on tidemark.contract (relation, version);

-- What transactions say about themselves: pg_logical_emit_message(true, 'audit', '{"who": …, "application": …, "why": …}').
create table if not exists tidemark.audit_message (
  epoch integer not null,
  txid bigint not null,
  lsn bigint not null,
  committed_at timestamptz not null,
  who text,
  application text,
  why text,
  details jsonb,
  primary key (epoch, txid, lsn)
);
create index if not exists audit_message_by_time on tidemark.audit_message using brin (committed_at);

comment on column tidemark.audit_message.details is 'the other members of the message, or its text where it is no JSON object';

-- Whether changes of a table are kept, and how long. '*' stands for every table without a row of its own.
create table if not exists tidemark.history_setting (
  schema_name text not null,
  table_name text not null,
  enabled boolean not null default true,
  retention interval check (retention > interval '0'),
  relations bigint[] not null default '{}',
  primary key (schema_name, table_name)
);
insert into tidemark.history_setting (schema_name, table_name, retention)
values ('*', '*', interval '30 days')
on conflict do nothing;

comment on column tidemark.history_setting.retention is 'null: that of the row *; infinity: for ever';
comment on column tidemark.history_setting.relations is 'relations that had the name: the setting follows a rename';

create or replace function tidemark.change_day_name(day date) returns text
language sql immutable parallel safe
return 'change_' || to_char(day, 'YYYYMMDD');

-- Days that are past every retention and about to be dropped, and how far changes that follow theirs have what they lose.
create table if not exists tidemark.ending_day (
  day date primary key,
  next_block bigint not null default 0
);
comment on column tidemark.ending_day.next_block is 'the first block of the table partition whose changes were not looked at';

-- Up to when changes of tables are gone whose retention is shorter than that of the days they are in.
create table if not exists tidemark.pruned_history (
  relation bigint primary key,
  ended timestamptz not null default '-infinity',
  pruned timestamptz not null default '-infinity'
);
comment on column tidemark.pruned_history.ended is 'changes from before it may be missing: the generations'' gaps say so';
comment on column tidemark.pruned_history.pruned is 'changes from before it are deleted';

-- Makes the table partitions of these UTC days, and keeps them until the transaction ends: to be called before the
-- transaction writes. Writers of other days do not wait: only attaching is done under a lock of the whole table, and
-- that one lets them pass.
create or replace function tidemark.ensure_change_days(first_day date, last_day date) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  day date := first_day;
  name text;
  made boolean;
  attached boolean;
begin
  while day <= last_day loop
    name := tidemark.change_day_name(day);
    -- Maintenance takes the same lock before it drops a day, and leaves the day alone where it does not get it.
    perform pg_advisory_xact_lock_shared(730511002, day - date '2000-01-01');
    select true, c.relispartition into made, attached
    from pg_class c
    where c.relnamespace = 'tidemark_rows'::regnamespace and c.relname = name;
    if attached is not true then
      perform pg_advisory_xact_lock(730511003, 0);
      -- Asked again by a query: what the session remembers of names is not renewed by waiting for such a lock.
      select true, c.relispartition into made, attached
      from pg_class c
      where c.relnamespace = 'tidemark_rows'::regnamespace and c.relname = name;
      if made is not true then
        execute format('create table tidemark_rows.%I (like tidemark_rows.change including all excluding indexes)', name);
      end if;
      if attached is not true then
        execute format('alter table tidemark_rows.change attach partition tidemark_rows.%I for values from (%L) to (%L)', name,
          to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00');
      end if;
    end if;
    if day < (now() at time zone 'UTC')::date then
      -- What is about to be written was not looked at yet.
      delete from tidemark.ending_day e where tidemark.change_day_name(e.day) = name;
    end if;
    day := day + 1;
  end loop;
end
$$;

-- Holds these generations as they are until the transaction ends, and returns up to where changes of them are missing.
-- `unlogged` are those whose changes are not kept now: from here on every change of them keeps the row before it. Those
-- come first: two transactions that have a generation could not both change it.
create or replace function tidemark.hold_generations(relations bigint[], generations integer[], unlogged boolean[])
returns table (relation bigint, generation integer, truncated_epoch integer, truncated_lsn bigint, gap_epoch integer, gap_lsn bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  nothing_kept constant integer := 2147483647;
begin
  if true = any (unlogged) then
    perform
    from tidemark.generation g
    where (g.relation, g.generation) in (
        select u.relation, u.generation
        from unnest(relations, generations, unlogged) u (relation, generation, unlogged)
        where u.unlogged
      )
      and g.gap_epoch < nothing_kept
    order by g.relation, g.generation
    for no key update;
    if found then
      update tidemark.generation g
      set gap_epoch = nothing_kept,
        gap_lsn = 9223372036854775807
      where (g.relation, g.generation) in (
          select u.relation, u.generation
          from unnest(relations, generations, unlogged) u (relation, generation, unlogged)
          where u.unlogged
        )
        and g.gap_epoch < nothing_kept;
    end if;
  end if;
  return query
    select g.relation, g.generation, g.truncated_epoch, g.truncated_lsn, g.gap_epoch, g.gap_lsn
    from tidemark.generation g
    where (g.relation, g.generation) in (select * from unnest(relations, generations))
    order by g.relation, g.generation
    for share;
end
$$;

-- The setting of a relation: that which was made for it, else that of its name, else that of every table.
create or replace function tidemark.history_setting_of(relation bigint, schema_name text, table_name text)
returns table (enabled boolean, retention interval)
language sql stable parallel safe
begin atomic
  select s.enabled,
    coalesce(s.retention, (select d.retention from tidemark.history_setting d where d.schema_name = '*'), interval 'infinity')
  from tidemark.history_setting s
  where s.relations @> array[history_setting_of.relation]
    or (s.schema_name, s.table_name) = (history_setting_of.schema_name, history_setting_of.table_name)
    or s.schema_name = '*'
  order by s.relations @> array[history_setting_of.relation] desc, s.schema_name = '*'
  limit 1;
end;

-- Whether changes of the table are to be kept.
create or replace function tidemark.history_enabled(relation bigint, schema_name text, table_name text) returns boolean
language sql stable parallel safe
return (select s.enabled from tidemark.history_setting_of(relation, schema_name, table_name) s);

alter table tidemark_rows.change owner to tidemark_owner;
alter table tidemark.audit_message owner to tidemark_owner;
alter table tidemark.history_setting owner to tidemark_owner;
alter function tidemark.change_day_name(date) owner to tidemark_owner;
alter table tidemark.ending_day owner to tidemark_owner;
alter table tidemark.pruned_history owner to tidemark_owner;
alter function tidemark.key_hash(bigint, text[]) owner to tidemark_owner;
alter function tidemark.ensure_change_days(date, date) owner to tidemark_owner;
alter function tidemark.hold_generations(bigint[], integer[], boolean[]) owner to tidemark_owner;
alter function tidemark.history_setting_of(bigint, text, text) owner to tidemark_owner;
alter function tidemark.history_enabled(bigint, text, text) owner to tidemark_owner;

revoke all on function tidemark.ensure_change_days(date, date) from public;
revoke all on function tidemark.hold_generations(bigint[], integer[], boolean[]), tidemark.key_hash(bigint, text[]) from public;
grant execute on function tidemark.ensure_change_days(date, date), tidemark.hold_generations(bigint[], integer[], boolean[]),
  tidemark.key_hash(bigint, text[]) to tidemark_apply;
grant select, insert on tidemark_rows.change to tidemark_apply;
grant select, insert on tidemark.audit_message to tidemark_apply;
grant select on tidemark.history_setting to tidemark_apply;
grant select on tidemark.audit_message, tidemark.history_setting to tidemark_read;
