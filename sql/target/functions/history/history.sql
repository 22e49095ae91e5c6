-- The history of a row or of a table, as users read it.
-- Runs after history/change-log.sql and history/key-text.sql.

-- The relations that a name stands for, by epoch: those that have it, or had it when they were dropped. If there are
-- none, those that had it before they were renamed. Contracts are found by the indexes of their names.
create or replace function tidemark.relations_named(wanted text) returns table (epoch integer, relation bigint)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  with candidate as (
    select distinct k.epoch, k.relation
    from tidemark.contract k
    where (k.contract ->> 'schema') || '.' || (k.contract ->> 'table') = wanted
      or quote_ident(k.contract ->> 'schema') || '.' || quote_ident(k.contract ->> 'table') = wanted
  ),
  named as (
    select c.epoch, c.relation, newest.matches as has_it
    from candidate c
    cross join lateral (
      select wanted in ((k.contract ->> 'schema') || '.' || (k.contract ->> 'table'),
        quote_ident(k.contract ->> 'schema') || '.' || quote_ident(k.contract ->> 'table')) as matches
      from tidemark.contract k
      where k.relation = c.relation
        and k.epoch = c.epoch
      order by k.version desc, k.topic_partition
      limit 1
    ) newest
  )
  select n.epoch, n.relation
  from named n
  where n.has_it
    or not exists (select from named other where other.has_it);
end;

-- The values of a key as changes have them, from {"<column number>": value}. The values may be JSON of the column's
-- type, or text. Equal keys give the same texts, those that adapters/postgres/apply/key-text.ts has kept. In a record of
-- type jsonb, Postgres makes the JSON value null no value, so values of this type are taken as they are.
create or replace function tidemark.key_texts(numbers integer[], types text[], given jsonb) returns text[]
language plpgsql
as $$
declare
  texts text;
  columns text;
  found_texts text[];
begin
  select string_agg(format(
      case
        when t ~ '(^|\.)citext$' then 'lower(x.%I::text)'
        when t ~ '^(numeric|decimal)[^\[]*$' then 'trim_scale(x.%I)::text'
        when t ~ '^(real|double precision)$' then '(x.%I + 0)::text'
        when t = 'jsonb' then 'tidemark.key_text($1 -> %L)'
        when t ~ '^(interval|numrange|nummultirange)[^\[]*$' then 'tidemark.key_text(x.%I)'
        else 'x.%I::text'
      end, 'c' || n), ', ' order by o),
    string_agg(format('%I %s', 'c' || n, tidemark.canonical_type(t)), ', ' order by o)
  into texts, columns
  from unnest(numbers, types) with ordinality as u (n, t, o);
  execute format('select array[%s] from jsonb_to_record($1) as x (%s)', texts, columns)
    into found_texts
    using (select jsonb_object_agg('c' || k, v) from jsonb_each(given) as g (k, v));
  return found_texts;
end
$$;

-- Which changes a key stands for in the relations of a table: those with the hash of the key, those of rows without a
-- key that have the values, and truncates. Column names may be those of any version of the table.
create or replace function tidemark.wanted_changes(table_name text, key jsonb)
returns table (epoch integer, relation bigint, op "char", key_values text[], numbers integer[], row_values text[])
language plpgsql
as $$
declare
  shape record;
  given jsonb;
  unknown text;
  keys text[];
  is_found boolean := false;
begin
  for shape in
    select distinct r.epoch, r.relation, s.key_numbers, s.key_types, array_to_string(s.key_names, ', ') as key_names,
      case when s.key_numbers is null then s.numbers end as numbers, case when s.key_numbers is null then s.types end as types
    from tidemark.relations_named(table_name) r
    cross join lateral (
      select distinct on (k.version) k.contract
      from tidemark.contract k
      where k.relation = r.relation
        and k.epoch = r.epoch
      order by k.version, k.topic_partition
    ) k
    cross join tidemark.image_shape(k.contract) s
  loop
    select jsonb_object_agg(n.number, e.value) filter (where n.number is not null), min(e.key) filter (where n.number is null)
    into given, unknown
    from jsonb_each(wanted_changes.key) e
    left join lateral (
      select s.numbers[array_position(s.names, e.key)] as number
      from tidemark.contract k
      cross join tidemark.image_shape(k.contract) s
      where k.relation = shape.relation
        and k.epoch = shape.epoch
        and e.key = any (s.names)
      order by k.version desc
      limit 1
    ) n on true;
    keys := array_append(keys, coalesce(shape.key_names, 'no key'));
    if unknown is not null or given is null then
      continue;
    end if;
    epoch := shape.epoch;
    relation := shape.relation;
    if shape.key_numbers is null then
      numbers := array(select n from unnest(shape.numbers) n where given ? n::text order by n);
      op := null;
      key_values := null;
      row_values := array(
        select case when jsonb_typeof(given -> n::text) <> 'null' then t end
        from unnest(numbers, tidemark.key_texts(numbers,
          array(select shape.types[array_position(shape.numbers, n)] from unnest(numbers) n order by n), given)) as k (n, t)
        order by n
      );
      is_found := true;
      return next;
    elsif array(select n::text from unnest(shape.key_numbers) n order by 1) = array(select jsonb_object_keys(given) order by 1) then
      key_values := tidemark.key_texts(shape.key_numbers, shape.key_types, given);
      op := null;
      numbers := null;
      row_values := null;
      is_found := true;
      return next;
      key_values := null;
      op := 't';
      return next;
    end if;
  end loop;
  if keys is null then
    raise exception 'no captured table is or was called %', table_name
      using errcode = 'undefined_table', hint = 'Write it with its schema, as in public.orders.';
  elsif not is_found then
    raise exception 'the key of % is (%), not (%)', table_name,
      (select string_agg(distinct k, ') or (') from unnest(keys) k),
      (select string_agg(k, ', ') from jsonb_object_keys(wanted_changes.key) k)
      using errcode = 'undefined_column';
  end if;
