-- As before, but only when every topic partition has seen the last attempt. Where one had changes streamed to it before, that
-- attempt is not counted there, and every table is read again (SPEC 4).
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
  -- The last topic partition to finish sees all of them, since they take turns here.
  perform from tidemark.initial_read r where r.epoch = read_epoch order by r.topic_partition for update;
  select count(*) filter (where r.finished and r.lsn = last.lsn) as finished, max(r.attempts) as attempts, last.lsn
    into attempt
    from tidemark.initial_read r
    cross join (select max(l.lsn) as lsn from tidemark.initial_read l where l.epoch = read_epoch) as last
    where r.epoch = read_epoch
    group by last.lsn;
  if attempt.finished < topic_partitions or attempt.attempts = 1 then
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
