-- Removes history that is past its retention, in steps. Before changes are deleted, the changes that follow them get the row
-- before them, which is otherwise taken from the deleted ones.
-- Runs after history/history-settings.sql.

-- Gives the changes that follow those at `going`, which are places in the table partition of a day, the row before them.
-- `whole` says that all of the day is going.
create or replace function tidemark.keep_rows_before(partition text, going tid[], whole boolean) returns void
language plpgsql
as $$
declare
  day timestamptz := to_date(substring(partition from '\d+$'), 'YYYYMMDD')::timestamp at time zone 'UTC';
begin
  -- The next change is first looked for in the days beside this one, where most are.
  execute format($query$
    with next as (
      select coalesce(near.table_of, far.table_of) as table_of, coalesce(near.place, far.place) as place,
        coalesce(near.committed_at, far.committed_at) as committed_at,
        tidemark.image_by_version(c.relation, c.epoch, c.version, coalesce(near.version, far.version), c.after) as before
      from tidemark_rows.%1$I c
      left join lateral (
        select *
        from (
          select n.tableoid as table_of, n.ctid as place, n.committed_at, n.version, n.op, n.before
          from tidemark_rows.change n
          where n.key_hash = c.key_hash
            and n.ordinal > c.ordinal
            and n.committed_at >= $3 - interval '1 day'
            and n.committed_at < $3 + interval '3 days'
            and (select tidemark.clocks_are_steady())
            and (n.relation, n.epoch, n.generation) = (c.relation, c.epoch, c.generation)
            and n.key = c.key
          order by n.ordinal
          limit 1
        ) nearest
        where nearest.committed_at < $3 + interval '2 days'
      ) near on true
      left join lateral (
        select n.tableoid as table_of, n.ctid as place, n.committed_at, n.version, n.op, n.before
        from tidemark_rows.change n
        where near.table_of is null
          and n.key_hash = c.key_hash
          and n.ordinal > c.ordinal
          and (n.relation, n.epoch, n.generation) = (c.relation, c.epoch, c.generation)
          and n.key = c.key
        order by n.ordinal
        limit 1
      ) far on true
      where c.ctid = any ($1)
        and c.key is not null
        and c.after is not null
        and coalesce(near.op, far.op) in ('u', 'd')
        and coalesce(near.before, far.before) is null
    )
    update tidemark_rows.change c
    set before = next.before
    from next
    where c.committed_at = next.committed_at
      and c.tableoid = next.table_of
      and c.ctid = next.place
      and (c.tableoid <> 'tidemark_rows.%1$I'::regclass or not ($2 or c.ctid = any ($1)))
  $query$, partition) using going, whole, day;
end
$$;

-- Ends the oldest day that is past every retention, one step at a time: it records that its changes are going, gives the
-- changes that follow them the row before them, and drops the table partition. Returns the name of a table partition
-- that it has dropped, and whether there was a step. Writers wait for a step no longer than it waits for them, which is
-- at most 200 ms. A day that is in use is left to the next run.
create or replace function tidemark.end_change_day(out dropped text, out stepped boolean)
language plpgsql security definer
set lock_timeout = '200ms'
as $$
declare
  blocks_of_a_step constant bigint := 500;
  oldest record;
  reached bigint;
  places jsonb;
  going tid[];
begin
  stepped := false;
  for oldest in
    select d.day, d.partition
    from tidemark.change_days() d
    where (d.day + 1)::timestamp at time zone 'UTC' <= now() - tidemark.longest_retention()
    order by d.day
  loop
    -- A transaction that is about to write to the day has the lock, and makes the steps begin again (ensure_change_days).
    continue when not pg_try_advisory_xact_lock(730511002, oldest.day - date '2000-01-01');
    stepped := true;
    select e.next_block into reached from tidemark.ending_day e where e.day = oldest.day;
    if reached is null then
      execute format($query$
        select jsonb_agg(p)
        from (
          select distinct on (relation, generation) relation, generation, epoch,
            coalesce(max(lsn) filter (where op <> 'r'), 0) as lsn
          from tidemark_rows.%I
          where key is not null
          group by relation, generation, epoch
          order by relation, generation, epoch desc
        ) p
      $query$, oldest.partition) into places;
      perform tidemark.raise_gaps(places);
      insert into tidemark.ending_day (day) values (oldest.day);
    elsif reached * current_setting('block_size')::bigint
        < pg_relation_size(format('tidemark_rows.%I', oldest.partition)::regclass) then
      execute format('select array_agg(ctid) from tidemark_rows.%I where ctid >= $1 and ctid < $2', oldest.partition)
        into going
        using format('(%s,0)', reached)::tid, format('(%s,0)', reached + blocks_of_a_step)::tid;
      perform tidemark.keep_rows_before(oldest.partition, going, true);
      update tidemark.ending_day e set next_block = reached + blocks_of_a_step where e.day = oldest.day;
    else
      execute format('drop table tidemark_rows.%I', oldest.partition);
      delete from tidemark.ending_day e where e.day = oldest.day;
      dropped := oldest.partition;
    end if;
    return;
  end loop;
