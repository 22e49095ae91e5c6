-- The definitions of windows: put, removed, rebuilt, shown when they are complete, and stopped when they cannot go on.

-- Changes of definitions run one after the other.
create or replace function tidemark.lock_windows() returns void
language sql
as $$
  select pg_advisory_xact_lock(hashtextextended('tidemark.window_definition', 0))
$$;

-- Begins a version of a definition: it gets tables, and is built beside the version that is shown. Where the target does not
-- have its table yet, it waits for it. Raises an error with the reason when it cannot be computed.
create or replace function tidemark.begin_window(of_name text, of_text text, definition jsonb, is_waiting boolean default false)
returns bigint
language plpgsql
as $$
declare
  source record;
  plan jsonb;
  new_id bigint;
  former bigint;
begin
  select * into source
  from tidemark.window_source(definition -> 'source' ->> 'schema', definition -> 'source' ->> 'table');
  if source.problem is not null then
    raise exception '%', source.problem using errcode = 'feature_not_supported';
  end if;
  if source.relation is not null then
    plan := tidemark.check_window(definition, source.contract, source.keyless);
    plan := plan || jsonb_build_object('version', source.version,
      'recordKey', tidemark.window_record(definition, plan, false), 'recordValue', tidemark.window_record(definition, plan, true));
  end if;
  for former in
    select d.id from tidemark.window_definition d where d.name = of_name and not d.was_shown order by d.id desc
  loop
    perform tidemark.discard_window(former);
  end loop;
  insert into tidemark.window_definition (name, text, definition, state, reason, relation, generation, plan, phase, covers_mark)
  select of_name, of_text, definition,
    case when plan is null then 'awaiting table' else 'backfilling' end,
    case when plan is null then format('the target has no table %s.%s yet', definition -> 'source' ->> 'schema', definition -> 'source' ->> 'table') end,
    source.relation, source.generation, plan,
    case when plan is not null then 'rows' end,
    (select coalesce(max(m.mark), 0) from tidemark.window_mark m)
  returning id into new_id;
  if plan is not null then
    perform tidemark.create_window_tables(new_id, definition, plan);
  end if;
  return new_id;
end
$$;

-- Takes a definition: a new one, or a changed one, which is shown in place of the former when it is complete. Returns
-- {"outcome": "new" | "changed" | "unchanged", "id", "state", "reason"}, or raises an error with the reason why the target cannot
-- compute it; then nothing has changed.
create or replace function tidemark.put_window(of_name text, of_text text, definition jsonb) returns jsonb
language plpgsql security definer
as $$
declare
  known tidemark.window_definition;
  outcome text := 'new';
  new_id bigint;
begin
  if of_name !~ '^[a-z][a-z0-9_]{0,47}$' or definition ->> 'name' is distinct from of_name then
    raise exception '% is no name of windows: at most 48 lower-case letters, digits and _, of which the first is a letter', of_name
      using errcode = 'invalid_name';
  end if;
  perform tidemark.lock_windows();
  select * into known from tidemark.window_definition d where d.name = of_name order by d.id desc limit 1;
  if found then
    outcome := 'changed';
    if known.definition = definition and known.state <> 'stopped' then
      update tidemark.window_definition d set text = of_text where d.id = known.id;
      return jsonb_build_object('outcome', 'unchanged', 'id', known.id, 'state', known.state, 'reason', known.reason);
    end if;
  end if;
  new_id := tidemark.begin_window(of_name, of_text, definition);
  return (
    select jsonb_build_object('outcome', outcome, 'id', d.id, 'state', d.state, 'reason', d.reason)
    from tidemark.window_definition d
    where d.id = new_id
  );
end
$$;

-- Removes a definition with its view and its tables. What it has published gets tombstones. Raises an error where objects of
-- users depend on the view.
create or replace function tidemark.remove_window(of_name text) returns boolean
language plpgsql security definer
as $$
declare
  known tidemark.window_definition;
begin
  perform tidemark.lock_windows();
  for known in select * from tidemark.window_definition d where d.name = of_name order by d.id desc loop
    if known.was_shown then
      perform pg_advisory_xact_lock(730511005, known.id::integer);
      perform tidemark.retract_window(known);
      execute format('drop view if exists tidemark_windows.%I', of_name);
    end if;
    perform tidemark.discard_window(known.id);
  end loop;
  return known.id is not null;
end
$$;

-- Computes a definition again from the rows, beside what is shown, which stays until the new version is complete.
create or replace function tidemark.rebuild_window(of_name text) returns jsonb
language plpgsql security definer
as $$
declare
  known tidemark.window_definition;
  new_id bigint;
begin
  perform tidemark.lock_windows();
  select * into known from tidemark.window_definition d where d.name = of_name order by d.id desc limit 1;
  if not found then
    raise exception 'there are no windows %', of_name
      using errcode = 'undefined_object',
        hint = coalesce('there are: ' || (select string_agg(distinct d.name, ', ') from tidemark.window_definition d), 'there are none');
  end if;
  new_id := tidemark.begin_window(of_name, known.text, known.definition);
  return (
    select jsonb_build_object('outcome', 'rebuilt', 'id', d.id, 'state', d.state, 'reason', d.reason)
    from tidemark.window_definition d
    where d.id = new_id
  );
