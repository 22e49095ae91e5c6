-- The table of changes: its key, its table partitions by day, and the generations whose changes it has.

-- The same for all changes of a row. Changes without a key, which are those of rows without one and truncates, have one
-- hash for their table.
create or replace function tidemark.key_hash(relation bigint, key text[]) returns bigint
language sql immutable parallel safe
return coalesce(hash_array_extended(key, relation), relation);

-- The name of the table partition of a UTC day.
create or replace function tidemark.change_day_name(day date) returns text
language sql immutable parallel safe
return 'change_' || to_char(day, 'YYYYMMDD');

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

-- Makes the table partitions of these UTC days, and keeps them from being dropped until the transaction ends. It has to
-- be called before the transaction writes. Writers of other days do not wait: only attaching takes a lock of the whole
-- table, and that lock does not conflict with theirs.
create or replace function tidemark.ensure_change_days(first_day date, last_day date) returns void
language plpgsql security definer
as $$
declare
  day date := first_day;
  name text;
  made boolean;
  attached boolean;
begin
  while day <= last_day loop
    name := tidemark.change_day_name(day);
    -- Maintenance takes the same lock before it drops a day, and leaves the day where it does not get the lock.
    perform pg_advisory_xact_lock_shared(730511002, day - date '2000-01-01');
    select true, c.relispartition into made, attached
    from pg_class c
    where c.relnamespace = 'tidemark_rows'::regnamespace and c.relname = name;
    if attached is not true then
      perform pg_advisory_xact_lock(730511003, 0);
      -- This is queried again, since to wait for an advisory lock does not renew what the session has cached of names.
      select true, c.relispartition into made, attached
      from pg_class c
      where c.relnamespace = 'tidemark_rows'::regnamespace and c.relname = name;
      if made is not true then
        execute format('create table tidemark_rows.%I (like tidemark_rows.change including all excluding indexes)', name);
      end if;
      if attached is not true then
        execute format('alter table tidemark_rows.change attach partition tidemark_rows.%I for values from (%L) to (%L)', name,
          to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00');
      end if;
    end if;
    if day < (now() at time zone 'UTC')::date then
      -- The step of maintenance has not looked at what is about to be written, so it begins again.
      delete from tidemark.ending_day e where tidemark.change_day_name(e.day) = name;
    end if;
    day := day + 1;
  end loop;
end
$$;

-- Locks these generations until the transaction ends, and returns up to which place changes of them are missing.
-- `unlogged` marks those whose changes are not kept now: from here on every change of them is kept with the row before
-- it. These are locked first, since two transactions that hold a shared lock of a generation could not both change it.
create or replace function tidemark.hold_generations(relations bigint[], generations integer[], unlogged boolean[])
returns table (
  relation bigint, generation integer, truncated_epoch integer, truncated_lsn bigint, truncated_earlier boolean, gap_epoch integer,
  gap_lsn bigint
)
language plpgsql
as $$
declare
  nothing_kept constant integer := 2147483647;
begin
  if true = any (unlogged) then
    perform
    from tidemark.generation g
    where (g.relation, g.generation) in (
        select u.relation, u.generation
        from unnest(relations, generations, unlogged) u (relation, generation, unlogged)
        where u.unlogged
      )
      and g.gap_epoch < nothing_kept
    order by g.relation, g.generation
    for no key update;
    if found then
      update tidemark.generation g
      set gap_epoch = nothing_kept,
        gap_lsn = 9223372036854775807
      where (g.relation, g.generation) in (
          select u.relation, u.generation
          from unnest(relations, generations, unlogged) u (relation, generation, unlogged)
          where u.unlogged
        )
        and g.gap_epoch < nothing_kept;
    end if;
  end if;
  return query
    select g.relation, g.generation, g.truncated_epoch, g.truncated_lsn, g.truncated_earlier, g.gap_epoch, g.gap_lsn
    from tidemark.generation g
    where (g.relation, g.generation) in (select * from unnest(relations, generations))
    order by g.relation, g.generation
    for share;
end
$$;

-- Records that changes of generations may be missing in history up to these places: changes after them are kept with the
-- row before them. `places` has elements {"relation", "generation", "epoch", "lsn"}.
create or replace function tidemark.raise_gaps(places jsonb) returns void
language sql
set search_path = pg_catalog, pg_temp
begin atomic
  with held as (
    select g.relation, g.generation, p.epoch, p.lsn
    from tidemark.generation g
    join jsonb_to_recordset(places) as p (relation bigint, generation integer, epoch integer, lsn bigint)
      using (relation, generation)
    where (g.gap_epoch, g.gap_lsn) < (p.epoch, p.lsn)
    order by g.relation, g.generation
    for no key update of g
  )
  update tidemark.generation g
  set gap_epoch = held.epoch,
    gap_lsn = held.lsn
  from held
  where (g.relation, g.generation) = (held.relation, held.generation);
end;
