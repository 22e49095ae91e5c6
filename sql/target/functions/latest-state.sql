-- The latest state of a relation: made by its contracts, shown when it is complete, and removed when the source drops it.

-- Raises an error where a table or one of its parents has a name that is reserved for Tidemark or Postgres: each of them
-- would get a view.
create or replace function tidemark.check_names(contract jsonb) returns void
language plpgsql
as $$
declare
  named record;
begin
  for named in
    select contract ->> 'schema' as schema, contract ->> 'table' as table, 'a latest-state table' as part
    union all
    select p ->> 'schema', p ->> 'table', 'the parent of a latest-state table'
    from jsonb_array_elements(contract -> 'parents') p
  loop
    if named.schema in ('tidemark', 'tidemark_rows', 'information_schema') or starts_with(named.schema, 'pg_') then
      raise exception '%.% cannot be %: the name of its schema is reserved', named.schema, named.table, named.part;
    end if;
  end loop;
end
$$;

-- Makes what a contract needs: the table of its generation, its columns, and the view. A generation after the first is
-- shown when it is complete. Older versions and repetitions change nothing. A record that no contract named has stopped the
-- table by its name, with relation 0: the contract deletes this stop.
create or replace function tidemark.shape_latest_state(of_epoch integer, contract jsonb) returns void
language plpgsql security definer
as $$
declare
  of_relation bigint := (contract ->> 'relation')::bigint;
  of_generation integer := (contract ->> 'generation')::integer;
  of_version integer := (contract ->> 'version')::integer;
  before tidemark.table_marker;
  known tidemark.generation;
  earlier jsonb;
  truncated tidemark.generation;
begin
  perform pg_advisory_xact_lock(hashtextextended('tidemark.table_marker', of_relation));
  select * into before from tidemark.table_marker m where m.relation = of_relation for update;
  if (before.epoch, before.version) >= (of_epoch, of_version) then
    perform tidemark.add_missing_columns(contract);
    return;
  end if;
  perform tidemark.check_names(contract);
  -- The initial snapshot of an epoch reads every version that the source has kept, also those of earlier generations.
  if exists (select from tidemark.generation g where g.relation = of_relation and g.generation > of_generation) then
    return;
  end if;
  perform tidemark.check_expressions(contract);
  -- Another source, or one that was restored from a backup, may have given the number of a relation to another table.
  if before.epoch < of_epoch
    and before.dropped_at is null
    and (before.schema_name, before.table_name) <> (contract ->> 'schema', contract ->> 'table') then
    perform tidemark.forget_relation(of_relation);
    before.dropped_at := clock_timestamp();
  end if;
  insert into tidemark.table_marker as m (relation, schema_name, table_name, epoch, version)
  values (of_relation, contract ->> 'schema', contract ->> 'table', of_epoch, of_version)
  on conflict (relation) do update
  set schema_name = excluded.schema_name,
    table_name = excluded.table_name,
    epoch = excluded.epoch,
    version = excluded.version,
    named_at = case
      when m.dropped_at is null and (m.schema_name, m.table_name) = (excluded.schema_name, excluded.table_name) then m.named_at
      else clock_timestamp()
    end,
    dropped_at = null;

  -- An index that is declared meanwhile waits, so that it sees this generation.
  perform pg_advisory_xact_lock_shared(hashtextextended('tidemark.user_index', 0));
  earlier := tidemark.newest_contract(of_relation);
  select * into known from tidemark.generation g where (g.relation, g.generation) = (of_relation, of_generation) for update;
  if not found then
    perform tidemark.create_rows(contract);
    select * into truncated
    from tidemark.generation g
    where g.relation = of_relation
    order by g.truncated_epoch desc, g.truncated_lsn desc
    limit 1;
    insert into tidemark.generation (
      relation, generation, contract, keyless, shown, truncated_epoch, truncated_lsn, truncated_earlier
    )
    select of_relation, of_generation, contract,
      not exists (select from tidemark.stored_columns(contract) c where c.key is not null),
      not exists (select from tidemark.generation g where g.relation = of_relation and g.shown)
        and not exists (select from tidemark.predecessors(of_relation)),
      coalesce(truncated.truncated_epoch, 0), coalesce(truncated.truncated_lsn, 0), coalesce(truncated.truncated_lsn, 0) > 0;
  else
    perform tidemark.widen_rows(contract);
    update tidemark.generation g
    set contract = shape_latest_state.contract
    where (g.relation, g.generation) = (of_relation, of_generation);
  end if;
  perform tidemark.follow_contract(earlier, contract);
  perform tidemark.make_indexes(of_relation, afresh => case when known.relation is null then of_generation end);

  if before.dropped_at is null and (before.schema_name, before.table_name) <> (contract ->> 'schema', contract ->> 'table') then
    perform tidemark.rename_view(before.schema_name, before.table_name, contract ->> 'schema', contract ->> 'table');
    perform tidemark.show_view(before.schema_name, before.table_name, or_leave => true);
    perform tidemark.free_name(before.schema_name, before.table_name);
  end if;
  perform tidemark.show_views(of_relation, known.contract);
  -- The table may have been stopped because it had no contract.
  delete from tidemark.stopped_table s
  where s.relation = 0
    and (s.schema_name, s.table_name) = (contract ->> 'schema', contract ->> 'table');
