-- Rules by which a table is refused for what it is as a whole: its persistence, its replica identity, and the rights on it.

-- An unlogged table writes nothing to the log.
create or replace function tidemark.refused_unlogged(relation oid) returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select 0, 'it is unlogged: its changes are not in the log', format('alter table %I.%I set logged', n.nspname, c.relname)
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
    and c.relpersistence = 'u';
end
$$;

-- A table with a primary key is captured by that key. With another replica identity its updates and deletes do not have the
-- key. Subscribers of the owner's own publications may need the replica identity, so it is not for us to change it then.
create or replace function tidemark.refused_replica_identity(relation oid) returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select 0,
    format('its replica identity is %s', case c.relreplident when 'i' then 'an index other than its primary key' else 'nothing' end),
    case
      when c.relreplident = 'i' and others.publications is not null then format(
        '-- exclude the table, or let subscribers of %s get rows by their primary key: alter table %I.%I replica identity default',
        others.publications, n.nspname, c.relname)
      else format('alter table %I.%I replica identity default', n.nspname, c.relname)
    end
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  cross join lateral (
    select string_agg(format('%I', p.publication), ', ' order by p.publication) as publications
    from tidemark.publications_of(relation) p
    where p.publication <> 'tidemark'
  ) as others
  where c.oid = relation
    and c.relreplident in ('i', 'n')
    and exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indimmediate)
    and not exists (select from pg_index i where i.indrelid = c.oid and i.indisreplident and i.indisprimary);
end
$$;

-- Debezium reads rows as tidemark_capture, and row-level security would hide rows from it without an error.
create or replace function tidemark.refused_row_security(relation oid) returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select 0, 'row-level security hides rows from tidemark_capture',
    case
      -- A restrictive policy takes rows away that another one gives.
      when policies.restrict then 'alter role tidemark_capture bypassrls'
      else format('create policy tidemark_capture on %I.%I for select to tidemark_capture using (true)', n.nspname, c.relname)
    end
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  cross join lateral (
    select
      coalesce(bool_or(p.permissive = 'PERMISSIVE' and p.qual = 'true'), false) as show_all,
      coalesce(bool_or(p.permissive = 'RESTRICTIVE'), false) as restrict
    from pg_policies p
    where p.schemaname = n.nspname
      and p.tablename = c.relname
      and p.cmd in ('SELECT', 'ALL')
      and p.roles && array['tidemark_capture', 'public']::name[]
  ) as policies
  where c.oid = relation
    and c.relrowsecurity
    and (not policies.show_all or policies.restrict)
    and not exists (
      select from pg_roles r where r.rolname = 'tidemark_capture' and (r.rolbypassrls or r.rolsuper)
    );
end
$$;

-- The administrator looks whether a table has rows that have to be read. Row-level security that is forced on the owner hides
-- them from an administrator that has the rights of the owner.
create or replace function tidemark.refused_forced_row_security(relation oid, administrator name)
returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select 0, format('row-level security, which is forced on its owner, hides rows from %I', administrator),
    -- Without the force, an application that connects as the owner would see every row.
    format('alter role %I bypassrls', administrator)
  from pg_class c
  join pg_roles a on a.rolname = administrator and not a.rolbypassrls and not a.rolsuper
  where c.oid = relation
    and c.relrowsecurity
    and c.relforcerowsecurity;
end
$$;

-- Only a role with the rights of the owner can add a table to a publication and alter its replica identity.
create or replace function tidemark.refused_owner(relation oid, administrator name)
returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select 0, format('it is owned by %I, whose rights %I does not have', o.rolname, administrator),
    format('grant %I to %I', o.rolname, administrator)
  from pg_class c
  join pg_roles o on o.oid = c.relowner
  where c.oid = relation
    and not pg_has_role(administrator, c.relowner, 'usage');
end
$$;

-- Debezium needs the schema of a table that it reads, and the administrator has to be allowed to grant that.
create or replace function tidemark.refused_schema_access(relation oid, administrator name)
returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select 0, format('%I may not let tidemark_capture into its schema', administrator),
    format('grant usage on schema %I to %I with grant option', n.nspname, administrator)
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
    and not has_schema_privilege(administrator, n.oid, 'usage with grant option')
    and not exists (
      select
      from aclexplode(n.nspacl) acl
      where acl.privilege_type = 'USAGE'
        and acl.grantee in (0, coalesce(to_regrole('tidemark_capture')::oid, 0))
    );
end
$$;

-- The owner has to be able to update and delete rows of a captured table (tidemark.obstacles_to_images). This holds for a table
-- that needs replica identity full, and for one that has it already.
create or replace function tidemark.refused_owner_writes(relation oid, excluded_columns text[])
returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select o.attnum::integer,
    format('its owner could not update or delete its rows: %s, and %s', coalesce(n.need, 'its replica identity is full'), o.obstacle),
    case
      when n.need is null then format('alter table %I.%I replica identity default', s.nspname, c.relname)
      else coalesce(o.fix, format('-- %s, or exclude the table; %s',
        case
          when exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indimmediate)
            then 'exclude the columns of these types with excludeColumns of the setting captured'
          else 'add a primary key'
        end, o.price))
    end
  from pg_class c
  join pg_namespace s on s.oid = c.relnamespace
  cross join lateral tidemark.obstacles_to_images(relation) o
  cross join lateral tidemark.need_of_images(relation, excluded_columns) n (need)
  where c.oid = relation
    and (n.need is not null or c.relreplident = 'f');
end
$$;
