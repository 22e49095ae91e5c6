-- What the definition of an index says, read by Postgres itself: it is made on an empty table, whose columns are renamed.

-- The definition of an index with other names of its columns: without its predicate, the predicate, the places of the columns
-- that it uses, and the names that Postgres gives to its own columns. The text follows the name of the table in create index.
-- Its functions and operators are looked up in pg_catalog and then in public, as in the sessions that read the views.
create or replace function tidemark.renamed_definition(
  of_relation bigint, names text[], types text[], new_names text[], definition text,
  out keys text, out predicate text, out used integer[], out parts text[]
)
language plpgsql
as $$
declare
  probe constant text := 'probe_index_' || of_relation;
  beginning constant text := format('CREATE INDEX %s_i ON tidemark_rows.%1$s ', probe);
  ending text;
  made oid;
  forbidden regprocedure;
begin
  -- Several statements could be hidden in a text that is not closed.
  if not coalesce(tidemark.is_one_expression(definition), false) then
    raise exception 'it is not the definition of one index: %', definition
      using errcode = 'syntax_error',
        hint = 'Write what follows the name of the table in create index, for example (lower(name), id) where id > 7, without '
          'comments, semicolons and backslashes outside of strings.';
  end if;
  execute format('create table tidemark_rows.%I (%s)', probe,
    (select string_agg(format('%I %s', c.name, c.type), ', ' order by c.place)
    from unnest(names, types) with ordinality as c (name, type, place)));
  perform set_config('search_path', 'pg_catalog, public, pg_temp', true);
  execute format('create index %I on tidemark_rows.%I %s', probe || '_i', probe, definition);
  perform set_config('search_path', 'pg_catalog, pg_temp', true);
  made := format('tidemark_rows.%I', probe || '_i')::regclass;
  if exists (select from pg_class c where c.oid = made and c.reltablespace <> 0) then
    raise exception 'an index of a captured table has no tablespace of its own' using errcode = 'feature_not_supported';
  end if;
  -- The rows are written by tidemark_apply, which runs the functions of the index then.
  select d.refobjid into forbidden
  from pg_depend d
  where (d.classid, d.objid, d.refclassid) = ('pg_class'::regclass, made, 'pg_proc'::regclass)
    and not has_function_privilege('tidemark_apply', d.refobjid, 'execute')
  limit 1;
  if found then
    raise exception 'tidemark_apply, which writes the rows, may not execute the function %', forbidden
      using errcode = 'insufficient_privilege', hint = format('grant execute on function %s to tidemark_apply', forbidden);
  end if;
  used := array(
    select distinct d.refobjsubid
    from pg_depend d
    join pg_index i on i.indexrelid = made and i.indrelid = d.refobjid
    where (d.classid, d.objid, d.refclassid) = ('pg_class'::regclass, made, 'pg_class'::regclass)
      and d.refobjsubid > 0
    order by 1
  );
  parts := array(select a.attname from pg_attribute a where a.attrelid = made order by a.attnum);
  perform tidemark.rename_columns(probe, names, new_names, used);
  select pg_get_indexdef(i.indexrelid), pg_get_expr(i.indpred, i.indrelid) into keys, predicate
  from pg_index i
  where i.indexrelid = made;
  ending := coalesce(' WHERE ' || predicate, '');
  if not starts_with(keys, beginning) or right(keys, length(ending)) <> ending or strpos(keys, probe || '.') > length(beginning) then
    raise exception 'it uses the whole row, not its columns: %', definition using errcode = 'feature_not_supported';
  end if;
  keys := substr(left(keys, length(keys) - length(ending)), length(beginning) + 1);
  execute format('drop table tidemark_rows.%I', probe);
end
$$;

-- Renames some columns of a table, by their places. Another column that has one of the new names is renamed as well.
create or replace function tidemark.rename_columns(of_table text, names text[], new_names text[], places integer[]) returns void
language plpgsql
as $$
declare
  renamed record;
