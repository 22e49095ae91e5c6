-- The newest contract of a relation, or null.
create or replace function tidemark.latest_contract(of_relation oid) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
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

-- What the contract of a relation has to become, or null when it says so already. A relation that is gone keeps its
-- last description, dropped. A relation the setting never asked for has none.
create or replace function tidemark.due_contract(of_relation oid) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  latest jsonb := tidemark.latest_contract(of_relation);
  current jsonb := tidemark.describe_table(of_relation);
begin
  if latest is null and not tidemark.is_chosen(of_relation) then
    return null;
  end if;
  current := coalesce(current, (latest - 'version') || '{"dropped": true, "published": false}');
  return case when current is distinct from latest - 'version' then current end;
end
$$;

-- Brings the capture state of a relation in line with its contract; a relation that is not to be captured has none.
create or replace function tidemark.observe_state(of_relation oid, contract jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  fixes text;
begin
  if contract is null or (contract ->> 'dropped')::boolean or not tidemark.is_chosen(of_relation) then
    delete from tidemark.captured_table t where t.relation = of_relation;
    return;
  end if;
  if contract ->> 'refusal' is not null then
    select string_agg(r.fix || ';', E'\n') into fixes
    from tidemark.table_refusals(of_relation, tidemark.excluded_columns(of_relation), current_user) r;
  end if;
  insert into tidemark.captured_table as t (relation, schema_name, table_name, state, reason, fix)
  values (
    of_relation,
    contract ->> 'schema',
    contract ->> 'table',
    case when contract ->> 'refusal' is null then 'pending' else 'refused' end,
    contract ->> 'refusal',
    fixes
  )
  on conflict (relation) do update
  set schema_name = excluded.schema_name,
      table_name = excluded.table_name,
      -- A table that is published goes on where its capture stands.
      state = case
        when excluded.state = 'pending' and t.state <> 'refused' and (contract ->> 'published')::boolean then t.state
        else excluded.state
      end,
      reason = excluded.reason,
      fix = excluded.fix
  where (t.schema_name, t.table_name, t.reason, t.fix)
      is distinct from (excluded.schema_name, excluded.table_name, excluded.reason, excluded.fix)
    or t.state <> excluded.state and not (contract ->> 'published')::boolean;
end
$$;

-- Brings contract and capture state of one relation up to its catalog entry; returns whether a contract was written.
-- A refused table leaves the publication at once: without a usable key its updates would fail there.
create or replace function tidemark.observe_table(of_relation oid) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  due jsonb := tidemark.due_contract(of_relation);
begin
  if due is null then
    perform tidemark.observe_state(of_relation, tidemark.latest_contract(of_relation));
    return false;
  end if;
  -- Writers of one relation's contract take turns, each seeing what the one before wrote.
  perform pg_advisory_xact_lock(hashtextextended('tidemark.table_contract', of_relation::bigint));
  due := tidemark.due_contract(of_relation);
  if due is null then
    return false;
  end if;
  if due ->> 'refusal' is not null and (due ->> 'published')::boolean then
    execute format('alter publication tidemark drop table %I.%I', due ->> 'schema', due ->> 'table');
    due := due || '{"published": false}';
  end if;
  perform tidemark.observe_state(of_relation, due);
  -- While nobody listens, the contract of a new table is written by the transaction that publishes it.
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

-- Relations that have a contract or are to have one.
create or replace function tidemark.observed_relations() returns setof oid
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select c.oid from pg_class c where tidemark.is_chosen(c.oid)
  union
  select t.relation::oid from tidemark.table_contract t where t.slot = 0
  union
  select t.relation::oid from tidemark.captured_table t
$$;

-- Brings the contracts of all relations up to the catalog: where event triggers are not allowed, a migration calls it
-- after its DDL. Returns how many contracts it wrote.
create or replace function tidemark.publish_contracts() returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
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
      -- DDL on the table is still open and writes the contract itself.
      null;
    end;
  end loop;
  return written;
end
$$;

revoke all on all functions in schema tidemark from public;
