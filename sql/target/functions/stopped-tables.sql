-- The tables whose changes are not applied.

-- Stops a table. The first reason is kept, except that a table whose rows have to be read again cannot be accepted any
-- more, nor can one whose changes were not all kept.
create or replace function tidemark.stop_table(
  of_relation bigint, of_generation integer, of_schema text, of_table text, why text, repaired_by text, by_itself boolean
) returns void
language sql
as $$
  -- A relation has only one stop, and may have been renamed since.
  update tidemark.stopped_table s
  set schema_name = of_schema,
    table_name = of_table
  where of_relation <> 0
    and s.relation = of_relation
    and (s.schema_name, s.table_name) <> (of_schema, of_table);
  insert into tidemark.stopped_table as s (relation, generation, schema_name, table_name, reason, repair, automatic)
  values (of_relation, of_generation, of_schema, of_table, why, repaired_by, by_itself)
  on conflict (relation, schema_name, table_name) do update
  set generation = greatest(s.generation, excluded.generation),
    reason = case when s.generation = excluded.generation and s.accepted_at is null then s.reason else excluded.reason end,
    repair = case when s.not_kept_since is null then excluded.repair else 'resync' end,
    automatic = excluded.automatic,
    requested_at = null,
    accepted_at = null
  where s.generation < excluded.generation
    or s.accepted_at is not null
    or (s.generation = excluded.generation and s.repair = 'accept' and excluded.repair = 'resync')
$$;

-- Has the changes of a stopped table that are in quarantine applied in order, with the next beacon. A change that fails
-- again stops the table again.
create or replace function tidemark.accept(table_name text) returns text
language plpgsql security definer
as $$
declare
  stopped tidemark.stopped_table;
  kept bigint;
begin
  update tidemark.stopped_table s
  set accepted_at = now()
  where s.schema_name || '.' || s.table_name = accept.table_name
  returning * into stopped;
  if stopped.repair = 'resync' then
    raise exception '% cannot be accepted, because its rows have to be read again: %', table_name, stopped.reason
      using hint = format('npm run resync -- %s', table_name);
  end if;
  if stopped is null then
    raise exception '% is not stopped', table_name
      using hint = coalesce('these tables are stopped: ' || (
        select string_agg(s.schema_name || '.' || s.table_name, ', ') from tidemark.stopped_table s
      ), 'no table is stopped');
  end if;
  select count(*) into kept from tidemark.quarantine q where q.relation = stopped.relation;
  return format('%s quarantined changes of %s are applied now; it was stopped: %s', kept, table_name, stopped.reason);
end
$$;

-- Tables that are shown and whose changes do not arrive any more, because capture says so in their newest contract.
-- Every contract is in every topic partition, so one topic partition is enough to read.
create or replace view tidemark.not_captured as
select m.relation, m.schema_name, m.table_name,
  coalesce(newest.refusal, 'it has left the publication of the source, and its changes are not applied until a new snapshot of '
    || 'its rows: tidemark.uncaptured in the source says what that waits for') as reason,
  exists (select from tidemark.stopped_table s where s.relation = m.relation) as stopped
from (
  select distinct on (c.relation) c.relation, (c.contract ->> 'published')::boolean as published,
    c.contract ->> 'refusal' as refusal
  from tidemark.contract c
  where c.topic_partition = 0
  order by c.relation, c.epoch desc, c.version desc
) as newest
join tidemark.table_marker m on m.relation = newest.relation and m.dropped_at is null
where not newest.published
  and exists (select from tidemark.generation g where g.relation = m.relation and g.shown);

comment on column tidemark.not_captured.stopped is 'whether it is one of tidemark.stopped_table, too';
