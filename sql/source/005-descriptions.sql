-- Whether the setting asks for the relation: the tables it includes by name or, without any, those of its schemas; less
-- the ones it excludes.
create or replace function tidemark.is_chosen(relation oid) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (
    select
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    cross join tidemark.setting s
    where c.oid = relation
      and c.relkind in ('r', 'p')
      and c.relpersistence <> 't'
      and case s.captured -> 'includeTables'
        when '[]' then s.captured -> 'schemas' ? n.nspname
        else s.captured -> 'includeTables' ? (n.nspname || '.' || c.relname)
      end
      and not s.captured -> 'excludeTables' ? (n.nspname || '.' || c.relname)
  );
end
$$;

create or replace function tidemark.is_published(relation oid) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
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

-- Whether Debezium's slot of this epoch exists: what is committed from now on reaches the topic.
create or replace function tidemark.is_listening() returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (
    select
    from pg_replication_slots r
    join tidemark.setting s on r.slot_name = 'tidemark_e' || s.epoch
    where r.database = current_database()
  );
end
$$;

-- The columns the setting leaves out of a relation.
create or replace function tidemark.excluded_columns(relation oid) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
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

-- The contract of a relation as the catalog has it now, without its version; null when the relation does not exist.
create or replace function tidemark.describe_table(relation oid) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select jsonb_build_object(
      'relation', c.oid::bigint,
      'schema', n.nspname,
      'table', c.relname,
      'dropped', false,
      'published', tidemark.is_published(c.oid),
      'refusal', case
        when tidemark.is_chosen(c.oid) then (
          select string_agg(r.reason, '; ')
          from tidemark.table_refusals(c.oid, excluded.columns, current_user) r
        )
        else 'it is not among the captured tables'
      end,
      'replicaIdentity', case c.relreplident
        when 'd' then 'default'
        when 'f' then 'full'
        when 'i' then 'index'
        else 'nothing'
      end,
      'columns', (
        select coalesce(jsonb_agg(
          jsonb_build_object(
            'number', a.attnum,
            'name', a.attname,
            'type', format_type(a.atttypid, a.atttypmod),
            'nullable', not a.attnotnull,
            'generated', a.attgenerated <> '',
            'key', (
              select k.place
              from pg_index i
              cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
              where i.indrelid = c.oid
                and i.indisprimary
                and k.place <= i.indnkeyatts
                and k.attnum = a.attnum
            )
          )
          order by a.attnum), '[]')
        from pg_attribute a
        where a.attrelid = c.oid
          and a.attnum > 0
          and not a.attisdropped
          and a.attname <> all (excluded.columns)
      )
    )
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    cross join lateral (select tidemark.excluded_columns(c.oid)) as excluded (columns)
    where c.oid = relation
      and c.relkind in ('r', 'p')
      and c.relpersistence <> 't'
  );
end
$$;

revoke all on all functions in schema tidemark from public;
