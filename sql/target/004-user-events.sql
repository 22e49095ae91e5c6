-- Plain deltas {id, name, age, op, event_order, ts} published straight to Kafka: their latest state and their log.
-- Order of two deltas of one id: (run, event_order, topic partition, offset). A producer that sends no run has run 0.
create table if not exists tidemark_rows.user_state (
  id bigint primary key,
  name text,
  age integer,
  ts timestamptz,
  run bigint not null,
  event_order bigint not null,
  topic_partition integer not null,
  record_offset bigint not null,
  live boolean not null
) with (fillfactor = 85);

create or replace view public.latest_user_state as
select id, name, age, event_order, run, ts
from tidemark_rows.user_state
where live;

create table if not exists public.user_event_log (
  topic_partition integer not null,
  record_offset bigint not null,
  run bigint not null,
  event_order bigint not null,
  id bigint not null,
  op text not null,
  name text,
  age integer,
  ts timestamptz,
  logged_at timestamptz not null default now(),
  primary key (topic_partition, record_offset)
);
create index if not exists user_event_log_by_order on public.user_event_log (run desc, event_order desc);
create index if not exists user_event_log_by_id on public.user_event_log (id, run desc, event_order desc);

alter table tidemark_rows.user_state owner to tidemark_owner;
alter view public.latest_user_state owner to tidemark_owner;
alter table public.user_event_log owner to tidemark_owner;

grant select, insert, update on tidemark_rows.user_state to tidemark_apply;
grant select, insert on public.user_event_log to tidemark_apply;
grant select on public.latest_user_state, public.user_event_log to tidemark_read;