end
$$;

-- Stops a definition: its windows stay as they are. The others go on.
create or replace function tidemark.stop_window(of_definition bigint, why text) returns void
language sql security definer
as $$
  update tidemark.window_definition d
  set state = 'stopped', reason = why, phase = null, phase_after = null, stopped_at = clock_timestamp()
  where d.id = of_definition
    and d.state <> 'stopped'
$$;

-- Stops a definition that could not be computed. Where its table has changed meanwhile, it is first begun with the table as it
-- is now, which may be the cause.
create or replace function tidemark.fail_window(of_definition bigint, why text) returns void
language plpgsql security definer
as $$
begin
  if exists (select from tidemark.unsettled_window u where u.id = of_definition) then
    perform tidemark.settle_windows();
  else
    perform tidemark.stop_window(of_definition, why);
  end if;
end
$$;

-- Definitions whose table is not as it was when they were begun: it has come, has another generation, or has changed.
create or replace view tidemark.unsettled_window as
select d.id
from tidemark.window_definition d
left join tidemark.table_marker m
  on m.relation = d.relation
  and m.dropped_at is null
  and m.version = (d.plan ->> 'version')::integer
  and (m.schema_name, m.table_name) = (d.definition -> 'source' ->> 'schema', d.definition -> 'source' ->> 'table')
left join tidemark.generation g on (g.relation, g.generation) = (m.relation, d.generation) and g.shown
where d.state in ('backfilling', 'shown')
  and g.relation is null
  -- Another version of it is under way, which has the table as it is now.
  and not exists (select from tidemark.window_definition o where o.name = d.name and o.id > d.id)
union all
select d.id
from tidemark.window_definition d
join tidemark.table_marker m
  on (m.schema_name, m.table_name) = (d.definition -> 'source' ->> 'schema', d.definition -> 'source' ->> 'table')
  and m.dropped_at is null
  -- A table that its view reads may come later, so that it is tried again.
  and (m.named_at > d.checked_at or clock_timestamp() > d.checked_at + interval '5 seconds')
join tidemark.generation g on g.relation = m.relation and g.shown
where d.state = 'awaiting table';

-- Looks at these definitions: begins a version with the table as it is
-- now, or stops the definition with the reason.
create or replace function tidemark.settle_windows() returns void
language plpgsql security definer
as $$
declare
  known tidemark.window_definition;
begin
  perform tidemark.lock_windows();
  for known in
    select *
    from tidemark.window_definition d
    where d.id in (select u.id from tidemark.unsettled_window u)
    order by d.id desc
  loop
    perform tidemark.settle_window(known);
  end loop;
end
$$;

create or replace function tidemark.settle_window(known tidemark.window_definition) returns void
language plpgsql
as $$
declare
  schema_name text := known.definition -> 'source' ->> 'schema';
  table_name text := known.definition -> 'source' ->> 'table';
  source record;
  now_called text;
begin
  update tidemark.window_definition d set checked_at = clock_timestamp() where d.id = known.id;
  select * into source from tidemark.window_source(schema_name, table_name);
  if not found then
    if known.state = 'awaiting table' then
      return;
    end if;
    select format('%s.%s', m.schema_name, m.table_name) into now_called
    from tidemark.table_marker m
    where m.relation = known.relation and m.dropped_at is null;
    perform tidemark.stop_window(known.id, case
      when now_called is null then format('%s.%s was dropped in the source: remove the definition', schema_name, table_name)
      else format('%s.%s is called %s now: change the source of the definition', schema_name, table_name, now_called)
    end);
    return;
  end if;
  begin
    -- A later version of the contract may be about columns that the definition does not use.
    if (source.relation, source.generation) = (known.relation, known.generation) then
      if tidemark.check_window(known.definition, source.contract, source.keyless)
        = known.plan - 'version' - 'recordKey' - 'recordValue' then
        update tidemark.window_definition d
        set plan = d.plan || jsonb_build_object('version', source.version)
        where d.id = known.id;
        return;
      end if;
    end if;
    perform tidemark.begin_window(known.name, known.text, known.definition);
  exception
    when undefined_table then
      -- A table that its view reads may come later than its own.
      if known.state = 'awaiting table' then
        update tidemark.window_definition d set reason = sqlerrm where d.id = known.id;
      else
        perform tidemark.stop_window(known.id, sqlerrm);
      end if;
    when others then
      if tidemark.is_of_other_sessions(sqlstate, sqlerrm) then
        raise;
      end if;
      perform tidemark.stop_window(known.id, format('%s: change the definition, or npm run windows -- rebuild %s', sqlerrm, known.name));
  end;
end
$$;
