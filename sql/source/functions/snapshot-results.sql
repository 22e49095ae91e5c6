-- How the snapshot of one table ended: the table is captured, or it is tried again.

-- The result of an incremental snapshot: null while it goes on, '' when it is complete, otherwise why it failed.
-- Debezium writes a mark to tidemark.signal at the beginning and at the end of each chunk, and begins the next chunk
-- when it finds the end mark in the log. So the snapshot has ended when the slot has confirmed a place behind all marks
-- and there are no new ones. A last chunk without an end mark has failed. A single chunk found no rows, or Debezium
-- skipped the table. No chunk at all means that Debezium did not follow the signal.
create or replace function tidemark.chunks_result(of_relation oid, current tidemark.captured_table, has_rows boolean)
returns text
language plpgsql
as $$
declare
  marks bigint;
  chunks bigint;
  closed boolean;
begin
  select count(*), count(*) filter (where m.type = 'snapshot-window-open'),
    (array_agg(m.type order by m.opened_at desc, m.type))[1] = 'snapshot-window-close'
  into marks, chunks, closed
  from (
    select s.type, (s.data::jsonb ->> 'openWindowTimestamp')::timestamptz as opened_at
    from tidemark.signal s
    where s.id <> current.signal_id
      and tidemark.signal_of(s.id, s.type, s.data) = current.signal_id
  ) as m;
  if marks is distinct from current.seen_marks then
    update tidemark.captured_table t
    set seen_marks = marks,
        seen_lsn = pg_current_wal_insert_lsn()
    where t.relation = of_relation::bigint;
    -- Debezium confirms this beacon, and so that place, before its next heartbeat.
    perform tidemark.emit_beacon();
    return null;
  end if;
  if not tidemark.is_confirmed(current.seen_lsn) then
    return null;
  end if;
  return case
    when marks = 0 then 'Debezium did not begin the snapshot'
    when not closed then 'Debezium could not read its rows'
    when chunks = 1 and has_rows then 'Debezium read none of its rows'
    else ''
  end;
end
$$;

-- The result of a blocking snapshot, as chunks_result has it. While it goes on no change is sent, so it has ended when
-- the slot has confirmed a beacon that was emitted after the signal was confirmed. It is complete when the session that
-- read the last row was there before that beacon and still is. seen_marks is 0 for the signal, then 1 with such a
-- session, or 2 without one.
create or replace function tidemark.blocking_result(of_relation oid, current tidemark.captured_table) returns text
language plpgsql
as $$
declare
  whole boolean := tidemark.has_read(current.signal_id);
begin
  if current.seen_lsn is not null and not tidemark.is_confirmed(current.seen_lsn) then
    return null;
  end if;
  if current.seen_marks > 0 then
    return case when whole and current.seen_marks = 1 then ''
      else 'Debezium did not complete the blocking snapshot' end;
  end if;
  update tidemark.captured_table t
  set seen_marks = case when current.seen_lsn is null then 0 when whole then 1 else 2 end,
      seen_lsn = pg_current_wal_insert_lsn()
  where t.relation = of_relation::bigint;
  perform tidemark.emit_beacon();
  return null;
end
$$;

-- Why a snapshot failed, for people: what the catalog shows that keeps Debezium from the rows, with the SQL that changes
-- it, otherwise what else can keep it. Debezium itself says it only in its log.
create or replace function tidemark.snapshot_failure(of_relation oid, failure text) returns text
language plpgsql stable
as $$
declare
  excluded text[] := tidemark.excluded_columns(of_relation);
  found_reasons text;
begin
  select string_agg(r.reason, '; ') into found_reasons
  from (
    select format('tidemark_capture may not use its schema: grant usage on schema %I to tidemark_capture', n.nspname)
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.oid = of_relation
      and not has_schema_privilege('tidemark_capture', n.oid, 'usage')
    union all
    select format('tidemark_capture may not read %s: grant select (%1$s) on %s to tidemark_capture',
      string_agg(quote_ident(a.attname), ', ' order by a.attnum), of_relation::regclass)
    from pg_attribute a
    where a.attrelid = of_relation
      and a.attnum > 0
      and not a.attisdropped
      and a.attname <> all (excluded)
      and not has_column_privilege('tidemark_capture', of_relation, a.attnum, 'select')
    having count(*) > 0
    union all
    select r.reason || coalesce(': ' || r.fix, '')
    from tidemark.refusals(of_relation) r
    union all
    select 'it was taken out of the publication tidemark'
    where not tidemark.is_published(of_relation)
  ) as r (reason);
  return failure || coalesce(', because ' || found_reasons, ', though it has the right to: its session was ended, the connector '
    'was restarted, or its configuration does not name the table, which the next deployment corrects. The log of Connect says which');
end
$$;

-- Ends the snapshot of a table: the table is captured, or another snapshot follows after a failure. Rows of a blocking snapshot
-- that have no key would be counted twice, so another one is a new generation.
create or replace function tidemark.end_snapshot(of_relation oid) returns void
language plpgsql
set lock_timeout = '500ms'
as $$
declare
  current tidemark.captured_table;
  in_chunks boolean := tidemark.is_read_in_chunks(of_relation);
  has_rows boolean;
  failure text;
begin
  if not tidemark.begin_step(of_relation, 'snapshotting', 'access share')
    or not exists (select from pg_class c where c.oid = of_relation) then
    return;
  end if;
  select * into current from tidemark.captured_table t where t.relation = of_relation::bigint;
  execute format('select exists (select from only %s)', of_relation::regclass) into has_rows;
  failure := case
    when in_chunks then tidemark.chunks_result(of_relation, current, has_rows)
    else tidemark.blocking_result(of_relation, current)
  end;
  if failure is null then
    return;
  end if;
  if failure = '' then
    perform tidemark.end_capture(of_relation);
  else
    update tidemark.captured_table t
    set state = 'pending',
        last_error = tidemark.snapshot_failure(of_relation, failure),
        signal_id = null,
        failed_snapshots = t.failed_snapshots + 1,
        -- The changes of all other tables wait during a blocking snapshot, and a snapshot that fails may fail for ever.
        not_before = case when t.failed_snapshots > 0 then
          clock_timestamp() + interval '15 seconds' * 2 ^ least(t.failed_snapshots, 4)
        end,
        since = now()
    where t.relation = of_relation::bigint;
    if not in_chunks then
      perform tidemark.begin_generation(of_relation);
    end if;
    -- The table may be one that is refused now, for example because of a policy, which no event trigger reports.
    perform tidemark.observe_table(of_relation);
  end if;
  perform tidemark.tidy_signals();
end
$$;
