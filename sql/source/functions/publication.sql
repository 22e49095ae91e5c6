-- The publication tidemark: what is in it, whether a transaction holds it, and how it is made and restored.

-- Makes the publication where it is missing. Captured tables are added to it one by one.
create or replace function tidemark.make_publication() returns void
language plpgsql
as $$
begin
  if not exists (select from pg_publication p where p.pubname = 'tidemark') then
    create publication tidemark
      for table tidemark.table_contract, tidemark.beacon, tidemark.signal
      with (publish = 'insert, update, delete, truncate');
    insert into tidemark.publication_made (lsn)
    values (pg_current_wal_insert_lsn())
    on conflict ((true)) do update
    set lsn = excluded.lsn;
  end if;
end
$$;

-- Whether a relation is in our publication.
create or replace function tidemark.is_published(relation oid) returns boolean
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return exists (
    select
    from pg_publication_rel r
    join pg_publication p on p.oid = r.prpubid
    where p.pubname = 'tidemark'
      and r.prrelid = relation
  );
end
$$;

-- Whether our publication was altered so that it has only some columns or some rows of a relation. Its changes are then
-- incomplete, and its owner may not be able to update it.
create or replace function tidemark.is_published_in_part(relation oid) returns boolean
language plpgsql stable
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

-- Whether another open transaction has altered our publication. To take a table out of it would then wait until that
-- transaction ends.
create or replace function tidemark.is_publication_held() returns boolean
language plpgsql stable
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

-- The captured tables that DDL on publications may have made unwritable. Our own DDL that adds a table to our
-- publication is left out: it runs for each table, and that table is observed where it is added.
create or replace function tidemark.tables_of_publications(classes oid[], objects oid[]) returns setof oid
language plpgsql stable
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

-- Makes our publication what it has to be where it was altered: with every operation, with each leaf under its own name,
-- with stored generated columns, and with the control tables. Without generated columns Postgres 18 refuses updates of a
-- table whose replica identity is full, and an upgrade of the server leaves them out. Returns whether changes may have
-- been missing until now.
create or replace function tidemark.restore_publication() returns boolean
language plpgsql
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
