-- The steps of a table's capture: pending, published and awaiting writers, snapshotting, captured. Each function is one step in one
-- transaction, and capture-tables calls them. No step waits long for a lock. None takes a lock that writers notice, except for
-- the moment in which a table gets replica identity full.

-- Begins a step of a table's capture: until the transaction ends, nothing else changes the table or its state. The table
-- is locked before its state, in the order in which DDL and its event trigger lock them, so that the two cannot
-- deadlock. Returns false when the table is gone or in another state, or when the step has to be tried later.
create or replace function tidemark.begin_step(of_relation oid, in_state text, lock_mode text) returns boolean
language plpgsql
as $$
begin
  if exists (select from pg_class c where c.oid = of_relation) then
    execute format('lock table only %s in %s mode', of_relation::regclass, lock_mode);
  end if;
  perform tidemark.take_turn(of_relation);
  perform from tidemark.captured_table t
  where t.relation = of_relation::bigint
    and t.state = in_state
    and coalesce(t.not_before, '-infinity') <= clock_timestamp()
  for update;
  return found;
end
$$;

-- Gives Debezium the right to read the table, without the excluded columns.
create or replace function tidemark.grant_reading(of_relation oid) returns void
language plpgsql
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

-- Whether a table without a key was made just now. Tools that load data add the key afterwards (pgbench -i, pg_restore).
-- A table that is captured a moment later has its key: it is read by an incremental snapshot and keeps its replica
-- identity. Where it returns true, the step is tried again 5 seconds after the table was made.
create or replace function tidemark.may_get_key(of_relation oid) returns boolean
language plpgsql
as $$
begin
  if exists (select from tidemark.key_columns(of_relation))
    or tidemark.is_published(of_relation)
    or not tidemark.is_listening() then
    return false;
  end if;
  update tidemark.captured_table t
  set not_before = c.changed_at + interval '5 seconds'
  from (
    select greatest(max(k.created_at), (select x.since from tidemark.captured_table x where x.relation = of_relation::bigint))
      as changed_at
    from tidemark.table_contract k
    where k.relation = of_relation::bigint
      and k.slot = 0
  ) as c
  where t.relation = of_relation::bigint
    and c.changed_at > clock_timestamp() - interval '5 seconds';
  return found;
end
$$;

-- Makes the changes of a table carry all values of the row. This needs a lock behind which readers and writers would
-- queue, so it waits for it only briefly. Returns false when the table is in use and the step has to be tried later.
create or replace function tidemark.give_full_identity(of_relation oid) returns boolean
language plpgsql
as $$
begin
  if not tidemark.lacks_images(of_relation) then
    return true;
  end if;
  perform set_config('lock_timeout', '100ms', true);
  execute format('alter table only %s replica identity full', of_relation::regclass);
  update tidemark.captured_table t set identity_given = true where t.relation = of_relation::bigint;
  return true;
exception when lock_not_available then
  update tidemark.captured_table t
  set not_before = clock_timestamp() + interval '1 second',
      last_error = 'it is in use: replica identity full could not be set'
  where t.relation = of_relation::bigint;
  return false;
end
$$;

-- Whether the initial snapshot will read the rows of a table that is published now.
create or replace function tidemark.is_read_initially() returns boolean
language sql stable
as $$
  select not tidemark.is_listening() and not s.reads_by_signal from tidemark.setting s
$$;

