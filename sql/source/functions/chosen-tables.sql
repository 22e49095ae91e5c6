-- Which tables and columns the setting asks for.

-- The tables whose rows include those of the relation, by partitioning or inheritance, the nearest first.
create or replace function tidemark.ancestors(relation oid)
returns table (ancestor oid, schema_name text, table_name text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  with recursive above (oid, distance) as (
    select i.inhparent, 1
    from pg_inherits i
    where i.inhrelid = relation
      and not i.inhdetachpending
    union all
    select i.inhparent, above.distance + 1
    from above
    join pg_inherits i on i.inhrelid = above.oid and not i.inhdetachpending
  )
  select c.oid, n.nspname::text, c.relname::text
  from above
  join pg_class c using (oid)
  join pg_namespace n on n.oid = c.relnamespace
  group by c.oid, n.nspname, c.relname
  order by min(above.distance), n.nspname, c.relname;
end
$$;

-- The names that the setting may choose a relation by: its own, then those of its ancestors.
create or replace function tidemark.chosen_by(relation oid) returns table (schema_name text, name text, own boolean)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select n.nspname::text, n.nspname || '.' || c.relname, true
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
  union all
  select a.schema_name, a.schema_name || '.' || a.table_name, false
  from tidemark.ancestors(relation) a;
end
$$;

-- Whether the setting asks for the relation. It asks for the tables that it includes by name or, where it names none,
-- for those of its schemas, without the tables that it excludes. A partitioned table has no rows of its own and stands
-- for its leaves. A table that inherits from a chosen table is chosen with it.
create or replace function tidemark.is_chosen(relation oid) returns boolean
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return exists (
    select
    from pg_class c
    cross join tidemark.setting s
    where c.oid = relation
      and c.relkind = 'r'
      and c.relpersistence <> 't'
      and exists (
        select
        from tidemark.chosen_by(relation) b
        where case s.captured -> 'includeTables'
          when '[]' then s.captured -> 'schemas' ? b.schema_name
          else s.captured -> 'includeTables' ? b.name
        end
      )
      and not exists (
        select
        from tidemark.chosen_by(relation) b
        where s.captured -> 'excludeTables' ? b.name
          and (b.own or c.relispartition)
      )
  );
end
$$;

-- The columns of a relation that the setting leaves out.
create or replace function tidemark.excluded_columns(relation oid) returns text[]
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  if (select s.captured -> 'excludeColumns' = '[]' from tidemark.setting s) then
    return '{}';
  end if;
  return (
    select coalesce(array_agg(a.attname::text), '{}')
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    cross join tidemark.setting s
    where c.oid = relation
      and s.captured -> 'excludeColumns' ? (n.nspname || '.' || c.relname || '.' || a.attname)
  );
end
$$;
