-- The views that users read: one per captured table, of the source's name, and one per table whose rows are spread over
-- partitions or heirs.

-- What a relation's own view selects, or null when none of its generations is shown.
create or replace function tidemark.own_query(of_relation bigint) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  shown tidemark.generation;
  stored text;
  visible text;
  rows_of text;
begin
  select * into shown from tidemark.generation g where g.relation = of_relation and g.shown;
  if not found then
    return null;
  end if;
  select
    string_agg(format('r.%I as %I', 'c' || (c ->> 'number'), c ->> 'name'), ', ' order by n)
      filter (where not (c ->> 'generated')::boolean),
    string_agg(
      case
        when (c ->> 'generated')::boolean
          then format('(%s)::%s as %I', c ->> 'expression', tidemark.canonical_type(c ->> 'carried'), c ->> 'name')
        else format('%I', c ->> 'name')
      end, ', ' order by n)
  into stored, visible
  from jsonb_array_elements(shown.contract -> 'columns') with ordinality as listed (c, n);
  rows_of := format('tidemark_rows.%I r', tidemark.rows_name(of_relation, shown.generation))
    || case when shown.keyless then ', generate_series(1, r."tidemark$count")' else ' where r."tidemark$live"' end;
  if shown.contract @? '$.columns[*] ? (@.generated == true)' then
    return format('select %s from (select %s from %s) as stored', visible, stored, rows_of);
  end if;
  return format('select %s from %s', stored, rows_of);
end
$$;

-- Relations whose rows a name shows: its own, and those of partitions and heirs.
create or replace function tidemark.members(of_schema text, of_table text)
returns table (relation bigint, own boolean, contract jsonb)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select m.relation, (m.schema_name, m.table_name) = (of_schema, of_table), g.contract
  from tidemark.table_marker m
  join tidemark.generation g on g.relation = m.relation and g.shown
  where m.dropped_at is null
    and (
      (m.schema_name, m.table_name) = (of_schema, of_table)
      or g.contract -> 'parents' @> jsonb_build_array(jsonb_build_object('schema', of_schema, 'table', of_table))
    )
$$;

create or replace function tidemark.view_query(of_schema text, of_table text) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  only_member bigint;
  names text;
begin
  select min(m.relation) into only_member
  from tidemark.members(of_schema, of_table) m
  having count(*) = 1 and bool_and(m.own);
  if only_member is not null then
    return tidemark.own_query(only_member);
  end if;
  -- While DDL on a partitioned table goes through its leaves: the columns that all of them have, as text where their
  -- types differ.
  with named as (
    select m.relation, m.own, c ->> 'name' as name, c ->> 'carried' as type, n
    from tidemark.members(of_schema, of_table) m
    cross join jsonb_array_elements(m.contract -> 'columns') with ordinality as listed (c, n)
  ),
  shared as (
    select n.name, count(distinct n.type) = 1 as alike
    from named n
    group by n.name
    having count(*) = (select count(*) from tidemark.members(of_schema, of_table))
  )
  select string_agg(case when s.alike then format('%I', s.name) else format('%1$I::text as %1$I', s.name) end, ', '
    order by first.n)
  into names
  from named first
  join shared s using (name)
  where first.relation = (select m.relation from tidemark.members(of_schema, of_table) m order by m.own desc, m.relation limit 1);
  return (
    select string_agg(format('select %s from (%s) as m%s', names, tidemark.own_query(m.relation), m.relation), ' union all '
      order by m.own desc, m.relation)
    from tidemark.members(of_schema, of_table) m
  );
end
$$;

create or replace function tidemark.drop_view(of_schema text, of_table text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select
    from pg_views v
    where (v.schemaname, v.viewname, v.viewowner) = (of_schema, of_table, 'tidemark_owner')
  ) then
    execute format('drop view %I.%I', of_schema, of_table);
  end if;
end
$$;

-- Makes the view of a name show what it is to show. Rights that were granted on it stay.
create or replace function tidemark.show_view(of_schema text, of_table text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  query text;
  grants text[];
begin
  -- Relations that share a parent take turns at its view: another's rows may just be replaced.
  perform pg_advisory_xact_lock(hashtextextended(format('tidemark.show_view %I.%I', of_schema, of_table), 0));
  query := tidemark.view_query(of_schema, of_table);
  if query is null then
    perform tidemark.drop_view(of_schema, of_table);
    return;
  end if;
  if not exists (select from pg_namespace n where n.nspname = of_schema) then
    execute format('create schema %I', of_schema);
    execute format('grant usage on schema %I to tidemark_read', of_schema);
  end if;
  if exists (
    select
    from pg_class c
    where c.relname = of_table
      and c.relnamespace = (select n.oid from pg_namespace n where n.nspname = of_schema)
      and (c.relkind <> 'v' or c.relowner <> 'tidemark_owner'::regrole)
  ) then
    raise exception '%.% exists in the target already and is somebody else''s', of_schema, of_table
      using errcode = 'duplicate_table', hint = 'rename or drop it, then accept the table';
  end if;
  begin
    execute format('create or replace view %I.%I as %s', of_schema, of_table, query);
  exception when invalid_table_definition then
    select coalesce(array_agg(format('grant %s on %I.%I to %s', acl.privilege_type, of_schema, of_table,
      case when acl.grantee = 0 then 'public' else quote_ident(acl.grantee::regrole::text) end)), '{}')
    into grants
    from pg_class c
    cross join aclexplode(c.relacl) acl
    where c.oid = format('%I.%I', of_schema, of_table)::regclass
      and acl.grantee <> c.relowner;
    perform tidemark.drop_view(of_schema, of_table);
    execute format('create view %I.%I as %s', of_schema, of_table, query);
    foreach query in array grants loop
      execute query;
    end loop;
  end;
  execute format('grant select on %I.%I to tidemark_read', of_schema, of_table);
end
$$;

-- The view of a relation and those of its parents, present and (by an earlier contract) former.
create or replace function tidemark.show_views(of_relation bigint, earlier jsonb default null) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  name record;
begin
  for name in
    select m.schema_name as schema, m.table_name as table
    from tidemark.table_marker m
    where m.relation = of_relation
    union
    select p ->> 'schema', p ->> 'table'
    from tidemark.generation g
    cross join jsonb_array_elements(g.contract -> 'parents') p
    where g.relation = of_relation
    union
    select p ->> 'schema', p ->> 'table'
    from jsonb_array_elements(earlier -> 'parents') p
  loop
    perform tidemark.show_view(name.schema, name.table);
  end loop;
end
$$;
