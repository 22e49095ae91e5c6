-- The indexes on the rows of each generation that users have declared. No failure of one stops a table: it is noted as the
-- problem of the index.

-- Makes the indexes of a relation that are missing, where its rows are few: in an empty table this takes no time, and
-- more rows would be locked against writing for long. One that has failed is made on the rows of `afresh`, and elsewhere
-- only with `again`. Returns whether it made any.
create or replace function tidemark.make_indexes(of_relation bigint, afresh integer default null, again boolean default false)
returns boolean
language plpgsql
as $$
declare
  few constant bigint := 8 * 1024 * 1024;
  missing record;
  made boolean := false;
begin
  if not exists (select from tidemark.relation_index f where f.relation = of_relation) then
    return false;
  end if;
  for missing in
    select *
    from tidemark.user_index_state s
    where s.relation = of_relation
      and s.state in ('missing', 'unfinished')
      and s.rows_bytes <= few
      and (again or s.problem is null or s.generation = afresh)
    order by s.index_id, s.generation
  loop
    -- A command may be making it.
    continue when not pg_try_advisory_xact_lock(730511004, hashtext(missing.made_as));
    begin
      if missing.state = 'unfinished' then
        execute format('drop index tidemark_rows.%I', missing.made_as);
      end if;
      execute 'create index ' || missing.made_by;
      update tidemark.relation_index f set problem = null where f.id = missing.relation_index;
      made := true;
    exception
      when others then
        if tidemark.is_of_other_sessions(sqlstate, sqlerrm) then
          raise;
        end if;
        perform tidemark.note_index_problem(missing.relation_index, sqlerrm);
    end;
  end loop;
  return made;
end
$$;

-- Notes why an index is not made, or was dropped.
create or replace function tidemark.note_index_problem(of_relation_index bigint, why text) returns void
language sql
as $$
  update tidemark.relation_index f
  set problem = why
  where f.id = of_relation_index
    and f.problem is distinct from why
$$;

-- Drops indexes of a generation with which its rows cannot be written, and notes why.
create or replace function tidemark.suspend_indexes(named text[], why text) returns void
language plpgsql security definer
as $$
declare
  suspended record;
begin
  for suspended in select * from tidemark.user_index_state s where s.made_as = any (named) order by s.made_as loop
    execute format('drop index if exists tidemark_rows.%I', suspended.made_as);
    perform tidemark.note_index_problem(suspended.relation_index, 'it was dropped, because rows could not be written with it: ' || why);
  end loop;
end
$$;

-- The indexes of declared ones that are on the rows of a generation.
create or replace function tidemark.made_indexes(of_relation bigint, of_generation integer) returns text[]
language sql stable security definer
as $$
  select coalesce(array_agg(s.made_as order by s.made_as), '{}')
  from tidemark.user_index_state s
  where (s.relation, s.generation) = (of_relation, of_generation)
    and s.state <> 'missing'
    and s.made_by is not null
$$;

-- Makes what is missing on few rows, and drops what is not declared any more. What is in use is left to the next run. Returns
-- whether it changed anything, whose locks have to be released before anything else is done.
create or replace function tidemark.maintain_indexes() returns boolean
language plpgsql
set lock_timeout = '200ms'
as $$
declare
  due record;
  changed boolean := false;
begin
  for due in
    select f.index_id, newest.contract
    from tidemark.relation_index f
    join tidemark.user_index u on u.id = f.index_id and u.definition <> f.declared_as
    cross join lateral tidemark.newest_contract(f.relation) as newest (contract)
    where f.keys is null
      and newest.contract is not null
  loop
    begin
      perform tidemark.fit_index(due.index_id, due.contract);
      changed := true;
    exception when lock_not_available then
      continue;
    end;
  end loop;
  for due in select distinct s.relation from tidemark.user_index_state s where s.state in ('missing', 'unfinished') loop
    continue when not pg_try_advisory_xact_lock(hashtextextended('tidemark.table_marker', due.relation));
    begin
      changed := tidemark.make_indexes(due.relation, again => true) or changed;
    exception when lock_not_available then
      continue;
    end;
  end loop;
  for due in select u.made_as from tidemark.undeclared_index u loop
    begin
      execute format('drop index tidemark_rows.%I', due.made_as);
      changed := true;
    exception when lock_not_available then
      continue;
    end;
  end loop;
  return changed;
end
$$;
