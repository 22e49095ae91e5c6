-- What keeps the target small, in steps that a scheduled function repeats until nothing is left. Each step is short, waits for
-- locks no longer than a moment, and leaves what is in use to the next run.

-- The place of the log that no later delivery can be before, because the slot of the source had confirmed it in the
-- newest beacon of every topic partition. Null while a topic partition has applied nothing of the epoch.
create or replace function tidemark.confirmed_everywhere() returns table (epoch integer, lsn bigint)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select min(p.beacon_epoch), min(p.confirmed_lsn - '0/0'::pg_lsn)::bigint
  from tidemark.progress p
  where p.consumer = 'tidemark-latest-state'
  group by p.topic
  having count(p.confirmed_lsn) >= (
      select max((k.contract ->> 'topicPartitions')::integer) from tidemark.contract k where k.topic = p.topic)
    and count(*) = count(p.confirmed_lsn)
    and min(p.beacon_epoch) = max(p.beacon_epoch);
end;

-- Deletes delete markers that are not needed any more to reject a late change, and returns how many. Changes of one key
-- are written in the order of their commits, so none from before a confirmed one is under way.
create or replace function tidemark.prune_markers(limit_rows integer default 10000) returns bigint
language plpgsql security definer
as $$
declare
  confirmed record;
  rows_name text;
  deleted bigint := 0;
  round bigint;
begin
  select * into confirmed from tidemark.confirmed_everywhere();
  if confirmed.lsn is null then
    return 0;
  end if;
  for rows_name in
    select c.relname
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'tidemark$live'
    where c.relnamespace = 'tidemark_rows'::regnamespace
      and c.relkind = 'r'
      and c.relname ~ '^t\d+_\d+$'
      -- Changes of a stopped table that are in quarantine may be applied at any later time.
      and not exists (
        select from tidemark.stopped_table s where s.relation = substring(c.relname from '^t(\d+)_')::bigint)
    order by 1
  loop
    execute format('delete from tidemark_rows.%I where ctid = any (array(select ctid from tidemark_rows.%1$I '
      'where not "tidemark$live" and ("tidemark$epoch", "tidemark$lsn") < ($1, $2) '
      'limit $3 for update skip locked))', rows_name)
      using confirmed.epoch, confirmed.lsn, limit_rows - deleted;
    get diagnostics round = row_count;
    deleted := deleted + round;
    exit when deleted >= limit_rows;
  end loop;
  return deleted;
end
$$;

-- Runs one round of maintenance: makes table partitions of days to come, and removes what is past its time, in batches.
-- `more` says that another round would find something.
create or replace function tidemark.maintain() returns jsonb
language plpgsql security definer
as $$
declare
  batch constant integer := 10000;
  today constant date := (now() at time zone 'UTC')::date;
  ending record;
  changes bigint := 0;
  messages bigint := 0;
  markers bigint := 0;
begin
  perform tidemark.ensure_change_days(today, today + 7);
  -- What these record has to be committed, and their locks released, before anything is deleted: a transaction that writes
  -- a row whose delete marker is being deleted waits until the round ends, and any change waits for a day that is dropped.
  select * into ending from tidemark.end_change_day();
  if ending.stepped or tidemark.end_changes() then
    return jsonb_build_object('dropped', ending.dropped, 'changes', 0, 'auditMessages', 0, 'markers', 0, 'more', true);
  end if;
  if tidemark.maintain_indexes() then
    return jsonb_build_object('dropped', null, 'changes', 0, 'auditMessages', 0, 'markers', 0, 'more', true);
  end if;
  changes := tidemark.prune_changes(batch);
  messages := tidemark.prune_audit_messages(batch);
  markers := tidemark.prune_markers(batch);
  perform tidemark.drop_empty_views();
  return jsonb_build_object('dropped', null, 'changes', changes, 'auditMessages', messages, 'markers', markers,
    'more', greatest(changes, messages, markers) >= batch);
end
$$;
