-- Rules by which a table is refused for its name or for that of its schema or of a column.

-- Debezium fails on two columns whose names differ only in case.
create or replace function tidemark.refused_columns_alike(relation oid) returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select min(a.attnum)::integer,
    format('its columns %s differ only in case', string_agg(format('%I', a.attname), ' and ' order by a.attnum)),
    format('alter table %I.%I rename column %I to %I', n.nspname, c.relname, max(a.attname), max(a.attname) || '_2')
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.oid = relation
  group by n.nspname, c.relname, lower(a.attname)
  having count(*) > 1;
end
$$;

-- The target has columns of its own in the tables of rows, whose names begin with tidemark$. Debezium fails on a quote.
create or replace function tidemark.refused_column_names(relation oid) returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select a.attnum::integer, format('the name of its column %I is reserved or holds a quote', a.attname),
    format('alter table %I.%I rename column %I to %I', n.nspname, c.relname, a.attname,
      regexp_replace(a.attname, '["\\]|^tidemark\$', '_', 'g'))
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.oid = relation
    and (a.attname ~ '["\\]' or a.attname like 'tidemark$%');
end
$$;

-- Whether the target would cut a name off: its names have at most 63 bytes, and its encoding is UTF-8.
create or replace function tidemark.is_cut_off(name text) returns boolean
language plpgsql stable
as $$
begin
  return case
    when getdatabaseencoding() in ('UTF8', 'SQL_ASCII') then false
    else octet_length(convert_to(name, 'UTF8')) > 63
  end;
end
$$;

-- The view of a table has the names of its columns.
create or replace function tidemark.refused_long_column_names(relation oid, excluded_columns text[])
returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select a.attnum::integer, format('the name of its column %I has more than 63 bytes in UTF-8: the target would cut it off', a.attname),
    format('alter table %I.%I rename column %I to %I', n.nspname, c.relname, a.attname, left(a.attname, 15))
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.oid = relation
    and a.attname <> all (excluded_columns)
    and tidemark.is_cut_off(a.attname);
end
$$;

-- Debezium takes the names of tables for patterns, and fails on a quote. Its failure would stop every table.
create or replace function tidemark.refused_table_name(relation oid) returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select 0, 'its name holds a quote, a backslash, a bracket or one of *+?|^',
    format('alter table %I.%I rename to %I', n.nspname, c.relname, regexp_replace(c.relname, '["\\()[\]{}*+?|^]', '_', 'g'))
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
    and c.relname ~ '["\\()[\]{}*+?|^]'
  union all
  select 1, 'its name has more than 63 bytes in UTF-8: the target would cut it off',
    format('alter table %I.%I rename to %I', n.nspname, c.relname, left(c.relname, 15))
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
    and tidemark.is_cut_off(c.relname);
end
$$;

-- The same for the name of its schema.
create or replace function tidemark.refused_schema_name(relation oid) returns table (attnum integer, reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select 0, 'the name of its schema holds a quote, a backslash, a bracket or one of *+?|^',
    format('alter schema %I rename to %I', n.nspname, regexp_replace(n.nspname, '["\\()[\]{}*+?|^]', '_', 'g'))
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
    and n.nspname ~ '["\\()[\]{}*+?|^]'
  union all
  select 1, 'the name of its schema has more than 63 bytes in UTF-8: the target would cut it off',
    format('alter schema %I rename to %I', n.nspname, left(n.nspname, 15))
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
    and tidemark.is_cut_off(n.nspname);
end
$$;
