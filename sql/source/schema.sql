-- The result of the migrations, written by `npm run schema`. For reading: it is not applied.

role tidemark_capture login replication
  set idle_in_transaction_session_timeout=0
  set lock_timeout=0
  set statement_timeout=0

role tidemark_producer login
  set idle_in_transaction_session_timeout=30s
  set lock_timeout=10s
  set statement_timeout=30s

schema public
-- everyone may usage
-- tidemark_producer may create, usage

schema tidemark
-- tidemark_capture may usage

table tidemark.beacon with fillfactor=50 (
  slot integer not null
  number bigint not null default 0
  body jsonb not null default '{}'::jsonb
  emitted_at timestamp with time zone
  constraint beacon_pkey PRIMARY KEY (slot)
)
-- tidemark_capture may select

table tidemark.captured_table (
  relation bigint not null
  schema_name text not null
  table_name text not null
  state text not null
  reason text -- why the table is refused
  fix text -- the SQL that makes it one that can be captured
  last_error text -- why a step of its capture failed; it is tried again
  awaited text[] -- virtual transactions that wrote to the table before it was published: those changes are not in the log
  signal_id text -- the signal that has Debezium read its rows
  seen_marks bigint -- marks that Debezium had set for the signal when the log was at seen_lsn
  seen_lsn pg_lsn
  since timestamp with time zone not null default now()
  constraint captured_table_pkey PRIMARY KEY (relation)
  constraint captured_table_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'awaiting writers'::text, 'reading'::text, 'captured'::text, 'refused'::text])))
)

table tidemark.contract_failure (
  relation bigint not null
  message text not null
  failed_at timestamp with time zone not null default now()
  constraint contract_failure_pkey PRIMARY KEY (relation)
)

table tidemark.migration (
  number integer not null
  name text not null
  sha256 text not null
  applied_at timestamp with time zone not null default now()
  constraint migration_pkey PRIMARY KEY (number)
)

table tidemark.setting (
  only_row boolean not null default true
  topic_partitions integer not null
  captured jsonb not null -- {schemas, includeTables, excludeTables, excludeColumns}; where tables are included, schemas mean nothing
  epoch integer not null
  changed_at timestamp with time zone not null default now()
  constraint setting_epoch_check CHECK ((epoch > 0))
  constraint setting_only_row_check CHECK (only_row)
  constraint setting_pkey PRIMARY KEY (only_row)
  constraint setting_topic_partitions_check CHECK ((topic_partitions > 0))
)

table tidemark.signal (
  id text not null
  type text not null
  data text
  constraint signal_pkey PRIMARY KEY (id)
)
-- tidemark_capture may insert, select

table tidemark.table_contract (
  relation bigint not null
  version integer not null
  slot integer not null
  contract jsonb not null
  created_at timestamp with time zone not null default now()
  constraint table_contract_pkey PRIMARY KEY (relation, version, slot)
)
-- tidemark_capture may select

view tidemark.uncaptured as
 SELECT t.schema_name,
    t.table_name,
        CASE t.state
            WHEN 'refused'::text THEN t.reason
            ELSE concat_ws('; last error: '::text, ('is being captured: '::text ||
            CASE
                WHEN (t.state = 'reading'::text) THEN 'its rows are being read'::text
                WHEN (t.awaited <> '{}'::text[]) THEN ('waits for transactions that wrote to it before, '::text || array_to_string(t.awaited, ', '::text))
                WHEN (t.state = 'awaiting writers'::text) THEN 'waits for its turn to be read'::text
                WHEN tidemark.is_listening() THEN 'it is new'::text
                ELSE 'waits for the connector'::text
            END), t.last_error)
        END AS why,
        CASE
            WHEN ((t.state = 'awaiting writers'::text) AND (t.awaited <> '{}'::text[])) THEN format('select * from pg_stat_activity join pg_locks using (pid) where virtualtransaction = any (%L);'::text, t.awaited)
            ELSE t.fix
        END AS fix,
    t.since
   FROM tidemark.captured_table t
  WHERE (t.state <> 'captured'::text)
UNION ALL
 SELECT COALESCE(n.nspname, '?'::name) AS schema_name,
    COALESCE(c.relname, '?'::name) AS table_name,
    ('its contract could not be written: '::text || f.message) AS why,
    'select tidemark.publish_contracts();'::text AS fix,
    f.failed_at AS since
   FROM ((tidemark.contract_failure f
     LEFT JOIN pg_class c ON ((c.oid = (f.relation)::oid)))
     LEFT JOIN pg_namespace n ON ((n.oid = c.relnamespace)));

