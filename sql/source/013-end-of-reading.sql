-- The signal that a row of tidemark.signal is, or that it is a mark for.
create or replace function tidemark.signal_of(id text, type text, data text) returns text
language sql immutable
return case when type like 'snapshot-window-%' then data::jsonb ->> 'correlationId' else id end;

-- Removes what is left of readings that are over, or whose table is gone.
create or replace function tidemark.tidy_signals() returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
  delete from tidemark.signal s
  where tidemark.signal_of(s.id, s.type, s.data) like 'capture-%'
    and not exists (
      select
      from tidemark.captured_table t
      where t.signal_id = tidemark.signal_of(s.id, s.type, s.data)
    )
$$;

-- Whether the log is behind a place, for the replication slot: what was written before it is on the topic.
create or replace function tidemark.is_confirmed(place pg_lsn) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (
    select
    from pg_replication_slots r
    join tidemark.setting s on r.slot_name = 'tidemark_e' || s.epoch
    where r.confirmed_flush_lsn >= place
  );
end
$$;

-- How a reading in chunks came out: null while it goes on, else '' or why it failed. Debezium marks begin and end of
-- each chunk in tidemark.signal, and begins the next one when it finds the end mark in the log. So it is done when the
-- slot has confirmed a place behind all marks and there are no new ones. A last chunk without an end failed; a single
-- chunk found no rows, or skipped the table; no chunk at all means that the order was not followed.
create or replace function tidemark.chunks_result(of_relation oid, current tidemark.captured_table, has_rows boolean)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
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
    -- Gives Debezium something behind that place to confirm, before its next heartbeat.
    perform tidemark.emit_beacon();
    return null;
  end if;
  if not tidemark.is_confirmed(current.seen_lsn) then
    return null;
  end if;
  return case
    when marks = 0 then 'Debezium did not begin to read it, the log of Connect says why'
    when not closed then 'Debezium could not read its rows, the log of Connect says why'
    when chunks = 1 and has_rows then 'Debezium skipped it, the log of Connect says why'
    else ''
  end;
end
$$;

-- How a reading all at once came out, like chunks_result. While it goes on no change is sent, so it is over when the
-- slot has confirmed a beacon that was emitted after the order was confirmed; and it was whole when the session that got
-- the last row was there before that beacon and still is. seen_marks is 0 for the order, then 1 with such a session, or 2.
create or replace function tidemark.blocking_result(of_relation oid, current tidemark.captured_table) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  whole boolean := tidemark.has_read(current.signal_id);
begin
  if current.seen_lsn is not null and not tidemark.is_confirmed(current.seen_lsn) then
    return null;
  end if;
  if current.seen_marks > 0 then
    return case when whole and current.seen_marks = 1 then ''
      else 'Debezium could not read its rows all at once, the log of Connect says why' end;
  end if;
  update tidemark.captured_table t
  set seen_marks = case when current.seen_lsn is null then 0 when whole then 1 else 2 end,
      seen_lsn = pg_current_wal_insert_lsn()
  where t.relation = of_relation::bigint;
  perform tidemark.emit_beacon();
  return null;
end
$$;

-- Ends the reading of a table: it is captured, or read again after a failure. Rows that were read all at once and have no
-- key would count twice: such a reading is a new generation.
create or replace function tidemark.end_reading(of_relation oid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '500ms'
as $$
declare
  current tidemark.captured_table;
  in_chunks boolean := tidemark.is_read_in_chunks(of_relation);
  has_rows boolean;
  failure text;
begin
  if not tidemark.begin_step(of_relation, 'reading', 'access share')
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
        last_error = failure,
        signal_id = null,
        since = now()
    where t.relation = of_relation::bigint;
    if not in_chunks then
      perform tidemark.begin_generation(of_relation);
      perform tidemark.observe_table(of_relation);
    end if;
  end if;
  perform tidemark.tidy_signals();
end
$$;

revoke all on all functions in schema tidemark from public;
