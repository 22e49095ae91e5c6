-- The replication slot of Debezium.

-- Whether Debezium's replication slot of this epoch exists: then everything that is committed from now on reaches the
-- topic.
create or replace function tidemark.is_listening() returns boolean
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return exists (
    select
    from pg_replication_slots r
    join tidemark.setting s on r.slot_name = 'tidemark_e' || s.epoch
    where r.database = current_database()
  );
end
$$;

-- Whether the replication slot has confirmed a place of the log: then everything that was written before it is on the
-- topic.
create or replace function tidemark.is_confirmed(place pg_lsn) returns boolean
language plpgsql stable
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
