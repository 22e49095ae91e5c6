-- The contract of each relation, which is written in the transaction of the DDL that changes the relation, and the state of its
-- capture, which follows the contract.

-- The newest contract of a relation, or null.
create or replace function tidemark.latest_contract(of_relation oid) returns jsonb
language plpgsql stable
as $$
begin
  return (
    select t.contract
    from tidemark.table_contract t
    where t.relation = of_relation::bigint
      and t.slot = 0
    order by t.version desc
    limit 1
  );
end
$$;

-- What the contract of a relation has to become, or null when the newest contract says it already. A relation that is
-- gone keeps its last description, marked as dropped. A relation that the setting has never asked for has no contract.
create or replace function tidemark.due_contract(of_relation oid) returns jsonb
language plpgsql stable
as $$
declare
  latest jsonb := tidemark.latest_contract(of_relation);
  current jsonb;
begin
  if latest is null and not tidemark.is_chosen(of_relation) then
    return null;
  end if;
  current := coalesce(
    tidemark.describe_table(of_relation),
    (latest - 'version') || '{"dropped": true, "published": false}'
  );
  if current = latest - 'version' then
    return null;
  end if;
  if current -> 'generation' = latest -> 'generation'
    and (tidemark.begins_generation(latest, current) or tidemark.disturbs_snapshot(of_relation, latest, current)) then
    current := current || jsonb_build_object('generation', (latest ->> 'generation')::integer + 1, 'complete', false);
  end if;
  return current;
end
$$;

-- What the capture state of a relation has to say by its contract. There is no row for a relation that is not to be
-- captured.
create or replace function tidemark.wanted_state(of_relation oid, contract jsonb)
returns table (
  relation bigint, schema_name text, table_name text, state text, reason text, fix text, generation integer, complete boolean
)
language plpgsql stable
as $$
begin
  if contract is null or (contract ->> 'dropped')::boolean or not tidemark.is_chosen(of_relation) then
    return;
  end if;
  return query select
    of_relation::bigint,
    contract ->> 'schema',
    contract ->> 'table',
    case when contract ->> 'refusal' is null then 'pending' else 'refused' end,
    contract ->> 'refusal',
    case when contract ->> 'refusal' is not null then (
      select string_agg(r.fix || ';', E'\n') from tidemark.refusals(of_relation) r
    ) end,
    (contract ->> 'generation')::integer,
    (contract ->> 'complete')::boolean;
end
$$;

-- Whether the capture state of a relation says what its contract wants.
create or replace function tidemark.is_settled(of_relation oid, contract jsonb) returns boolean
language plpgsql stable
as $$
begin
  return not exists (
    select
    from tidemark.wanted_state(of_relation, contract) w
    full join (select * from tidemark.captured_table c where c.relation = of_relation::bigint) as t using (relation)
    where (w.schema_name, w.table_name, w.reason, w.fix, w.generation, w.complete)
        is distinct from (t.schema_name, t.table_name, t.reason, t.fix, t.generation, t.complete)
      or t.state <> w.state and not (contract ->> 'published')::boolean
  );
end
$$;

-- Brings the capture state of a relation in line with its contract. Only a transaction that has its turn calls it
-- (tidemark.take_turn).
create or replace function tidemark.observe_state(of_relation oid, contract jsonb) returns void
language plpgsql
as $$
begin
  if tidemark.is_settled(of_relation, contract) then
    return;
  end if;
  insert into tidemark.captured_table as t
    (relation, schema_name, table_name, state, reason, fix, generation, complete)
  select * from tidemark.wanted_state(of_relation, contract)
  on conflict (relation) do update
  set schema_name = excluded.schema_name,
      table_name = excluded.table_name,
      -- The capture of a published table continues from its present state, unless its rows have to be read again.
      state = case
        when excluded.state = 'pending'
          and t.state <> 'refused'
          and excluded.generation = t.generation
          and (contract ->> 'published')::boolean then t.state
        else excluded.state
      end,
      reason = excluded.reason,
      fix = excluded.fix,
      generation = excluded.generation,
      complete = excluded.complete;
  if not found then
    delete from tidemark.captured_table t where t.relation = of_relation::bigint;
  end if;
end
$$;

-- Sets replica identity full on a published relation whose changes would not carry every value, or takes the relation out
-- of the publication where its updates would fail or carry too little. While another transaction holds the publication,
-- the relation gets a replica identity by which its owner can write, and the next run of capture-tables takes it out.
create or replace function tidemark.secure_images(of_relation oid, contract jsonb) returns void
language plpgsql
as $$
declare
  can_stay constant boolean :=
    contract ->> 'refusal' is null and not tidemark.is_published_in_part(of_relation);
