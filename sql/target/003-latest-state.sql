-- Every version of every contract, by the place in the topic partition from which it is in force.
create table if not exists tidemark.contract (
  topic text not null,
  topic_partition integer not null,
  epoch integer not null,
  relation bigint not null,
  version integer not null,
  at_offset bigint not null,
  phase smallint not null,
  lsn bigint not null,
  contract jsonb not null,
  primary key (topic, topic_partition, epoch, relation, version)
);

-- One row per captured relation: the contract its rows and its view were made from.
create table if not exists tidemark.table_marker (
  relation bigint primary key,
  schema_name text not null,
  table_name text not null,
  contract jsonb not null,
  dropped_at timestamptz
);

-- Tables whose changes are quarantined instead of applied, and why. Relation 0: no contract names the table.
create table if not exists tidemark.stopped_table (
  relation bigint not null,
  schema_name text not null,
  table_name text not null,
  reason text not null,
  stopped_at timestamptz not null default now(),
  primary key (relation, schema_name, table_name)
);

-- The type as this server writes it; unknown or injected text is an error here, never part of a statement.
create or replace function tidemark.canonical_type(type_name text) returns text
language plpgsql stable
as $$
declare
  canonical text := format_type(to_regtype(type_name)::oid, to_regtypemod(type_name));
begin
  if to_regtype(type_name) is null then
    raise exception 'type % does not exist in the target', type_name using errcode = 'undefined_object';
  end if;
  return canonical;
end
$$;

-- Creates table and view of a relation from its contract, once; returns the contract they were created from.
-- The rows carry the position that wrote them; a row that is not live is a delete marker, which the view hides.
create or replace function tidemark.create_latest_state(contract jsonb) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  relation_id bigint := (contract ->> 'relation')::bigint;
  schema_name text := contract ->> 'schema';
  view_name text := contract ->> 'table';
  rows_name text := 't' || relation_id;
  columns text;
  names text;
  key_names text;
  previous record;
  existing jsonb;
begin
  perform pg_advisory_xact_lock(hashtextextended('tidemark.table_marker ' || schema_name || '.' || view_name, 0));
  select m.contract into existing from tidemark.table_marker m where m.relation = relation_id;
  if found then
    return existing;
  end if;
  if schema_name in ('tidemark', 'tidemark_rows', 'pg_catalog', 'information_schema', 'pg_toast')
    or octet_length(view_name) > 63 or view_name = '' then
    raise exception '%.% cannot be a latest-state table: the name is reserved or too long', schema_name, view_name;
  end if;

  select string_agg(format('%I %s', c ->> 'name', tidemark.canonical_type(c ->> 'type')), ', ' order by n),
         string_agg(format('%I', c ->> 'name'), ', ' order by n),
         string_agg(format('%I', c ->> 'name'), ', ' order by (c ->> 'key')::int) filter (where c ->> 'key' is not null)
    into columns, names, key_names
    from jsonb_array_elements(contract -> 'columns') with ordinality as listed (c, n);
  if key_names is null then
    raise exception '%.% has no primary key', schema_name, view_name;
  end if;

  if not exists (select from pg_namespace n where n.nspname = schema_name) then
    execute format('create schema %I', schema_name);
    execute format('grant usage on schema %I to tidemark_read', schema_name);
  end if;
  -- The name's former relation was dropped in the source, or belongs to an earlier epoch: its view gives way.
  for previous in
    select m.relation from tidemark.table_marker m
    where m.schema_name = create_latest_state.contract ->> 'schema'
      and m.table_name = create_latest_state.contract ->> 'table'
      and m.dropped_at is null
  loop
    perform tidemark.drop_latest_state(previous.relation);
  end loop;
  execute format(
    'create table tidemark_rows.%I ("tidemark$epoch" integer not null, "tidemark$phase" smallint not null, '
    '"tidemark$live" boolean not null, "tidemark$lsn" bigint not null, %s, primary key (%s)) with (fillfactor = 85)',
    rows_name, columns, key_names);
  execute format('comment on table tidemark_rows.%I is %L', rows_name, 'rows of ' || schema_name || '.' || view_name);
  execute format('create view %I.%I as select %s from tidemark_rows.%I where "tidemark$live"',
    schema_name, view_name, names, rows_name);
  execute format('grant select, insert, update on tidemark_rows.%I to tidemark_apply', rows_name);
  execute format('grant select on %I.%I to tidemark_read', schema_name, view_name);

  delete from tidemark.stopped_table s
  where s.relation = 0
    and s.schema_name = create_latest_state.contract ->> 'schema'
    and s.table_name = view_name;
  insert into tidemark.table_marker (relation, schema_name, table_name, contract)
  values (relation_id, schema_name, view_name, contract);
  return contract;
end
$$;

-- The relation is gone in the source: its view goes, its rows stay, since other topic partitions may still write to them.
create or replace function tidemark.drop_latest_state(relation_id bigint) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  marker tidemark.table_marker;
begin
  update tidemark.table_marker m
  set dropped_at = now()
  where m.relation = relation_id
    and m.dropped_at is null
  returning * into marker;
  if found then
    execute format('drop view if exists %I.%I', marker.schema_name, marker.table_name);
    delete from tidemark.stopped_table s where s.relation = relation_id;
  end if;
end
$$;

alter table tidemark.contract owner to tidemark_owner;
alter table tidemark.table_marker owner to tidemark_owner;
alter table tidemark.stopped_table owner to tidemark_owner;
alter function tidemark.canonical_type(text) owner to tidemark_owner;
alter function tidemark.create_latest_state(jsonb) owner to tidemark_owner;
alter function tidemark.drop_latest_state(bigint) owner to tidemark_owner;

revoke all on function tidemark.create_latest_state(jsonb), tidemark.drop_latest_state(bigint) from public;
grant execute on function tidemark.create_latest_state(jsonb), tidemark.drop_latest_state(bigint) to tidemark_apply;
grant select, insert on tidemark.contract to tidemark_apply;
grant select on tidemark.table_marker to tidemark_apply;
grant select, insert, delete on tidemark.stopped_table to tidemark_apply;
grant select on tidemark.contract, tidemark.table_marker, tidemark.stopped_table to tidemark_read;