begin
  for renamed in
    select *
    from (
      select 1 as step, names[p] as name, 'tidemark$renamed' || p as new_name from unnest(places) p
      union all
      select 2, c.name, 'tidemark$aside' || c.place
      from unnest(names) with ordinality as c (name, place)
      where c.place <> all (places)
        and c.name in (select new_names[p] from unnest(places) p)
      union all
      select 3, 'tidemark$renamed' || p, new_names[p] from unnest(places) p
    ) steps
    order by step
  loop
    execute format('alter table tidemark_rows.%I rename column %I to %I', of_table, renamed.name, renamed.new_name);
  end loop;
end
$$;

-- The definition of an index for the rows of a relation, from one with the names of the source. It is an error where the
-- definition does not fit the columns of the contract.
create or replace function tidemark.fit_definition(
  contract jsonb, definition text,
  out keys text, out predicate text, out numbers integer[], out names text[], out usual_name text
)
language plpgsql
as $$
declare
  computed record;
  used integer[];
begin
  select r.keys, r.predicate, r.used, format('%s_%s_idx', contract ->> 'table', array_to_string(r.parts, '_'))
  into keys, predicate, used, usual_name
  from (
    select array_agg(c ->> 'name' order by n) as names, array_agg(tidemark.canonical_type(c ->> 'carried') order by n) as types,
      array_agg('c' || (c ->> 'number') order by n) as new_names
    from jsonb_array_elements(contract -> 'columns') with ordinality as listed (c, n)
  ) as source
  cross join lateral tidemark.renamed_definition(
    (contract ->> 'relation')::bigint, source.names, source.types, source.new_names, definition) r;
  select c ->> 'name' as name, format('((%s)::%s)', c ->> 'expression', tidemark.canonical_type(c ->> 'carried')) as expression
  into computed
  from jsonb_array_elements(contract -> 'columns') with ordinality as listed (c, n)
  where (c ->> 'generated')::boolean
    and n = any (used)
  limit 1;
  if found then
    raise exception 'column "%" is generated, so the view computes it and the rows do not have it', computed.name
      using errcode = 'feature_not_supported', hint = format('Write its expression instead: %s', computed.expression);
  end if;
  select array_agg((c ->> 'number')::integer order by n), array_agg(c ->> 'name' order by n)
  into numbers, names
  from jsonb_array_elements(contract -> 'columns') with ordinality as listed (c, n)
  where n = any (used);
  numbers := coalesce(numbers, '{}');
  names := coalesce(names, '{}');
end
$$;

-- The definition of an index with the names that the source has now, from one for the rows of a relation.
create or replace function tidemark.named_definition(contract jsonb, keys text, predicate text) returns text
language sql
as $$
  select r.keys || coalesce(' WHERE ' || r.predicate, '')
  from (
    select array_agg(s.name order by s.number) as names, array_agg(tidemark.canonical_type(s.type) order by s.number) as types,
      array_agg(c ->> 'name' order by s.number) as new_names
    from tidemark.stored_columns(contract) s
    join jsonb_array_elements(contract -> 'columns') c on (c ->> 'number')::integer = s.number
  ) as stored
  cross join lateral tidemark.renamed_definition((contract ->> 'relation')::bigint, stored.names, stored.types, stored.new_names,
    named_definition.keys || coalesce(' where ' || named_definition.predicate, '')) r
$$;

-- The columns of the contract that have these numbers and are stored, by their names in the source. It is shorter than the
-- numbers where some of them are not there any more.
create or replace function tidemark.names_of_columns(contract jsonb, numbers integer[]) returns text[]
language sql immutable
as $$
  select coalesce(array_agg(c ->> 'name' order by wanted.place), '{}')
  from unnest(numbers) with ordinality as wanted (number, place)
  join jsonb_array_elements(contract -> 'columns') c
    on (c ->> 'number')::integer = wanted.number and not (c ->> 'generated')::boolean
$$;
