-- The latest state and the log of events that producers publish straight to Kafka: plain deltas {id, name, age, op, event_order,
-- ts} and row changes {op, before, after, ts_ms}. No captured table can be in their schemas.

-- Two events of one id are in the order of (run, event_order, topic partition, offset). A producer that sends no run has run 0,
-- and the event_order of a row change is its ts_ms.
create table tidemark_rows.user_state (
  id bigint primary key,
  name text,
  age integer,
  more jsonb,
  ts timestamptz,
  run bigint not null,
  event_order bigint not null,
  topic_partition integer not null,
  record_offset bigint not null,
  live boolean not null
) with (fillfactor = 85);

create table tidemark.user_event_log (
  topic_partition integer not null,
  record_offset bigint not null,
  run bigint not null,
  event_order bigint not null,
  id bigint not null,
  op text not null,
  name text,
  age integer,
  more jsonb,
  ts timestamptz,
  logged_at timestamptz not null default now(),
  primary key (topic_partition, record_offset)
);
comment on column tidemark.user_event_log.more is 'what the event says of the user besides id, name and age';
create index user_event_log_by_order on tidemark.user_event_log (run desc, event_order desc);
create index user_event_log_by_id on tidemark.user_event_log (id, run desc, event_order desc);
