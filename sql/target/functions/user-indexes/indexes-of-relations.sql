-- The indexes that users declare, and on which relations each is made. A definition that does not fit a relation is noted as
-- the problem of the index, and stops no table. Runs after row-tables.sql.

-- Whether an error comes from what other sessions do at the same time, so that it says nothing about an index.
create or replace function tidemark.is_of_other_sessions(state text, message text) returns boolean
language sql immutable
return state in ('55P03', '40P01')
  -- An internal error of Postgres: another session has changed the same row of the catalogs meanwhile.
  or state = 'XX000' and message in ('tuple concurrently updated', 'tuple concurrently deleted');

-- The names under which the rows of a relation are read: its own, and those of its parents.
create or replace function tidemark.names_of_rows(of_relation bigint) returns table (schema_name text, table_name text)
language sql stable
as $$
  select m.schema_name, m.table_name
  from tidemark.table_marker m
  where m.relation = of_relation
    and m.dropped_at is null
  union
  select p ->> 'schema', p ->> 'table'
  from tidemark.table_marker m
  cross join jsonb_array_elements(tidemark.newest_contract(m.relation) -> 'parents') p
  where m.relation = of_relation
    and m.dropped_at is null
$$;

-- The tables and parents whose rows are here, with the newest contract of each relation whose rows they show.
create or replace function tidemark.indexable_tables()
returns table (schema_name text, table_name text, relation bigint, contract jsonb)
language sql stable security definer
as $$
  select n.schema_name, n.table_name, m.relation, newest.contract
  from tidemark.table_marker m
  cross join lateral tidemark.names_of_rows(m.relation) n
  cross join lateral tidemark.newest_contract(m.relation) as newest (contract)
  where newest.contract is not null
  order by m.relation
$$;

-- The declared indexes, one row for each table of rows that an index belongs on. An index that no rows belong to has one row.
-- Only live rows are indexed, since the views show no others.
create or replace view tidemark.user_index_state as
select u.id as index_id, u.schema_name, u.table_name, u.index_name, u.definition, f.id as relation_index, f.relation,
  g.generation, g.shown, r.relname as rows_name, named.index_name as made_as,
  case
    when f.id is null then 'no table'
    when f.keys is null then 'does not fit'
    when i.indisvalid then 'made'
    when exists (
      select
      from pg_locks l
      join pg_database d on d.oid = l.database and d.datname = current_database()
      where l.locktype = 'advisory'
        -- A part of a lock is a number with a sign, and shown without it.
        and (l.classid, l.objid, l.objsubid) = (730511004, (hashtext(named.index_name)::bigint & 4294967295)::oid, 2)
        and l.granted
    ) then 'being made'
    when x.oid is null then 'missing'
    else 'unfinished'
  end as state,
  case when i.indisvalid then null else f.problem end as problem,
  case when f.keys is not null then
    format('%I on tidemark_rows.%I %s%s', named.index_name, r.relname, f.keys, coalesce(' where ' || nullif(
      concat_ws(' and ', case when not g.keyless then '"tidemark$live"' end, '(' || f.predicate || ')'), ''), ''))
  end as made_by,
  pg_table_size(r.oid) as rows_bytes
from tidemark.user_index u
left join (
  tidemark.relation_index f
  join tidemark.generation g on g.relation = f.relation
  join pg_class r on r.relnamespace = 'tidemark_rows'::regnamespace and r.relname = tidemark.rows_name(g.relation, g.generation)
) on f.index_id = u.id
left join lateral (select format('%s_i%s', r.relname, f.id) as index_name) as named on true
left join pg_class x on x.relnamespace = 'tidemark_rows'::regnamespace and x.relname = named.index_name and x.relkind = 'i'
left join pg_index i on i.indexrelid = x.oid;

comment on column tidemark.user_index_state.made_as is 'the name of the index in the schema tidemark_rows';
comment on column tidemark.user_index_state.made_by is 'what follows create index, or create index concurrently';

-- The indexes on rows that no declared index belongs to any more.
create or replace view tidemark.undeclared_index as
select c.relname as made_as
from pg_class c
where c.relnamespace = 'tidemark_rows'::regnamespace
  and c.relkind = 'i'
  and c.relname ~ '^t\d+_\d+_i\d+$'
  and not exists (
    select
    from tidemark.relation_index f
    where f.id = substring(c.relname from '_i(\d+)$')::bigint
      and f.keys is not null
  );

-- The problem of an index whose definition Postgres refuses for the columns of a relation.
create or replace function tidemark.why_not_fitting(contract jsonb, why text) returns text
language sql immutable
return format('it does not fit the columns of %s.%s: %s', contract ->> 'schema', contract ->> 'table', why);

-- Compares a declared index with the columns of a relation, and notes its definition there or why it does not fit.
create or replace function tidemark.fit_index(declared bigint, contract jsonb) returns void
language plpgsql
as $$
declare
  of_relation constant bigint := contract ->> 'relation';
  wanted constant text := (select u.definition from tidemark.user_index u where u.id = declared);
  why text;
begin
  delete from tidemark.relation_index f where (f.index_id, f.relation) = (declared, of_relation);
  begin
    insert into tidemark.relation_index (index_id, relation, declared_as, keys, predicate, numbers, names)
    select declared, of_relation, wanted, d.keys, d.predicate, d.numbers, d.names
    from tidemark.fit_definition(contract, wanted) d
    -- Another transaction may have compared them at the same time.
    on conflict do nothing;
  exception
    when others then
      if tidemark.is_of_other_sessions(sqlstate, sqlerrm) then
        raise;
      end if;
      get stacked diagnostics why = pg_exception_hint;
      insert into tidemark.relation_index (index_id, relation, declared_as, problem)
      values (declared, of_relation, wanted, concat_ws('. ', tidemark.why_not_fitting(contract, sqlerrm), nullif(why, '')))
      on conflict do nothing;
  end;
