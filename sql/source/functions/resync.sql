-- Resyncs: an administrator asks for the rows of a captured table to be read again.

-- Begins a resync of a captured table, or of each leaf of a partitioned one, and returns the names of these tables. The
-- target shows the rows that it has until the new ones are complete. Administrators call it.
create or replace function tidemark.resync("table" text) returns setof text
language plpgsql security definer
set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
  wanted constant text := resync."table";
  near text;
  it tidemark.captured_table;
  found_any boolean := false;
begin
  for it in
    select t.*
    from tidemark.captured_table t
    where exists (
      select
      from tidemark.chosen_by(t.relation::oid) b
      join pg_namespace n on n.nspname = b.schema_name
      join pg_class c on c.relnamespace = n.oid and b.name = n.nspname || '.' || c.relname
      where wanted in (b.name, format('%I.%I', n.nspname, c.relname))
        and (b.own or c.relkind = 'p')
    )
    order by t.schema_name, t.table_name
  loop
    found_any := true;
    perform tidemark.take_turn(it.relation::oid);
    select * into it from tidemark.captured_table t where t.relation = it.relation;
    if it.state = 'refused' then
      raise exception '%.% is not captured: %', it.schema_name, it.table_name, it.reason
        using hint = it.fix;
    elsif it.state <> 'captured' then
      raise exception '%.% is being captured already (%): tidemark.uncaptured says what it waits for',
        it.schema_name, it.table_name, it.state
        using errcode = 'object_in_use';
    end if;
    perform tidemark.begin_generation(it.relation::oid);
    perform tidemark.observe_table(it.relation::oid);
    return next it.schema_name || '.' || it.table_name;
  end loop;
  if found_any then
    return;
  end if;
  select string_agg(n.name, ' or ') into near from tidemark.near_names(wanted) n (name);
  raise exception 'there is no captured table %: %', wanted,
    coalesce('did you mean ' || near || '?', 'write schema.table as tidemark.captured_table lists it')
    using errcode = 'undefined_table';
end
$$;

-- Up to three captured tables whose names have the most pairs of letters in common with a name.
create or replace function tidemark.near_names(wanted text) returns setof text
language plpgsql stable
as $$
begin
  return query
  select candidate.name
  from (select t.schema_name || '.' || t.table_name as name, t.table_name from tidemark.captured_table t) as candidate
  cross join lateral (
    select count(*) filter (where position(substr(lower(wanted), i, 2) in lower(candidate.name)) > 0)::float8
        / greatest(length(wanted), length(candidate.table_name)) as share
    from generate_series(1, length(wanted) - 1) as i
  ) as likeness
  where likeness.share > 0.5
  order by likeness.share desc, candidate.name
  limit 3;
end
$$;
