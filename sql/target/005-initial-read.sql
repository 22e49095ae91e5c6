-- An initial snapshot that was interrupted is read again from the start, and rows deleted between the two attempts are
-- neither read again nor streamed as deletes. All reads of one attempt carry one lsn; each attempt reads the contracts
-- again, so every topic partition sees it.
create table if not exists tidemark.initial_read (
  epoch integer not null,
  topic_partition integer not null,
  lsn bigint not null,
  attempts integer not null default 1,
  finished boolean not null default false,
  primary key (epoch, topic_partition)
);

-- Notes that an attempt with this lsn has begun in a topic partition.
create or replace function tidemark.begin_initial_read(read_epoch integer, read_partition integer, read_lsn bigint) returns void
language sql
as $$
  insert into tidemark.initial_read as known (epoch, topic_partition, lsn)
  values (read_epoch, read_partition, read_lsn)
  on conflict (epoch, topic_partition) do update
  set lsn = excluded.lsn,
    attempts = known.attempts + 1,
    finished = false
  where known.lsn < excluded.lsn
$$;

-- Notes that a streamed beacon follows the reads in a topic partition. When that holds in all of them, rows that only an
-- earlier attempt has read become delete markers. Returns how many.
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
  select count(*) filter (where r.finished) as finished, max(r.attempts) as attempts, max(r.lsn) as lsn
    into attempt
    from tidemark.initial_read r
    where r.epoch = read_epoch;
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

alter table tidemark.initial_read owner to tidemark_owner;
grant select, insert, update on tidemark.initial_read to tidemark_apply;
grant select on tidemark.initial_read to tidemark_read;
