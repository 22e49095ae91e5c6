-- Every change, in the order of the source's commits; one table partition per UTC day of the commit, made when the first
-- change of the day comes. A change delivered again has the same identity and is inserted `on conflict do nothing`.
-- Rows are kept as the text of their values, in the order of the contract's stored columns: building JSON of them takes
-- five times as long, so that is left to whoever reads.
create table if not exists tidemark_rows.change (
  committed_at timestamptz not null,
  relation bigint not null,
  key_hash bigint not null,
  lsn bigint not null,
  txid bigint,
  epoch integer not null,
  place integer not null default 0,
  version integer,
  op "char" not null,
  key text[],
  before text[],
  after text[]
) partition by range (committed_at);

comment on column tidemark_rows.change.committed_at is 'when the source committed: the same at each delivery';
comment on column tidemark_rows.change.key_hash is 'hash_array_extended(key, 0), 0 without a key';
comment on column tidemark_rows.change.place is 'tells changes apart that share row and lsn';
comment on column tidemark_rows.change.version is 'version of the contract the change was read by';
comment on column tidemark_rows.change.op is 'c create, u update, d delete, r read by a snapshot, t truncate';
comment on column tidemark_rows.change.key is
  'values of the key''s columns in key order; those that are equal as one text: citext in lower case, numeric without scale trimmed';

-- Identity, and the changes of a row in commit order.
create unique index if not exists change_identity
  on tidemark_rows.change (relation, key_hash, committed_at, epoch, lsn, place);
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
    day := day + 1;
  end loop;
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
alter function tidemark.ensure_change_days(date, date) owner to tidemark_owner;
alter function tidemark.history_setting_of(bigint, text, text) owner to tidemark_owner;
alter function tidemark.history_enabled(bigint, text, text) owner to tidemark_owner;

revoke all on function tidemark.ensure_change_days(date, date) from public;
grant execute on function tidemark.ensure_change_days(date, date) to tidemark_apply;
grant insert on tidemark_rows.change to tidemark_apply;
grant select, insert on tidemark.audit_message to tidemark_apply;
grant select on tidemark.history_setting to tidemark_apply;
grant select on tidemark.audit_message, tidemark.history_setting to tidemark_read;
