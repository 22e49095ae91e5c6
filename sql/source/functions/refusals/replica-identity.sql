-- Whether the owner of a captured table can still update and delete its rows. Postgres refuses both where a publication has
-- the table and what is published does not fit its replica identity (CheckCmdReplicaIdentity in execReplication.c). Capturing
-- such a table would end the writes of the application, so the same conditions are checked here in the catalog.

-- Why the relation needs replica identity full, as the beginning of a sentence; null where it does not need it. With
-- another replica identity, changes of a row without a key do not say which row they are about, and unchanged TOASTed
-- values of some types cannot be distinguished from null.
create or replace function tidemark.need_of_images(relation oid, excluded_columns text[]) returns text
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return case
    when not exists (select from pg_index i where i.indrelid = relation and i.indisprimary and i.indimmediate)
      then 'without a primary key it needs replica identity full'
    when exists (
      select
      from (
        select distinct a.atttypid, a.atttypmod
        from pg_attribute a
        where a.attrelid = relation
          and a.attnum > 0
          and not a.attisdropped
          and a.attstorage <> 'p'
          and a.attgenerated = ''
          and a.attname <> all (excluded_columns)
      ) as a
      cross join lateral tidemark.column_type(a.atttypid, a.atttypmod) t
      where t.full_images
    ) then 'the types of its columns need replica identity full'
  end;
end
$$;

-- The publications with updates or deletes of a relation. A table partition is also in those of its partitioned tables;
-- the entry that counts, with its list of columns and its condition, is then that of the topmost one. What a major does
-- not have in its catalog is null.
create or replace function tidemark.publications_of(relation oid)
returns table (publication name, listed oid, only_columns text, condition text, generated_columns text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
declare
  of_schemas oid[] := '{}';
begin
  -- Postgres 14 has no publications of schemas. It does not analyze a statement that is not executed.
  if to_regclass('pg_catalog.pg_publication_namespace') is not null then
    of_schemas := array(
      select s.pnpubid
      from pg_publication_namespace s
      join pg_class c on c.relnamespace = s.pnnspid
      where c.oid in (select relation union all select pg_partition_ancestors(relation))
    );
  end if;
  return query
  with above as (
    select coalesce(a.relid, relation)::oid as oid, a.distance
    from pg_partition_ancestors(relation) with ordinality as a (relid, distance)
    union
    select relation, 1
  )
  select p.pubname, entry.oid, entry.detail ->> 'prattrs', entry.detail ->> 'prqual',
    to_jsonb(p) ->> 'pubgencols'
  from pg_publication p
  left join lateral (
    select a.oid, to_jsonb(r) as detail
    from pg_publication_rel r
    join above a on a.oid = r.prrelid
    where r.prpubid = p.oid
      and (a.distance = 1 or p.pubviaroot)
    order by a.distance desc
    limit 1
  ) as entry on true
  where (p.pubupdate or p.pubdelete)
    and (
      p.puballtables
      or p.oid = any (of_schemas)
      or exists (select from pg_publication_rel r join above a on a.oid = r.prrelid where r.prpubid = p.oid)
    );
end
$$;

-- What keeps rows of a table from being updated and deleted while its replica identity is full, by the column that it is
-- about: a publication with only some columns and, since Postgres 18, generated columns that a publication leaves out.
-- `fix` removes it. Where that is not ours to decide, `fix` is null and `price` says what it would take.
create or replace function tidemark.obstacles_to_images(relation oid)
returns table (attnum int2, obstacle text, fix text, price text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select a.attnum, format('no publication can have its virtual generated column %I', a.attname),
    null,
    format(
      'to make it a stored column is to drop it, with its checks, indexes, comments, rights and what else depends on it, and to '
      'add it: alter table %s drop column %I, add column %I %s%s generated always as (%s) stored%s',
      relation::regclass, a.attname, a.attname, format_type(a.atttypid, a.atttypmod),
      case when a.attcollation <> t.typcollation then ' collate ' || a.attcollation::regcollation end,
      pg_get_expr(d.adbin, d.adrelid), case when a.attnotnull then ' not null' end
    )
  from pg_attribute a
  join pg_type t on t.oid = a.atttypid
  join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = relation
    and a.attgenerated = 'v'
  union all
  select g.attnum, format('publication %I leaves out its generated column %I', p.publication, g.attname),
    case when p.publication = 'tidemark' then 'alter publication tidemark set (publish_generated_columns = stored)' end,
    format('to publish the column there changes what the subscribers of %I get', p.publication)
  from tidemark.publications_of(relation) p
  cross join lateral (
    select a.attnum, a.attname
    from pg_attribute a
    where a.attrelid = relation
      and a.attgenerated = 's'
    order by a.attnum
    limit 1
  ) as g
  where p.generated_columns <> 's'
  union all
  select 0::int2, format('publication %I has some of its columns only', p.publication),
    null,
    format('to publish all columns of %s there changes what the subscribers of %I get', p.listed::regclass, p.publication)
  from tidemark.publications_of(relation) p
  where p.only_columns is not null
    and p.publication <> 'tidemark';
end
$$;
