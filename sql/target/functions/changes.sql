-- The table of changes: its key, its table partitions by day, and the generations whose changes it has.

-- What the changes of a row have in common, or those of a table that have no key: its rows without one, and truncates.
create or replace function tidemark.key_hash(relation bigint, key text[]) returns bigint
language sql immutable parallel safe
return coalesce(hash_array_extended(key, relation), relation);

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

-- Makes the table partitions of these UTC days, and keeps them until the transaction ends: to be called before the
-- transaction writes. Writers of other days do not wait: only attaching is done under a lock of the whole table, and
-- that one lets them pass.
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
    -- Maintenance takes the same lock before it drops a day, and leaves the day alone where it does not get it.
    perform pg_advisory_xact_lock_shared(730511002, day - date '2000-01-01');
    select true, c.relispartition into made, attached
    from pg_class c
    where c.relnamespace = 'tidemark_rows'::regnamespace and c.relname = name;
    if attached is not true then
      perform pg_advisory_xact_lock(730511003, 0);
      -- Asked again by a query: what the session remembers of names is not renewed by waiting for such a lock.
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
      -- What is about to be written was not looked at yet.
      delete from tidemark.ending_day e where tidemark.change_day_name(e.day) = name;
    end if;
    day := day + 1;
  end loop;
end
$$;

-- Holds these generations as they are until the transaction ends, and returns up to where changes of them are missing.
-- `unlogged` are those whose changes are not kept now: from here on every change of them keeps the row before it. Those
-- come first: two transactions that have a generation could not both change it.
create or replace function tidemark.hold_generations(relations bigint[], generations integer[], unlogged boolean[])
returns table (relation bigint, generation integer, truncated_epoch integer, truncated_lsn bigint, gap_epoch integer, gap_lsn bigint)
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
    select g.relation, g.generation, g.truncated_epoch, g.truncated_lsn, g.gap_epoch, g.gap_lsn
    from tidemark.generation g
    where (g.relation, g.generation) in (select * from unnest(relations, generations))
    order by g.relation, g.generation
    for share;
end
$$;

-- Says that changes of generations may be missing in history up to these places: what is written from then on keeps the row
-- before it. `places` are of {"relation", "generation", "epoch", "lsn"}.
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
