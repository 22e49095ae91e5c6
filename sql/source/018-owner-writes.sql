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

-- Whether a table is in our publication and its owner cannot update or delete rows, by Postgres's own rule, or it is published
-- in part. Such a table is to be observed, which takes it out of the publication.
create or replace function tidemark.is_unwritable(relation oid) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  return tidemark.is_published(relation) and (
    tidemark.is_published_in_part(relation)
    or exists (
      select
      from pg_class c
      where c.oid = relation
        and case
          when c.relreplident = 'f' then
            -- What can be an obstacle is cheaper to see than the obstacles.
            (
              exists (select from pg_publication p where p.pubname <> 'tidemark')
              or exists (select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and a.attgenerated <> '')
            )
            and exists (select from tidemark.obstacles_to_images(c.oid))
          else not exists (
            select
            from pg_index i
            where i.indrelid = c.oid
              and i.indisvalid
              and case c.relreplident
                when 'd' then i.indisprimary and i.indimmediate
                when 'i' then i.indisreplident
              end
          )
        end
    )
  );
end
$$;

-- The captured tables that are unwritable.
create or replace function tidemark.unwritable_tables() returns setof oid
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select t.relation::oid
  from tidemark.captured_table t
  where tidemark.is_unwritable(t.relation::oid);
end
$$;

-- Whether another transaction that has not ended altered our publication: to take a table out of it would wait for its end.
create or replace function tidemark.is_publication_held() returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (
    select
    from pg_publication p
    join pg_locks l on l.objid = p.oid
    where p.pubname = 'tidemark'
      and l.locktype = 'object'
      and l.classid = 'pg_publication'::regclass
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
      and l.pid is distinct from pg_backend_pid()
  );
end
$$;

-- Gives a table that stays in the publication for now a replica identity by which its owner can write, where there is
-- one. The DDL that made it necessary holds the lock that this needs. The next capture takes out of the publication what does
-- not belong there.
create or replace function tidemark.give_writable_identity(of_relation oid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  needs_default constant boolean := exists (select from tidemark.obstacles_to_images(of_relation));
begin
  if not tidemark.is_unwritable(of_relation) then
    return;
  end if;
  if needs_default
    and not exists (select from tidemark.captured_table t where t.relation = of_relation::bigint and t.identity_given) then
    return;
  end if;
  execute format(
    'alter table only %s replica identity %s',
    of_relation::regclass, case when needs_default then 'default' else 'full' end
  );
  update tidemark.captured_table t
  set identity_given = not needs_default
  where t.relation = of_relation::bigint;
exception when others then
  raise debug 'tidemark: %', sqlerrm;
end
$$;

-- Ends DDL that leaves a table which its owner could not write to, nor could it be taken out of the publication: that DDL can
-- be run again, while the writes of the application could not be.
create or replace function tidemark.refuse_unwritable(touched oid[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  unwritable regclass;
begin
  begin
    select t into unwritable
    from unnest(touched) as t
    where tidemark.is_unwritable(t)
    limit 1;
  exception when others then
    raise debug 'tidemark: %', sqlerrm;
  end;
  if unwritable is not null then
    raise exception 'after this, rows of % could not be updated or deleted while it is captured, and another transaction keeps '
      'it from being taken out of publication tidemark', unwritable
      using errcode = 'lock_not_available',
        hint = 'Run it again when that transaction has ended; select * from pg_locks where classid = ''pg_publication''::regclass '
          'shows its session.';
  end if;
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

-- Makes our publication what it has to be, where somebody altered it: with every operation, each leaf under its own name, with
-- stored generated columns (without which Postgres 18 refuses updates of a table whose replica identity is full; an upgrade
-- of the server leaves them out), and with the control tables. Returns whether changes may have been missing until now.
create or replace function tidemark.restore_publication() returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  control_tables constant regclass[] := array['tidemark.table_contract', 'tidemark.beacon', 'tidemark.signal'];
  published pg_publication;
  control_table regclass;
  was_reduced boolean := false;
begin
  perform tidemark.make_publication();
  select * into published from pg_publication p where p.pubname = 'tidemark';
  foreach control_table in array control_tables loop
    if tidemark.is_published_in_part(control_table) then
      execute format('alter publication tidemark drop table only %s', control_table);
    end if;
    if not tidemark.is_published(control_table) then
      execute format('alter publication tidemark add table only %s', control_table);
      was_reduced := true;
    end if;
  end loop;
  if to_jsonb(published) ->> 'pubgencols' <> 's' then
    alter publication tidemark set (publish_generated_columns = stored);
  end if;
  if not (published.pubinsert and published.pubupdate and published.pubdelete and published.pubtruncate)
    or published.pubviaroot then
    alter publication tidemark set (publish = 'insert, update, delete, truncate', publish_via_partition_root = false);
    was_reduced := true;
  end if;
  return was_reduced;
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

select tidemark.restore_publication();

-- Not on all functions: tidemark.audit is everybody's.
revoke all on function
  tidemark.need_of_images(oid, text[]),
  tidemark.publications_of(oid),
  tidemark.obstacles_to_images(oid),
  tidemark.is_published_in_part(oid),
  tidemark.is_unwritable(oid),
  tidemark.unwritable_tables(),
  tidemark.is_publication_held(),
  tidemark.give_writable_identity(oid),
  tidemark.refuse_unwritable(oid[]),
  tidemark.tables_of_publications(oid[], oid[]),
  tidemark.restore_publication(),
  tidemark.give_identity_back(oid)
from public;
