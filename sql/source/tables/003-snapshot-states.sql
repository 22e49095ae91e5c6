-- The words of the states of a table: a table whose rows are read by a snapshot is being snapshotted. Functions that had
-- other names before are dropped, and functions/ creates them under their new names.
alter table tidemark.captured_table drop constraint captured_table_state_check;
update tidemark.captured_table set state = 'snapshotting' where state = 'reading';
alter table tidemark.captured_table add constraint captured_table_state_check
  check (state in ('pending', 'awaiting writers', 'snapshotting', 'captured', 'refused'));
alter table tidemark.captured_table rename column failed_readings to failed_snapshots;

comment on column tidemark.captured_table.failed_snapshots is 'number of snapshots that failed one after the other: the wait before each next one is longer';
comment on column tidemark.captured_table.generation is 'number of the set of its rows: a new one begins when the rows have to be read again, because the log does not have all that changed them';
comment on column tidemark.captured_table.signal_id is 'the signal that asks Debezium for its snapshot';

drop function if exists tidemark.end_reading(oid);
drop function if exists tidemark.reading_failure(oid, text);
drop function if exists tidemark.reading_order(oid, text);
drop function if exists tidemark.disturbs_reading(oid, jsonb, jsonb);
drop function if exists tidemark.tell_images(oid);
