-- The views that users read: one per captured table, of the source's name, and one per table whose rows are spread over
-- partitions or heirs.

-- Whether a text is one expression and nothing behind it, as far as its signs tell: strings and quoted names are closed,
-- parentheses match, and there is no comment, no end of a statement, and no other way to write a string.
create or replace function tidemark.is_one_expression(expression text) returns boolean
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  -- Only B'…' and X'…' may have a letter before the quote.
  signs text := regexp_replace(expression, '("[^"]*")|((^|[^A-Za-z0-9_$&])[BbXx]?''([^'']|'''')*'')', ' x ', 'g');
  sign text;
  depth integer := 0;
begin
  if signs !~ '[^ ]' or signs ~ '[''";$]' or strpos(signs, '--') > 0 or strpos(signs, '/*') > 0 or strpos(signs, chr(92)) > 0 then
    return false;
  end if;
  foreach sign in array regexp_split_to_array(signs, '') loop
    depth := depth + case sign when '(' then 1 when ')' then -1 else 0 end;
    if depth < 0 then
      return false;
    end if;
  end loop;
  return depth = 0;
end
$$;

-- Raises an error where a generated column of a contract is computed from anything but its row. The view would run such an
-- expression with the rights of its owner, who may read every table here. Postgres itself says whether an expression is
-- one of a generated column: without subqueries, of immutable functions.
create or replace function tidemark.check_expressions(contract jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  probe text := 'probe_' || (contract ->> 'relation');
  columns text;
begin
  if not contract @? '$.columns[*] ? (@.generated == true)' then
    return;
  end if;
  select string_agg(
    case
      when not (c ->> 'generated')::boolean then format('%I %s', c ->> 'name', tidemark.canonical_type(c ->> 'carried'))
      when tidemark.is_one_expression(c ->> 'expression') then format('%I %s generated always as ((%s)::%2$s) stored',
        c ->> 'name', tidemark.canonical_type(c ->> 'carried'), c ->> 'expression')
    end, ', ' order by n)
  into columns
  from jsonb_array_elements(contract -> 'columns') with ordinality as listed (c, n)
  having bool_and(not (c ->> 'generated')::boolean or coalesce(tidemark.is_one_expression(c ->> 'expression'), false));
  if columns is null then
    raise exception 'a generated column of %.% is computed from what is no single expression',
      contract ->> 'schema', contract ->> 'table'
      using errcode = 'invalid_parameter_value';
  end if;
  execute format('create table tidemark_rows.%I (%s)', probe, columns);
  execute format('drop table tidemark_rows.%I', probe);
end
$$;

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
  select m.relation, m.relation = tidemark.owner_of(of_schema, of_table), g.contract
  from tidemark.table_marker m
  join tidemark.generation g on g.relation = m.relation and g.shown
  where m.dropped_at is null
    and (
      m.relation = tidemark.owner_of(of_schema, of_table)
      or g.contract -> 'parents' @> jsonb_build_array(jsonb_build_object('schema', of_schema, 'table', of_table))
    )
$$;

-- The relations whose shown rows somebody dropped in the target.
create or replace function tidemark.missing_rows() returns table (relation bigint, schema_name text, table_name text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select m.relation, m.schema_name, m.table_name
  from tidemark.table_marker m
  join tidemark.generation g on g.relation = m.relation and g.shown
  where m.dropped_at is null
    and not exists (
      select
      from pg_class c
      where c.relnamespace = 'tidemark_rows'::regnamespace
        and c.relname = tidemark.rows_name(g.relation, g.generation)
    )
$$;

create or replace function tidemark.view_query(of_schema text, of_table text) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  only_member bigint;
begin
  -- Rows that somebody dropped are read again; until then a parent without them would hold fewer than its table.
  if exists (select from tidemark.members(of_schema, of_table) m join tidemark.missing_rows() lost using (relation)) then
    return null;
  end if;
  select min(m.relation) into only_member
  from tidemark.members(of_schema, of_table) m
  having count(*) = 1 and bool_and(m.own);
  if only_member is not null then
    return tidemark.own_query(only_member);
  end if;
  -- A parent with rows of its own has its own columns, and what a heir lacks is null: no other contract takes one away.
  -- Without, while DDL on a partitioned table goes through its leaves, the columns that all of them have. Text where types
  -- differ.
  return (
    with member as (
      select *
      from tidemark.members(of_schema, of_table)
    ),
    named as (
      select m.relation, m.own, c ->> 'name' as name, c ->> 'carried' as type, n
      from member m
      cross join jsonb_array_elements(m.contract -> 'columns') with ordinality as listed (c, n)
    ),
    shared as (
      select n.name, count(distinct n.type) = 1 as alike
      from named n
      group by n.name
      having bool_or(n.own) or count(*) = (select count(*) from member)
    ),
    shown as (
      select s.name, s.alike, first.n
      from named first
      join shared s using (name)
      where first.relation = (select m.relation from member m order by m.own desc, m.relation limit 1)
    ),
    selected as (
      select m.relation, m.own,
        string_agg(format(case when n.name is null then 'null as %1$I' when s.alike then '%1$I' else '%1$I::text as %1$I' end,
          s.name), ', ' order by s.n) as names
      from member m
      left join shown s on true
      left join named n on n.relation = m.relation and n.name = s.name
      group by m.relation, m.own
    )
    select string_agg(format('select %s from (%s) as m%s', s.names, tidemark.own_query(s.relation), s.relation), ' union all '
      order by s.own desc, s.relation)
    from selected s
  );
end
$$;

-- The view of a name, if it was made here.
create or replace function tidemark.own_view(of_schema text, of_table text) returns regclass
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select s.view
  from tidemark.shown_view s
  join pg_class c on c.oid = s.view and c.relkind = 'v' and c.relname = s.table_name
  join pg_namespace n on n.oid = c.relnamespace and n.nspname = s.schema_name
  where (s.schema_name, s.table_name) = (of_schema, of_table)
$$;

-- What of others depends on a view, and what drops it where that takes nothing else along; what depends on another of
-- these comes after it.
create or replace function tidemark.dependents(of_view regclass)
returns table (object text, dropped_by text, place bigint)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with recursive dependent (class, oid, part, depth) as (
    select 'pg_class'::regclass::oid, of_view::oid, 0, 0
    union
    select next.class, next.oid, next.part, b.depth + 1
    from dependent b
    join pg_depend d on d.deptype = 'n' and b.part = 0 and (
      (d.refclassid, d.refobjid) = (b.class, b.oid)
      -- The rows of a view have a type, and there is one of arrays of them.
      or b.class = 'pg_class'::regclass and d.refclassid = 'pg_type'::regclass and d.refobjid in (
        select t.oid from pg_type t where t.typrelid = b.oid
        union all
        select t.typarray from pg_type t where t.typrelid = b.oid
      )
    )
    left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
    cross join lateral (
      -- The rule of a view is that view.
      select case when r.oid is null then d.classid else 'pg_class'::regclass::oid end as class,
        coalesce(r.ev_class, d.objid) as oid, case when r.oid is null then d.objsubid else 0 end as part
    ) as next
    where (next.class, next.oid) <> (b.class, b.oid)
  )
  select pg_describe_object(l.class, l.oid, l.part),
    case when i.type in ('view', 'materialized view', 'function', 'procedure', 'policy') then
      format('drop %s %s;', i.type, i.identity)
    end,
    row_number() over (order by l.depth, i.identity)
  from (
    select d.class, d.oid, d.part, max(d.depth) as depth
    from dependent d
    where d.depth > 0
    group by d.class, d.oid, d.part
  ) as l
  cross join lateral pg_identify_object(l.class, l.oid, l.part) i
$$;

-- Drops the view of a name. That something of others depends on it is an error, which names that.
create or replace function tidemark.drop_view(of_schema text, of_table text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  view constant regclass := tidemark.own_view(of_schema, of_table);
  found record;
begin
  if view is not null then
    execute format('drop view %s', view);
  end if;
  delete from tidemark.shown_view s where (s.schema_name, s.table_name) = (of_schema, of_table);
exception when dependent_objects_still_exist then
  select string_agg(d.object, ' and ' order by d.place) as objects, count(*) = 1 as one,
    string_agg(coalesce(d.dropped_by, '-- drop ' || d.object), ' ' order by d.place desc) as dropped_by
  into found
  from tidemark.dependents(view) d;
  raise exception '% % on the view %.%, which has to be made anew since columns of the table have changed',
    found.objects, case when found.one then 'depends' else 'depend' end, of_schema, of_table
    using errcode = 'dependent_objects_still_exist',
      hint = format('keep %s (pg_get_viewdef), run %s then npm run accept -- %s.%s, and create %s again',
        case when found.one then 'its definition' else 'their definitions' end, found.dropped_by, of_schema, of_table,
        case when found.one then 'it' else 'them' end);
end
$$;

-- The name is that of no table any more: nor of a view. Where objects of others depend on the view these are not
-- destroyed: it stays, without rows, until they are gone or a new table has the name.
create or replace function tidemark.retire_view(of_schema text, of_table text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform tidemark.drop_view(of_schema, of_table);
exception when dependent_objects_still_exist then
  execute (
    select format('create or replace view %I.%I as select %s where false', of_schema, of_table,
      string_agg(format('null::%s%s as %I', format_type(a.atttypid, a.atttypmod),
        case when a.attcollation <> t.typcollation then ' collate ' || a.attcollation::regcollation end, a.attname),
        ', ' order by a.attnum))
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    where a.attrelid = tidemark.own_view(of_schema, of_table)
      and a.attnum > 0
      and not a.attisdropped
  );
  update tidemark.shown_view s
  set empty_of = array[of_schema, of_table]
  where (s.schema_name, s.table_name) = (of_schema, of_table)
    and s.empty_of is null;
end
$$;

-- Gives the name of a view to another one. A view without rows that objects of others depend on goes where no name is
-- taken; one that shows a table is an error then.
create or replace function tidemark.free_view_name(of_schema text, of_table text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  view constant regclass := tidemark.own_view(of_schema, of_table);
  aside constant text := 'former_' || view::oid;
begin
  perform tidemark.drop_view(of_schema, of_table);
exception when dependent_objects_still_exist then
  update tidemark.shown_view s
  set schema_name = 'tidemark_rows', table_name = aside
  where (s.schema_name, s.table_name) = (of_schema, of_table)
    and s.empty_of is not null;
  if not found then
    raise;
  end if;
  execute format('alter view %s rename to %I', view, aside);
  execute format('alter view %I.%I set schema tidemark_rows', of_schema, aside);
end
$$;

-- Drops the views without rows that nothing depends on any more. One that is in use is left to the next run.
create or replace function tidemark.drop_empty_views() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
as $$
declare
  empty tidemark.shown_view;
begin
  for empty in select * from tidemark.shown_view s where s.empty_of is not null loop
    if pg_try_advisory_xact_lock(tidemark.lock_of_view(empty.schema_name, empty.table_name)) then
      begin
        perform tidemark.drop_view(empty.schema_name, empty.table_name);
      exception when dependent_objects_still_exist or lock_not_available then
        continue;
      end;
    end if;
  end loop;
end
$$;

-- Relations that share a parent take turns at its view.
create or replace function tidemark.lock_of_view(of_schema text, of_table text) returns bigint
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select hashtextextended(format('tidemark.show_view %I.%I', of_schema, of_table), 0)
$$;

-- A table was renamed: its view goes along, with the rights on it and what depends on it, where the former name is
-- nobody's now and the new one is free.
create or replace function tidemark.rename_view(of_schema text, of_table text, to_schema text, to_table text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_advisory_xact_lock(tidemark.lock_of_view(of_schema, of_table));
  perform pg_advisory_xact_lock(tidemark.lock_of_view(to_schema, to_table));
  if tidemark.own_view(of_schema, of_table) is null
    or tidemark.own_view(to_schema, to_table) is not null
    or exists (select from tidemark.members(of_schema, of_table))
    or exists (select from tidemark.foreign_object(to_schema, to_table)) then
    return;
  end if;
  perform tidemark.ensure_schema(to_schema);
  -- Under either name the other schema may have something else.
  if of_schema <> to_schema then
    execute format('alter view %I.%I rename to %I', of_schema, of_table, 'tidemark$renamed');
    execute format('alter view %I.%I set schema %I', of_schema, 'tidemark$renamed', to_schema);
    execute format('alter view %I.%I rename to %I', to_schema, 'tidemark$renamed', to_table);
  else
    execute format('alter view %I.%I rename to %I', of_schema, of_table, to_table);
  end if;
  delete from tidemark.shown_view s where (s.schema_name, s.table_name) = (to_schema, to_table);
  update tidemark.shown_view s
  set schema_name = to_schema, table_name = to_table
  where (s.schema_name, s.table_name) = (of_schema, of_table);
end
$$;

create or replace function tidemark.ensure_schema(of_schema text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from pg_namespace n where n.nspname = of_schema) then
    execute format('create schema %I', of_schema);
    execute format('grant usage on schema %I to tidemark_read', of_schema);
  end if;
end
$$;

-- What has a name and was not made here, and the command that renames it; no row when the name is free or ours.
create or replace function tidemark.foreign_object(of_schema text, of_table text)
returns table (object text, renamed_by text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with found as (
    select 'pg_class'::regclass as class, c.oid, c.relkind = 'c' as is_type
    from pg_class c
    where c.relname = of_table
      and c.relnamespace = (select n.oid from pg_namespace n where n.nspname = of_schema)
      and c.oid is distinct from tidemark.own_view(of_schema, of_table)
    union all
    -- A view is a type, too; that of an array gives way by itself.
    select 'pg_type'::regclass, t.oid, true
    from pg_type t
    where t.typname = of_table
      and t.typnamespace = (select n.oid from pg_namespace n where n.nspname = of_schema)
      and t.typrelid = 0
      and t.typcategory <> 'A'
  )
  select pg_describe_object(f.class, f.oid, 0),
    format('alter %s %I.%I rename to %I', case when f.is_type then 'type' else 'table' end, of_schema, of_table,
      left(of_table, 54) || '_renamed')
  from found f
  limit 1
$$;

-- Makes the view of a name show what it is to show. Rights that were granted on it stay. Where the name is that of
-- something else this is an error, or nothing is done.
create or replace function tidemark.show_view(of_schema text, of_table text, or_leave boolean default false) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  query text;
  taken record;
  grants text[];
begin
  -- Another's rows may just be replaced.
  perform pg_advisory_xact_lock(tidemark.lock_of_view(of_schema, of_table));
  query := tidemark.view_query(of_schema, of_table);
  if query is null then
    perform tidemark.retire_view(of_schema, of_table);
    return;
  end if;
  perform tidemark.ensure_schema(of_schema);
  select * into taken from tidemark.foreign_object(of_schema, of_table);
  if found and or_leave then
    return;
  elsif found then
    raise exception '% is in the target and was not made by Tidemark, so the view of this name cannot be made', taken.object
      using errcode = 'duplicate_table',
        hint = format('rename it, %s, then npm run accept -- %s.%s', taken.renamed_by, of_schema, of_table);
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
    perform tidemark.free_view_name(of_schema, of_table);
    execute format('create view %I.%I as %s', of_schema, of_table, query);
    foreach query in array grants loop
      execute query;
    end loop;
  end;
  execute format('grant select on %I.%I to tidemark_read', of_schema, of_table);
  insert into tidemark.shown_view as s (schema_name, table_name, view)
  values (of_schema, of_table, format('%I.%I', of_schema, of_table)::regclass)
  on conflict (schema_name, table_name) do update set view = excluded.view, empty_of = null
  where s.view <> excluded.view or s.empty_of is not null;
end
$$;

-- The view of a relation and those of its parents, present and (by an earlier contract) former.
create or replace function tidemark.show_views(
  of_relation bigint, earlier jsonb default null, or_leave boolean default false
) returns void
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
    perform tidemark.show_view(name.schema, name.table, or_leave);
  end loop;
end
$$;

-- Views that show no rows: their tables are gone in the source, and objects of users depend on them. They go with these.
create or replace view tidemark.empty_view as
select s.empty_of[1] as schema_name, s.empty_of[2] as table_name, s.view,
  string_agg(d.object, ' and ' order by d.place) as dependents,
  string_agg(coalesce(d.dropped_by, '-- drop ' || d.object), E'\n' order by d.place desc) as dropped_by
from tidemark.shown_view s
cross join lateral tidemark.dependents(s.view) d
where s.empty_of is not null
group by s.empty_of, s.view;

alter view tidemark.empty_view owner to tidemark_owner;
grant select on tidemark.empty_view to tidemark_read;

-- The views that somebody dropped in the target, whose rows are there.
create or replace function tidemark.missing_views() returns table (schema_name text, table_name text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select s.schema_name, s.table_name
  from tidemark.shown_view s
  where not exists (select from pg_class c where c.oid = s.view)
    and s.empty_of is null
    and tidemark.view_query(s.schema_name, s.table_name) is not null
$$;

-- Makes a view again that somebody dropped.
create or replace function tidemark.restore_view(of_schema text, of_table text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select from tidemark.missing_views() lost where (lost.schema_name, lost.table_name) = (of_schema, of_table)
  ) then
    perform tidemark.show_view(of_schema, of_table);
  end if;
end
$$;