-- Publishes a pending table, together with the contract that says so, so that the contract precedes the first change.
-- Where the initial snapshot will read its rows, the table is then captured. Otherwise it waits until the transactions
-- that have written to it have ended.
create or replace function tidemark.publish_table(of_relation oid) returns void
language plpgsql
set lock_timeout = '500ms'
as $$
begin
  if not tidemark.begin_step(of_relation, 'pending', 'share update exclusive') then
    return;
  end if;
  -- The initial snapshot would read the rows of inheriting tables as rows of this one.
  if tidemark.has_children(of_relation) and tidemark.is_read_initially() then
    return;
  end if;
  if exists (select from pg_class c where c.oid = of_relation) then
    if tidemark.may_get_key(of_relation) or not tidemark.give_full_identity(of_relation) then
      return;
    end if;
    if not tidemark.is_published(of_relation) then
      execute format('alter publication tidemark add table only %s', of_relation::regclass);
    end if;
  end if;
  -- From here on no DDL on the table is open. Earlier DDL may have dropped the table, or made it one that is refused.
  update tidemark.captured_table t
  set state = case when tidemark.is_read_initially() then 'captured' else 'awaiting writers' end,
      complete = tidemark.is_read_initially(),
      awaited = null,
      signal_id = null,
      not_before = null,
      since = now()
  where t.relation = of_relation::bigint;
  perform tidemark.observe_table(of_relation);
  perform tidemark.grant_reading(of_relation)
  from tidemark.captured_table t
  where t.relation = of_relation::bigint
    and t.state in ('awaiting writers', 'captured');
end
$$;

-- Transactions that may have written to the table. What they wrote before the table was published is not in the log.
create or replace function tidemark.writers(of_relation oid) returns text[]
language sql stable
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

-- Moves a published table on once its writers have ended. A table without rows is captured. A table with rows is read by
-- a snapshot, and only one table is read at a time. It has to be the first statement of a transaction that begins after
-- the one that published the table, so that no writer is missed.
create or replace function tidemark.await_writers(of_relation oid) returns void
language plpgsql
set lock_timeout = '500ms'
as $$
declare
  current tidemark.captured_table;
  keyed boolean := exists (select from tidemark.key_columns(of_relation));
  remaining text[];
  has_rows boolean;
  new_signal text := 'capture-' || gen_random_uuid();
begin
  if not tidemark.begin_step(of_relation, 'awaiting writers', 'access share')
    or not exists (select from pg_class c where c.oid = of_relation) then
    return;
  end if;
  select * into current from tidemark.captured_table t where t.relation = of_relation::bigint;
  -- A transaction that was prepared since then has another name.
  select coalesce(array_agg(distinct w.name), '{}') into remaining
  from unnest(coalesce(current.awaited, '{}') || tidemark.writers(of_relation)) as w (name)
  where current.awaited is null
    or w.name = any (current.awaited) and exists (select from pg_locks l where l.virtualtransaction = w.name)
    or w.name like '-1/%';
  update tidemark.captured_table t
  set awaited = remaining,
      -- A tool that has loaded a table without a key may be about to add the key.
      not_before = case when not keyed and current.awaited <> '{}' then clock_timestamp() + interval '5 seconds' end
  where t.relation = of_relation::bigint
    and t.awaited is distinct from remaining;
  if remaining <> '{}' or found and not keyed and current.awaited <> '{}' then
    return;
  end if;

  execute format('select exists (select from only %s)', of_relation::regclass) into has_rows;
  if not has_rows then
    perform tidemark.end_capture(of_relation);
    return;
  end if;
  if exists (select from tidemark.captured_table t where t.state = 'snapshotting') then
    return;
  end if;
  perform tidemark.grant_reading(of_relation);
  insert into tidemark.signal (id, type, data)
  values (new_signal, 'execute-snapshot', tidemark.snapshot_signal(of_relation, new_signal));
  update tidemark.captured_table t
  set state = 'snapshotting',
      signal_id = new_signal,
      seen_marks = null,
      seen_lsn = null,
      not_before = null,
      since = now()
  where t.relation = of_relation::bigint;
end
$$;

-- Records that all rows of the table are on the topic. Its next contract says so.
create or replace function tidemark.end_capture(of_relation oid) returns void
language plpgsql
as $$
begin
  update tidemark.captured_table t
  set state = 'captured',
      complete = true,
      last_error = null,
      failed_snapshots = 0,
      awaited = null,
      signal_id = null,
      not_before = null,
      since = now()
  where t.relation = of_relation::bigint;
  perform tidemark.observe_table(of_relation);
end
$$;
