-- The result of the migrations, written by `npm run schema`. For reading: it is not applied.

role tidemark_apply login
  set idle_in_transaction_session_timeout=60s
  set lock_timeout=2min
  set statement_timeout=5min

role tidemark_owner nologin

role tidemark_read login
  set default_transaction_read_only=on

schema public
-- everyone may usage
-- tidemark_owner may create, usage
-- tidemark_read may usage

schema tidemark
-- tidemark_apply may usage
-- tidemark_owner may create, usage
-- tidemark_read may usage

schema tidemark_rows
-- tidemark_apply may usage
-- tidemark_owner may create, usage

table public.user_event_log (
  topic_partition integer not null
  record_offset bigint not null
  run bigint not null
  event_order bigint not null
  id bigint not null
  op text not null
  name text
  age integer
  ts timestamp with time zone
  logged_at timestamp with time zone not null default now()
  constraint user_event_log_pkey PRIMARY KEY (topic_partition, record_offset)
  CREATE INDEX user_event_log_by_id ON public.user_event_log USING btree (id, run DESC, event_order DESC)
  CREATE INDEX user_event_log_by_order ON public.user_event_log USING btree (run DESC, event_order DESC)
)
-- tidemark_apply may insert, select
-- tidemark_read may select

table tidemark.contract (
  topic text not null
  topic_partition integer not null
  epoch integer not null
  relation bigint not null
  version integer not null
  at_offset bigint not null
  phase smallint not null
  lsn bigint not null
  contract jsonb not null
  constraint contract_pkey PRIMARY KEY (topic, topic_partition, epoch, relation, version)
)
-- tidemark_apply may insert, select
-- tidemark_read may select

table tidemark.initial_read (
  epoch integer not null
  topic_partition integer not null
  lsn bigint not null
  attempts integer not null default 1
  finished boolean not null default false
  constraint initial_read_pkey PRIMARY KEY (epoch, topic_partition)
)
-- tidemark_apply may insert, select, update
-- tidemark_read may select

table tidemark.migration (
  number integer not null
  name text not null
  sha256 text not null
  applied_at timestamp with time zone not null default now()
  constraint migration_pkey PRIMARY KEY (number)
)

table tidemark.progress with fillfactor=50 (
  consumer text not null
  topic text not null
  topic_partition integer not null
  next_offset bigint not null default 0 -- offset of the first record that is not applied
  last_digest text -- digest of the record before next_offset: another one there means another topic
  newest_timestamp timestamp with time zone -- greatest record timestamp applied: an older offset with a newer one means another topic
  beacon_number bigint -- everything committed in the source before this beacon is visible, of this topic partition
  beacon_lsn pg_lsn
  beacon_at timestamp with time zone
  system_identifier text -- the source cluster whose beacons were applied
  committed_at timestamp with time zone -- source commit time of the newest change applied
  applied_at timestamp with time zone not null default now()
  constraint progress_pkey PRIMARY KEY (consumer, topic, topic_partition)
)
-- tidemark_apply may insert, select, update
-- tidemark_read may select

table tidemark.quarantine (
  topic text not null
  topic_partition integer not null
  record_offset bigint not null
  table_name text
  record_key text
  record_value text
  reason text not null
  quarantined_at timestamp with time zone not null default now()
  constraint quarantine_pkey PRIMARY KEY (topic, topic_partition, record_offset)
)
-- tidemark_apply may insert, select
-- tidemark_read may select

table tidemark.stop (
  consumer text not null
  topic text not null
  topic_partition integer not null
  at_offset bigint not null
  reason text not null
  first_seen_at timestamp with time zone not null default now()
  last_seen_at timestamp with time zone not null default now()
  deliveries bigint not null default 1
  constraint stop_pkey PRIMARY KEY (consumer, topic, topic_partition)
)
-- tidemark_apply may delete, insert, select, update
-- tidemark_read may select

table tidemark.stopped_table (
  relation bigint not null
  schema_name text not null
  table_name text not null
  reason text not null
  stopped_at timestamp with time zone not null default now()
  constraint stopped_table_pkey PRIMARY KEY (relation, schema_name, table_name)
)
-- tidemark_apply may delete, insert, select
-- tidemark_read may select

table tidemark.table_marker (
  relation bigint not null
  schema_name text not null
  table_name text not null
  contract jsonb not null
  dropped_at timestamp with time zone
  constraint table_marker_pkey PRIMARY KEY (relation)
)
-- tidemark_apply may select
-- tidemark_read may select

table tidemark_rows.user_state with fillfactor=85 (
  id bigint not null
  name text
  age integer
  ts timestamp with time zone
  run bigint not null
  event_order bigint not null
  topic_partition integer not null
  record_offset bigint not null
  live boolean not null
  constraint user_state_pkey PRIMARY KEY (id)
)
-- tidemark_apply may insert, select, update

view public.latest_user_state as
 SELECT id,
    name,
    age,
    event_order,
    run,
    ts
   FROM tidemark_rows.user_state
  WHERE live;
-- tidemark_read may select

CREATE OR REPLACE FUNCTION tidemark.begin_initial_read(read_epoch integer, read_partition integer, read_lsn bigint)
 RETURNS void
 LANGUAGE sql
AS $function$
  insert into tidemark.initial_read as known (epoch, topic_partition, lsn)
  values (read_epoch, read_partition, read_lsn)
  on conflict (epoch, topic_partition) do update
  set lsn = excluded.lsn,
    attempts = known.attempts + 1,
    finished = false
  where known.lsn < excluded.lsn
$function$
-- owned by postgres
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.canonical_type(type_name text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
AS $function$
declare
  canonical text := format_type(to_regtype(type_name)::oid, to_regtypemod(type_name));
begin
  if to_regtype(type_name) is null then
    raise exception 'type % does not exist in the target', type_name using errcode = 'undefined_object';
  end if;
  return canonical;
end
$function$
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.create_latest_state(contract jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.drop_latest_state(relation_id bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.finish_initial_read(read_epoch integer, read_partition integer, topic_partitions integer)
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
declare
  swept bigint := 0;
  changed bigint;
  attempt record;
  marker record;
begin
  update tidemark.initial_read r
  set finished = true
  where r.epoch = read_epoch
    and r.topic_partition = read_partition
    and not r.finished;
  if not found then
    return 0;
  end if;
  -- The last topic partition to finish sees all of them, since they take turns here.
  perform from tidemark.initial_read r where r.epoch = read_epoch order by r.topic_partition for update;
  select count(*) filter (where r.finished) as finished, max(r.attempts) as attempts, max(r.lsn) as lsn
    into attempt
    from tidemark.initial_read r
    where r.epoch = read_epoch;
  if attempt.finished < topic_partitions or attempt.attempts = 1 then
    return 0;
  end if;
  for marker in select m.relation from tidemark.table_marker m loop
    execute format(
      'update tidemark_rows.t%s set "tidemark$live" = false '
      'where "tidemark$live" and "tidemark$epoch" = $1 and "tidemark$phase" = 0 and "tidemark$lsn" between 1 and $2 - 1',
      marker.relation) using read_epoch, attempt.lsn;
    get diagnostics changed = row_count;
    swept := swept + changed;
  end loop;
  return swept;
end
$function$
-- owned by postgres
-- everyone may execute