end
$$;

-- The relations that are shown and had the name of a relation in an earlier epoch. They are removed when the rows of
-- that relation are complete.
create or replace function tidemark.predecessors(of_relation bigint) returns setof bigint
language sql stable
as $$
  select m.relation
  from tidemark.table_marker self
  join tidemark.table_marker m using (schema_name, table_name)
  where self.relation = of_relation
    and m.relation <> of_relation
    and m.epoch < self.epoch
    and m.dropped_at is null
    and exists (select from tidemark.generation g where g.relation = m.relation and g.shown)
$$;

-- Drops all there is of a relation, its rows included, for every topic partition, since none will receive anything of
-- it.
create or replace function tidemark.forget_relation(of_relation bigint) returns void
language plpgsql security definer
as $$
begin
  perform tidemark.drop_latest_state(of_relation);
  perform tidemark.drop_rows(g.relation, g.generation) from tidemark.generation g where g.relation = of_relation;
  delete from tidemark.stopped_table s where s.relation = of_relation;
  delete from tidemark.quarantine q where q.relation = of_relation;
end
$$;

-- The relation whose rows the view of a name shows, besides those of table partitions and inheriting tables. Two
-- relations have one name while the source has renamed or dropped a table and the contract that says so has not arrived.
create or replace function tidemark.owner_of(of_schema text, of_table text) returns bigint
language sql stable
as $$
  select m.relation
  from tidemark.table_marker m
  where (m.schema_name, m.table_name) = (of_schema, of_table)
    and m.dropped_at is null
  order by exists (select from tidemark.generation g where g.relation = m.relation and g.shown) desc,
    m.epoch desc, m.named_at, m.relation
  limit 1
$$;

-- Called after the contracts and drops of a batch: stops a relation whose name another relation still has. It continues
-- by itself when that one gives the name up.
create or replace function tidemark.await_name(of_relation bigint) returns void
language plpgsql security definer
as $$
begin
  perform tidemark.stop_table(m.relation, g.generation, m.schema_name, m.table_name,
    format('relation %s has the name of relation %s, which is still captured: the view shows the rows of relation %2$s. This table '
      'goes on by itself once relation %2$s is renamed or dropped in the source', m.relation, owner),
    'accept', false)
  from tidemark.table_marker m
  cross join tidemark.owner_of(m.schema_name, m.table_name) as owner
  cross join lateral (select max(g.generation) as generation from tidemark.generation g where g.relation = m.relation) as g
  where m.relation = of_relation
    and m.dropped_at is null
    and owner <> m.relation
    and not exists (select from tidemark.predecessors(m.relation) p where p = owner);
end
$$;

-- Lets a relation continue that waits for a name which another relation has given up.
create or replace function tidemark.free_name(of_schema text, of_table text) returns void
language plpgsql
as $$
begin
  update tidemark.stopped_table s
  set accepted_at = now()
  where s.relation = tidemark.owner_of(of_schema, of_table)
    and s.repair = 'accept'
    and s.accepted_at is null;
  perform tidemark.take_indexes(of_schema, of_table);
end
$$;