end
$$;

-- Lets declared indexes follow a contract of a relation, whose former names and parents are those of the earlier one.
create or replace function tidemark.follow_contract(earlier jsonb, contract jsonb) returns void
language plpgsql
as $$
declare
  of_relation constant bigint := contract ->> 'relation';
  declared record;
begin
  if not exists (select from tidemark.user_index) then
    return;
  end if;
  -- Indexes of a table that was renamed belong to the new name. A parent has no contract of its own: it was renamed where the
  -- contracts of the tables below it have a parent that is new to all of them in the place of a former one.
  update tidemark.user_index u
  set schema_name = renamed.to_schema,
    table_name = renamed.to_table
  from (
    select earlier ->> 'schema' as schema, earlier ->> 'table' as "table",
      contract ->> 'schema' as to_schema, contract ->> 'table' as to_table
    union all
    select former.p ->> 'schema', former.p ->> 'table', present.p ->> 'schema', present.p ->> 'table'
    from jsonb_array_elements(earlier -> 'parents') as former (p)
    join jsonb_array_elements(contract -> 'parents') as present (p)
      on former.p ->> 'table' = present.p ->> 'table'
      or jsonb_array_length(earlier -> 'parents') = jsonb_array_length(contract -> 'parents')
        and (select count(*) from jsonb_array_elements(earlier -> 'parents') f where not contract -> 'parents' @> jsonb_build_array(f)) = 1
    where not contract -> 'parents' @> jsonb_build_array(former.p)
      and not earlier -> 'parents' @> jsonb_build_array(present.p)
      and not exists (
        select
        from tidemark.generation g
        where g.relation <> of_relation
          and g.contract -> 'parents' @> jsonb_build_array(present.p)
      )
  ) as renamed
  where (u.schema_name, u.table_name) = (renamed.schema, renamed.table)
    and (renamed.schema, renamed.table) <> (renamed.to_schema, renamed.to_table)
    and exists (select from tidemark.relation_index f where (f.index_id, f.relation) = (u.id, of_relation));
  delete from tidemark.relation_index f
  using tidemark.user_index u
  where f.relation = of_relation
    and u.id = f.index_id
    and (u.schema_name, u.table_name) not in (select n.schema_name, n.table_name from tidemark.names_of_rows(of_relation) n);
  for declared in
    select u.id, f.keys, f.numbers, f.names, tidemark.names_of_columns(contract, f.numbers) as new_names
    from tidemark.user_index u
    left join tidemark.relation_index f on (f.index_id, f.relation) = (u.id, of_relation)
    where f.id is not null
      or u.id in (select w.index_id from tidemark.wanting_indexes(of_relation) w)
    order by u.id
  loop
    if declared.keys is null or cardinality(declared.new_names) < cardinality(declared.numbers) then
      perform tidemark.fit_index(declared.id, contract);
    elsif declared.new_names <> declared.names then
      perform tidemark.rename_in_index(declared.id, contract, declared.new_names);
    end if;
  end loop;
end
$$;

-- The declared indexes that belong on the rows of a relation and were not compared with its columns. The name of a relation may
-- still be that of another one: then its indexes belong to that one, unless the rows of the latter are replaced by these.
create or replace function tidemark.wanting_indexes(of_relation bigint) returns table (index_id bigint)
language sql stable
as $$
  select u.id
  from tidemark.user_index u
  join tidemark.names_of_rows(of_relation) n using (schema_name, table_name)
  join tidemark.table_marker m on m.relation = of_relation
  where not exists (select from tidemark.relation_index f where (f.index_id, f.relation) = (u.id, of_relation))
    and (
      (n.schema_name, n.table_name) <> (m.schema_name, m.table_name)
      or tidemark.owner_of(n.schema_name, n.table_name) = of_relation
      or tidemark.owner_of(n.schema_name, n.table_name) in (select tidemark.predecessors(of_relation))
    )
$$;

-- Writes the definition of a declared index with the new names of its columns.
create or replace function tidemark.rename_in_index(declared bigint, contract jsonb, new_names text[]) returns void
language plpgsql
as $$
declare
  fitted tidemark.relation_index;
  renamed text;
begin
  select * into fitted
  from tidemark.relation_index f
  where (f.index_id, f.relation) = (declared, (contract ->> 'relation')::bigint);
  begin
    renamed := tidemark.named_definition(contract, fitted.keys, fitted.predicate);
  exception
    when others then
      if tidemark.is_of_other_sessions(sqlstate, sqlerrm) then
        raise;
      end if;
      -- The types have changed as well, so that the expressions mean nothing any more.
      update tidemark.relation_index f
      set keys = null,
        problem = tidemark.why_not_fitting(contract, sqlerrm)
      where f.id = fitted.id;
      return;
  end;
  update tidemark.relation_index f set names = new_names where f.id = fitted.id;
  update tidemark.user_index u set definition = renamed where u.id = declared and u.definition <> renamed;
end
$$;

-- Makes the declared indexes of a name on the rows of the relation that has it now, after another one has given it up.
create or replace function tidemark.take_indexes(of_schema text, of_table text) returns void
language plpgsql
as $$
declare
  taking record;
begin
  for taking in
    select t.relation, t.contract
    from tidemark.indexable_tables() t
    where t.relation = tidemark.owner_of(of_schema, of_table)
      and (t.schema_name, t.table_name) = (of_schema, of_table)
      and exists (select from tidemark.wanting_indexes(t.relation))
  loop
    perform tidemark.follow_contract(taking.contract, taking.contract);
    perform tidemark.make_indexes(taking.relation);
  end loop;
end
$$;
