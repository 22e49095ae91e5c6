-- Where the initial snapshot of an epoch is, and what is removed when it was interrupted and began again.

-- Records that an attempt of the initial snapshot with this lsn has begun in a topic partition.
create or replace function tidemark.begin_initial_read(read_epoch integer, read_partition integer, read_lsn bigint) returns void
language sql
as $$
  insert into tidemark.epoch as e (epoch, began_at)
  values (read_epoch, clock_timestamp())
  on conflict (epoch) do update set began_at = excluded.began_at where e.began_at is null;
  insert into tidemark.initial_read as known (epoch, topic_partition, lsn)
  values (read_epoch, read_partition, read_lsn)
  on conflict (epoch, topic_partition) do update
  set lsn = excluded.lsn,
    attempts = known.attempts + 1,
    finished = false
  where known.lsn < excluded.lsn
$$;

-- Records that a streamed beacon follows the snapshot in a topic partition. When that is so in all of them for the last
-- attempt, rows that only an earlier attempt has read become delete markers. An attempt that had changes streamed to a
-- topic partition before it is not counted there, and every table is read again (SPEC 4). Relations that only an earlier
-- epoch knows are gone in the source. Returns how many rows became delete markers.
create or replace function tidemark.finish_initial_read(read_epoch integer, read_partition integer, topic_partitions integer)
returns bigint
language plpgsql
as $$
declare
  swept bigint := 0;
  changed bigint;
  attempt record;
  rows_of record;
begin
  update tidemark.initial_read r
  set finished = true
  where r.epoch = read_epoch
    and r.topic_partition = read_partition
    and not r.finished;
  if not found then
    return 0;
  end if;
  -- Topic partitions take turns here, so that the last one to finish sees all of them.
  perform from tidemark.initial_read r where r.epoch = read_epoch order by r.topic_partition for update;
  select count(*) filter (where r.finished and r.lsn = last.lsn) as finished, max(r.attempts) as attempts, last.lsn
    into attempt
    from tidemark.initial_read r
    cross join (select max(l.lsn) as lsn from tidemark.initial_read l where l.epoch = read_epoch) as last
    where r.epoch = read_epoch
    group by last.lsn;
  if attempt.finished < topic_partitions then
    return 0;
  end if;
  update tidemark.epoch e set known_at = clock_timestamp() where e.epoch = read_epoch;
  perform tidemark.forget_relation(m.relation)
  from tidemark.table_marker m
  where m.epoch < read_epoch
    and not exists (select from tidemark.contract c where (c.relation, c.epoch) = (m.relation, read_epoch))
    -- It stays where another relation has its name now, whose rows are not complete yet.
    and not exists (
      select
      from tidemark.table_marker s
      where (s.schema_name, s.table_name) = (m.schema_name, m.table_name)
        and s.epoch > m.epoch
        and s.dropped_at is null
    );
  if attempt.attempts = 1 then
    return 0;
  end if;
  for rows_of in select g.relation, g.generation from tidemark.generation g where not g.keyless loop
    execute format(
      'update tidemark_rows.%I set "tidemark$live" = false '
      'where "tidemark$live" and "tidemark$epoch" = $1 and "tidemark$phase" = 0 and "tidemark$lsn" between 1 and $2 - 1',
      tidemark.rows_name(rows_of.relation, rows_of.generation)) using read_epoch, attempt.lsn;
    get diagnostics changed = row_count;
    swept := swept + changed;
  end loop;
  return swept;
end
$$;
