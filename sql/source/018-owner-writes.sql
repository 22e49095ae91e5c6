-- Takes tables that their owners cannot write to out of the publication, whatever made them so.

-- Whether somebody has our publication have some columns or some rows of a relation only: its changes do not tell all, and
-- its owner may not be able to update it.
create or replace function tidemark.is_published_in_part(relation oid) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  return exists (
    select
    from tidemark.publications_of(relation) p
    where p.publication = 'tidemark'
      and (p.only_columns is not null or p.condition is not null)
  );
end
$$;

-- The tables of our publication whose owners cannot update or delete rows, by Postgres's own rule, and those that are
-- published in part. Each is to be observed, which takes it out of the publication.
create or replace function tidemark.unwritable_tables() returns setof oid
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select c.oid
  from tidemark.captured_table t
  join pg_class c on c.oid = t.relation::oid
  where tidemark.is_published(c.oid)
    and (
      tidemark.is_published_in_part(c.oid)
      or c.relreplident = 'f' and exists (select from tidemark.obstacles_to_images(c.oid))
      or c.relreplident <> 'f' and not exists (
        select
        from pg_index i
        where i.indrelid = c.oid
          and i.indisvalid
          and case c.relreplident
            when 'd' then i.indisprimary and i.indimmediate
            when 'i' then i.indisreplident
          end
      )
    );
end
$$;

-- The captured tables that DDL on publications may have made unwritable. That of ours which adds a table is none: it comes
-- for each table, and its whole table is looked at where it is added.
create or replace function tidemark.tables_of_publications(classes oid[], objects oid[]) returns setof oid
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select
    from unnest(classes, objects) as command (classid, objid)
    where command.classid in ('pg_publication'::regclass, to_regclass('pg_publication_namespace'))
      or command.classid = 'pg_publication_rel'::regclass
        and not exists (
          select
          from pg_publication_rel r
          join pg_publication p on p.oid = r.prpubid
          where r.oid = command.objid
            and p.pubname = 'tidemark'
            and not tidemark.is_published_in_part(r.prrelid)
        )
  ) then
    return query select u from tidemark.unwritable_tables() as u;
  end if;
end
$$;

-- Has our publication have the stored generated columns, without which Postgres 18 refuses updates of a table whose replica
-- identity is full. It is also so after an upgrade of the server, which leaves them out.
create or replace function tidemark.publish_generated_columns() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select
    from pg_publication p
    where p.pubname = 'tidemark'
      and to_jsonb(p) ->> 'pubgencols' <> 's'
  ) then
    alter publication tidemark set (publish_generated_columns = stored);
  end if;
end
$$;

-- Gives a table with a key back the replica identity it had before it was captured, where the one that capture gave it
-- keeps its owner from writing because of another publication. A lock that is not to be had is asked for again by the
-- next capture.
create or replace function tidemark.give_identity_back(of_relation oid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from tidemark.captured_table t where t.relation = of_relation::bigint and t.identity_given)
    and exists (select from tidemark.key_columns(of_relation))
    and exists (select from tidemark.obstacles_to_images(of_relation)) then
    execute format('alter table only %s replica identity default', of_relation::regclass);
    update tidemark.captured_table t
    set identity_given = false
    where t.relation = of_relation::bigint;
  end if;
exception when others then
  raise debug 'tidemark: %', sqlerrm;
end
$$;

select tidemark.publish_generated_columns();

-- Not on all functions: tidemark.audit is everybody's.
revoke all on function
  tidemark.need_of_images(oid, text[]),
  tidemark.publications_of(oid),
  tidemark.obstacles_to_images(oid),
  tidemark.is_published_in_part(oid),
  tidemark.unwritable_tables(),
  tidemark.tables_of_publications(oid[], oid[]),
  tidemark.publish_generated_columns(),
  tidemark.give_identity_back(oid)
from public;
