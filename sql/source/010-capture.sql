-- The way of a table into the capture: pending, published and awaiting writers, reading, captured. Each function is one
-- step in one transaction; capture-tables calls them. None waits long for a lock, and none takes one that writers feel.

-- Lets Debezium read the table, without the excluded columns.
create or replace function tidemark.grant_reading(of_relation oid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  excluded text[] := tidemark.excluded_columns(of_relation);
  schema_name name;
  readable text;
  may_read boolean;
begin
  select n.nspname into schema_name
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = of_relation;
  if not has_schema_privilege('tidemark_capture', schema_name, 'usage') then
    execute format('grant usage on schema %I to tidemark_capture', schema_name);
  end if;
  select string_agg(format('%I', a.attname), ', ') filter (where a.attname <> all (excluded)),
    bool_and(has_column_privilege('tidemark_capture', of_relation, a.attnum, 'select') = (a.attname <> all (excluded)))
  into readable, may_read
  from pg_attribute a
  where a.attrelid = of_relation
    and a.attnum > 0
    and not a.attisdropped;
  if may_read then
    return;
  end if;
  execute format('revoke select on %s from tidemark_capture', of_relation::regclass);
  if excluded = '{}' then
    execute format('grant select on %s to tidemark_capture', of_relation::regclass);
  else
    execute format('grant select (%s) on %s to tidemark_capture', readable, of_relation::regclass);
  end if;
end
$$;

-- Publishes a pending table, together with the contract that says so: the contract is before the first change. When
-- nobody listens yet, the initial snapshot will read its rows and it is captured; otherwise it awaits its writers.
create or replace function tidemark.publish_table(of_relation oid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '500ms'
as $$
begin
  perform from tidemark.captured_table t
  where t.relation = of_relation::bigint
    and t.state = 'pending'
  for update;
  if not found then
    return;
  end if;
  if exists (select from pg_class c where c.oid = of_relation) and not tidemark.is_published(of_relation) then
    execute format('alter publication tidemark add table only %s', of_relation::regclass);
  end if;
  -- From here on no DDL on the table is under way; what came before may have made it one that is refused, or gone.
  perform tidemark.observe_table(of_relation);
  update tidemark.captured_table t
  set state = case when tidemark.is_listening() then 'awaiting writers' else 'captured' end,
      awaited = null,
      signal_id = null,
      since = now()
  where t.relation = of_relation::bigint
    and t.state = 'pending';
  if found then
    perform tidemark.grant_reading(of_relation);
  end if;
end
$$;

-- Transactions that may have written to the table: what they wrote before it was published is not in the log.
create or replace function tidemark.writers(of_relation oid) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(distinct l.virtualtransaction), '{}')
  from pg_locks l
  where l.locktype = 'relation'
    and l.database = (select d.oid from pg_database d where d.datname = current_database())
    and l.relation = of_relation
    and l.mode in ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    and l.granted
    and l.pid is distinct from pg_backend_pid()
$$;

-- Moves a published table on once its writers have ended: one without rows is captured, one with rows is read, and one
-- after the other. Called first in a transaction after the one that published it, so that no writer is missed.
create or replace function tidemark.await_writers(of_relation oid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '500ms'
as $$
declare
  current tidemark.captured_table;
  remaining text[];
  has_rows boolean;
  new_signal text := 'capture-' || gen_random_uuid();
begin
  select * into current
  from tidemark.captured_table t
  where t.relation = of_relation::bigint
    and t.state = 'awaiting writers'
  for update;
  if not found or not exists (select from pg_class c where c.oid = of_relation) then
    return;
  end if;
  -- A transaction that is prepared meanwhile goes on under another name.
  select coalesce(array_agg(distinct w.name), '{}') into remaining
  from unnest(coalesce(current.awaited, '{}') || tidemark.writers(of_relation)) as w (name)
  where current.awaited is null
    or w.name = any (current.awaited) and exists (select from pg_locks l where l.virtualtransaction = w.name)
    or w.name like '-1/%';
  update tidemark.captured_table t
  set awaited = remaining
  where t.relation = of_relation::bigint
    and t.awaited is distinct from remaining;
  if remaining <> '{}' then
    return;
  end if;

  execute format('select exists (select from only %s)', of_relation::regclass) into has_rows;
  if has_rows and exists (select from tidemark.captured_table t where t.state = 'reading') then
    return;
  end if;
  if has_rows then
    perform tidemark.grant_reading(of_relation);
    insert into tidemark.signal (id, type, data)
    values (new_signal, 'execute-snapshot', jsonb_build_object(
      'type', 'incremental',
      'data-collections', jsonb_build_array(current.schema_name || '.' || current.table_name)
    ));
  end if;
  update tidemark.captured_table t
  set state = case when has_rows then 'reading' else 'captured' end,
      last_error = case when has_rows then t.last_error end,
      awaited = null,
      signal_id = case when has_rows then new_signal end,
      seen_marks = null,
      seen_lsn = null,
      since = now()
  where t.relation = of_relation::bigint;
end
$$;

-- The signal that a row of tidemark.signal is, or that it is a mark for.
create or replace function tidemark.signal_of(id text, type text, data text) returns text
language sql immutable
as $$
  select case when type like 'snapshot-window-%' then data::jsonb ->> 'correlationId' else id end
$$;

-- Removes what is left of readings that are over, or whose table is gone.
create or replace function tidemark.tidy_signals() returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
  delete from tidemark.signal s
  where tidemark.signal_of(s.id, s.type, s.data) like 'capture-%'
    and not exists (
      select
      from tidemark.captured_table t
      where t.signal_id = tidemark.signal_of(s.id, s.type, s.data)
    )
$$;

-- Ends the reading of a table. Debezium marks begin and end of each chunk in tidemark.signal, and begins the next one
-- when it finds the end mark in the log. So it is done when the slot has confirmed a place behind all marks and there
-- are no new ones. A last chunk without an end failed; a single chunk found no rows, or skipped the table.
create or replace function tidemark.end_reading(of_relation oid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '500ms'
as $$
declare
  current tidemark.captured_table;
  marks bigint;
  chunks bigint;
  closed boolean;
  has_rows boolean;
begin
  select * into current
  from tidemark.captured_table t
  where t.relation = of_relation::bigint
    and t.state = 'reading'
  for update;
  if not found or not exists (select from pg_class c where c.oid = of_relation) then
    return;
  end if;
  select count(*), count(*) filter (where m.type = 'snapshot-window-open'),
    (array_agg(m.type order by m.opened_at desc, m.type))[1] = 'snapshot-window-close'
  into marks, chunks, closed
  from (
    select s.type, (s.data::jsonb ->> 'openWindowTimestamp')::timestamptz as opened_at
    from tidemark.signal s
    where s.id <> current.signal_id
      and tidemark.signal_of(s.id, s.type, s.data) = current.signal_id
  ) as m;
  if marks is distinct from coalesce(current.seen_marks, 0) then
    update tidemark.captured_table t
    set seen_marks = marks,
        seen_lsn = pg_current_wal_insert_lsn()
    where t.relation = of_relation::bigint;
    -- Gives Debezium something behind that place to confirm, before its next heartbeat.
    perform tidemark.emit_beacon();
    return;
  end if;
  if current.seen_lsn is null or not exists (
    select
    from pg_replication_slots r
    join tidemark.setting s on r.slot_name = 'tidemark_e' || s.epoch
    where r.confirmed_flush_lsn >= current.seen_lsn
  ) then
    return;
  end if;

  execute format('select exists (select from only %s)', of_relation::regclass) into has_rows;
  update tidemark.captured_table t
  set state = case when closed and (chunks > 1 or not has_rows) then 'captured' else 'pending' end,
      last_error = case
        when not closed then 'Debezium could not read its rows, the log of Connect says why'
        when chunks = 1 and has_rows then 'Debezium skipped it, the log of Connect says why'
      end,
      signal_id = null,
      since = now()
  where t.relation = of_relation::bigint;
  perform tidemark.tidy_signals();
end
$$;

revoke all on all functions in schema tidemark from public;