-- Removes a relation that is gone in the source. Its view is dropped, unless objects of users depend on it. Its rows are
-- dropped when every topic partition has had the drop.
create or replace function tidemark.drop_latest_state(of_relation bigint) returns void
language plpgsql security definer
as $$
begin
  update tidemark.table_marker m
  set dropped_at = now()
  where m.relation = of_relation
    and m.dropped_at is null;
  if found then
    perform tidemark.show_views(of_relation, or_leave => true);
    perform tidemark.free_name(m.schema_name, m.table_name) from tidemark.table_marker m where m.relation = of_relation;
    delete from tidemark.stopped_table s where s.relation = of_relation;
  end if;
end
$$;

-- Removes the stop of earlier generations of a relation, and what was kept of them: the rows have been read since.
create or replace function tidemark.release_former(of_relation bigint, before_generation integer) returns void
language sql
as $$
  delete from tidemark.stopped_table s where s.relation = of_relation and s.generation < before_generation;
  delete from tidemark.quarantine q where q.relation = of_relation and q.generation < before_generation;
$$;

-- Finalizes a generation. Called after a topic partition has had a contract: shows a generation that is complete in all
-- of them, drops the rows of earlier generations, and drops the rows of a relation whose drop all of them have had.
-- Returns why it cannot show the generation, or null.
create or replace function tidemark.settle_latest_state(of_topic text, of_relation bigint) returns text
language plpgsql security definer
as $$
declare
  newest record;
  complete tidemark.generation;
  former integer;
  replaced bigint[];
  has_gaps boolean;
begin
  perform pg_advisory_xact_lock(hashtextextended('tidemark.table_marker', of_relation));
  select c.contract ->> 'generation' as generation, (c.contract ->> 'dropped')::boolean as dropped,
    count(distinct c.topic_partition) >= (c.contract ->> 'topicPartitions')::integer as everywhere
  into newest
  from tidemark.contract c
  where c.topic = of_topic
    and c.relation = of_relation
    and ((c.contract ->> 'complete')::boolean or (c.contract ->> 'dropped')::boolean)
  group by c.epoch, c.contract ->> 'generation', (c.contract ->> 'dropped')::boolean, c.contract ->> 'topicPartitions'
  order by c.epoch desc, (c.contract ->> 'dropped')::boolean desc, (c.contract ->> 'generation')::integer desc
  limit 1;
  if not coalesce(newest.everywhere, false) then
    return null;
  end if;
  if newest.dropped then
    perform tidemark.drop_rows(g.relation, g.generation)
    from tidemark.generation g
    join tidemark.table_marker m on m.relation = g.relation and m.dropped_at is not null
    where g.relation = of_relation;
    return null;
  end if;
  select * into complete
  from tidemark.generation g
  where (g.relation, g.generation) = (of_relation, newest.generation::integer);
  if not found then
    return null;
  end if;
  -- No snapshot will bring the values that a row lacks now. A generation that is shown from its beginning is checked, too.
  if not (complete.keyless or complete.whole) then
    execute format('select exists (select from tidemark_rows.%I where "tidemark$live" and not "tidemark$whole")',
      tidemark.rows_name(of_relation, complete.generation)) into has_gaps;
    if has_gaps then
      return 'an update during its snapshot left out a TOASTed value that the snapshot did not bring';
    end if;
    update tidemark.generation g
    set whole = true
    where (g.relation, g.generation) = (of_relation, complete.generation);
  end if;
  -- The first generation that has rows is shown from its beginning, also after earlier ones that could have none.
  if complete.shown then
    perform tidemark.release_former(of_relation, complete.generation);
    return null;
  end if;
  replaced := array(select tidemark.predecessors(of_relation));
  update tidemark.generation g
  set shown = g.generation = complete.generation
  where g.relation = of_relation;
  -- The relations that had the name in an earlier epoch leave it without a moment in which no relation has the name.
  update tidemark.table_marker m set dropped_at = now() where m.relation = any (replaced);
  perform tidemark.show_views(of_relation);
  perform tidemark.forget_relation(r) from unnest(replaced) as r;
  for former in
    select g.generation from tidemark.generation g where g.relation = of_relation and g.generation < complete.generation
  loop
    perform tidemark.drop_rows(of_relation, former);
  end loop;
  perform tidemark.release_former(of_relation, complete.generation);
  return null;
end
$$;
