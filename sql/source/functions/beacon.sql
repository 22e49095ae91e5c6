-- Beacons: everything that is committed before one is emitted precedes it in each topic partition.

-- Updates all beacon rows in one transaction and returns their number. Debezium's heartbeat calls it, and so does
-- everything that has to know when all that is committed so far has been applied.
create or replace function tidemark.emit_beacon() returns bigint
language plpgsql security definer
as $$
declare
  next_number bigint;
  next_body jsonb;
  last_lsn text;
begin
  -- Emitters take turns at the first row. Otherwise two of them would wait for each other's rows.
  select b.number + 1, b.body ->> 'lsn' into next_number, last_lsn
  from tidemark.beacon b
  where b.slot = 0
  for update;
  if not found then
    raise exception 'there are no beacons yet: tidemark.configure creates them';
  end if;
  select jsonb_build_object(
    'systemIdentifier', (select c.system_identifier::text from pg_control_system() c),
    -- This is the timeline that is being written. pg_control_checkpoint still has the old one after a failover.
    'timeline', ('x' || left(pg_walfile_name(position.lsn), 8))::bit(32)::integer,
    'database', current_database(),
    'slotName', 'tidemark_e' || s.epoch,
    'lsn', position.lsn,
    -- A beacon that does not follow the one that was applied last is of another log, or something before it is missing.
    'previousLsn', last_lsn,
    'emittedMs', floor(extract(epoch from clock_timestamp()) * 1000)::bigint,
    -- What was committed before this place will not be delivered again.
    'confirmedLsn', (
      select r.confirmed_flush_lsn from pg_replication_slots r where r.slot_name = 'tidemark_e' || s.epoch
    ),
    'topicPartitions', s.topic_partitions,
    -- The next run of capture-tables writes them. Without the delay it would run with every beacon while DDL is open.
    'contractsMissing', exists (
      select from tidemark.contract_failure f where f.failed_at < clock_timestamp() - interval '1 second'
    )
  ) into next_body
  from tidemark.setting s
  cross join pg_current_wal_insert_lsn() as position (lsn);
  update tidemark.beacon
  set number = next_number,
      body = next_body,
      emitted_at = clock_timestamp();
  return next_number;
end
$$;
