-- The tables that keep a definition of windows: tidemark_window_rows.w<id>_rows, the image, has what the definition uses of
-- each row, and w<id>_groups has the groups by window and keys.

-- The columns of the image besides the bookkeeping: the key of the row as k1, k2 …, and the used columns as c<number>.
create or replace function tidemark.window_image_columns(plan jsonb)
returns table (number integer, name text, stored text, type text)
language sql immutable
as $$
  select n::integer - 1000, case when not exists (
      select from jsonb_array_elements(plan -> 'columns') c where c -> 'number' = k -> 'number'
    ) then k ->> 'name' end, 'k' || n, k ->> 'type'
  from jsonb_array_elements(plan -> 'key') with ordinality as listed (k, n)
  union all
  select 0, null, v.stored, v.type
  from (values ('image', 'uuid'), ('n', 'integer')) as v (stored, type)
  where jsonb_array_length(plan -> 'key') = 0
  union all
  select (c ->> 'number')::integer, c ->> 'name', 'c' || (c ->> 'number'), c ->> 'type'
  from jsonb_array_elements(plan -> 'columns') c
$$;

-- Makes the tables of a definition, empty.
create or replace function tidemark.create_window_tables(of_definition bigint, definition jsonb, plan jsonb) returns void
language plpgsql
as $$
declare
  rows_table text := format('tidemark_window_rows.w%s_rows', of_definition);
  groups_table text := format('tidemark_window_rows.w%s_groups', of_definition);
  group_columns text := (
    select string_agg(format(', g%s %s', n, t), '' order by n)
    from jsonb_array_elements_text(plan -> 'keyTypes') with ordinality as listed (t, n)
  );
  results text := (
    select string_agg(format(', r%s %s', n, t), '' order by n)
    from jsonb_array_elements_text(plan -> 'resultTypes') with ordinality as listed (t, n)
  );
  group_names text := (
    select string_agg(format(', g%s', n), '' order by n)
    from jsonb_array_elements(plan -> 'keyTypes') with ordinality as listed (t, n)
  );
  keyless boolean := jsonb_array_length(plan -> 'key') = 0;
begin
  execute format(
    'create table %s (event_time timestamp, late_from timestamp, excluded_until timestamp, standing text not null, '
    'epoch integer, phase smallint, lsn bigint, g_hash bigint not null%s%s, primary key (%s)) with (fillfactor = 85)',
    rows_table, group_columns,
    (select string_agg(format(', %I %s', c.stored, c.type), '' order by c.number) from tidemark.window_image_columns(plan) c),
    case
      when keyless then 'image, n'
      else (
        select string_agg('k' || n, ', ' order by n)
        from jsonb_array_elements(plan -> 'key') with ordinality as listed (k, n)
      )
    end);
  -- The rows of a group are found by this index.
  execute format('create index on %s (g_hash, event_time)', rows_table);
  execute format('create index on %s (standing) where standing <> ''counted''', rows_table);
  execute format(
    'create table %s (window_start timestamp not null, g_hash bigint not null%s%s, rows bigint not null default 0, '
    'late_rows bigint not null default 0, visible boolean not null default false, emitted_at timestamptz) with (fillfactor = 70)',
    groups_table, group_columns, results);
  execute format('create unique index on %s (window_start, g_hash%s) nulls not distinct', groups_table, group_names);
  if definition ->> 'emit' = 'on close' then
    execute format('create index on %s (window_start) where emitted_at is null', groups_table);
  end if;
  execute format('comment on table %s is %L', rows_table, format('image of the rows of the windows %s', definition ->> 'name'));
  execute format('comment on table %s is %L', groups_table, format('groups of the windows %s', definition ->> 'name'));
  execute format('grant select, insert, update, delete on %s, %s to tidemark_windows', rows_table, groups_table);
end
$$;

-- Drops a version of a definition with its tables, once no transaction works on it.
create or replace function tidemark.discard_window(of_definition bigint) returns void
language plpgsql
as $$
begin
  perform pg_advisory_xact_lock(730511005, of_definition::integer);
  execute format('drop table if exists tidemark_window_rows.w%s_rows, tidemark_window_rows.w%1$s_groups', of_definition);
  delete from tidemark.window_definition d where d.id = of_definition;
end
$$;

-- The query of the groups that are in the result of a definition. With offset 0 the watermark is computed once, not for each
-- group.
create or replace function tidemark.window_groups(of_definition bigint, definition jsonb, plan jsonb) returns text
language sql stable
as $$
  select format('select %s from tidemark_window_rows.w%s_groups g cross join (select tidemark.window_watermark(%2$s) as watermark offset 0) m where g.visible%s',
    string_agg(format('%s as %I', c.stored, c.name), ', ' order by c.place), of_definition,
    case when definition ->> 'emit' = 'on close' then ' and g.emitted_at is not null' else '' end)
  from tidemark.window_columns(definition, plan) c
$$;

-- The expressions of a group g for what is published: the key of the record and its value.
create or replace function tidemark.window_record(definition jsonb, plan jsonb, whole boolean) returns text
language sql stable
as $$
  select format('jsonb_build_object(%s)::text', string_agg(format('%L, %s', c.name, c.stored), ', ' order by c.place))
  from tidemark.window_columns(definition, plan) c
  where c.name <> 'state'
    and (whole or c.name = 'window_start' or c.place between 3 and 1002)
    and (c.place <> 2 or whole)
$$;

-- Makes the view of a definition show this version. Where objects of users depend on a view whose columns change, this is an
-- error: nothing that users made is dropped.
create or replace function tidemark.show_window_view(of_definition bigint, definition jsonb, plan jsonb) returns void
language plpgsql
as $$
declare
  name text := definition ->> 'name';
  query text := tidemark.window_view(definition, tidemark.window_groups(of_definition, definition, plan));
begin
  perform set_config('search_path', 'pg_catalog, public, pg_temp', true);
  begin
    execute format('create or replace view tidemark_windows.%I as %s', name, query);
  exception when invalid_table_definition then
    execute format('drop view tidemark_windows.%I', name);
    execute format('create view tidemark_windows.%I as %s', name, query);
  end;
  execute format('grant select on tidemark_windows.%I to tidemark_read', name);
  execute format('comment on view tidemark_windows.%I is %L', name,
    format('windows of %s.%s', definition -> 'source' ->> 'schema', definition -> 'source' ->> 'table'));
end
$$;