begin
  if can_stay and not tidemark.lacks_images(of_relation) then
    return;
  end if;
  if can_stay and exists (select from tidemark.key_columns(of_relation)) then
    begin
      -- The DDL that made this necessary already holds the lock that it needs.
      execute format('alter table only %s replica identity full', of_relation::regclass);
      update tidemark.captured_table t set identity_given = true where t.relation = of_relation::bigint;
      return;
    exception when others then
      raise debug 'tidemark: %', sqlerrm;
    end;
  end if;
  if not tidemark.is_publication_held() then
    begin
      execute format('alter publication tidemark drop table only %s', of_relation::regclass);
      perform tidemark.give_identity_back(of_relation);
      return;
    exception when lock_not_available then
      raise debug 'tidemark: %', sqlerrm;
    end;
  end if;
  perform tidemark.give_writable_identity(of_relation);
end
$$;

-- Transactions that write a relation's contract or move its capture on take turns, so that each sees what the one before
-- has written.
create or replace function tidemark.take_turn(of_relation oid) returns void
language plpgsql
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('tidemark.table_contract', of_relation::bigint));
end
$$;

-- Whether a relation is in the publication and does not belong there.
create or replace function tidemark.is_to_leave(of_relation oid, contract jsonb) returns boolean
language plpgsql stable
as $$
begin
  return (contract ->> 'published')::boolean and contract ->> 'refusal' is not null
    or tidemark.is_published_in_part(of_relation);
end
$$;

-- Writes the contract of one relation if the catalog no longer is what the newest contract says, brings its capture state
-- in line, and returns whether a contract was written. A refused table leaves the publication at once.
create or replace function tidemark.observe_table(of_relation oid) returns boolean
language plpgsql
as $$
declare
  due jsonb := tidemark.due_contract(of_relation);
begin
  if due is null
    and tidemark.is_settled(of_relation, tidemark.latest_contract(of_relation))
    and not tidemark.is_to_leave(of_relation, tidemark.latest_contract(of_relation)) then
    return false;
  end if;
  -- Another transaction may be changing what was read until here. Its turn ends with it.
  perform tidemark.take_turn(of_relation);
  if (coalesce(due, tidemark.latest_contract(of_relation)) ->> 'published')::boolean then
    perform tidemark.secure_images(of_relation, coalesce(due, tidemark.latest_contract(of_relation)));
  end if;
  due := tidemark.due_contract(of_relation);
  if due is null then
    perform tidemark.observe_state(of_relation, tidemark.latest_contract(of_relation));
    return false;
  end if;
  perform tidemark.observe_state(of_relation, due);
  -- While no connector listens, the contract of a new table is written by the transaction that publishes it.
  if tidemark.latest_contract(of_relation) is null
    and due ->> 'refusal' is null
    and not (due ->> 'published')::boolean
    and not tidemark.is_listening() then
    return false;
  end if;
  insert into tidemark.table_contract (relation, version, slot, contract)
  select of_relation, v.version, s.slot, due || jsonb_build_object('version', v.version)
  from (select coalesce((tidemark.latest_contract(of_relation) ->> 'version')::integer, 0) + 1) as v (version)
  cross join (select generate_series(0, topic_partitions - 1) from tidemark.setting) as s (slot);
  return true;
end
$$;

-- The relations that have a contract or are to have one.
create or replace function tidemark.observed_relations() returns setof oid
language sql stable
as $$
  select c.oid from pg_class c where tidemark.is_chosen(c.oid)
  union
  select t.relation::oid from tidemark.table_contract t where t.slot = 0
  union
  select t.relation::oid from tidemark.captured_table t
$$;

-- Brings the contracts of all relations in line with the catalog, and returns how many it wrote. Where event triggers
-- are not allowed, a migration of the application calls it after its DDL.
create or replace function tidemark.publish_contracts() returns integer
language plpgsql security definer
set lock_timeout = '2s'
as $$
declare
  observed oid;
  written integer := 0;
begin
  for observed in select tidemark.observed_relations() loop
    begin
      written := written + tidemark.observe_table(observed)::integer;
    exception when lock_not_available then
      -- DDL on the table is still open, and writes the contract itself.
      null;
    end;
  end loop;
  return written;
end
$$;
