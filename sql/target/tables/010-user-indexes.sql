-- The indexes that users declare on captured tables. Each is made on every generation of the rows.

-- One row per declared index. It follows renames of its table and of its columns.
create table tidemark.user_index (
  id bigint generated always as identity primary key,
  schema_name text not null,
  table_name text not null,
  index_name text not null,
  definition text not null,
  declared_at timestamptz not null default now()
);
create index user_index_by_table on tidemark.user_index (schema_name, table_name);
comment on column tidemark.user_index.table_name is 'as the source calls it now; the index of a parent is made on the rows of each table below it';
comment on column tidemark.user_index.definition is 'what follows the name of the table in create index, with the names that the columns have in the source now';

-- One row per declared index and relation that it is made on. The number is part of the names of the indexes. A definition
-- that fits the relation again after it did not gets another number, so that no index of the former columns is taken for it.
create table tidemark.relation_index (
  id bigint generated always as identity primary key,
  index_id bigint not null references tidemark.user_index on delete cascade,
  relation bigint not null,
  declared_as text not null,
  keys text,
  predicate text,
  numbers integer[],
  names text[],
  problem text,
  unique (index_id, relation)
);
create index relation_index_by_relation on tidemark.relation_index (relation);
comment on column tidemark.relation_index.declared_as is 'the definition that was compared with the columns of the relation';
comment on column tidemark.relation_index.keys is 'the definition for the table of the rows, without its predicate; null where it does not fit the columns of the relation';
comment on column tidemark.relation_index.numbers is 'the columns that it uses';
comment on column tidemark.relation_index.names is 'the names that these columns had when the definition was last written with names';
comment on column tidemark.relation_index.problem is 'why it does not fit, or why it was not made or was dropped';
