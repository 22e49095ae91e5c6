-- What each consumer has applied, what stopped it, the records that it could not apply, and whether the source is captured.

-- What each consumer has applied of each topic partition. The transaction that writes rows locks its row of this table first.
create table tidemark.progress (
  consumer text not null,
  topic text not null,
  topic_partition integer not null,
  next_offset bigint not null default 0,
  last_digest text,
  newest_timestamp timestamptz,
  beacon_number bigint,
  beacon_lsn pg_lsn,
  beacon_at timestamptz,
  beacon_epoch integer,
  skips_before_epoch integer not null default 0,
  rebased boolean not null default false,
  confirmed_lsn pg_lsn,
  system_identifier text,
  committed_at timestamptz,
  fence jsonb,
  applied_at timestamptz not null default now(),
  began_at timestamptz not null default now(),
  primary key (consumer, topic, topic_partition)
) with (fillfactor = 50);
comment on column tidemark.progress.began_at is 'when the first record was delivered';
comment on column tidemark.progress.next_offset is 'offset of the first record that is not applied';
comment on column tidemark.progress.last_digest is 'digest of the record before next_offset: another one there means another topic';
comment on column tidemark.progress.newest_timestamp is 'greatest record timestamp applied: an older offset with a newer one means another topic';
comment on column tidemark.progress.beacon_number is 'everything committed in the source before this beacon is visible, of this topic partition';
comment on column tidemark.progress.beacon_epoch is 'epoch of the newest beacon applied, to which its lsns belong';
comment on column tidemark.progress.skips_before_epoch is 'records of earlier epochs are skipped: this one reads every table again';
comment on column tidemark.progress.rebased is 'what is delivered next is taken, whatever its offset: what was applied before is given up or gone';
comment on column tidemark.progress.confirmed_lsn is 'the slot had confirmed everything before it when that beacon was emitted';
comment on column tidemark.progress.system_identifier is 'the source cluster whose beacons were applied';
comment on column tidemark.progress.committed_at is 'source commit time of the newest change applied';
comment on column tidemark.progress.fence is 'the furthest place of the streamed changes applied: what is behind it was never delivered before; and how far times were set back';

-- A topic partition that is stopped, and why. The row is deleted when a later delivery is applied.
create table tidemark.stop (
  consumer text not null,
  topic text not null,
  topic_partition integer not null,
  at_offset bigint not null,
  reason text not null,
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  deliveries bigint not null default 1,
  primary key (consumer, topic, topic_partition)
);

-- Records that could not be applied, and the later ones of the same table, in order and unchanged.
create table tidemark.quarantine (
  topic text not null,
  topic_partition integer not null,
  record_offset bigint not null,
  relation bigint not null default 0,
  generation integer not null default 0,
  table_name text,
  record_key text,
  record_value text,
  record_headers jsonb,
  reason text not null,
  key_bytes bytea,
  value_bytes bytea,
  retry_at timestamptz,
  quarantined_at timestamptz not null default now(),
  primary key (topic, topic_partition, record_offset)
);
comment on column tidemark.quarantine.retry_at is 'when somebody said to apply it again';
comment on column tidemark.quarantine.value_bytes is 'the value as it came, where record_value cannot hold all of it: NUL, or bytes that are no UTF-8';
create index quarantine_by_relation on tidemark.quarantine (relation, topic, topic_partition, record_offset);

-- Parts of large records, until the last part is applied. A record that is sent again has another id.
create table tidemark.record_part (
  topic text not null,
  topic_partition integer not null,
  record_id uuid not null,
  part_index integer not null,
  part_count integer not null,
  record_key bytea,
  record_offset bigint not null,
  part_text text not null,
  primary key (topic, topic_partition, record_id, part_index)
);

-- What the last check of capture found, and how often a failed task was restarted. It has one row after the first check.
create table tidemark.capture_health (
  only_row boolean primary key default true check (only_row),
  state text not null check (state in ('running', 'starting', 'down')),
  cause text,
  follows text,
  command text,
  since timestamptz not null,
  checked_at timestamptz not null,
  restarts integer not null default 0,
  restarted_at timestamptz
);
comment on table tidemark.capture_health is 'whether changes of the source are captured, as of checked_at';
comment on column tidemark.capture_health.state is 'running, starting (needs nothing but time), or down (needs the command)';
comment on column tidemark.capture_health.since is 'when the state was first seen';
comment on column tidemark.capture_health.restarts is 'times the failed task was started again without running for long since';

-- What was applied in the topic partition of the records without a key (core/keyless/keyless-ledger.ts): the last place in the
-- source's log, and the transactions that may be delivered again.
create table tidemark.unkeyed_progress (
  consumer text not null,
  topic text not null,
  topic_partition integer not null,
  state jsonb not null,
  primary key (consumer, topic, topic_partition)
) with (fillfactor = 50);

create table tidemark.unkeyed_transaction (
  consumer text not null,
  topic text not null,
  topic_partition integer not null,
  txid bigint not null,
  beacon bigint not null,
  primary key (consumer, topic, topic_partition, txid)
);
