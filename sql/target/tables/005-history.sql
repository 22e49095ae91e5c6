-- The history of the captured tables: their changes, what transactions say about themselves, and what is kept how long.

-- Every change, in the order of the source's commits. There is one table partition per UTC day of the commit, which is made
-- when the first change of the day arrives. Changes are appended. Each is there once because of the fence in a topic partition's
-- progress (core/apply/change-fence.ts), and because changes that are not behind the fence are looked up.
-- Rows are kept as the texts that were sent, in the order of the contract's stored columns. The row before a change is kept
-- where the change before it may be missing. Otherwise it is what that one left (tidemark.linked_change).
create table tidemark_rows.change (
  committed_at timestamptz not null,
  relation bigint not null,
  key_hash bigint not null,
  ordinal bigint not null,
  lsn bigint not null,
  txid bigint,
  epoch integer not null,
  generation integer not null default 1,
  version integer,
  op "char" not null,
  key text[],
  before text[],
  after text[]
) partition by range (committed_at);
comment on column tidemark_rows.change.committed_at is 'when the source committed: the same at each delivery';
comment on column tidemark_rows.change.key_hash is 'tidemark.key_hash(relation, key)';
comment on column tidemark_rows.change.ordinal is
  'grows with the changes of a row in an epoch: twice the offset of the record, one more for the second half of a key change';
comment on column tidemark_rows.change.generation is 'of the rows: the change before it is one of the same';
comment on column tidemark_rows.change.version is 'version of the contract the change was read by';
comment on column tidemark_rows.change.op is 'c create, u update, d delete, r read by a snapshot, t truncate';
comment on column tidemark_rows.change.key is
  'values of the key''s columns in key order; those that are equal as one text: citext in lower case, numeric without scale trimmed';
comment on column tidemark_rows.change.before is 'null: what the change before it left; empty: not known';
-- For the changes of one row in their order.
create index change_by_row on tidemark_rows.change (key_hash, ordinal);
-- For the last changes of a whole table.
create index change_by_time on tidemark_rows.change using brin (committed_at) with (pages_per_range = 32);
create index contract_by_relation on tidemark.contract (relation, version);

-- What transactions say about themselves, by tidemark.audit in the source or by
-- pg_logical_emit_message(true, 'audit', '{"who": …, "application": …, "why": …}').
create table tidemark.audit_message (
  epoch integer not null,
  txid bigint not null,
  lsn bigint not null,
  committed_at timestamptz not null,
  who text,
  application text,
  why text,
  details jsonb,
  primary key (epoch, txid, lsn)
);
create index audit_message_by_time on tidemark.audit_message using brin (committed_at);
comment on column tidemark.audit_message.details is 'the other members of the message, or its text where it is no JSON object';

-- Whether changes of a table are kept, and for how long. '*' stands for every table without a row of its own.
create table tidemark.history_setting (
  schema_name text not null,
  table_name text not null,
  enabled boolean not null default true,
  retention interval check (retention > interval '0'),
  relations bigint[] not null default '{}',
  primary key (schema_name, table_name)
);
insert into tidemark.history_setting (schema_name, table_name, retention)
values ('*', '*', interval '30 days')
on conflict do nothing;
comment on column tidemark.history_setting.retention is 'null: that of the row *; infinity: for ever';
comment on column tidemark.history_setting.relations is 'relations that had the name: the setting follows a rename';

-- Days that are past every retention and about to be dropped, and up to which block of each day the changes that follow its
-- changes have been given the row before them.
create table tidemark.ending_day (
  day date primary key,
  next_block bigint not null default 0
);
comment on column tidemark.ending_day.next_block is 'the first block of the table partition whose changes were not looked at';

-- Tables whose retention is shorter than that of the days that their changes are in, and up to when their changes are gone.
create table tidemark.pruned_history (
  relation bigint primary key,
  ended timestamptz not null default '-infinity',
  pruned timestamptz not null default '-infinity'
);
comment on column tidemark.pruned_history.ended is 'changes from before it may be missing: the generations'' gaps say so';
comment on column tidemark.pruned_history.pruned is 'changes from before it are deleted';