CREATE OR REPLACE FUNCTION tidemark.await_writers(of_relation oid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '500ms'
AS $function$
declare
  current tidemark.captured_table;
  remaining text[];
  has_rows boolean;
  new_signal text := 'capture-' || gen_random_uuid();
begin
  select * into current
  from tidemark.captured_table t
  where t.relation = of_relation::bigint
    and t.state = 'awaiting writers'
  for update;
  if not found or not exists (select from pg_class c where c.oid = of_relation) then
    return;
  end if;
  -- A transaction that is prepared meanwhile goes on under another name.
  select coalesce(array_agg(distinct w.name), '{}') into remaining
  from unnest(coalesce(current.awaited, '{}') || tidemark.writers(of_relation)) as w (name)
  where current.awaited is null
    or w.name = any (current.awaited) and exists (select from pg_locks l where l.virtualtransaction = w.name)
    or w.name like '-1/%';
  update tidemark.captured_table t
  set awaited = remaining
  where t.relation = of_relation::bigint
    and t.awaited is distinct from remaining;
  if remaining <> '{}' then
    return;
  end if;

  execute format('select exists (select from only %s)', of_relation::regclass) into has_rows;
  if has_rows and exists (select from tidemark.captured_table t where t.state = 'reading') then
    return;
  end if;
  if has_rows then
    perform tidemark.grant_reading(of_relation);
    insert into tidemark.signal (id, type, data)
    values (new_signal, 'execute-snapshot', jsonb_build_object(
      'type', 'incremental',
      'data-collections', jsonb_build_array(current.schema_name || '.' || current.table_name)
    ));
  end if;
  update tidemark.captured_table t
  set state = case when has_rows then 'reading' else 'captured' end,
      last_error = case when has_rows then t.last_error end,
      awaited = null,
      signal_id = case when has_rows then new_signal end,
      seen_marks = null,
      seen_lsn = null,
      since = now()
  where t.relation = of_relation::bigint;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.catch_up()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '500ms'
AS $function$
declare
  observed oid;
  incomplete boolean := exists (select from tidemark.contract_failure)
    or 3 > (select count(*) from pg_event_trigger e where e.evtname like 'tidemark\_%' and e.evtenabled = 'A');
begin
  if incomplete then
    delete from tidemark.contract_failure;
  end if;
  for observed in
    select r from tidemark.observed_relations() as r where incomplete
    union
    select t.relation::oid from tidemark.captured_table t where t.state = 'refused'
  loop
    perform tidemark.observe_safely(observed);
  end loop;
  perform tidemark.tidy_signals();
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.check_captured(captured jsonb)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  wrong text;
begin
  if jsonb_typeof(captured) is distinct from 'object' then
    raise exception 'captured must be an object {schemas, includeTables, excludeTables, excludeColumns}';
  end if;
  select string_agg(n.name, ', ') into wrong
  from (
    select f.name
    from unnest(array['schemas', 'includeTables', 'excludeTables', 'excludeColumns']) as f (name)
    where jsonb_typeof(captured -> f.name) is distinct from 'array'
      or exists (
        select
        from jsonb_array_elements(captured -> f.name) as e (value)
        where jsonb_typeof(e.value) <> 'string'
      )
    union all
    select k.name
    from jsonb_object_keys(captured) as k (name)
    where k.name not in ('schemas', 'includeTables', 'excludeTables', 'excludeColumns')
  ) as n;
  if wrong is not null then
    raise exception 'captured must hold four lists of names: schemas, includeTables, excludeTables, excludeColumns; wrong: %', wrong;
  end if;
  select string_agg(e.value, ', ') into wrong
  from jsonb_array_elements_text((captured -> 'schemas') || (captured -> 'includeTables')) as e (value)
  where split_part(e.value, '.', 1) in ('tidemark', 'information_schema')
    or e.value like 'pg\_%';
  if wrong is not null then
    raise exception 'captured: % cannot be captured', wrong;
  end if;
  select string_agg(t.value, ', ') into wrong
  from (
    select jsonb_array_elements_text((captured -> 'includeTables') || (captured -> 'excludeTables'))
  ) as t (value)
  where t.value !~ '^[^.]+\.[^.]+$';
  if wrong is not null then
    raise exception 'captured: tables are written schema.table, not %', wrong;
  end if;
  -- A misspelt name would let personal data through.
  select string_agg(c.value, ', ') into wrong
  from jsonb_array_elements_text(captured -> 'excludeColumns') as c (value)
  cross join regexp_match(c.value, '^([^.]+)\.([^.]+)\.(.+)$') as m (part)
  left join pg_namespace n on n.nspname = m.part[1]
  left join pg_class t on t.relnamespace = n.oid and t.relname = m.part[2]
  where m.part is null
    or t.oid is not null
      and not exists (
        select
        from pg_attribute a
        where a.attrelid = t.oid
          and a.attname = m.part[3]
          and a.attnum > 0
          and not a.attisdropped
      );
  if wrong is not null then
    raise exception 'captured: there is no column %; columns are written schema.table.column', wrong;
  end if;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.configure(topic_partitions integer, captured jsonb, epoch integer DEFAULT 1)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  before tidemark.setting;
begin
  perform tidemark.check_captured(captured);
  select * into before from tidemark.setting for update;
  if before.topic_partitions <> configure.topic_partitions then
    raise exception 'the topic has % topic partitions, not %: their number is fixed when the pipeline is created',
      before.topic_partitions, configure.topic_partitions;
  end if;
  if before.epoch > configure.epoch then
    raise exception 'the epoch is % already, it cannot go back to %', before.epoch, configure.epoch;
  end if;

  insert into tidemark.setting as s (topic_partitions, captured, epoch)
  values (configure.topic_partitions, configure.captured, configure.epoch)
  on conflict (only_row) do update
  set captured = excluded.captured,
      epoch = excluded.epoch,
      changed_at = now()
  where (s.captured, s.epoch) is distinct from (excluded.captured, excluded.epoch);

  insert into tidemark.beacon (slot)
  select generate_series(0, configure.topic_partitions - 1)
  on conflict do nothing;

  -- The initial snapshot of a new epoch reads what is published; what the last epoch was reading is void.
  update tidemark.captured_table t
  set state = 'captured',
      awaited = null,
      signal_id = null,
      since = now()
  where before.epoch < configure.epoch
    and t.state in ('awaiting writers', 'reading');

  -- Whoever removed the connector may have dropped it.
  perform tidemark.make_publication();
  perform tidemark.publish_contracts();
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.describe_table(relation oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return (
    select jsonb_build_object(
      'relation', c.oid::bigint,
      'schema', n.nspname,
      'table', c.relname,
      'dropped', false,
      'published', tidemark.is_published(c.oid),
      'refusal', case
        when tidemark.is_chosen(c.oid) then (
          select string_agg(r.reason, '; ')
          from tidemark.table_refusals(c.oid, excluded.columns, current_user) r
        )
        else 'it is not among the captured tables'
      end,
      'replicaIdentity', case c.relreplident
        when 'd' then 'default'
        when 'f' then 'full'
        when 'i' then 'index'
        else 'nothing'
      end,
      'columns', (
        select coalesce(jsonb_agg(
          jsonb_build_object(
            'number', a.attnum,
            'name', a.attname,
            'type', format_type(a.atttypid, a.atttypmod),
            'nullable', not a.attnotnull,
            'generated', a.attgenerated <> '',
            'key', (
              select k.place
              from pg_index i
              cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
              where i.indrelid = c.oid
                and i.indisprimary
                and k.place <= i.indnkeyatts
                and k.attnum = a.attnum
            )
          )
          order by a.attnum), '[]')
        from pg_attribute a
        where a.attrelid = c.oid
          and a.attnum > 0
          and not a.attisdropped
          and a.attname <> all (excluded.columns)
      )
    )
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    cross join lateral (select tidemark.excluded_columns(c.oid)) as excluded (columns)
    where c.oid = relation
      and c.relkind in ('r', 'p')
      and c.relpersistence <> 't'
  );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.due_contract(of_relation oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  latest jsonb := tidemark.latest_contract(of_relation);
  current jsonb := tidemark.describe_table(of_relation);
begin
  if latest is null and not tidemark.is_chosen(of_relation) then
    return null;
  end if;
  current := coalesce(current, (latest - 'version') || '{"dropped": true, "published": false}');
  return case when current is distinct from latest - 'version' then current end;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.emit_beacon()
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  next_number bigint;
  next_body jsonb;
begin
  -- Emitters take turns at the first row, or two would wait for each other's rows.
  select b.number + 1 into next_number
  from tidemark.beacon b
  where b.slot = 0
  for update;
  if not found then
    raise exception 'there are no beacons yet: tidemark.configure makes them';
  end if;
  select jsonb_build_object(
    'systemIdentifier', (select c.system_identifier::text from pg_control_system() c),
    -- The timeline being written; pg_control_checkpoint still has the old one after a failover.
    'timeline', ('x' || left(pg_walfile_name(position.lsn), 8))::bit(32)::integer,
    'database', current_database(),
    'slotName', 'tidemark_e' || s.epoch,
    'lsn', position.lsn,
    'topicPartitions', s.topic_partitions
  ) into next_body
  from tidemark.setting s
  cross join pg_current_wal_insert_lsn() as position (lsn);
  update tidemark.beacon
  set number = next_number,
      body = next_body,
      emitted_at = clock_timestamp();
  return next_number;
end
$function$
-- owned by postgres
-- tidemark_capture may execute

CREATE OR REPLACE FUNCTION tidemark.end_reading(of_relation oid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '500ms'
AS $function$
declare
  current tidemark.captured_table;
  marks bigint;
  chunks bigint;
  closed boolean;
  has_rows boolean;
begin
  select * into current
  from tidemark.captured_table t
  where t.relation = of_relation::bigint
    and t.state = 'reading'
  for update;
  if not found or not exists (select from pg_class c where c.oid = of_relation) then
    return;
  end if;
  select count(*), count(*) filter (where m.type = 'snapshot-window-open'),
    (array_agg(m.type order by m.opened_at desc, m.type))[1] = 'snapshot-window-close'
  into marks, chunks, closed
  from (
    select s.type, (s.data::jsonb ->> 'openWindowTimestamp')::timestamptz as opened_at
    from tidemark.signal s
    where s.id <> current.signal_id
      and tidemark.signal_of(s.id, s.type, s.data) = current.signal_id
  ) as m;
  if marks is distinct from coalesce(current.seen_marks, 0) then
    update tidemark.captured_table t
    set seen_marks = marks,
        seen_lsn = pg_current_wal_insert_lsn()
    where t.relation = of_relation::bigint;
    -- Gives Debezium something behind that place to confirm, before its next heartbeat.
    perform tidemark.emit_beacon();
    return;
  end if;
  if current.seen_lsn is null or not exists (
    select
    from pg_replication_slots r
    join tidemark.setting s on r.slot_name = 'tidemark_e' || s.epoch
    where r.confirmed_flush_lsn >= current.seen_lsn
  ) then
    return;
  end if;

  execute format('select exists (select from only %s)', of_relation::regclass) into has_rows;
  update tidemark.captured_table t
  set state = case when closed and (chunks > 1 or not has_rows) then 'captured' else 'pending' end,
      last_error = case
        when not closed then 'Debezium could not read its rows, the log of Connect says why'
        when chunks = 1 and has_rows then 'Debezium skipped it, the log of Connect says why'
      end,
      signal_id = null,
      since = now()
  where t.relation = of_relation::bigint;
  perform tidemark.tidy_signals();
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.excluded_columns(relation oid)
 RETURNS text[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return (
    select coalesce(array_agg(a.attname::text), '{}')
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    cross join tidemark.setting s
    where c.oid = relation
      and s.captured -> 'excludeColumns' ? (n.nspname || '.' || c.relname || '.' || a.attname)
  );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.grant_reading(of_relation oid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  excluded text[] := tidemark.excluded_columns(of_relation);
  schema_name name;
  readable text;
  may_read boolean;
begin
  select n.nspname into schema_name
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = of_relation;
  if not has_schema_privilege('tidemark_capture', schema_name, 'usage') then
    execute format('grant usage on schema %I to tidemark_capture', schema_name);
  end if;
  select string_agg(format('%I', a.attname), ', ') filter (where a.attname <> all (excluded)),
    bool_and(has_column_privilege('tidemark_capture', of_relation, a.attnum, 'select') = (a.attname <> all (excluded)))
  into readable, may_read
  from pg_attribute a
  where a.attrelid = of_relation
    and a.attnum > 0
    and not a.attisdropped;
  if may_read then
    return;
  end if;
  execute format('revoke select on %s from tidemark_capture', of_relation::regclass);
  if excluded = '{}' then
    execute format('grant select on %s to tidemark_capture', of_relation::regclass);
  else
    execute format('grant select (%s) on %s to tidemark_capture', readable, of_relation::regclass);
  end if;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.is_chosen(relation oid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return exists (
    select
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    cross join tidemark.setting s
    where c.oid = relation
      and c.relkind in ('r', 'p')
      and c.relpersistence <> 't'
      and case s.captured -> 'includeTables'
        when '[]' then s.captured -> 'schemas' ? n.nspname
        else s.captured -> 'includeTables' ? (n.nspname || '.' || c.relname)
      end
      and not s.captured -> 'excludeTables' ? (n.nspname || '.' || c.relname)
  );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.is_listening()
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return exists (
    select
    from pg_replication_slots r
    join tidemark.setting s on r.slot_name = 'tidemark_e' || s.epoch
    where r.database = current_database()
  );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.is_published(relation oid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return exists (
    select
    from pg_publication_rel r
    join pg_publication p on p.oid = r.prpubid
    where p.pubname = 'tidemark'
      and r.prrelid = relation
  );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.latest_contract(of_relation oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return (
    select t.contract
    from tidemark.table_contract t
    where t.relation = of_relation::bigint
      and t.slot = 0
    order by t.version desc
    limit 1
  );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.make_publication()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if not exists (select from pg_publication p where p.pubname = 'tidemark') then
    create publication tidemark
      for table tidemark.table_contract, tidemark.beacon, tidemark.signal
      with (publish = 'insert, update, delete, truncate');
  end if;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.note_failure(of_relation oid, failure text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  insert into tidemark.contract_failure (relation, message)
  values (of_relation, failure)
  on conflict (relation) do update
  set message = excluded.message,
      failed_at = now();
exception when others then
  raise warning 'tidemark could not note that a contract is missing: % (%)', failure, sqlerrm;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.observe_safely(of_relation oid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform tidemark.observe_table(of_relation);
exception when others then
  perform tidemark.note_failure(of_relation, sqlerrm);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.observe_state(of_relation oid, contract jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  fixes text;
begin
  if contract is null or (contract ->> 'dropped')::boolean or not tidemark.is_chosen(of_relation) then
    delete from tidemark.captured_table t where t.relation = of_relation;
    return;
  end if;
  if contract ->> 'refusal' is not null then
    select string_agg(r.fix || ';', E'\n') into fixes
    from tidemark.table_refusals(of_relation, tidemark.excluded_columns(of_relation), current_user) r;
  end if;
  insert into tidemark.captured_table as t (relation, schema_name, table_name, state, reason, fix)
  values (
    of_relation,
    contract ->> 'schema',
    contract ->> 'table',
    case when contract ->> 'refusal' is null then 'pending' else 'refused' end,
    contract ->> 'refusal',
    fixes
  )
  on conflict (relation) do update
  set schema_name = excluded.schema_name,
      table_name = excluded.table_name,
      -- A table that is published goes on where its capture stands.
      state = case
        when excluded.state = 'pending' and t.state <> 'refused' and (contract ->> 'published')::boolean then t.state
        else excluded.state
      end,
      reason = excluded.reason,
      fix = excluded.fix
  where (t.schema_name, t.table_name, t.reason, t.fix)
      is distinct from (excluded.schema_name, excluded.table_name, excluded.reason, excluded.fix)
    or t.state <> excluded.state and not (contract ->> 'published')::boolean;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.observe_table(of_relation oid)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  due jsonb := tidemark.due_contract(of_relation);
begin
  if due is null then
    perform tidemark.observe_state(of_relation, tidemark.latest_contract(of_relation));
    return false;
  end if;
  -- Writers of one relation's contract take turns, each seeing what the one before wrote.
  perform pg_advisory_xact_lock(hashtextextended('tidemark.table_contract', of_relation::bigint));
  due := tidemark.due_contract(of_relation);
  if due is null then
    return false;
  end if;
  if due ->> 'refusal' is not null and (due ->> 'published')::boolean then
    execute format('alter publication tidemark drop table %I.%I', due ->> 'schema', due ->> 'table');
    due := due || '{"published": false}';
  end if;
  perform tidemark.observe_state(of_relation, due);
  -- While nobody listens, the contract of a new table is written by the transaction that publishes it.
  if tidemark.latest_contract(of_relation) is null
    and due ->> 'refusal' is null
    and not (due ->> 'published')::boolean
    and not tidemark.is_listening() then
    return false;
  end if;
  insert into tidemark.table_contract (relation, version, slot, contract)
  select of_relation, v.version, s.slot, due || jsonb_build_object('version', v.version)
  from (select coalesce((tidemark.latest_contract(of_relation) ->> 'version')::integer, 0) + 1) as v (version)
  cross join (select generate_series(0, topic_partitions - 1) from tidemark.setting) as s (slot);
  return true;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.observed_relations()
 RETURNS SETOF oid
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select c.oid from pg_class c where tidemark.is_chosen(c.oid)
  union
  select t.relation::oid from tidemark.table_contract t where t.slot = 0
  union
  select t.relation::oid from tidemark.captured_table t
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.on_ddl_command_end()
 RETURNS event_trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '200ms'
AS $function$
declare
  relation oid;
begin
  for relation in
    with recursive command as (
      select d.classid, d.objid from pg_event_trigger_ddl_commands() d
    ),
    named (oid) as (
      select command.objid from command where command.classid = 'pg_class'::regclass
      union
      select c.oid
      from command
      join pg_class c on c.relnamespace = command.objid
      where command.classid = 'pg_namespace'::regclass
      union
      select a.attrelid
      from command
      join pg_type t on command.objid in (t.oid, t.typelem)
      join pg_attribute a on a.atttypid = t.oid
      where command.classid = 'pg_type'::regclass
    ),
    touched (oid) as (
      select c.oid
      from named
      join pg_class c using (oid)
      where c.relkind in ('r', 'p')
        and c.relpersistence <> 't'
      union
      -- What is done to an inheritance parent is done to its children; a new child changes what its parent is.
      select case when i.inhparent = touched.oid then i.inhrelid else i.inhparent end
      from touched
      join pg_inherits i on touched.oid in (i.inhparent, i.inhrelid)
    )
    select touched.oid from touched
  loop
    perform tidemark.observe_safely(relation);
  end loop;
exception when others then
  perform tidemark.note_failure(0, sqlerrm);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.on_sql_drop()
 RETURNS event_trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '200ms'
AS $function$
declare
  relation oid;
begin
  -- Tables themselves, and tables that lost a column or a constraint to a cascade.
  for relation in
    select d.objid
    from pg_event_trigger_dropped_objects() d
    where d.object_type in ('table', 'table column')
      and not d.is_temporary
    union
    select c.oid
    from pg_event_trigger_dropped_objects() d
    join pg_namespace n on n.nspname = d.address_names[1]
    join pg_class c on c.relnamespace = n.oid and c.relname = d.address_names[2]
    where d.object_type = 'table constraint'
      and not d.is_temporary
  loop
    perform tidemark.observe_safely(relation);
  end loop;
exception when others then
  perform tidemark.note_failure(0, sqlerrm);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.on_table_rewrite()
 RETURNS event_trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '200ms'
AS $function$
begin
  -- Reasons: 2 a column's default, 4 a column's type. The others (persistence, access method) keep the values.
  if pg_event_trigger_table_rewrite_reason() & 6 = 0 then
    return;
  end if;
  update tidemark.captured_table t
  set state = 'pending',
      since = now()
  where t.relation = pg_event_trigger_table_rewrite_oid()
    and t.state <> 'refused';
exception when others then
  perform tidemark.note_failure(0, sqlerrm);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.publish_contracts()
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '2s'
AS $function$
declare
  observed oid;
  written integer := 0;
begin
  for observed in select tidemark.observed_relations() loop
    begin
      written := written + tidemark.observe_table(observed)::integer;
    exception when lock_not_available then
      -- DDL on the table is still open and writes the contract itself.
      null;
    end;
  end loop;
  return written;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.publish_table(of_relation oid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '500ms'
AS $function$
begin
  perform from tidemark.captured_table t
  where t.relation = of_relation::bigint
    and t.state = 'pending'
  for update;
  if not found then
    return;
  end if;
  if exists (select from pg_class c where c.oid = of_relation) and not tidemark.is_published(of_relation) then
    execute format('alter publication tidemark add table only %s', of_relation::regclass);
  end if;
  -- From here on no DDL on the table is under way; what came before may have made it one that is refused, or gone.
  perform tidemark.observe_table(of_relation);
  update tidemark.captured_table t
  set state = case when tidemark.is_listening() then 'awaiting writers' else 'captured' end,
      awaited = null,
      signal_id = null,
      since = now()
  where t.relation = of_relation::bigint
    and t.state = 'pending';
  if found then
    perform tidemark.grant_reading(of_relation);
  end if;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.signal_of(id text, type text, data text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case when type like 'snapshot-window-%' then data::jsonb ->> 'correlationId' else id end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.table_refusals(relation oid, excluded_columns text[], administrator name)
 RETURNS TABLE(reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  with this as (
    select c.oid, c.relkind, c.relispartition, c.relpersistence, c.relreplident, c.relrowsecurity, c.relowner,
      n.nspname, c.relname, format('%I.%I', n.nspname, c.relname) as name
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.oid = relation
  ),
  key as (
    select k.attnum, k.place, i.indimmediate, i.indexrelid
    from pg_index i
    cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
    where i.indrelid = relation
      and i.indisprimary
      and k.place <= i.indnkeyatts
  ),
  attribute as (
    select a.attname, a.attnum, a.attgenerated, a.attcollation, key.place, a.attname = any (excluded_columns) as excluded,
      format_type(a.atttypid, a.atttypmod) as type,
      -- numeric(12,2) and timestamp(3) without time zone are of the types numeric and timestamp without time zone.
      regexp_replace(format_type(a.atttypid, a.atttypmod), '\([0-9,-]+\)', '') as family
    from pg_attribute a
    left join key on key.attnum = a.attnum
    where a.attrelid = relation
      and a.attnum > 0
      and not a.attisdropped
  ),
  kind (reason, fix) as (
    select case when this.relispartition then 'it is a table partition' else 'it is a partitioned table' end || ': not captured yet',
      format('-- add ''%s.%s'' to excludeTables of the setting captured', this.nspname, this.relname)
    from this
    where this.relkind = 'p' or this.relispartition
    union all
    select 'it takes part in inheritance: not captured yet',
      format('-- add ''%s.%s'' to excludeTables of the setting captured', this.nspname, this.relname)
    from this
    where this.relkind = 'r'
      and not this.relispartition
      and exists (select from pg_inherits i where relation in (i.inhrelid, i.inhparent))
    union all
    select 'it is unlogged: its changes are not in the log', format('alter table %s set logged', this.name)
    from this
    where this.relpersistence = 'u'
  ),
  candidate as (
    select string_agg(format('%I', a.attname), ', ' order by k.place) as columns
    from pg_index i
    cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
    left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum and a.attnotnull
    where i.indrelid = relation
      and i.indisunique
      and i.indisvalid
      and i.indpred is null
      and k.place <= i.indnkeyatts
    group by i.indexrelid
    having count(a.attnum) = count(*)
    order by count(*), i.indexrelid
    limit 1
  ),
  detail (reason, fix) as (
    select 'it has no primary key',
      coalesce(
        (select format('alter table %s add primary key (%s)', this.name, candidate.columns) from candidate),
        format('alter table %s add column row_id bigint generated always as identity primary key', this.name))
    from this
    where not exists (select from key)
    union all
    select 'its primary key is deferrable',
      format('alter table %1$s drop constraint %2$I, add constraint %2$I %3$s', this.name, c.conname,
        regexp_replace(pg_get_constraintdef(c.oid), ' DEFERRABLE.*$', ''))
    from this
    join pg_constraint c on c.conrelid = this.oid and c.contype = 'p' and c.condeferrable
    union all
    select format('its replica identity is %s', case this.relreplident when 'i' then 'an index' else 'nothing' end),
      format('alter table %s replica identity default', this.name)
    from this
    where this.relreplident not in ('d', 'f')
    union all
    select 'row-level security hides rows from tidemark_capture',
      format('create policy tidemark_capture on %s for select to tidemark_capture using (true)', this.name)
    from this
    where this.relrowsecurity
      and (
        not exists (
          select
          from pg_policies p
          where p.schemaname = this.nspname
            and p.tablename = this.relname
            and p.permissive = 'PERMISSIVE'
            and p.cmd in ('SELECT', 'ALL')
            and p.roles && array['tidemark_capture', 'public']::name[]
            and p.qual = 'true'
        )
        or exists (
          select
          from pg_policies p
          where p.schemaname = this.nspname
            and p.tablename = this.relname
            and p.permissive = 'RESTRICTIVE'
        )
      )
    union all
    select format('it is owned by %I, whose rights %I does not have', o.rolname, administrator),
      format('grant %I to %I', o.rolname, administrator)
    from this
    join pg_roles o on o.oid = this.relowner
    where not pg_has_role(administrator, this.relowner, 'usage')
    union all
    select format('%I may not let tidemark_capture into its schema', administrator),
      format('grant usage on schema %I to %I with grant option', this.nspname, administrator)
    from this
    join pg_namespace n on n.nspname = this.nspname
    where not has_schema_privilege(administrator, n.oid, 'usage with grant option')
      and not exists (
        select
        from aclexplode(n.nspacl) acl
        where acl.privilege_type = 'USAGE'
          and acl.grantee in (0, coalesce(to_regrole('tidemark_capture')::oid, 0))
      )
    union all
    -- Debezium fails on two columns that differ only in case.
    select format('its columns %s differ only in case', string_agg(format('%I', a.attname), ' and ' order by a.attnum)),
      format('alter table %s rename column %I to %I', this.name, max(a.attname), max(a.attname) || '_2')
    from this
    cross join attribute a
    group by this.name, lower(a.attname)
    having count(*) > 1
    union all
    select format('the name of its column %I is reserved or holds a quote', a.attname),
      format('alter table %s rename column %I to %I', this.name, a.attname, regexp_replace(a.attname, '["\\]|^tidemark\$', '_', 'g'))
    from this
    cross join attribute a
    where a.attname ~ '["\\]'
      or a.attname like 'tidemark$%'
    union all
    select format('column %I of its primary key is excluded', a.attname),
      format('-- take ''%s.%s.%s'' out of excludeColumns of the setting captured', this.nspname, this.relname, a.attname)
    from this
    cross join attribute a
    where a.excluded
      and a.place is not null
    union all
    select format('column %I is generated: not captured yet', a.attname),
      format('alter table %s alter column %I drop expression', this.name, a.attname)
    from this
    cross join attribute a
    where a.attgenerated <> ''
      and not a.excluded
    union all
    -- Of those left out some arrive as another value: time 24:00 as 00:00, interval infinity as 0, an unchanged
    -- integer[] as other integers, arrays without their lower bounds. Others end the connector: a long interval,
    -- numeric[] with NaN.
    select format('type %s of column %I: not carried exactly yet', a.type, a.attname),
      format('alter table %1$s alter column %2$I type text using %2$I::text', this.name, a.attname)
    from this
    cross join attribute a
    where not a.excluded
      and a.attgenerated = ''
      and a.family <> all (array[
        'smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision', 'text', 'character varying', 'character',
        'boolean', 'date', 'timestamp without time zone', 'timestamp with time zone', 'uuid', 'json', 'jsonb', 'bytea'
      ])
    union all
    select format('type %s of key column %I: equal keys may be written differently', a.type, a.attname),
      format('-- exclude the table, or give %s another primary key', this.name)
    from this
    cross join attribute a
    where a.place is not null
      and a.family <> all (array[
        'smallint', 'integer', 'bigint', 'numeric', 'text', 'character varying', 'character', 'uuid', 'boolean', 'date',
        'timestamp without time zone', 'timestamp with time zone'
      ])
    union all
    select format('the collation of key column %I is not deterministic', a.attname),
      format('alter table %s alter column %I type %s collate "C"', this.name, a.attname, a.type)
    from this
    cross join attribute a
    join pg_collation l on l.oid = a.attcollation and not l.collisdeterministic
    where a.place is not null
    union all
    -- Debezium fails, and with it every table, on a name that it would have to quote. These come last: the statements
    -- before them use the names as they are.
    select 'its name holds characters other than letters a-z, digits, _ and -',
      format('alter table %s rename to %I', this.name, regexp_replace(this.relname, '[^A-Za-z0-9_-]', '_', 'g'))
    from this
    where this.relname !~ '^[A-Za-z0-9_-]+$'
    union all
    select 'the name of its schema holds characters other than letters a-z, digits, _ and -',
      format('alter schema %I rename to %I', this.nspname, regexp_replace(this.nspname, '[^A-Za-z0-9_-]', '_', 'g'))
    from this
    where this.nspname !~ '^[A-Za-z0-9_-]+$'
  )
  select kind.reason, kind.fix
  from kind
  union all
  select detail.reason, detail.fix
  from detail
  where not exists (select from kind);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.tidy_signals()
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  delete from tidemark.signal s
  where tidemark.signal_of(s.id, s.type, s.data) like 'capture-%'
    and not exists (
      select
      from tidemark.captured_table t
      where t.signal_id = tidemark.signal_of(s.id, s.type, s.data)
    )
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.writers(of_relation oid)
 RETURNS text[]
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(array_agg(distinct l.virtualtransaction), '{}')
  from pg_locks l
  where l.locktype = 'relation'
    and l.database = (select d.oid from pg_database d where d.datname = current_database())
    and l.relation = of_relation
    and l.mode in ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    and l.granted
    and l.pid is distinct from pg_backend_pid()
$function$
-- owned by postgres

event trigger tidemark_ddl_command_end on ddl_command_end execute tidemark.on_ddl_command_end() always
  when ALTER EXTENSION, ALTER INDEX, ALTER SCHEMA, ALTER TABLE, ALTER TYPE, CREATE EXTENSION, CREATE SCHEMA, CREATE TABLE, CREATE TABLE AS, SELECT INTO

event trigger tidemark_sql_drop on sql_drop execute tidemark.on_sql_drop() always

event trigger tidemark_table_rewrite on table_rewrite execute tidemark.on_table_rewrite() always

publication tidemark insert t update t delete t truncate t
  tidemark.beacon
  tidemark.signal
  tidemark.table_contract