end
$$;

-- The changes of a row, newest first; without a key those of the whole table. The table may be given by a former name,
-- and the values of the key as JSON or as text. For a table without a key: the changes of rows that have the given
-- values.
create or replace function tidemark.history(table_name text, key jsonb default null, limit_rows integer default 100)
returns setof tidemark.change_log
language plpgsql security definer
as $$
declare
  since timestamptz;
begin
  if key is null then
    since := tidemark.last_changes_since(table_name, limit_rows);
    return query
      select d.schema_name, d.table_name, d.op, d.key, d.before, d.after, d.changed, d.transaction_id, d.lsn, d.epoch,
        d.committed_at, d.who, d.application, d.why, d.details, d.relation
      from (
        select c.committed_at, c.relation, c.key_hash, c.epoch, c.lsn, c.ordinal
        from tidemark_rows.change c
        where c.relation in (select r.relation from tidemark.relations_named(history.table_name) r)
          and c.committed_at >= since
        order by c.committed_at desc, c.epoch desc, c.lsn desc, c.ordinal desc
        limit limit_rows
      ) c
      join tidemark.described_change d using (committed_at, relation, key_hash, epoch, ordinal)
      order by d.committed_at desc, d.epoch desc, d.lsn desc, d.ordinal desc
      limit limit_rows;
    return;
  end if;
  return query
    select l.schema_name, l.table_name, l.op, l.key, l.before, l.after, l.changed, l.transaction_id, l.lsn, l.epoch,
      l.committed_at, l.who, l.application, l.why, l.details, l.relation
    from (
      select distinct tidemark.key_hash(w.relation, w.key_values) as key_hash, w.*
      from tidemark.wanted_changes(history.table_name, history.key) w
    ) w
    cross join lateral (
      select d.*
      from tidemark.described_change d
      where d.relation = w.relation
        and d.key_hash = w.key_hash
        and d.epoch = w.epoch
        and d.key_values is not distinct from w.key_values
        and (w.op is null or d.op = 'truncate')
        and (w.numbers is null or d.op = 'truncate'
          or tidemark.row_has(d.numbers, d.types, d.before_values, w.numbers, w.row_values)
          or tidemark.row_has(d.numbers, d.types, d.after_values, w.numbers, w.row_values))
      order by d.ordinal desc
      limit limit_rows
    ) l
    order by l.committed_at desc, l.epoch desc, l.lsn desc, l.ordinal desc
    limit limit_rows;
end
$$;

-- Whether a row has values with these texts of a key in the columns with these numbers. Equal values may be written
-- differently in the row, so they are compared by these texts; values that are written alike need none.
create or replace function tidemark.row_has(numbers integer[], types text[], image text[], wanted integer[], texts text[])
returns boolean
language sql stable
return image is not null and (
  select coalesce(bool_and(r.value is not distinct from w.t or tidemark.key_text_of(r.type, r.value) is not distinct from w.t), false)
  from unnest(wanted, texts) as w (n, t)
  cross join lateral (
    select image[array_position(numbers, w.n)] as value, types[array_position(numbers, w.n)] as type
  ) r
);

-- From which time on to look for a table's last changes without reading all of them: the span grows until there are
-- enough.
create or replace function tidemark.last_changes_since(table_name text, limit_rows integer) returns timestamptz
language plpgsql stable
as $$
declare
  relations bigint[] := array(select r.relation from tidemark.relations_named(table_name) r);
  newest timestamptz := coalesce((select max(p.committed_at) from tidemark.progress p), now());
  span interval;
  met bigint;
begin
  if relations = '{}' then
    raise exception 'no captured table is or was called %', table_name
      using errcode = 'undefined_table', hint = 'Write it with its schema, as in public.orders.';
  end if;
  foreach span in array '{1 second,1 minute,30 minutes,12 hours,10 days}'::interval[] loop
    select count(*)
    into met
    from (
      select
      from tidemark_rows.change c
      where c.relation = any (relations)
        and c.committed_at >= newest - span
      limit limit_rows
    ) recent;
    if met >= limit_rows then
      return newest - span;
    end if;
  end loop;
  return '-infinity';
end
$$;