exception
  when lock_not_available then
    dropped := null;
    stepped := false;
end
$$;

-- Records that changes are going, by whole hours, of tables whose retention is shorter than that of the days that they
-- are in. Returns whether there are any: they can be deleted once that is committed.
create or replace function tidemark.end_changes() returns boolean
language plpgsql security definer
set lock_timeout = '200ms'
as $$
declare
  due jsonb;
  places jsonb;
begin
  insert into tidemark.pruned_history (relation)
  select k.relation
  from tidemark.kept_relations() k
  where k.retention < tidemark.longest_retention()
  on conflict do nothing;
  select jsonb_agg(p)
  into due
  from (
    select p.relation, p.ended as since, date_trunc('hour', now() - k.retention) as until
    from tidemark.pruned_history p
    join tidemark.kept_relations() k using (relation)
    where k.retention < tidemark.longest_retention()
      and p.ended < date_trunc('hour', now() - k.retention)
  ) p;
  if due is null then
    return false;
  end if;
  select jsonb_agg(p)
  into places
  from (
    select distinct on (c.relation, c.generation) c.relation, c.generation, c.epoch,
      coalesce(max(c.lsn) filter (where c.op <> 'r'), 0) as lsn
    from tidemark_rows.change c
    join jsonb_to_recordset(due) as d (relation bigint, since timestamptz, until timestamptz)
      on d.relation = c.relation
      and c.committed_at >= d.since
      and c.committed_at < d.until
    where c.key is not null
      and c.committed_at >= (select min(w.since) from jsonb_to_recordset(due) as w (since timestamptz))
      and c.committed_at < (select max(w.until) from jsonb_to_recordset(due) as w (until timestamptz))
    group by c.relation, c.generation, c.epoch
    order by c.relation, c.generation, c.epoch desc
  ) p;
  perform tidemark.raise_gaps(places);
  update tidemark.pruned_history p
  set ended = d.until
  from jsonb_to_recordset(due) as d (relation bigint, until timestamptz)
  where p.relation = d.relation;
  return places is not null;
exception
  when lock_not_available then
    return false;
end
$$;

-- Deletes changes of tables whose retention is shorter than that of the days that they are in, after end_changes has
-- recorded that they are going; returns how many. A change that arrives when its time is already over was not recorded
-- as going, and stays as long as its day.
create or replace function tidemark.prune_changes(limit_rows integer default 10000) returns bigint
language plpgsql security definer
as $$
declare
  pruned record;
  day record;
  going tid[];
  deleted bigint := 0;
begin
  for pruned in
    select p.*
    from tidemark.pruned_history p
    where p.pruned < p.ended
    order by p.relation
  loop
    for day in
      select d.partition
      from tidemark.change_days() d
      where d.day::timestamp at time zone 'UTC' < pruned.ended
        and (d.day + 1)::timestamp at time zone 'UTC' > pruned.pruned
      order by d.day
    loop
      execute format('select array_agg(ctid) from (select p.ctid from tidemark_rows.%I p '
        'where relation = $1 and committed_at >= $2 and committed_at < $3 '
        'and not exists (select from tidemark.generation g where (g.relation, g.generation) = (p.relation, p.generation) '
        'and (g.gap_epoch, g.gap_lsn) < (p.epoch, case when p.op = ''r'' then 0 else p.lsn end) and p.key is not null) '
        'limit $4) c', day.partition)
        into going
        using pruned.relation, pruned.pruned, pruned.ended, limit_rows - deleted;
      continue when going is null;
      perform tidemark.keep_rows_before(day.partition, going, false);
      execute format('delete from tidemark_rows.%I where ctid = any ($1)', day.partition) using going;
      deleted := deleted + cardinality(going);
      if deleted >= limit_rows then
        return deleted;
      end if;
    end loop;
    update tidemark.pruned_history p set pruned = pruned.ended where p.relation = pruned.relation;
  end loop;
  return deleted;
end
$$;

-- Deletes audit messages that are past every retention, and returns how many.
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
