-- How Debezium is asked by a signal for the snapshot of one table, and what shows that it has read the last row.

-- Whether other tables inherit from it, so that a plain select reads their rows, too.
create or replace function tidemark.has_children(of_relation oid) returns boolean
language sql stable
as $$
  select exists (select from pg_inherits i where i.inhparent = of_relation)
$$;

-- Whether Debezium can read the table in chunks: by a key whose values it can compare with (timestamps and others it
-- sends as text), and under a name that it can take from its stored offset.
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

-- Debezium calls it when it has got the last row of a table that it reads all at once; false, so that it adds no row.
-- Its transaction may write nothing: what it leaves is a lock of its session, see tidemark.has_read.
create or replace function tidemark.reading_ends(signal text) returns boolean
language plpgsql
as $$
begin
  perform pg_advisory_unlock_all();
  perform pg_try_advisory_lock(hashtextextended(signal, 0));
  return false;
end
$$;

-- Whether a session of Debezium that has got the last row for a signal is still there.
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

-- What Debezium is told to have it read a table: in chunks between the changes, or all at once, the changes waiting. In
-- the latter case a reading of the beacons, which says what the reading sees, stands on the topic before the rows.
create or replace function tidemark.reading_order(of_relation oid, signal text) returns jsonb
language plpgsql stable
as $$
declare
  excluded text[] := tidemark.excluded_columns(of_relation);
  quoted text;
  pattern text;
  columns text;
  nulls text;
  reading jsonb;
begin
  select '"' || n.nspname || '"."' || c.relname || '"',
    -- Patterns are told apart by commas, and do not look at case.
    '(?-i)' || regexp_replace(n.nspname || '.' || c.relname, '([^A-Za-z0-9_])', '\\\1', 'g'),
    jsonb_build_object('relation', of_relation::bigint, 'generation', t.generation)
  into quoted, pattern, reading
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
        reading
      )),
      jsonb_build_object('data-collection', quoted, 'filter', format(
        'select %1$s from only %2$s union all select %3$s where tidemark.reading_ends(%4$L)',
        columns, quoted, nulls, signal
      ))
    )
  );
end
$$;

-- The signal that a row of tidemark.signal is, or that it is a mark for.
create or replace function tidemark.signal_of(id text, type text, data text) returns text
language sql immutable
return case when type like 'snapshot-window-%' then data::jsonb ->> 'correlationId' else id end;

-- Removes what is left of readings that are over, or whose table is gone.
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
