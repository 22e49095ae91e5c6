-- Rules by which a table is refused for its key, its generated columns, or the types of its columns.

-- The columns of a table that a rule looks at: whether the setting excludes them, and their place in the primary key. Where
-- the key is deferrable, or there is none, a row is identified by all its values, and no column has a place.
create or replace function tidemark.columns_for_rules(relation oid, excluded_columns text[])
returns table (
  table_name text, path text, attname name, attnum int2, atttypid oid, atttypmod integer, attgenerated "char", attcollation oid,
  place bigint, excluded boolean
)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select format('%I.%I', n.nspname, c.relname), n.nspname || '.' || c.relname, a.attname, a.attnum, a.atttypid, a.atttypmod,
    a.attgenerated, a.attcollation, key.place, a.attname = any (excluded_columns)
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join (
    select k.attnum, k.place
    from pg_index i
    cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
    where i.indrelid = relation
      and i.indisprimary
      and i.indimmediate
      and k.place <= i.indnkeyatts
  ) as key on key.attnum = a.attnum
  where c.oid = relation;
end
$$;

-- The target identifies rows by the key, so it has to have every column of it.
create or replace function tidemark.refused_excluded_key(relation oid, excluded_columns text[])
returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select a.attnum::integer, format('column %I of its primary key is excluded', a.attname),
    format('-- take ''%s.%s'' out of excludeColumns of the setting captured', a.path, a.attname)
  from tidemark.columns_for_rules(relation, excluded_columns) a
  where a.excluded
    and a.place is not null;
end
$$;

-- Before Postgres 18 streamed changes do not have generated columns, which the view of the target computes. So they cannot be
-- part of the key.
create or replace function tidemark.refused_generated_key(relation oid, excluded_columns text[])
returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select a.attnum::integer, format('column %I of its primary key is generated', a.attname),
    format('-- give the table another primary key, or exclude it; after alter table %s alter column %I drop expression '
      'nothing computes the column, and the application that inserts rows has to', a.table_name, a.attname)
  from tidemark.columns_for_rules(relation, excluded_columns) a
  where a.attgenerated <> ''
    and a.place is not null;
end
$$;

-- What the generated columns of a table depend on. Postgres 14 records it for the column, later majors for its expression.
create or replace function tidemark.computed_with(relation oid)
returns table (attnum int2, refclassid oid, refobjid oid, refobjsubid integer)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select a.attnum, d.refclassid, d.refobjid, d.refobjsubid
  from pg_attribute a
  join pg_attrdef e on e.adrelid = a.attrelid and e.adnum = a.attnum
  join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = e.oid
    or d.classid = 'pg_class'::regclass and d.objid = relation and d.objsubid = a.attnum and d.deptype = 'a'
  where a.attrelid = relation
    and a.attnum > 0
    and not a.attisdropped
    and a.attgenerated <> '';
end
$$;

-- What to do about a generated column that the target could not compute. Its owner has to decide whether the expression is
-- dropped, and Postgres 18 does not drop that of a virtual column.
create or replace function tidemark.advice_on_generated(relation oid, attribute smallint, kind "char") returns text
language sql stable
as $$
  select format('-- add ''%s.%s.%s'' to excludeColumns of the setting captured', n.nspname, c.relname, a.attname)
    || case when kind = 's' then format('; after alter table %I.%I alter column %I drop expression nothing computes the column, '
      'and the application that inserts rows has to', n.nspname, c.relname, a.attname)
    else '' end
  from pg_attribute a
  join pg_class c on c.oid = a.attrelid
  join pg_namespace n on n.oid = c.relnamespace
  where a.attrelid = relation
    and a.attnum = attribute
$$;

