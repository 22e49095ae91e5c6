-- What keeps the target small, in steps that a scheduled function repeats until nothing is left. Each is short, waits
-- for nobody longer than a moment, and leaves what is in use to the next run.

-- How long changes of each relation stay: that of its setting, under its newest name.
create or replace function tidemark.kept_relations() returns table (relation bigint, retention interval)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select n.relation, s.retention
  from (
    select distinct on (k.relation) k.relation, k.contract ->> 'schema' as schema_name, k.contract ->> 'table' as table_name
    from tidemark.contract k
    order by k.relation, k.epoch desc, k.version desc
  ) n
  cross join tidemark.history_setting_of(n.relation, n.schema_name, n.table_name) s;
end;

create or replace function tidemark.longest_retention() returns interval
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select coalesce(max(s.retention), interval 'infinity') from tidemark.history_setting s;
end;

-- The table partitions of changes, oldest first.
create or replace function tidemark.change_days() returns table (day date, partition text)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select to_date(substring(c.relname from '\d+$'), 'YYYYMMDD') as day, c.relname::text
  from pg_inherits i
  join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'tidemark_rows.change'::regclass
    and c.relname ~ '^change_\d{8}$'
  order by 1;
end;

-- Drops the oldest day that is past every retention; returns its name, or null when there is none or it is in use.
-- Writers wait for the drop as long as it waits for them: 200 ms at most.
create or replace function tidemark.drop_change_day() returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
as $$
declare
  oldest record;
begin
  for oldest in
    select d.day, d.partition
    from tidemark.change_days() d
    where (d.day + 1)::timestamp at time zone 'UTC' <= now() - tidemark.longest_retention()
    order by d.day
  loop
    -- A transaction that is about to write to the day has the lock (tidemark.ensure_change_days).
    if pg_try_advisory_xact_lock(730511002, oldest.day - date '2000-01-01') then
      execute format('drop table tidemark_rows.%I', oldest.partition);
      return oldest.partition;
    end if;
  end loop;
  return null;
exception
  when lock_not_available then
    return null;
end
$$;

-- Deletes changes of tables whose retention is shorter than that of the days they are in; returns how many.
create or replace function tidemark.prune_changes(limit_rows integer default 10000) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  day record;
  relation_id bigint;
  retention interval;
  deleted bigint := 0;
  round bigint;
  standard interval := (select s.retention from tidemark.history_setting_of(0, '', '') s);
  settings jsonb := (select jsonb_object_agg(k.relation, k.retention) from tidemark.kept_relations() k);
begin
  for day in
    select d.partition
    from tidemark.change_days() d
    where d.day::timestamp at time zone 'UTC' < now() - least(standard, (select min(k.retention) from tidemark.kept_relations() k))
    order by d.day
  loop
    relation_id := -1;
    loop
      execute format('select min(relation) from tidemark_rows.%I where relation > $1', day.partition)
        into relation_id using relation_id;
      exit when relation_id is null;
      retention := coalesce((settings ->> relation_id::text)::interval, standard);
      execute format('delete from tidemark_rows.%I where ctid = any (array(select ctid from tidemark_rows.%1$I '
        'where relation = $1 and committed_at < now() - $2 limit $3))', day.partition)
        using relation_id, retention, limit_rows - deleted;
      get diagnostics round = row_count;
      deleted := deleted + round;
      if deleted >= limit_rows then
        return deleted;
      end if;
    end loop;
  end loop;
  return deleted;
end
$$;

-- Deletes audit messages that are past every retention; returns how many.
create or replace function tidemark.prune_audit_messages(limit_rows integer default 10000) returns bigint
language sql security definer
set search_path = pg_catalog, pg_temp
begin atomic
  with deleted as (
    delete from tidemark.audit_message
    where ctid = any (array(
      select a.ctid
      from tidemark.audit_message a
      where a.committed_at < now() - tidemark.longest_retention()
      limit limit_rows
    ))
    returning 1
  )
  select count(*) from deleted;
end;

-- The place that no change from before can come after: the source's slot had confirmed it in every topic partition's
-- newest beacon. Null while a topic partition has applied none of the epoch.
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

-- Deletes delete markers that no late change can be held back by any more; returns how many. Changes of one key are
-- written in the order of their transactions' commits, so one that is confirmed has none before it under way.
create or replace function tidemark.prune_markers(limit_rows integer default 10000) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
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
      -- What is kept of a stopped table may be applied at any later time.
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

-- One round of everything: days to come are made, and what is past its time goes, in batches. `more` says that another
-- round would find something.
create or replace function tidemark.maintain() returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  batch constant integer := 10000;
  today constant date := (now() at time zone 'UTC')::date;
  changes bigint := tidemark.prune_changes(batch);
  messages bigint := tidemark.prune_audit_messages(batch);
  markers bigint := tidemark.prune_markers(batch);
  dropped text;
begin
  perform tidemark.ensure_change_days(today, today + 7);
  perform tidemark.drop_empty_views();
  -- Last, since its lock on all days is held until the round ends.
  dropped := tidemark.drop_change_day();
  return jsonb_build_object('dropped', dropped, 'changes', changes, 'auditMessages', messages, 'markers', markers,
    'more', dropped is not null or greatest(changes, messages, markers) >= batch);
end
$$;

alter function tidemark.kept_relations() owner to tidemark_owner;
alter function tidemark.longest_retention() owner to tidemark_owner;
alter function tidemark.change_days() owner to tidemark_owner;
alter function tidemark.drop_change_day() owner to tidemark_owner;
alter function tidemark.prune_changes(integer) owner to tidemark_owner;
alter function tidemark.prune_audit_messages(integer) owner to tidemark_owner;
alter function tidemark.confirmed_everywhere() owner to tidemark_owner;
alter function tidemark.prune_markers(integer) owner to tidemark_owner;
alter function tidemark.maintain() owner to tidemark_owner;
grant select on tidemark.progress to tidemark_owner;
revoke all on function tidemark.drop_change_day(), tidemark.prune_changes(integer), tidemark.prune_audit_messages(integer),
  tidemark.prune_markers(integer), tidemark.maintain() from public;
grant execute on function tidemark.maintain() to tidemark_apply;
