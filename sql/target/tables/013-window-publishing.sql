-- What is published of windows, and what prevents it.

-- A value that the topic does not take is tried again later; the other keys of the topic go on.
alter table tidemark.window_outbox add column refused_at timestamptz, add column refused text;
comment on column tidemark.window_outbox.refused is 'why the topic does not take the value';
drop index tidemark.window_outbox_definition_seq_idx;
create index window_outbox_waiting on tidemark.window_outbox (topic, seq) where refused_at is null;
create index window_outbox_refused on tidemark.window_outbox (topic, record_key) where refused_at is not null;
-- Rows are soon deleted. Without frequent vacuum each read would pass the entries of all rows that were published.
alter table tidemark.window_outbox set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

create table tidemark.window_topic (
  topic text primary key,
  topic_partitions integer,
  problem text,
  noted_at timestamptz,
  retry_at timestamptz
);
comment on column tidemark.window_topic.topic_partitions is 'how many it had when it was first published to';
comment on column tidemark.window_topic.problem is 'why it is not published to, or null';
comment on column tidemark.window_topic.noted_at is 'since when there has been a problem';
comment on column tidemark.window_topic.retry_at is 'when publishing is tried again';