-- The view of the target computes generated columns, with what Postgres has and what extensions have, but not with functions,
-- operators, types and collations of the application.
create or replace function tidemark.refused_missing_in_target(relation oid, excluded_columns text[])
returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select a.attnum::integer, format('generated column %I uses %s, which the target does not have', a.attname,
      string_agg(pg_describe_object(d.refclassid, d.refobjid, 0), ' and ')),
    tidemark.advice_on_generated(relation, a.attnum, a.attgenerated)
  from tidemark.columns_for_rules(relation, excluded_columns) a
  join tidemark.computed_with(relation) d on d.attnum = a.attnum
  where not a.excluded
    and d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass, 'pg_collation'::regclass)
    and not exists (
      select
      from pg_depend e
      where e.classid = d.refclassid
        and e.objid = d.refobjid
        and e.deptype = 'e'
    )
    and coalesce(
      (select p.pronamespace from pg_proc p where d.refclassid = 'pg_proc'::regclass and p.oid = d.refobjid),
      (select o.oprnamespace from pg_operator o where d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid),
      (select t.typnamespace from pg_type t where d.refclassid = 'pg_type'::regclass and t.oid = d.refobjid),
      (select l.collnamespace from pg_collation l where d.refclassid = 'pg_collation'::regclass and l.oid = d.refobjid)
    ) <> 'pg_catalog'::regnamespace
  group by a.attname, a.attnum, a.attgenerated;
end
$$;

-- A generated column is computed from the stored columns of the target: an excluded one is not there, and one that the target
-- stores as text would give another value.
create or replace function tidemark.refused_computed_from_other(relation oid, excluded_columns text[])
returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select a.attnum::integer, format('generated column %I is computed from column %I, which %s', a.attname, u.attname,
      case when u.excluded then 'is excluded' else 'the target stores as ' || type.carried end),
    tidemark.advice_on_generated(relation, a.attnum, a.attgenerated)
  from tidemark.columns_for_rules(relation, excluded_columns) a
  join tidemark.computed_with(relation) d on d.attnum = a.attnum
    and d.refclassid = 'pg_class'::regclass and d.refobjid = relation and d.refobjsubid <> a.attnum
  join tidemark.columns_for_rules(relation, excluded_columns) u on u.attnum = d.refobjsubid
  cross join lateral tidemark.column_type(u.atttypid, u.atttypmod) type
  where not a.excluded
    and (
      u.excluded
      or type.carried in ('text', 'text[]') and format_type(u.atttypid, u.atttypmod) not in ('text', 'text[]')
    );
end
$$;

-- A column whose values are not carried exactly would make the target differ from the source without anybody knowing it.
create or replace function tidemark.refused_types(relation oid, excluded_columns text[])
returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  -- A table of a thousand columns has few types.
  with type as materialized (
    select d.atttypid, d.atttypmod, c.carried, c.refusal
    from (select distinct a.atttypid, a.atttypmod from tidemark.columns_for_rules(relation, excluded_columns) a) as d
    cross join lateral tidemark.column_type(d.atttypid, d.atttypmod) c
  )
  select a.attnum::integer, format('type %s of column %I: %s', format_type(a.atttypid, a.atttypmod), a.attname, r.refusal), r.fix
  from tidemark.columns_for_rules(relation, excluded_columns) a
  join type on type.atttypid = a.atttypid and type.atttypmod = a.atttypmod
  cross join lateral tidemark.column_type_refusal(relation, a.attnum) r
  where not a.excluded
    -- What generated columns hold is not taken from Debezium. It reads them in spite of that, and an interval may end it.
    and (a.attgenerated = '' or type.carried like 'interval%')
    and type.refusal is not null;
end
$$;

-- Two values that are equal in the source must be one key in the target.
create or replace function tidemark.refused_key_types(relation oid, excluded_columns text[])
returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select a.attnum::integer,
    format('type %s of key column %I: %s', format_type(a.atttypid, a.atttypmod), a.attname, type.key_refusal),
    format('-- exclude the table, or give %s another primary key', a.table_name)
  from tidemark.columns_for_rules(relation, excluded_columns) a
  cross join lateral tidemark.column_type(a.atttypid, a.atttypmod) type
  where a.place is not null
    and type.key_refusal is not null;
end
$$;

-- The same for a text column: its collation may make different texts equal.
create or replace function tidemark.refused_key_collations(relation oid, excluded_columns text[])
returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select a.attnum::integer, format('the collation of key column %I is not deterministic', a.attname),
    format('alter table %s alter column %I type %s collate "C"', a.table_name, a.attname, format_type(a.atttypid, a.atttypmod))
  from tidemark.columns_for_rules(relation, excluded_columns) a
  join pg_collation l on l.oid = a.attcollation and not l.collisdeterministic
  where a.place is not null;
end
$$;
