-- What the topic partition of the records without a key knows of them (core/apply/unkeyed-ledger.ts): the last place in the
-- source's log that it applied, and the transactions that may come again.
create table if not exists tidemark.unkeyed_progress (
  consumer text not null,
  topic text not null,
  topic_partition integer not null,
  state jsonb not null,
  primary key (consumer, topic, topic_partition)
) with (fillfactor = 50);

create table if not exists tidemark.unkeyed_transaction (
  consumer text not null,
  topic text not null,
  topic_partition integer not null,
  txid bigint not null,
  beacon bigint not null,
  primary key (consumer, topic, topic_partition, txid)
);

alter table tidemark.unkeyed_progress owner to tidemark_owner;
alter table tidemark.unkeyed_transaction owner to tidemark_owner;
grant select, insert, update on tidemark.unkeyed_progress to tidemark_apply;
grant select, insert, update, delete on tidemark.unkeyed_transaction to tidemark_apply;
