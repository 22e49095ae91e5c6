-- Why a table cannot be captured, and the SQL that changes it; no row means that it can be. This is the one place that
-- knows what is carried exactly. It reads the catalog only, so that the preflight can create it in pg_temp.
create or replace function tidemark.table_refusals(relation oid, excluded_columns text[], administrator name)
returns table (reason text, fix text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
  with this as (
    select c.oid, c.relkind, c.relispartition, c.relpersistence, c.relreplident, c.relrowsecurity, c.relowner,
      n.nspname, c.relname, format('%I.%I', n.nspname, c.relname) as name
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.oid = relation
  ),
  key as (
    select k.attnum, k.place, i.indimmediate, i.indexrelid
    from pg_index i
    cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
    where i.indrelid = relation
      and i.indisprimary
      and k.place <= i.indnkeyatts
  ),
  attribute as (
    select a.attname, a.attnum, a.attgenerated, a.attcollation, key.place, a.attname = any (excluded_columns) as excluded,
      format_type(a.atttypid, a.atttypmod) as type,
      -- numeric(12,2) and timestamp(3) without time zone are of the types numeric and timestamp without time zone.
      regexp_replace(format_type(a.atttypid, a.atttypmod), '\([0-9,-]+\)', '') as family
    from pg_attribute a
    left join key on key.attnum = a.attnum
    where a.attrelid = relation
      and a.attnum > 0
      and not a.attisdropped
  ),
  kind (reason, fix) as (
    select case when this.relispartition then 'it is a table partition' else 'it is a partitioned table' end || ': not captured yet',
      format('-- add ''%s.%s'' to excludeTables of the setting captured', this.nspname, this.relname)
    from this
    where this.relkind = 'p' or this.relispartition
    union all
    select 'it takes part in inheritance: not captured yet',
      format('-- add ''%s.%s'' to excludeTables of the setting captured', this.nspname, this.relname)
    from this
    where this.relkind = 'r'
      and not this.relispartition
      and exists (select from pg_inherits i where relation in (i.inhrelid, i.inhparent))
    union all
    select 'it is unlogged: its changes are not in the log', format('alter table %s set logged', this.name)
    from this
    where this.relpersistence = 'u'
  ),
  candidate as (
    select string_agg(format('%I', a.attname), ', ' order by k.place) as columns
    from pg_index i
    cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
    left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum and a.attnotnull
    where i.indrelid = relation
      and i.indisunique
      and i.indisvalid
      and i.indpred is null
      and k.place <= i.indnkeyatts
    group by i.indexrelid
    having count(a.attnum) = count(*)
    order by count(*), i.indexrelid
    limit 1
  ),
  detail (reason, fix) as (
    select 'it has no primary key',
      coalesce(
        (select format('alter table %s add primary key (%s)', this.name, candidate.columns) from candidate),
        format('alter table %s add column row_id bigint generated always as identity primary key', this.name))
    from this
    where not exists (select from key)
    union all
    select 'its primary key is deferrable',
      format('alter table %1$s drop constraint %2$I, add constraint %2$I %3$s', this.name, c.conname,
        regexp_replace(pg_get_constraintdef(c.oid), ' DEFERRABLE.*$', ''))
    from this
    join pg_constraint c on c.conrelid = this.oid and c.contype = 'p' and c.condeferrable
    union all
    select format('its replica identity is %s', case this.relreplident when 'i' then 'an index' else 'nothing' end),
      format('alter table %s replica identity default', this.name)
    from this
    where this.relreplident not in ('d', 'f')
    union all
    select 'row-level security hides rows from tidemark_capture',
      format('create policy tidemark_capture on %s for select to tidemark_capture using (true)', this.name)
    from this
    where this.relrowsecurity
      and (
        not exists (
          select
          from pg_policies p
          where p.schemaname = this.nspname
            and p.tablename = this.relname
            and p.permissive = 'PERMISSIVE'
            and p.cmd in ('SELECT', 'ALL')
            and p.roles && array['tidemark_capture', 'public']::name[]
            and p.qual = 'true'
        )
        or exists (
          select
          from pg_policies p
          where p.schemaname = this.nspname
            and p.tablename = this.relname
            and p.permissive = 'RESTRICTIVE'
        )
      )
    union all
    select format('it is owned by %I, whose rights %I does not have', o.rolname, administrator),
      format('grant %I to %I', o.rolname, administrator)
    from this
    join pg_roles o on o.oid = this.relowner
    where not pg_has_role(administrator, this.relowner, 'usage')
    union all
    select format('%I may not let tidemark_capture into its schema', administrator),
      format('grant usage on schema %I to %I with grant option', this.nspname, administrator)
    from this
    join pg_namespace n on n.nspname = this.nspname
    where not has_schema_privilege(administrator, n.oid, 'usage with grant option')
      and not exists (
        select
        from aclexplode(n.nspacl) acl
        where acl.privilege_type = 'USAGE'
          and acl.grantee in (0, coalesce(to_regrole('tidemark_capture')::oid, 0))
      )
    union all
    -- Debezium fails on two columns that differ only in case.
    select format('its columns %s differ only in case', string_agg(format('%I', a.attname), ' and ' order by a.attnum)),
      format('alter table %s rename column %I to %I', this.name, max(a.attname), max(a.attname) || '_2')
    from this
    cross join attribute a
    group by this.name, lower(a.attname)
    having count(*) > 1
    union all
    select format('the name of its column %I is reserved or holds a quote', a.attname),
      format('alter table %s rename column %I to %I', this.name, a.attname, regexp_replace(a.attname, '["\\]|^tidemark\$', '_', 'g'))
    from this
    cross join attribute a
    where a.attname ~ '["\\]'
      or a.attname like 'tidemark$%'
    union all
    select format('column %I of its primary key is excluded', a.attname),
      format('-- take ''%s.%s.%s'' out of excludeColumns of the setting captured', this.nspname, this.relname, a.attname)
    from this
    cross join attribute a
    where a.excluded
      and a.place is not null
    union all
    select format('column %I is generated: not captured yet', a.attname),
      format('alter table %s alter column %I drop expression', this.name, a.attname)
    from this
    cross join attribute a
    where a.attgenerated <> ''
      and not a.excluded
    union all
    -- Of those left out some arrive as another value: time 24:00 as 00:00, interval infinity as 0, an unchanged
    -- integer[] as other integers, arrays without their lower bounds. Others end the connector: a long interval,
    -- numeric[] with NaN.
    select format('type %s of column %I: not carried exactly yet', a.type, a.attname),
      format('alter table %1$s alter column %2$I type text using %2$I::text', this.name, a.attname)
    from this
    cross join attribute a
    where not a.excluded
      and a.attgenerated = ''
      and a.family <> all (array[
        'smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision', 'text', 'character varying', 'character',
        'boolean', 'date', 'timestamp without time zone', 'timestamp with time zone', 'uuid', 'json', 'jsonb', 'bytea'
      ])
    union all
    select format('type %s of key column %I: equal keys may be written differently', a.type, a.attname),
      format('-- exclude the table, or give %s another primary key', this.name)
    from this
    cross join attribute a
    where a.place is not null
      and a.family <> all (array[
        'smallint', 'integer', 'bigint', 'numeric', 'text', 'character varying', 'character', 'uuid', 'boolean', 'date',
        'timestamp without time zone', 'timestamp with time zone'
      ])
    union all
    select format('the collation of key column %I is not deterministic', a.attname),
      format('alter table %s alter column %I type %s collate "C"', this.name, a.attname, a.type)
    from this
    cross join attribute a
    join pg_collation l on l.oid = a.attcollation and not l.collisdeterministic
    where a.place is not null
    union all
    -- Debezium fails, and with it every table, on a name that it would have to quote. These come last: the statements
    -- before them use the names as they are.
    select 'its name holds characters other than letters a-z, digits, _ and -',
      format('alter table %s rename to %I', this.name, regexp_replace(this.relname, '[^A-Za-z0-9_-]', '_', 'g'))
    from this
    where this.relname !~ '^[A-Za-z0-9_-]+$'
    union all
    select 'the name of its schema holds characters other than letters a-z, digits, _ and -',
      format('alter schema %I rename to %I', this.nspname, regexp_replace(this.nspname, '[^A-Za-z0-9_-]', '_', 'g'))
    from this
    where this.nspname !~ '^[A-Za-z0-9_-]+$'
  )
  select kind.reason, kind.fix
  from kind
  union all
  select detail.reason, detail.fix
  from detail
  where not exists (select from kind);
end
$$;
