-- How Debezium is asked by a signal for the snapshot of one table, and what shows that it has read the last row.

-- Whether other tables inherit from the table, so that a plain select also reads their rows.
create or replace function tidemark.has_children(of_relation oid) returns boolean
language sql stable
as $$
  select exists (select from pg_inherits i where i.inhparent = of_relation)
$$;

-- Whether Debezium can read the table by an incremental snapshot, in chunks. It needs a key whose values it can compare
-- with (it sends timestamps and others as text), and a name that it can read from its stored offset.
create or replace function tidemark.is_read_in_chunks(of_relation oid) returns boolean
language sql stable
as $$
  select n.nspname || c.relname !~ '[\s.''`]'
    and exists (select from tidemark.key_columns(of_relation))
    and not exists (
      select
      from tidemark.key_columns(of_relation) k
      join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
      where a.atttypid <> all ('{int2,int4,int8,text,varchar,uuid,numeric}'::regtype[])
    )
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = of_relation
$$;

-- Debezium calls it when a blocking snapshot has read its last row. It returns false, so that it adds no row. The
-- transaction is read-only, so what it leaves is an advisory lock of its session, which tidemark.has_read looks for. It
-- keeps the older word for a snapshot, because queries in signals that Debezium has not executed yet may name it.
create or replace function tidemark.reading_ends(signal text) returns boolean
language plpgsql
as $$
begin
  perform pg_advisory_unlock_all();
  perform pg_try_advisory_lock(hashtextextended(signal, 0));
  return false;
end
$$;

-- Whether a session of Debezium that has read the last row for a signal is still there.
create or replace function tidemark.has_read(signal text) returns boolean
language sql
as $$
  select exists (
    select
    from pg_locks l
    where l.locktype = 'advisory'
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
      and (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended(signal, 0)
      and l.objsubid = 1
      and l.granted
  )
$$;

-- The data of the signal that has Debezium read a table, by an incremental snapshot between the changes or by a blocking
-- snapshot while the changes wait. A blocking snapshot reads the beacons first: they precede the rows on the topic and
-- say what the snapshot sees, and in the member `reading` of which table and generation it is.
create or replace function tidemark.snapshot_signal(of_relation oid, signal text) returns jsonb
language plpgsql stable
as $$
declare
  excluded text[] := tidemark.excluded_columns(of_relation);
  quoted text;
  pattern text;
  columns text;
  nulls text;
  snapshot_of jsonb;
begin
  select '"' || n.nspname || '"."' || c.relname || '"',
    -- Debezium separates patterns by commas, and they ignore case.
    '(?-i)' || regexp_replace(n.nspname || '.' || c.relname, '([^A-Za-z0-9_])', '\\\1', 'g'),
    jsonb_build_object('relation', of_relation::bigint, 'generation', t.generation)
  into quoted, pattern, snapshot_of
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  left join tidemark.captured_table t on t.relation = c.oid
  where c.oid = of_relation;
  if tidemark.is_read_in_chunks(of_relation) then
    return jsonb_strip_nulls(jsonb_build_object(
      'type', 'incremental',
      'data-collections', jsonb_build_array(quoted),
      'additional-conditions', case when tidemark.has_children(of_relation) then jsonb_build_array(
        jsonb_build_object('data-collection', quoted, 'filter', 'tableoid = ' || of_relation)
      ) end
    ));
  end if;
  select string_agg(format('%I', a.attname), ', ' order by a.attnum), string_agg('null', ', ')
  into columns, nulls
  from pg_attribute a
  where a.attrelid = of_relation
    and a.attnum > 0
    and not a.attisdropped
    and a.attname <> all (excluded);
  return jsonb_build_object(
    'type', 'blocking',
    'data-collections', jsonb_build_array('tidemark\.beacon', pattern),
    'additional-conditions', jsonb_build_array(
      jsonb_build_object('data-collection', 'tidemark.beacon', 'filter', format(
        'select slot, number, body || jsonb_build_object(''snapshot'', pg_current_snapshot()::text, ''reading'', %L::jsonb) as body, '
          'emitted_at from tidemark.beacon',
        snapshot_of
      )),
      jsonb_build_object('data-collection', quoted, 'filter', format(
        'select %1$s from only %2$s union all select %3$s where tidemark.reading_ends(%4$L)',
        columns, quoted, nulls, signal
      ))
    )
  );
end
$$;

-- The id of the signal that a row of tidemark.signal is, or that it is a mark for.
create or replace function tidemark.signal_of(id text, type text, data text) returns text
language sql immutable
return case when type like 'snapshot-window-%' then data::jsonb ->> 'correlationId' else id end;

-- Removes the signals and marks of snapshots that have ended, or whose table is gone.
create or replace function tidemark.tidy_signals() returns void
language sql
as $$
  delete from tidemark.signal s
  where tidemark.signal_of(s.id, s.type, s.data) like 'capture-%'
    and not exists (
      select
      from tidemark.captured_table t
      where t.signal_id = tidemark.signal_of(s.id, s.type, s.data)
    )
$$;
