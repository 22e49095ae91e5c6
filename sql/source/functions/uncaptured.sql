-- What is not captured and why, and the regular look at what no event trigger reports. The rules that refuse a table are in
-- refusals/; tidemark.captured_table stores their reason, which is shown here.
-- Runs after replication-slot.sql.

-- Relations whose contract no longer describes the type of a column. This happens when the transaction that altered the
-- type did not see the column, and the one that made the column did not see the alteration.
create or replace function tidemark.outdated_relations() returns setof oid
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  with candidate as materialized (
    select distinct a.attrelid as relation
    from tidemark.captured_table t
    join pg_attribute a on a.attrelid = t.relation::oid
    join pg_type y on y.oid = a.atttypid
    where y.typnamespace <> 'pg_catalog'::regnamespace
  ),
  said as materialized (
    select candidate.relation, c.definition, a.atttypid, a.atttypmod
    from candidate
    cross join lateral jsonb_to_recordset(tidemark.latest_contract(candidate.relation) -> 'columns')
      as c (number int2, definition text)
    join pg_attribute a on a.attrelid = candidate.relation and a.attnum = c.number and not a.attisdropped
    where c.definition is not null
  )
  select distinct s.relation
  from said s
  join (
    select d.atttypid, d.atttypmod, y.definition
    from (select distinct atttypid, atttypmod from said) as d
    cross join lateral tidemark.column_type(d.atttypid, d.atttypmod) y
  ) as type using (atttypid, atttypmod)
  where s.definition is distinct from type.definition;
end
$$;

-- Looks again at what no event trigger reports: refused tables, whose owner or policies may have changed; tables that
-- were taken out of the publication; tables that their owner cannot write to; tables whose contract could not be
-- written, or no longer says what their types are; and all tables where event triggers are missing. Removes what is left
-- of tables that are gone.
create or replace function tidemark.catch_up() returns void
language plpgsql
set lock_timeout = '500ms'
as $$
declare
  observed oid;
  missing oid[];
  rewritten oid[];
  anything boolean := false;
begin
  with failure as (delete from tidemark.contract_failure returning *)
  select coalesce(array_agg(f.relation::oid), '{}'), array_agg(distinct f.relation::oid) filter (where f.rewritten)
  into missing, rewritten
  from failure f;
  perform tidemark.begin_generation_safely(r) from unnest(rewritten) as r;
  if tidemark.restore_publication() then
    -- Changes and contracts may be missing in the log since the publication was altered, so every table is read again.
    perform tidemark.begin_generation_safely(t.relation::oid) from tidemark.captured_table t;
    anything := true;
  end if;
  anything := anything or 0 = any (missing)
    -- Since Postgres 17 event triggers can be turned off for a database or a role.
    or coalesce(current_setting('event_triggers', true), 'on') <> 'on'
    or exists (
      select
      from pg_db_role_setting s
      cross join unnest(s.setconfig) as c (setting)
      where s.setdatabase in (0, (select d.oid from pg_database d where d.datname = current_database()))
        and c.setting ~* '^event_triggers=(of|f|n|0)'
    )
    or 3 > (select count(*) from pg_event_trigger e where e.evtname like 'tidemark\_%' and e.evtenabled = 'A');
  for observed in
    select r from tidemark.observed_relations() as r where anything
    union
    select r from unnest(missing) as r where r <> 0
    union
    select tidemark.outdated_relations()
    union
    select tidemark.unwritable_tables()
    union
    select t.relation::oid
    from tidemark.captured_table t
    where t.state = 'refused'
      or t.state <> 'pending' and not tidemark.is_published(t.relation::oid)
  loop
    perform tidemark.observe_safely(observed);
  end loop;
  perform tidemark.give_identity_back(t.relation::oid)
  from tidemark.captured_table t
  where t.state = 'refused'
    and t.identity_given;
  perform tidemark.tidy_signals();
end
$$;

-- Each table of the captured schemas that is not captured, why, and the SQL that changes it.
create or replace view tidemark.uncaptured as
select t.schema_name, t.table_name,
  case t.state
    when 'refused' then t.reason
    else concat_ws(
      '; last error: ',
      'is being captured: ' || case
        when t.state = 'snapshotting' then 'a snapshot of its rows is under way'
        when t.awaited <> '{}' then 'waits for transactions that wrote to it before it was published: ' || array_to_string(t.awaited, ', ')
        when t.state = 'awaiting writers' then 'waits until the snapshot of another table has ended'
        when not tidemark.is_listening() then 'waits until the connector runs'
        when t.generation > 1 then 'its rows will be read again by a snapshot'
        else 'it is new'
      end,
      t.last_error
    )
  end as why,
  case
    when t.state = 'awaiting writers' and t.awaited <> '{}' then coalesce(
      -- A prepared transaction has no session that could be shown.
      (
        select string_agg(
          -- Its owner has to decide between the two. A comment ends with its line.
          translate(format('-- either commit prepared %L; or rollback prepared %1$L;', p.gid), E'\r\n', '  '), E'\n' order by p.prepared
        )
        from pg_locks l
        join pg_prepared_xacts p on p.transaction = l.transactionid
        where l.virtualtransaction = any (t.awaited)
          and l.locktype = 'transactionid'
      ),
      format('select * from pg_stat_activity join pg_locks using (pid) where virtualtransaction = any (%L);', t.awaited)
    )
    else t.fix
  end as fix,
  t.since
from tidemark.captured_table t
where t.state <> 'captured'
union all
select coalesce(n.nspname, '?'), coalesce(c.relname, '?'),
  'its contract could not be written: ' || f.message,
  'select tidemark.publish_contracts();',
  f.failed_at
from (
  select distinct on (relation) relation, message, failed_at
  from tidemark.contract_failure
  order by relation, failed_at desc
) as f
left join pg_class c on c.oid = f.relation
left join pg_namespace n on n.oid = c.relnamespace;
