-- The views that users read: one per captured table, of the source's name, and one per table whose rows are in partitions or
-- in tables that inherit from it.

-- Renames the view of a table that was renamed, with the rights on it and what depends on it, where no other relation
-- has the former name and the new name is free.
create or replace function tidemark.rename_view(of_schema text, of_table text, to_schema text, to_table text) returns void
language plpgsql
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
  -- In either schema another object may have the other name.
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

-- Makes a schema for views, which tidemark_read may use.
create or replace function tidemark.ensure_schema(of_schema text) returns void
language plpgsql
as $$
begin
  if not exists (select from pg_namespace n where n.nspname = of_schema) then
    execute format('create schema %I', of_schema);
    execute format('grant usage on schema %I to tidemark_read', of_schema);
  end if;
end
$$;

-- The object that has a name and was not made by Tidemark, and the command that renames it. No row means that the name
-- is free or ours.
create or replace function tidemark.foreign_object(of_schema text, of_table text)
returns table (object text, renamed_by text)
language sql stable
as $$
  with found as (
    select 'pg_class'::regclass as class, c.oid, c.relkind = 'c' as is_type
    from pg_class c
    where c.relname = of_table
      and c.relnamespace = (select n.oid from pg_namespace n where n.nspname = of_schema)
      and c.oid is distinct from tidemark.own_view(of_schema, of_table)
    union all
    -- A view is also a type. A type of an array is renamed by Postgres itself.
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

-- Makes the view of a name show what it has to show, and keeps the rights that were granted on it. Where another object
-- has the name this is an error or, with or_leave, nothing is done.
create or replace function tidemark.show_view(of_schema text, of_table text, or_leave boolean default false) returns void
language plpgsql
as $$
declare
  query text;
  taken record;
  grants text[];
begin
  -- Another transaction may be replacing the rows of a relation that this view shows.
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
    raise exception '% is in the target and was not created by Tidemark, so the view of this name cannot be created', taken.object
      using errcode = 'duplicate_table',
        hint = format('rename it with %s, then run npm run accept -- %s.%s', taken.renamed_by, of_schema, of_table);
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

-- Makes the view of a relation and those of its parents, the present ones and, by an earlier contract, the former ones.
create or replace function tidemark.show_views(
  of_relation bigint, earlier jsonb default null, or_leave boolean default false
) returns void
language plpgsql
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

-- The views that were dropped in the target although their rows are there.
create or replace function tidemark.missing_views() returns table (schema_name text, table_name text)
language sql stable security definer
as $$
  select s.schema_name, s.table_name
  from tidemark.shown_view s
  where not exists (select from pg_class c where c.oid = s.view)
    and s.empty_of is null
    and tidemark.view_query(s.schema_name, s.table_name) is not null
$$;

-- Makes a view again that was dropped in the target.
create or replace function tidemark.restore_view(of_schema text, of_table text) returns void
language plpgsql security definer
as $$
begin
  if exists (
    select from tidemark.missing_views() lost where (lost.schema_name, lost.table_name) = (of_schema, of_table)
  ) then
    perform tidemark.show_view(of_schema, of_table);
  end if;
end
$$;
