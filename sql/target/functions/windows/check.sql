-- What a definition of windows needs of its table, and whether Postgres can compute it.

-- The relation whose rows a definition groups, and why it cannot have them. No row: the target has no such table yet.
create or replace function tidemark.window_source(of_schema text, of_table text)
returns table (relation bigint, generation integer, version integer, keyless boolean, contract jsonb, problem text)
language sql stable
as $$
  select g.relation, g.generation, m.version, g.keyless, g.contract,
    case
      when (select count(*) from tidemark.members(of_schema, of_table)) > 1
        then format('%I.%I has rows of other captured tables, its partitions or tables that inherit from it: name one of these',
          of_schema, of_table)
    end
  from tidemark.table_marker m
  join tidemark.generation g on g.relation = m.relation and g.shown
  where m.relation = tidemark.owner_of(of_schema, of_table)
$$;

-- Why a query cannot define windows, by its stored form: what it calls must give the same for the same rows at any time.
-- A stable function may depend on the session or on other tables, so only those of Postgres are taken that compute with their
-- arguments and the settings of a session, which are always the same.
create or replace function tidemark.window_problem(action text, of_rule oid, of_table regclass) returns text
language sql stable
as $$
  with called as (
    select distinct p.oid::regprocedure::text as signature, p.proname as name, p.provolatile as volatility,
      p.pronargs as arguments, p.pronamespace = 'pg_catalog'::regnamespace as own
    from (
      select f[1]::oid as oid from regexp_matches(action, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') as f
      union
      select r.oprcode::oid
      from regexp_matches(action, ':opno (\d+)', 'g') as o
      join pg_operator r on r.oid = o[1]::oid
    ) as used
    join pg_proc p on p.oid = used.oid
  )
  select case
    when action ~ ':hasSubLinks true' then 'it has a subquery: windows have rows of one table'
    when action ~ ':hasWindowFuncs true' then 'it has a window function: a group is computed from its own rows'
    when action ~ ':hasTargetSRFs true' then 'it has a function that returns several rows'
    when action ~ ':varattno 0 ' then 'it uses the whole row: name the columns'
    when action ~ 'SQLVALUEFUNCTION' then 'it depends on the time or the role of the session, such as current_date'
    else coalesce(
      (
        select format('%s is volatile: it gives another result each time', c.signature)
        from called c
        where c.volatility = 'v'
        order by 1
        limit 1
      ),
      (
        select format('%s depends on more than its arguments: the time, the session or other tables', c.signature)
        from called c
        where c.volatility = 's'
          and (
            not c.own
            or c.arguments = 0
            or (c.name, c.arguments) = ('age', 1)
            or c.name ~ '^(pg_|has_|txid_|current_|inet_|to_reg|obj_|col_|shobj_|query_to|table_to|schema_to|database_to|cursor_to)'
          )
        order by 1
        limit 1
      ),
      (
        select format('it reads %s: windows have rows of one table', d.refobjid::regclass)
        from pg_depend d
        where (d.classid, d.objid, d.refclassid) = ('pg_rewrite'::regclass, of_rule, 'pg_class'::regclass)
          and d.deptype = 'n'
          and d.refobjid <> of_table
        order by 1
        limit 1
      )
    )
  end
$$;

-- The items of a definition as a list for a query: keys g1, g2 … and aggregates r1, r2 ….
create or replace function tidemark.window_items(items jsonb, prefix text) returns text
language sql immutable
as $$
  select coalesce(string_agg(format('(%s) as "tidemark$%s%s"', i ->> 'sql', prefix, n), ', ' order by n), '')
  from jsonb_array_elements(items) with ordinality as listed (i, n)
$$;

-- Checks a definition with the contract of its table: makes it a view and undoes that. Raises an error with the reason, or
-- returns which columns it uses and which types its results have.
create or replace function tidemark.check_window(definition jsonb, contract jsonb, keyless boolean) returns jsonb
language plpgsql
as $$
declare
  source text := format('%I.%I', contract ->> 'schema', contract ->> 'table');
  probe text := 'probe_' || pg_backend_pid();
  result text := 'result_' || pg_backend_pid();
  event jsonb;
  rule oid;
  action text;
  problem text;
  used integer[];
  types text[];
  plan jsonb;
  keys integer := jsonb_array_length(definition -> 'keys');
  one_type text;
begin
  select c into event
  from jsonb_array_elements(contract -> 'columns') c
  where c ->> 'name' = definition ->> 'eventTime';
  if event is null then
    raise exception '% has no column %, which has to be the event time', source, definition ->> 'eventTime'
      using errcode = 'undefined_column';
  elsif event ->> 'carried' !~ '^(date|timestamp(\(\d\))? with(out)? time zone)$' then
    raise exception 'the event time % has type %: a timestamp, a timestamp with time zone or a date is needed',
      definition ->> 'eventTime', event ->> 'type'
      using errcode = 'datatype_mismatch';
  end if;
  begin
    -- Types and functions of extensions are in public, as they are for the sessions that compute the windows.
    perform set_config('search_path', 'pg_catalog, public, pg_temp', true);
    execute format('create table tidemark_window_rows.%I (%s)', probe, (
      select string_agg(format('%I %s', c ->> 'name', tidemark.canonical_type(c ->> 'carried')), ', ' order by n)
      from jsonb_array_elements(contract -> 'columns') with ordinality as listed (c, n)
    ));
    execute format('create view tidemark_window_rows.%I as select %s from tidemark_window_rows.%I as %I%s group by %s%s',
      result,
      concat_ws(', ', nullif(tidemark.window_items(definition -> 'keys', 'g'), ''), tidemark.window_items(definition -> 'aggregates', 'r')),
      probe, contract ->> 'table',
      coalesce(' where (' || (definition ->> 'where') || ')', ''),
      coalesce((select string_agg(format('(%s)', k ->> 'sql'), ', ') from jsonb_array_elements(definition -> 'keys') k), '()'),
      coalesce(' having (' || (definition ->> 'having') || ')', ''));
    perform set_config('search_path', 'pg_catalog, pg_temp', true);
    select r.oid, r.ev_action::text into rule, action
    from pg_rewrite r
    where r.ev_class = format('tidemark_window_rows.%I', result)::regclass;
    problem := tidemark.window_problem(action, rule, format('tidemark_window_rows.%I', probe)::regclass);
    if problem is not null then
      raise exception '%', problem using errcode = 'feature_not_supported';
    end if;
    select array_agg(distinct c.number order by c.number) into used
    from (
      select (listed.c ->> 'number')::integer as number, (listed.c ->> 'generated')::boolean as generated, listed.c ->> 'name' as name
      from pg_depend d
      join jsonb_array_elements(contract -> 'columns') with ordinality as listed (c, n) on listed.n = d.refobjsubid
      where (d.classid, d.objid, d.refclassid, d.refobjid)
        = ('pg_rewrite'::regclass, rule, 'pg_class'::regclass, format('tidemark_window_rows.%I', probe)::regclass::oid)
      union all
      select (event ->> 'number')::integer, (event ->> 'generated')::boolean, event ->> 'name'
    ) as c;
    if exists (
      select
      from jsonb_array_elements(contract -> 'columns') c
      where (c ->> 'number')::integer = any (used) and (c ->> 'generated')::boolean
    ) then
      raise exception 'a column of % that it uses is generated, and the target stores no generated columns: use its expression', source
        using errcode = 'feature_not_supported';
    end if;
    select array_agg(format_type(a.atttypid, a.atttypmod) order by a.attnum) into types
    from pg_attribute a
    where a.attrelid = format('tidemark_window_rows.%I', result)::regclass
      and a.attnum > 0;
    for one_type in select t from unnest(types[1:keys]) t loop
      -- Rows of a group are found by the hash of its keys.
      execute format('select hash_record_extended(row(null::%s), 0)', one_type);
    end loop;
    plan := jsonb_build_object(
      'event', jsonb_build_object('number', (event ->> 'number')::integer, 'type', event ->> 'carried'),
      'columns', (
        select jsonb_agg(jsonb_build_object('number', (c ->> 'number')::integer, 'name', c ->> 'name',
          'type', tidemark.canonical_type(c ->> 'carried')) order by (c ->> 'number')::integer)
        from jsonb_array_elements(contract -> 'columns') c
        where (c ->> 'number')::integer = any (used)
      ),
      'key', (
        select coalesce(jsonb_agg(jsonb_build_object('number', (c ->> 'number')::integer, 'name', c ->> 'name',
          'type', tidemark.canonical_type(c ->> 'carried')) order by (c ->> 'key')::integer), '[]')
        from jsonb_array_elements(contract -> 'columns') c
        where not keyless and c ->> 'key' is not null
      ),
      'keyTypes', to_jsonb(coalesce(types[1:keys], '{}')),
      'resultTypes', to_jsonb(types[keys + 1:])
    );
    perform set_config('search_path', 'pg_catalog, public, pg_temp', true);
    execute format('create view tidemark_window_rows.%I as %s', 'shown_' || pg_backend_pid(),
      tidemark.window_view(definition, (
        select format('select %s', string_agg(format('null::%s as %I', c.type, c.name), ', ' order by c.place))
        from tidemark.window_columns(definition, plan) c
      )));
    raise exception using errcode = 'TM001', message = plan::text;
  exception
    when sqlstate 'TM001' then
      return sqlerrm::jsonb;
  end;
end
$$;

-- The columns that the view of a definition has in `windows`.
create or replace function tidemark.window_columns(definition jsonb, plan jsonb)
returns table (place integer, name text, type text, stored text)
language sql immutable
as $$
  with moment as (
    select case when plan -> 'event' ->> 'type' like '%with time zone' then 'timestamp with time zone' else 'timestamp' end as type,
      case when plan -> 'event' ->> 'type' like '%with time zone' then ' at time zone ''UTC''' else '' end as zone
  )
  select 1, 'window_start', m.type, format('g.window_start%s', m.zone) from moment m
  union all
  select 2, 'window_end', m.type,
    format('(g.window_start + interval ''%s microseconds'')%s', definition -> 'window' ->> 'sizeMicros', m.zone)
  from moment m
  union all
  select 2 + n::integer, k ->> 'alias', plan -> 'keyTypes' ->> (n::integer - 1), 'g.g' || n
  from jsonb_array_elements(definition -> 'keys') with ordinality as listed (k, n)
  union all
  select 1002 + n::integer, a ->> 'alias', plan -> 'resultTypes' ->> (n::integer - 1), 'g.r' || n
  from jsonb_array_elements(definition -> 'aggregates') with ordinality as listed (a, n)
  union all
  select 3002, 'state', 'text', format('tidemark.window_state(g.window_start + interval ''%s microseconds'', interval ''%s microseconds'', %L, m.watermark, g.late_rows)',
    definition -> 'window' ->> 'sizeMicros', definition ->> 'allowedLatenessMicros',
    definition ->> 'emit' = 'on close' or definition ->> 'lateRows' = 'set aside')
  union all
  select 3003, 'late_rows', 'bigint', 'g.late_rows'
$$;

-- The query of the view of a definition, in which `windows` stands for a query of the groups.
create or replace function tidemark.window_view(definition jsonb, windows text) returns text
language sql immutable
as $$
  select format(E'with windows as (%s)\nselect * from (\n%s\n) as shown', windows,
    coalesce(definition ->> 'view', 'select * from windows'))
$$;
