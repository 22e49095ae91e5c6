-- The queries of the views that users read, and the check of the expressions in them.

-- Whether a text is exactly one expression, as far as its characters show: strings and quoted names are closed,
-- parentheses match, and there is no comment, no end of a statement, and no other way to write a string.
create or replace function tidemark.is_one_expression(expression text) returns boolean
language plpgsql immutable
as $$
declare
  -- Only strings of the form B'…' and X'…' may have a letter before the quote.
  signs text := regexp_replace(expression, '("[^"]*")|((^|[^A-Za-z0-9_$&])[BbXx]?''([^'']|'''')*'')', ' x ', 'g');
  sign text;
  depth integer := 0;
begin
  if signs !~ '[^ ]' or signs ~ '[''";$]' or strpos(signs, '--') > 0 or strpos(signs, '/*') > 0 or strpos(signs, chr(92)) > 0 then
    return false;
  end if;
  foreach sign in array regexp_split_to_array(signs, '') loop
    depth := depth + case sign when '(' then 1 when ')' then -1 else 0 end;
    if depth < 0 then
      return false;
    end if;
  end loop;
  return depth = 0;
end
$$;

-- Raises an error where a generated column of a contract is computed from anything but its row. The view would run such
-- an expression with the rights of its owner, which may read every table here. Postgres itself checks whether an
-- expression may be that of a generated column: without subqueries, of immutable functions only.
create or replace function tidemark.check_expressions(contract jsonb) returns void
language plpgsql
as $$
declare
  probe text := 'probe_' || (contract ->> 'relation');
  columns text;
begin
  if not contract @? '$.columns[*] ? (@.generated == true)' then
    return;
  end if;
  select string_agg(
    case
      when not (c ->> 'generated')::boolean then format('%I %s', c ->> 'name', tidemark.canonical_type(c ->> 'carried'))
      when tidemark.is_one_expression(c ->> 'expression') then format('%I %s generated always as ((%s)::%2$s) stored',
        c ->> 'name', tidemark.canonical_type(c ->> 'carried'), c ->> 'expression')
    end, ', ' order by n)
  into columns
  from jsonb_array_elements(contract -> 'columns') with ordinality as listed (c, n)
  having bool_and(not (c ->> 'generated')::boolean or coalesce(tidemark.is_one_expression(c ->> 'expression'), false));
  if columns is null then
    raise exception 'a generated column of %.% has an expression that is not one single SQL expression',
      contract ->> 'schema', contract ->> 'table'
      using errcode = 'invalid_parameter_value';
  end if;
  execute format('create table tidemark_rows.%I (%s)', probe, columns);
  execute format('drop table tidemark_rows.%I', probe);
end
$$;

-- The query of a relation's own view, or null when none of its generations is shown.
create or replace function tidemark.own_query(of_relation bigint) returns text
language plpgsql stable
as $$
declare
  shown tidemark.generation;
  stored text;
  visible text;
  rows_of text;
begin
  select * into shown from tidemark.generation g where g.relation = of_relation and g.shown;
  if not found then
    return null;
  end if;
  select
    string_agg(format('r.%I as %I', 'c' || (c ->> 'number'), c ->> 'name'), ', ' order by n)
      filter (where not (c ->> 'generated')::boolean),
    string_agg(
      case
        when (c ->> 'generated')::boolean
          then format('(%s)::%s as %I', c ->> 'expression', tidemark.canonical_type(c ->> 'carried'), c ->> 'name')
        else format('%I', c ->> 'name')
      end, ', ' order by n)
  into stored, visible
  from jsonb_array_elements(shown.contract -> 'columns') with ordinality as listed (c, n);
  rows_of := format('tidemark_rows.%I r', tidemark.rows_name(of_relation, shown.generation))
    || case when shown.keyless then ', generate_series(1, r."tidemark$count")' else ' where r."tidemark$live"' end;
  if shown.contract @? '$.columns[*] ? (@.generated == true)' then
    return format('select %s from (select %s from %s) as stored', visible, stored, rows_of);
  end if;
  return format('select %s from %s', stored, rows_of);
end
$$;

-- The relations whose rows the view of a name shows: its own, and those of table partitions and inheriting tables.
create or replace function tidemark.members(of_schema text, of_table text)
returns table (relation bigint, own boolean, contract jsonb)
language sql stable
as $$
  select m.relation, m.relation = tidemark.owner_of(of_schema, of_table), g.contract
  from tidemark.table_marker m
  join tidemark.generation g on g.relation = m.relation and g.shown
  where m.dropped_at is null
    and (
      m.relation = tidemark.owner_of(of_schema, of_table)
      or g.contract -> 'parents' @> jsonb_build_array(jsonb_build_object('schema', of_schema, 'table', of_table))
    )
$$;

-- The relations whose shown rows were dropped in the target.
create or replace function tidemark.missing_rows() returns table (relation bigint, schema_name text, table_name text)
language sql stable security definer
as $$
  select m.relation, m.schema_name, m.table_name
  from tidemark.table_marker m
  join tidemark.generation g on g.relation = m.relation and g.shown
  where m.dropped_at is null
    and not exists (
      select
      from pg_class c
      where c.relnamespace = 'tidemark_rows'::regnamespace
        and c.relname = tidemark.rows_name(g.relation, g.generation)
    )
$$;

-- The query of the view of a name, or null when it has nothing to show.
create or replace function tidemark.view_query(of_schema text, of_table text) returns text
language plpgsql stable
as $$
declare
  only_member bigint;
begin
  -- Rows that were dropped here are read again. Until then the view of a parent would have fewer rows than its table.
  if exists (select from tidemark.members(of_schema, of_table) m join tidemark.missing_rows() lost using (relation)) then
    return null;
  end if;
  select min(m.relation) into only_member
  from tidemark.members(of_schema, of_table) m
  having count(*) = 1 and bool_and(m.own);
  if only_member is not null then
    return tidemark.own_query(only_member);
  end if;
  -- A parent with rows of its own is shown with its own columns, and what an inheriting table lacks is null. Otherwise it is
  -- shown with the columns that all leaves have, since DDL on a partitioned table alters one leaf after the other. Where
  -- types differ, the column is text.
  return (
    with member as (
      select *
      from tidemark.members(of_schema, of_table)
    ),
    named as (
      select m.relation, m.own, c ->> 'name' as name, c ->> 'carried' as type, n
      from member m
      cross join jsonb_array_elements(m.contract -> 'columns') with ordinality as listed (c, n)
    ),
    shared as (
      select n.name, count(distinct n.type) = 1 as alike
      from named n
      group by n.name
      having bool_or(n.own) or count(*) = (select count(*) from member)
    ),
    shown as (
      select s.name, s.alike, first.n
      from named first
      join shared s using (name)
      where first.relation = (select m.relation from member m order by m.own desc, m.relation limit 1)
    ),
    selected as (
      select m.relation, m.own,
        string_agg(format(case when n.name is null then 'null as %1$I' when s.alike then '%1$I' else '%1$I::text as %1$I' end,
          s.name), ', ' order by s.n) as names
      from member m
      left join shown s on true
      left join named n on n.relation = m.relation and n.name = s.name
      group by m.relation, m.own
    )
    select string_agg(format('select %s from (%s) as m%s', s.names, tidemark.own_query(s.relation), s.relation), ' union all '
      order by s.own desc, s.relation)
    from selected s
  );
end
$$;
