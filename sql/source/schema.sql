-- What the files of this side make, written by the test of schema-dump. It is for reading and never runs.

role tidemark_capture login replication
  set idle_in_transaction_session_timeout=0
  set lock_timeout=0
  set statement_timeout=0
  set transaction_timeout=0

role tidemark_console_act login
  set idle_in_transaction_session_timeout=30s
  set lock_timeout=5s
  set statement_timeout=10s

role tidemark_console_read login
  set default_transaction_read_only=on
  set idle_in_transaction_session_timeout=30s
  set jit=off
  set lock_timeout=5s
  set statement_timeout=10s
  set work_mem=16MB

role tidemark_producer login
  set idle_in_transaction_session_timeout=30s
  set lock_timeout=10s
  set statement_timeout=30s

schema public
-- everyone may usage
-- tidemark_producer may create, usage

schema tidemark
-- everyone may usage
-- tidemark_capture may usage

table tidemark.beacon with fillfactor=50 (
  slot integer not null
  number bigint not null default 0
  body jsonb not null default '{}'::jsonb
  emitted_at timestamp with time zone
  constraint beacon_pkey PRIMARY KEY (slot)
)
-- tidemark_capture may select
-- tidemark_console_read may select

table tidemark.captured_table (
  relation bigint not null
  schema_name text not null
  table_name text not null
  state text not null
  reason text -- why the table is refused
  fix text -- the SQL that makes it one that can be captured
  last_error text -- why a step of its capture failed; it is tried again
  identity_given boolean not null default false -- its replica identity is full because capture needed it, not because its owner wanted it
  failed_snapshots integer not null default 0 -- number of snapshots that failed one after the other: the wait before each next one is longer
  generation integer not null default 1 -- number of the set of its rows: a new one begins when the rows have to be read again, because the log does not have all that changed them
  complete boolean not null default false -- every row of the generation has been sent
  not_before timestamp with time zone -- when the next step is tried
  awaited text[] -- virtual transactions that wrote to the table before it was published: those changes are not in the log
  signal_id text -- the signal that asks Debezium for its snapshot
  seen_marks bigint -- marks that Debezium had set for the signal when the log was at seen_lsn
  seen_lsn pg_lsn
  since timestamp with time zone not null default now()
  constraint captured_table_check CHECK (((state <> 'captured'::text) OR complete))
  constraint captured_table_generation_check CHECK ((generation > 0))
  constraint captured_table_pkey PRIMARY KEY (relation)
  constraint captured_table_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'awaiting writers'::text, 'snapshotting'::text, 'captured'::text, 'refused'::text])))
)
-- tidemark_console_read may select

table tidemark.contract_failure (
  relation bigint not null
  message text not null
  rewritten boolean not null default false
  failed_at timestamp with time zone not null default now()
)

table tidemark.migration (
  file text not null
  sha256 text not null
  applied_at timestamp with time zone not null default now()
  constraint migration_pkey PRIMARY KEY (file)
)

table tidemark.publication_made (
  lsn pg_lsn not null
  CREATE UNIQUE INDEX publication_made_once ON tidemark.publication_made USING btree ((true))
)

table tidemark.setting (
  only_row boolean not null default true
  topic_partitions integer not null
  captured jsonb not null -- {schemas, includeTables, excludeTables, excludeColumns}; where tables are included, schemas mean nothing
  epoch integer not null
  first_generation integer not null default 1
  reads_by_signal boolean not null default false
  changed_at timestamp with time zone not null default now()
  constraint setting_epoch_check CHECK ((epoch > 0))
  constraint setting_only_row_check CHECK (only_row)
  constraint setting_pkey PRIMARY KEY (only_row)
  constraint setting_topic_partitions_check CHECK ((topic_partitions > 0))
)
-- tidemark_console_read may select

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
-- tidemark_console_read may select

view tidemark.uncaptured as
 SELECT t.schema_name,
    t.table_name,
        CASE t.state
            WHEN 'refused'::text THEN t.reason
            ELSE concat_ws('; last error: '::text, ('is being captured: '::text ||
            CASE
                WHEN (t.state = 'snapshotting'::text) THEN 'a snapshot of its rows is under way'::text
                WHEN (t.awaited <> '{}'::text[]) THEN ('waits for transactions that wrote to it before it was published: '::text || array_to_string(t.awaited, ', '::text))
                WHEN (t.state = 'awaiting writers'::text) THEN 'waits until the snapshot of another table has ended'::text
                WHEN (NOT tidemark.is_listening()) THEN 'waits until the connector runs'::text
                WHEN (t.generation > 1) THEN 'its rows will be read again by a snapshot'::text
                ELSE 'it is new'::text
            END), t.last_error)
        END AS why,
        CASE
            WHEN ((t.state = 'awaiting writers'::text) AND (t.awaited <> '{}'::text[])) THEN COALESCE(( SELECT string_agg(translate(format('-- either commit prepared %L; or rollback prepared %1$L;'::text, p.gid), '
'::text, '  '::text), '
'::text ORDER BY p.prepared) AS string_agg
               FROM (pg_locks l
                 JOIN pg_prepared_xacts p ON ((p.transaction = l.transactionid)))
              WHERE ((l.virtualtransaction = ANY (t.awaited)) AND (l.locktype = 'transactionid'::text))), format('select * from pg_stat_activity join pg_locks using (pid) where virtualtransaction = any (%L);'::text, t.awaited))
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
   FROM ((( SELECT DISTINCT ON (contract_failure.relation) contract_failure.relation,
            contract_failure.message,
            contract_failure.failed_at
           FROM tidemark.contract_failure
          ORDER BY contract_failure.relation, contract_failure.failed_at DESC) f
     LEFT JOIN pg_class c ON ((c.oid = (f.relation)::oid)))
     LEFT JOIN pg_namespace n ON ((n.oid = c.relnamespace)));
-- tidemark_console_read may select

CREATE OR REPLACE FUNCTION tidemark.advice_on_generated(relation oid, attribute smallint, kind "char")
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select format('-- add ''%s.%s.%s'' to excludeColumns of the setting captured', n.nspname, c.relname, a.attname)
    || case when kind = 's' then format('; after alter table %I.%I alter column %I drop expression nothing computes the column, '
      'and the application that inserts rows has to', n.nspname, c.relname, a.attname)
    else '' end
  from pg_attribute a
  join pg_class c on c.oid = a.attrelid
  join pg_namespace n on n.oid = c.relnamespace
  where a.attrelid = relation
    and a.attnum = attribute
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.ancestors(relation oid)
 RETURNS TABLE(ancestor oid, schema_name text, table_name text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  with recursive above (oid, distance) as (
    select i.inhparent, 1
    from pg_inherits i
    where i.inhrelid = relation
      and not i.inhdetachpending
    union all
    select i.inhparent, above.distance + 1
    from above
    join pg_inherits i on i.inhrelid = above.oid and not i.inhdetachpending
  )
  select c.oid, n.nspname::text, c.relname::text
  from above
  join pg_class c using (oid)
  join pg_namespace n on n.oid = c.relnamespace
  group by c.oid, n.nspname, c.relname
  order by min(above.distance), n.nspname, c.relname;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.audit(why text DEFAULT NULL::text, who text DEFAULT SESSION_USER, details jsonb DEFAULT NULL::jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  -- The message is converted here, since Postgres does not convert it as it does all other texts. In a database in SQL_ASCII
  -- the encoding of a text is not known.
  perform pg_logical_emit_message(true, 'audit', convert_to(jsonb_build_object(
    'who', who,
    'why', why,
    'application', current_setting('application_name'),
    'address', host(inet_client_addr()),
    'process', pg_backend_pid(),
    'details', details
  )::text, case getdatabaseencoding() when 'SQL_ASCII' then 'SQL_ASCII' else 'UTF8' end));
end
$function$
-- owned by postgres
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.await_writers(of_relation oid)
 RETURNS void
 LANGUAGE plpgsql
 SET lock_timeout TO '500ms'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  current tidemark.captured_table;
  keyed boolean := exists (select from tidemark.key_columns(of_relation));
  remaining text[];
  has_rows boolean;
  new_signal text := 'capture-' || gen_random_uuid();
begin
  if not tidemark.begin_step(of_relation, 'awaiting writers', 'access share')
    or not exists (select from pg_class c where c.oid = of_relation) then
    return;
  end if;
  select * into current from tidemark.captured_table t where t.relation = of_relation::bigint;
  -- A transaction that was prepared since then has another name.
  select coalesce(array_agg(distinct w.name), '{}') into remaining
  from unnest(coalesce(current.awaited, '{}') || tidemark.writers(of_relation)) as w (name)
  where current.awaited is null
    or w.name = any (current.awaited) and exists (select from pg_locks l where l.virtualtransaction = w.name)
    or w.name like '-1/%';
  update tidemark.captured_table t
  set awaited = remaining,
      -- A tool that has loaded a table without a key may be about to add the key.
      not_before = case when not keyed and current.awaited <> '{}' then clock_timestamp() + interval '5 seconds' end
  where t.relation = of_relation::bigint
    and t.awaited is distinct from remaining;
  if remaining <> '{}' or found and not keyed and current.awaited <> '{}' then
    return;
  end if;

  execute format('select exists (select from only %s)', of_relation::regclass) into has_rows;
  if not has_rows then
    perform tidemark.end_capture(of_relation);
    return;
  end if;
  if exists (select from tidemark.captured_table t where t.state = 'snapshotting') then
    return;
  end if;
  perform tidemark.grant_reading(of_relation);
  insert into tidemark.signal (id, type, data)
  values (new_signal, 'execute-snapshot', tidemark.snapshot_signal(of_relation, new_signal));
  update tidemark.captured_table t
  set state = 'snapshotting',
      signal_id = new_signal,
      seen_marks = null,
      seen_lsn = null,
      not_before = null,
      since = now()
  where t.relation = of_relation::bigint;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.begin_epoch()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update tidemark.captured_table t
  set generation = s.first_generation,
      complete = false,
      state = 'pending',
      awaited = null,
      signal_id = null,
      not_before = null,
      last_error = null,
      failed_snapshots = 0,
      since = now()
  from tidemark.setting s
  where t.state <> 'refused';
  -- The initial snapshot reads the contracts before the rows. Those of earlier generations do not apply any more.
  delete from tidemark.table_contract c
  using tidemark.table_contract later
  where later.relation = c.relation
    and later.slot = 0
    and later.version > c.version;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.begin_generation(of_relation oid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update tidemark.captured_table t
  set generation = t.generation + 1,
      complete = false,
      state = 'pending',
      awaited = null,
      signal_id = null,
      since = now()
  where t.relation = of_relation::bigint
    and t.state <> 'refused'
    and (tidemark.latest_contract(of_relation) ->> 'published')::boolean;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.begin_generation_safely(of_relation oid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform tidemark.begin_generation(of_relation);
exception when others then
  perform tidemark.note_failure(of_relation, sqlerrm, was_rewritten => true);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.begin_step(of_relation oid, in_state text, lock_mode text)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if exists (select from pg_class c where c.oid = of_relation) then
    execute format('lock table only %s in %s mode', of_relation::regclass, lock_mode);
  end if;
  perform tidemark.take_turn(of_relation);
  perform from tidemark.captured_table t
  where t.relation = of_relation::bigint
    and t.state = in_state
    and coalesce(t.not_before, '-infinity') <= clock_timestamp()
  for update;
  return found;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.begins_generation(before jsonb, after jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if not (before ->> 'published')::boolean or (after ->> 'dropped')::boolean then
    return false;
  end if;
  return not (after ->> 'published')::boolean
    or exists (
      select
      from jsonb_to_recordset(before -> 'columns') as b (number int, name text, key int, expression text, definition text)
      full join jsonb_to_recordset(after -> 'columns') as a (number int, name text, key int, expression text, definition text)
        using (number)
      where a.key is distinct from b.key
        or b.definition <> a.definition and not tidemark.only_adds_labels(b.definition, a.definition)
        -- A renamed column changes the text of an expression, but not its value.
        or b.expression <> a.expression and not exists (
          select
          from jsonb_to_recordset(before -> 'columns') as x (number int, name text)
          join jsonb_to_recordset(after -> 'columns') as y (number int, name text) using (number)
          where x.name <> y.name
        )
    );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.blocking_result(of_relation oid, current tidemark.captured_table)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  whole boolean := tidemark.has_read(current.signal_id);
begin
  if current.seen_lsn is not null and not tidemark.is_confirmed(current.seen_lsn) then
    return null;
  end if;
  if current.seen_marks > 0 then
    return case when whole and current.seen_marks = 1 then ''
      else 'Debezium did not complete the blocking snapshot' end;
  end if;
  update tidemark.captured_table t
  set seen_marks = case when current.seen_lsn is null then 0 when whole then 1 else 2 end,
      seen_lsn = pg_current_wal_insert_lsn()
  where t.relation = of_relation::bigint;
  perform tidemark.emit_beacon();
  return null;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.catch_up()
 RETURNS void
 LANGUAGE plpgsql
 SET lock_timeout TO '500ms'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  observed oid;
  missing oid[];
  rewritten oid[];
  anything boolean := false;
begin
  with failure as (delete from tidemark.contract_failure returning *)
  select coalesce(array_agg(f.relation::oid), '{}'), array_agg(distinct f.relation::oid) filter (where f.rewritten)
  into missing, rewritten
  from failure f;
  perform tidemark.begin_generation_safely(r) from unnest(rewritten) as r;
  if tidemark.restore_publication() then
    -- Changes and contracts may be missing in the log since the publication was altered, so every table is read again.
    perform tidemark.begin_generation_safely(t.relation::oid) from tidemark.captured_table t;
    anything := true;
  end if;
  anything := anything or 0 = any (missing)
    -- Since Postgres 17 event triggers can be turned off for a database or a role.
    or coalesce(current_setting('event_triggers', true), 'on') <> 'on'
    or exists (
      select
      from pg_db_role_setting s
      cross join unnest(s.setconfig) as c (setting)
      where s.setdatabase in (0, (select d.oid from pg_database d where d.datname = current_database()))
        and c.setting ~* '^event_triggers=(of|f|n|0)'
    )
    or 3 > (select count(*) from pg_event_trigger e where e.evtname like 'tidemark\_%' and e.evtenabled = 'A');
  for observed in
    select r from tidemark.observed_relations() as r where anything
    union
    select r from unnest(missing) as r where r <> 0
    union
    select tidemark.outdated_relations()
    union
    select tidemark.unwritable_tables()
    union
    select t.relation::oid
    from tidemark.captured_table t
    where t.state = 'refused'
      or t.state <> 'pending' and not tidemark.is_published(t.relation::oid)
  loop
    perform tidemark.observe_safely(observed);
  end loop;
  perform tidemark.give_identity_back(t.relation::oid)
  from tidemark.captured_table t
  where t.state = 'refused'
    and t.identity_given;
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
    raise exception 'the setting captured must be a JSON object {schemas, includeTables, excludeTables, excludeColumns}';
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
    raise exception 'the setting captured must have four lists of names: schemas, includeTables, excludeTables, excludeColumns; wrong: %', wrong;
  end if;
  select string_agg(e.value, ', ') into wrong
  from jsonb_array_elements_text((captured -> 'schemas') || (captured -> 'includeTables')) as e (value)
  where split_part(e.value, '.', 1) in ('tidemark', 'information_schema')
    or e.value like 'pg\_%';
  if wrong is not null then
    raise exception 'the setting captured names %, which cannot be captured', wrong;
  end if;
  select string_agg(t.value, ', ') into wrong
  from (
    select jsonb_array_elements_text((captured -> 'includeTables') || (captured -> 'excludeTables'))
  ) as t (value)
  where t.value !~ '^[^.]+\.[^.]+$';
  if wrong is not null then
    raise exception 'the setting captured names %: tables must be written as schema.table', wrong;
  end if;
  -- With a misspelt name the column would be captured, and it may hold personal data.
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
    raise exception 'the setting captured excludes %, which does not exist: columns must be written as schema.table.column', wrong;
  end if;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.chosen_by(relation oid)
 RETURNS TABLE(schema_name text, name text, own boolean)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select n.nspname::text, n.nspname || '.' || c.relname, true
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
  union all
  select a.schema_name, a.schema_name || '.' || a.table_name, false
  from tidemark.ancestors(relation) a;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.chunks_result(of_relation oid, current tidemark.captured_table, has_rows boolean)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  marks bigint;
  chunks bigint;
  closed boolean;
begin
  select count(*), count(*) filter (where m.type = 'snapshot-window-open'),
    (array_agg(m.type order by m.opened_at desc, m.type))[1] = 'snapshot-window-close'
  into marks, chunks, closed
  from (
    select s.type, (s.data::jsonb ->> 'openWindowTimestamp')::timestamptz as opened_at
    from tidemark.signal s
    where s.id <> current.signal_id
      and tidemark.signal_of(s.id, s.type, s.data) = current.signal_id
  ) as m;
  if marks is distinct from current.seen_marks then
    update tidemark.captured_table t
    set seen_marks = marks,
        seen_lsn = pg_current_wal_insert_lsn()
    where t.relation = of_relation::bigint;
    -- Debezium confirms this beacon, and so that place, before its next heartbeat.
    perform tidemark.emit_beacon();
    return null;
  end if;
  if not tidemark.is_confirmed(current.seen_lsn) then
    return null;
  end if;
  return case
    when marks = 0 then 'Debezium did not begin the snapshot'
    when not closed then 'Debezium could not read its rows'
    when chunks = 1 and has_rows then 'Debezium read none of its rows'
    else ''
  end;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.column_type(type oid, typmod integer)
 RETURNS TABLE(carried text, wire text, definition text, full_images boolean, refusal text, fix text, key_refusal text, checks text[])
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  base pg_type;
  base_modifier integer := typmod;
  extension text;
  element record;
begin
  select * into base from pg_type t where t.oid = type;
  while base.typtype = 'd' loop
    -- The modifier of a domain is that of its base type: the definition of a column cannot give another one.
    base_modifier := base.typtypmod;
    select * into base from pg_type t where t.oid = base.typbasetype;
  end loop;
  select e.extname into extension
  from pg_depend d
  join pg_extension e on e.oid = d.refobjid
  where d.classid = 'pg_type'::regclass
    and d.objid = base.oid
    and d.refclassid = 'pg_extension'::regclass
    and d.deptype = 'e';

  wire := 'value';
  full_images := false;
  carried := format_type(base.oid, base_modifier);

  if exists (select from pg_type e where e.oid = base.typelem and e.typarray = base.oid) then
    select c.*, e.typtype, e.typname into element
    from tidemark.column_type(base.typelem, base_modifier) c
    join pg_type e on e.oid = base.typelem;
    carried := element.carried || '[]';
    definition := element.definition;
    -- For a TOASTed array of these types that an update leaves unchanged, Debezium sends something else.
    full_images := element.carried !~ '^(integer|bigint|text|character varying|character|uuid|jsonb?|bytea|date)\M'
      or element.typtype = 'e';
    key_refusal := case
      when element.key_refusal is not null or element.carried ~ '^(numeric|real|double|character(\(|$)|citext|hstore|jsonb|numrange)'
        then 'equal keys may be written differently'
      when element.carried = 'json' then 'Postgres does not compare its values'
    end;
    if element.typtype = 'd' then
      refusal := 'Debezium sends null for an array of a domain';
    elsif element.typtype <> 'e' and element.carried !~ (
      '^("char"|smallint|integer|bigint|numeric|real|double precision|boolean|text|character varying|character|citext'
      || '|uuid|jsonb?|bytea|date|time\M.* without time zone|timestamp\M.* without time zone|inet|cidr|macaddr8?|oid'
      || '|int4range|int8range|numrange|daterange|tsrange|tstzrange|hstore)(\(|$| )')
      or element.wire = 'text' then
      refusal := 'Debezium sends null or nothing for such an array';
    else
      refusal := 'an array with other lower bounds or dimensions arrives as another array';
      checks := array['((array_ndims(%1$I) = 1) AND (array_lower(%1$I, 1) = 1))'] || case
        when element.typtype = 'e' then
          array[format('(array_position(%%1$I, NULL::%s) IS NULL)', format_type(base.typelem, -1))]
        when element.carried = 'numeric' then
          array['(''NaN''::numeric <> ALL (%1$I))', '(''Infinity''::numeric <> ALL (%1$I))', '(''-Infinity''::numeric <> ALL (%1$I))']
        when element.carried like 'numeric%' then array['(''NaN''::numeric <> ALL (%1$I))']
        when element.carried = 'date' then array['(''1582-10-15''::date <= ALL (%1$I))']
        when element.carried like 'timestamp%' then
          array['(''1582-10-15 00:00:00''::timestamp without time zone <= ALL (%1$I))']
        when element.carried like 'time%' then array['(''24:00:00''::time without time zone <> ALL (%1$I))']
      end;
    end if;
  elsif base.typtype = 'e' then
    carried := 'text';
    definition := (
      select string_agg(format('%s %s', e.oid, quote_ident(e.enumlabel)), ', ' order by e.enumsortorder)
      from pg_enum e
      where e.enumtypid = base.oid
    );
  elsif base.typtype = 'c' then
    carried := 'text';
    wire := 'text';
    definition := (
      select string_agg(
        concat_ws(' ', a.attnum, quote_ident(a.attname), format_type(a.atttypid, a.atttypmod), '<' || c.definition || '>'),
        ', ' order by a.attnum)
      from pg_attribute a
      cross join tidemark.column_type(a.atttypid, a.atttypmod) c
      where a.attrelid = base.typrelid
        and a.attnum > 0
        and not a.attisdropped
    );
    key_refusal := 'equal keys may be written differently';
  elsif base.typnamespace = 'pg_catalog'::regnamespace then
    case
      when base.typname = any (array[
        'bool', 'int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'money', 'text', 'varchar', 'bpchar', 'char', 'name',
        'uuid', 'json', 'jsonb', 'xml', 'tsvector', 'date', 'time', 'timestamp', 'timestamptz', 'bytea', 'inet', 'cidr',
        'macaddr', 'macaddr8', 'oid', 'int4range', 'int8range', 'numrange', 'daterange', 'tsrange', 'tstzrange', 'point',
        'line', 'lseg', 'box', 'circle'
      ]) then
        null;
      when base.typname = any (array[
        'tsquery', 'jsonpath', 'xid', 'xid8', 'cid', 'tid', 'pg_lsn', 'pg_snapshot', 'txid_snapshot', 'int4multirange',
        'int8multirange', 'nummultirange', 'datemultirange', 'tsmultirange', 'tstzmultirange'
      ]) then
        wire := 'text';
      when base.typname in ('path', 'polygon') then
        full_images := true;
      when base.typname = 'bit' then
        -- A value of at most 24 bytes is never TOASTed.
        full_images := base_modifier > 128;
      when base.typname = 'aclitem' then
        carried := 'text';
        wire := 'text';
      when base.typname = 'varbit' then
        refusal := 'its values arrive without their length';
      when base.typname = 'interval' then
        refusal := 'infinity arrives as 0, and 2147483648 hours or more end the connector';
        checks := array['isfinite(%1$I)', '(abs(EXTRACT(hour FROM %1$I)) < (2147483647)::numeric)'];
      when base.typname = 'timetz' then
        refusal := 'its values arrive without their time zone';
        checks := array['(EXTRACT(timezone FROM %1$I) = (0)::numeric)'];
      when base.typname like 'reg%' then
        refusal := 'what its values mean depends on the database';
      else
        refusal := 'Debezium does not send its values';
    end case;
    if base.typname in ('tsvector', 'tsquery') then
      key_refusal := 'it is not carried in keys';
    end if;
  elsif extension in ('hstore', 'citext') or extension = 'ltree' and base.typname = 'ltree' then
    carried := quote_ident(base.typname);
    -- Which texts are equal depends on the language of the database, and in these languages that differs even for letters
    -- without accents. The column with a language of ICU is daticulocale in Postgres 15 and 16 and datlocale since 17. It is
    -- read from JSON, since a column that a major does not have would be an error.
    if extension = 'citext' and exists (
      select
      from pg_database b
      cross join to_jsonb(b) as d
      where b.datname = current_database()
        and concat(b.datctype, ' ', d ->> 'daticulocale', ' ', d ->> 'datlocale') ~ '(^|\W)(tr|az|lt)'
    ) then
      key_refusal := 'equal keys may be written differently';
    end if;
  elsif extension = 'isn' and base.typname = 'isbn' then
    carried := 'text';
    key_refusal := 'equal keys may be written differently';
  elsif base.typname in ('geometry', 'geography', 'vector', 'halfvec', 'sparsevec') then
    refusal := 'not carried exactly yet';
  else
    carried := 'text';
    wire := 'text';
    key_refusal := 'equal keys may be written differently';
  end if;

  fix := case
    when refusal is null then null
    when checks is null then 'alter table %1$s alter column %2$I type text using %2$I::text'
    else 'alter table %1$s ' || (
      select string_agg('add check (' || replace(c.expression, '%1$I', '%2$I') || ')', ', ' order by c.place)
      from unnest(checks) with ordinality as c (expression, place)
    )
  end;
  return next;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.column_type_refusal(relation oid, attribute smallint)
 RETURNS TABLE(refusal text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  this record;
begin
  select c.*, a.attname, a.atttypid as base, format('%I.%I', n.nspname, r.relname) as name
  into this
  from pg_attribute a
  join pg_class r on r.oid = a.attrelid
  join pg_namespace n on n.oid = r.relnamespace
  cross join tidemark.column_type(a.atttypid, a.atttypmod) c
  where a.attrelid = relation
    and a.attnum = attribute;
  while (select t.typtype from pg_type t where t.oid = this.base) = 'd' loop
    this.base := (select t.typbasetype from pg_type t where t.oid = this.base);
  end loop;

  if this.refusal is not null and not coalesce(
    (
      select bool_and(exists (
        select
        from pg_constraint k
        where k.conrelid = relation
          and k.contype = 'c'
          and k.convalidated
          -- Postgres shows a column of a domain with a cast.
          and replace(
            pg_get_constraintdef(k.oid),
            format('(%I)::%s', this.attname, format_type(this.base, null)),
            quote_ident(this.attname)
          ) = format('CHECK (%s)', format(c.expression, this.attname))
      ))
      from unnest(this.checks) as c (expression)
    ),
    false
  ) then
    refusal := this.refusal;
    fix := format(this.fix, this.name, this.attname);
    return next;
  end if;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.columns_for_rules(relation oid, excluded_columns text[])
 RETURNS TABLE(table_name text, path text, attname name, attnum smallint, atttypid oid, atttypmod integer, attgenerated "char", attcollation oid, place bigint, excluded boolean)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select format('%I.%I', n.nspname, c.relname), n.nspname || '.' || c.relname, a.attname, a.attnum, a.atttypid, a.atttypmod,
    a.attgenerated, a.attcollation, key.place, a.attname = any (excluded_columns)
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join (
    select k.attnum, k.place
    from pg_index i
    cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
    where i.indrelid = relation
      and i.indisprimary
      and i.indimmediate
      and k.place <= i.indnkeyatts
  ) as key on key.attnum = a.attnum
  where c.oid = relation;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.computed_with(relation oid)
 RETURNS TABLE(attnum smallint, refclassid oid, refobjid oid, refobjsubid integer)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select a.attnum, d.refclassid, d.refobjid, d.refobjsubid
  from pg_attribute a
  join pg_attrdef e on e.adrelid = a.attrelid and e.adnum = a.attnum
  join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = e.oid
    or d.classid = 'pg_class'::regclass and d.objid = relation and d.objsubid = a.attnum and d.deptype = 'a'
  where a.attrelid = relation
    and a.attnum > 0
    and not a.attisdropped
    and a.attgenerated <> '';
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.configure(topic_partitions integer, captured jsonb, epoch integer DEFAULT 1, known_generation integer DEFAULT 0)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  before tidemark.setting;
  begins boolean;
begin
  perform tidemark.check_captured(captured);
  select * into before from tidemark.setting for update;
  begins := before is not null and before.epoch < configure.epoch;
  if before.topic_partitions <> configure.topic_partitions and not begins then
    raise exception 'the topic has % topic partitions, not %: their number cannot change within an epoch, '
      'so deploy with the former number (topicPartitions in cdk/stages.ts)',
      before.topic_partitions, configure.topic_partitions
      using hint = format('A new epoch, %s, may have another number.', before.epoch + 1);
  end if;

  insert into tidemark.setting as s (topic_partitions, captured, epoch, first_generation, reads_by_signal)
  values (
    configure.topic_partitions, configure.captured, configure.epoch, known_generation + 1, known_generation > 0
  )
  on conflict (only_row) do update
  set topic_partitions = excluded.topic_partitions,
      captured = excluded.captured,
      epoch = greatest(s.epoch, excluded.epoch),
      first_generation = case
        when begins then greatest(
          s.first_generation, excluded.first_generation,
          (select max((t.contract ->> 'generation')::integer) + 1 from tidemark.table_contract t where t.slot = 0),
          (select max(t.generation) + 1 from tidemark.captured_table t)
        )
        else s.first_generation
      end,
      reads_by_signal = s.reads_by_signal or begins,
      changed_at = now()
  where (s.captured, s.epoch) is distinct from (excluded.captured, greatest(s.epoch, excluded.epoch));

  delete from tidemark.beacon b where b.slot >= configure.topic_partitions;
  insert into tidemark.beacon (slot, number, body, emitted_at)
  select slot.n, coalesce(known.number, 0), coalesce(known.body, '{}'), known.emitted_at
  from generate_series(0, configure.topic_partitions - 1) as slot (n)
  left join tidemark.beacon known on known.slot = 0
  on conflict do nothing;

  if begins then
    perform tidemark.begin_epoch();
  end if;
  -- The publication may have been dropped with the connector.
  perform tidemark.restore_publication();
  perform tidemark.publish_contracts();
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.describe_columns(relation oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  excluded text[] := tidemark.excluded_columns(relation);
begin
  return (
    with type as materialized (
      select a.atttypid, a.atttypmod, c.carried, c.wire, c.definition
      from (
        select distinct a.atttypid, a.atttypmod
        from pg_attribute a
        where a.attrelid = relation
          and a.attnum > 0
          and not a.attisdropped
      ) as a
      cross join lateral tidemark.column_type(a.atttypid, a.atttypmod) c
    )
    select coalesce(jsonb_agg(
      jsonb_build_object(
        'number', a.attnum,
        'name', a.attname,
        'type', format_type(a.atttypid, a.atttypmod),
        'carried', type.carried,
        'wire', type.wire,
        'nullable', not a.attnotnull,
        'generated', a.attgenerated <> '',
        'expression', case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end,
        'key', k.place,
        'missing', case when a.atthasmissing then tidemark.only_element(a.attmissingval::text) end,
        'definition', type.definition
      )
      order by a.attnum), '[]')
    from pg_attribute a
    join type on type.atttypid = a.atttypid and type.atttypmod = a.atttypmod
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    left join tidemark.key_columns(relation) k on k.attnum = a.attnum
    where a.attrelid = relation
      and a.attnum > 0
      and not a.attisdropped
      and a.attname <> all (excluded)
  );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.describe_table(relation oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
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
        when tidemark.is_chosen(c.oid) then (select string_agg(r.reason, '; ' order by r.reason) from tidemark.refusals(c.oid) r)
        else 'it is not among the captured tables'
      end,
      'generation', coalesce(
        t.generation, (tidemark.latest_contract(c.oid) ->> 'generation')::integer,
        (select s.first_generation from tidemark.setting s)
      ),
      'complete', coalesce(t.complete, false) and tidemark.is_published(c.oid),
      'topicPartitions', (select s.topic_partitions from tidemark.setting s),
      'replicaIdentity', case c.relreplident
        when 'd' then 'default'
        when 'f' then 'full'
        when 'i' then 'index'
        else 'nothing'
      end,
      'parents', (
        select coalesce(jsonb_agg(jsonb_build_object('schema', a.schema_name, 'table', a.table_name)), '[]')
        from tidemark.ancestors(c.oid) a
      ),
      'columns', tidemark.describe_columns(c.oid)
    )
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    left join tidemark.captured_table t on t.relation = c.oid
    where c.oid = describe_table.relation
      and c.relkind = 'r'
      and c.relpersistence <> 't'
  );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.disturbs_snapshot(of_relation oid, before jsonb, after jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return (before -> 'columns', before -> 'schema', before -> 'table') is distinct from
      (after -> 'columns', after -> 'schema', after -> 'table')
    and exists (
      select from tidemark.captured_table t where t.relation = of_relation::bigint and t.state = 'snapshotting'
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
  current jsonb;
begin
  if latest is null and not tidemark.is_chosen(of_relation) then
    return null;
  end if;
  current := coalesce(
    tidemark.describe_table(of_relation),
    (latest - 'version') || '{"dropped": true, "published": false}'
  );
  if current = latest - 'version' then
    return null;
  end if;
  if current -> 'generation' = latest -> 'generation'
    and (tidemark.begins_generation(latest, current) or tidemark.disturbs_snapshot(of_relation, latest, current)) then
    current := current || jsonb_build_object('generation', (latest ->> 'generation')::integer + 1, 'complete', false);
  end if;
  return current;
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
  last_lsn text;
begin
  -- Emitters take turns at the first row. Otherwise two of them would wait for each other's rows.
  select b.number + 1, b.body ->> 'lsn' into next_number, last_lsn
  from tidemark.beacon b
  where b.slot = 0
  for update;
  if not found then
    raise exception 'there are no beacons yet: tidemark.configure creates them';
  end if;
  select jsonb_build_object(
    'systemIdentifier', (select c.system_identifier::text from pg_control_system() c),
    -- This is the timeline that is being written. pg_control_checkpoint still has the old one after a failover.
    'timeline', ('x' || left(pg_walfile_name(position.lsn), 8))::bit(32)::integer,
    'database', current_database(),
    'slotName', 'tidemark_e' || s.epoch,
    'lsn', position.lsn,
    -- A beacon that does not follow the one that was applied last is of another log, or something before it is missing.
    'previousLsn', last_lsn,
    'emittedMs', floor(extract(epoch from clock_timestamp()) * 1000)::bigint,
    -- What was committed before this place will not be delivered again.
    'confirmedLsn', (
      select r.confirmed_flush_lsn from pg_replication_slots r where r.slot_name = 'tidemark_e' || s.epoch
    ),
    'topicPartitions', s.topic_partitions,
    -- The next run of capture-tables writes them. Without the delay it would run with every beacon while DDL is open.
    'contractsMissing', exists (
      select from tidemark.contract_failure f where f.failed_at < clock_timestamp() - interval '1 second'
    )
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

CREATE OR REPLACE FUNCTION tidemark.end_capture(of_relation oid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update tidemark.captured_table t
  set state = 'captured',
      complete = true,
      last_error = null,
      failed_snapshots = 0,
      awaited = null,
      signal_id = null,
      not_before = null,
      since = now()
  where t.relation = of_relation::bigint;
  perform tidemark.observe_table(of_relation);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.end_snapshot(of_relation oid)
 RETURNS void
 LANGUAGE plpgsql
 SET lock_timeout TO '500ms'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  current tidemark.captured_table;
  in_chunks boolean := tidemark.is_read_in_chunks(of_relation);
  has_rows boolean;
  failure text;
begin
  if not tidemark.begin_step(of_relation, 'snapshotting', 'access share')
    or not exists (select from pg_class c where c.oid = of_relation) then
    return;
  end if;
  select * into current from tidemark.captured_table t where t.relation = of_relation::bigint;
  execute format('select exists (select from only %s)', of_relation::regclass) into has_rows;
  failure := case
    when in_chunks then tidemark.chunks_result(of_relation, current, has_rows)
    else tidemark.blocking_result(of_relation, current)
  end;
  if failure is null then
    return;
  end if;
  if failure = '' then
    perform tidemark.end_capture(of_relation);
  else
    update tidemark.captured_table t
    set state = 'pending',
        last_error = tidemark.snapshot_failure(of_relation, failure),
        signal_id = null,
        failed_snapshots = t.failed_snapshots + 1,
        -- The changes of all other tables wait during a blocking snapshot, and a snapshot that fails may fail for ever.
        not_before = case when t.failed_snapshots > 0 then
          clock_timestamp() + interval '15 seconds' * 2 ^ least(t.failed_snapshots, 4)
        end,
        since = now()
    where t.relation = of_relation::bigint;
    if not in_chunks then
      perform tidemark.begin_generation(of_relation);
    end if;
    -- The table may be one that is refused now, for example because of a policy, which no event trigger reports.
    perform tidemark.observe_table(of_relation);
  end if;
  perform tidemark.tidy_signals();
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.excluded_columns(relation oid)
 RETURNS text[]
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if (select s.captured -> 'excludeColumns' = '[]' from tidemark.setting s) then
    return '{}';
  end if;
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

CREATE OR REPLACE FUNCTION tidemark.give_full_identity(of_relation oid)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if not tidemark.lacks_images(of_relation) then
    return true;
  end if;
  perform set_config('lock_timeout', '100ms', true);
  execute format('alter table only %s replica identity full', of_relation::regclass);
  update tidemark.captured_table t set identity_given = true where t.relation = of_relation::bigint;
  return true;
exception when lock_not_available then
  update tidemark.captured_table t
  set not_before = clock_timestamp() + interval '1 second',
      last_error = 'it is in use: replica identity full could not be set'
  where t.relation = of_relation::bigint;
  return false;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.give_identity_back(of_relation oid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if exists (select from tidemark.captured_table t where t.relation = of_relation::bigint and t.identity_given)
    and exists (select from tidemark.key_columns(of_relation))
    and exists (select from tidemark.obstacles_to_images(of_relation)) then
    execute format('alter table only %s replica identity default', of_relation::regclass);
    update tidemark.captured_table t
    set identity_given = false
    where t.relation = of_relation::bigint;
  end if;
exception when others then
  raise debug 'tidemark: %', sqlerrm;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.give_writable_identity(of_relation oid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  needs_default constant boolean := exists (select from tidemark.obstacles_to_images(of_relation));
begin
  if not tidemark.is_unwritable(of_relation) then
    return;
  end if;
  if needs_default
    and not exists (select from tidemark.captured_table t where t.relation = of_relation::bigint and t.identity_given) then
    return;
  end if;
  execute format(
    'alter table only %s replica identity %s',
    of_relation::regclass, case when needs_default then 'default' else 'full' end
  );
  update tidemark.captured_table t
  set identity_given = not needs_default
  where t.relation = of_relation::bigint;
exception when others then
  raise debug 'tidemark: %', sqlerrm;
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

CREATE OR REPLACE FUNCTION tidemark.has_children(of_relation oid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select exists (select from pg_inherits i where i.inhparent = of_relation)
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.has_read(signal text)
 RETURNS boolean
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select exists (
    select
    from pg_locks l
    where l.locktype = 'advisory'
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
      and (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended(signal, 0)
      and l.objsubid = 1
      and l.granted
  )
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.is_chosen(relation oid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return exists (
    select
    from pg_class c
    cross join tidemark.setting s
    where c.oid = relation
      and c.relkind = 'r'
      and c.relpersistence <> 't'
      and exists (
        select
        from tidemark.chosen_by(relation) b
        where case s.captured -> 'includeTables'
          when '[]' then s.captured -> 'schemas' ? b.schema_name
          else s.captured -> 'includeTables' ? b.name
        end
      )
      and not exists (
        select
        from tidemark.chosen_by(relation) b
        where s.captured -> 'excludeTables' ? b.name
          and (b.own or c.relispartition)
      )
  );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.is_confirmed(place pg_lsn)
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
    where r.confirmed_flush_lsn >= place
  );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.is_cut_off(name text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return case
    when getdatabaseencoding() in ('UTF8', 'SQL_ASCII') then false
    else octet_length(convert_to(name, 'UTF8')) > 63
  end;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.is_listening()
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
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
-- tidemark_console_read may execute

CREATE OR REPLACE FUNCTION tidemark.is_publication_held()
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return exists (
    select
    from pg_publication p
    join pg_locks l on l.objid = p.oid
    where p.pubname = 'tidemark'
      and l.locktype = 'object'
      and l.classid = 'pg_publication'::regclass
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
      and l.pid is distinct from pg_backend_pid()
  );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.is_published(relation oid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
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

CREATE OR REPLACE FUNCTION tidemark.is_published_in_part(relation oid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return exists (
    select
    from tidemark.publications_of(relation) p
    where p.publication = 'tidemark'
      and (p.only_columns is not null or p.condition is not null)
  );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.is_read_in_chunks(of_relation oid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select n.nspname || c.relname !~ '[\s.''`]'
    and exists (select from tidemark.key_columns(of_relation))
    and not exists (
      select
      from tidemark.key_columns(of_relation) k
      join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
      where a.atttypid <> all ('{int2,int4,int8,text,varchar,uuid,numeric}'::regtype[])
    )
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = of_relation
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.is_read_initially()
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select not tidemark.is_listening() and not s.reads_by_signal from tidemark.setting s
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.is_settled(of_relation oid, contract jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return not exists (
    select
    from tidemark.wanted_state(of_relation, contract) w
    full join (select * from tidemark.captured_table c where c.relation = of_relation::bigint) as t using (relation)
    where (w.schema_name, w.table_name, w.reason, w.fix, w.generation, w.complete)
        is distinct from (t.schema_name, t.table_name, t.reason, t.fix, t.generation, t.complete)
      or t.state <> w.state and not (contract ->> 'published')::boolean
  );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.is_to_leave(of_relation oid, contract jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return (contract ->> 'published')::boolean and contract ->> 'refusal' is not null
    or tidemark.is_published_in_part(of_relation);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.is_unwritable(relation oid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return tidemark.is_published(relation) and (
    tidemark.is_published_in_part(relation)
    or exists (
      select
      from pg_class c
      where c.oid = relation
        and case
          when c.relreplident = 'f' then
            -- This is cheaper than to look for the obstacles, and without it there are none.
            (
              exists (select from pg_publication p where p.pubname <> 'tidemark')
              or exists (select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and a.attgenerated <> '')
            )
            and exists (select from tidemark.obstacles_to_images(c.oid))
          else not exists (
            select
            from pg_index i
            where i.indrelid = c.oid
              and i.indisvalid
              and case c.relreplident
                when 'd' then i.indisprimary and i.indimmediate
                when 'i' then i.indisreplident
              end
          )
        end
    )
  );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.key_columns(relation oid)
 RETURNS TABLE(attnum smallint, place bigint)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select k.attnum, k.place
  from pg_index i
  cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
  where i.indrelid = relation
    and i.indisprimary
    and i.indimmediate
    and k.place <= i.indnkeyatts;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.lacks_images(relation oid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return exists (
    select
    from pg_class c
    where c.oid = relation
      and c.relreplident <> 'f'
      and tidemark.need_of_images(relation, tidemark.excluded_columns(relation)) is not null
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
    insert into tidemark.publication_made (lsn)
    values (pg_current_wal_insert_lsn())
    on conflict ((true)) do update
    set lsn = excluded.lsn;
  end if;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.may_get_key(of_relation oid)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if exists (select from tidemark.key_columns(of_relation))
    or tidemark.is_published(of_relation)
    or not tidemark.is_listening() then
    return false;
  end if;
  update tidemark.captured_table t
  set not_before = c.changed_at + interval '5 seconds'
  from (
    select greatest(max(k.created_at), (select x.since from tidemark.captured_table x where x.relation = of_relation::bigint))
      as changed_at
    from tidemark.table_contract k
    where k.relation = of_relation::bigint
      and k.slot = 0
  ) as c
  where t.relation = of_relation::bigint
    and c.changed_at > clock_timestamp() - interval '5 seconds';
  return found;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.near_names(wanted text)
 RETURNS SETOF text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select candidate.name
  from (select t.schema_name || '.' || t.table_name as name, t.table_name from tidemark.captured_table t) as candidate
  cross join lateral (
    select count(*) filter (where position(substr(lower(wanted), i, 2) in lower(candidate.name)) > 0)::float8
        / greatest(length(wanted), length(candidate.table_name)) as share
    from generate_series(1, length(wanted) - 1) as i
  ) as likeness
  where likeness.share > 0.5
  order by likeness.share desc, candidate.name
  limit 3;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.need_of_images(relation oid, excluded_columns text[])
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return case
    when not exists (select from pg_index i where i.indrelid = relation and i.indisprimary and i.indimmediate)
      then 'without a primary key it needs replica identity full'
    when exists (
      select
      from (
        select distinct a.atttypid, a.atttypmod
        from pg_attribute a
        where a.attrelid = relation
          and a.attnum > 0
          and not a.attisdropped
          and a.attstorage <> 'p'
          and a.attgenerated = ''
          and a.attname <> all (excluded_columns)
      ) as a
      cross join lateral tidemark.column_type(a.atttypid, a.atttypmod) t
      where t.full_images
    ) then 'the types of its columns need replica identity full'
  end;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.note_failure(of_relation oid, failure text, was_rewritten boolean DEFAULT false)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  insert into tidemark.contract_failure (relation, message, rewritten, failed_at)
  values (of_relation, failure, was_rewritten, clock_timestamp());
exception when others then
  raise warning 'tidemark could not record that the contract of a table is missing: % (%)', failure, sqlerrm;
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
  if sqlstate = '55P03' then
    perform set_config('lock_timeout', '1ms', true);
  end if;
  perform tidemark.note_failure(of_relation, sqlerrm);
  perform tidemark.give_writable_identity(of_relation);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.observe_state(of_relation oid, contract jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if tidemark.is_settled(of_relation, contract) then
    return;
  end if;
  insert into tidemark.captured_table as t
    (relation, schema_name, table_name, state, reason, fix, generation, complete)
  select * from tidemark.wanted_state(of_relation, contract)
  on conflict (relation) do update
  set schema_name = excluded.schema_name,
      table_name = excluded.table_name,
      -- The capture of a published table continues from its present state, unless its rows have to be read again.
      state = case
        when excluded.state = 'pending'
          and t.state <> 'refused'
          and excluded.generation = t.generation
          and (contract ->> 'published')::boolean then t.state
        else excluded.state
      end,
      reason = excluded.reason,
      fix = excluded.fix,
      generation = excluded.generation,
      complete = excluded.complete;
  if not found then
    delete from tidemark.captured_table t where t.relation = of_relation::bigint;
  end if;
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
  if due is null
    and tidemark.is_settled(of_relation, tidemark.latest_contract(of_relation))
    and not tidemark.is_to_leave(of_relation, tidemark.latest_contract(of_relation)) then
    return false;
  end if;
  -- Another transaction may be changing what was read until here. Its turn ends with it.
  perform tidemark.take_turn(of_relation);
  if (coalesce(due, tidemark.latest_contract(of_relation)) ->> 'published')::boolean then
    perform tidemark.secure_images(of_relation, coalesce(due, tidemark.latest_contract(of_relation)));
  end if;
  due := tidemark.due_contract(of_relation);
  if due is null then
    perform tidemark.observe_state(of_relation, tidemark.latest_contract(of_relation));
    return false;
  end if;
  perform tidemark.observe_state(of_relation, due);
  -- While no connector listens, the contract of a new table is written by the transaction that publishes it.
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

CREATE OR REPLACE FUNCTION tidemark.obstacles_to_images(relation oid)
 RETURNS TABLE(attnum smallint, obstacle text, fix text, price text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select a.attnum, format('no publication can have its virtual generated column %I', a.attname),
    null,
    format(
      'to make it a stored column is to drop it, with its checks, indexes, comments, rights and what else depends on it, and to '
      'add it: alter table %s drop column %I, add column %I %s%s generated always as (%s) stored%s',
      relation::regclass, a.attname, a.attname, format_type(a.atttypid, a.atttypmod),
      case when a.attcollation <> t.typcollation then ' collate ' || a.attcollation::regcollation end,
      pg_get_expr(d.adbin, d.adrelid), case when a.attnotnull then ' not null' end
    )
  from pg_attribute a
  join pg_type t on t.oid = a.atttypid
  join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = relation
    and a.attgenerated = 'v'
  union all
  select g.attnum, format('publication %I leaves out its generated column %I', p.publication, g.attname),
    case when p.publication = 'tidemark' then 'alter publication tidemark set (publish_generated_columns = stored)' end,
    format('to publish the column there changes what the subscribers of %I get', p.publication)
  from tidemark.publications_of(relation) p
  cross join lateral (
    select a.attnum, a.attname
    from pg_attribute a
    where a.attrelid = relation
      and a.attgenerated = 's'
    order by a.attnum
    limit 1
  ) as g
  where p.generated_columns <> 's'
  union all
  select 0::int2, format('publication %I has some of its columns only', p.publication),
    null,
    format('to publish all columns of %s there changes what the subscribers of %I get', p.listed::regclass, p.publication)
  from tidemark.publications_of(relation) p
  where p.only_columns is not null
    and p.publication <> 'tidemark';
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.on_ddl_command_end()
 RETURNS event_trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET lock_timeout TO '200ms'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  touched oid[];
begin
  begin
    if tg_tag = 'ALTER PUBLICATION' then
      perform tidemark.restore_publication();
    end if;
    select array_agg(distinct t) into touched
    from (select array_agg(d.classid) as classes, array_agg(d.objid) as objects from pg_event_trigger_ddl_commands() d) as c
    cross join lateral tidemark.touched_tables(c.classes, c.objects) as t;
    perform tidemark.observe_safely(t) from unnest(touched) as t;
  exception when others then
    perform tidemark.note_failure(0, sqlerrm);
  end;
  perform tidemark.refuse_unwritable(touched);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.on_sql_drop()
 RETURNS event_trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET lock_timeout TO '200ms'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  touched oid[];
begin
  begin
    -- These are tables that were dropped, and tables that have lost a column or a constraint, also to a cascade.
    select array_agg(r.oid) into touched
    from (
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
    ) as r (oid);
    perform tidemark.observe_safely(t) from unnest(touched) as t;
  exception when others then
    perform tidemark.note_failure(0, sqlerrm);
  end;
  perform tidemark.refuse_unwritable(touched);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.on_table_rewrite()
 RETURNS event_trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET lock_timeout TO '200ms'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  -- Reason 2 is a column's default, 4 a column's type. The others (persistence, access method) keep the values.
  if pg_event_trigger_table_rewrite_reason() & 6 = 0 then
    return;
  end if;
  perform tidemark.begin_generation_safely(pg_event_trigger_table_rewrite_oid());
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.only_adds_labels(before text, after text)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  label constant text := '\d+ (?:"(?:[^"]|"")*"|[^",<> ]+)';
  added text;
  rest text := after;
begin
  for added in
    select m[1] from regexp_matches(after, '(' || label || ')', 'g') m
    except
    select m[1] from regexp_matches(before, '(' || label || ')', 'g') m
  loop
    rest := replace(replace(replace(rest, ', ' || added, ''), added || ', ', ''), '<' || added || '>', '<>');
  end loop;
  return rest = before;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.only_element(array_text text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case
    -- Elements of type box are separated by semicolons, so that their commas are not quoted.
    when array_text like '{(%' then substr(array_text, 2, length(array_text) - 2)
    else (array_text::text[])[1]
  end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.outdated_relations()
 RETURNS SETOF oid
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  with candidate as materialized (
    select distinct a.attrelid as relation
    from tidemark.captured_table t
    join pg_attribute a on a.attrelid = t.relation::oid
    join pg_type y on y.oid = a.atttypid
    where y.typnamespace <> 'pg_catalog'::regnamespace
  ),
  said as materialized (
    select candidate.relation, c.definition, a.atttypid, a.atttypmod
    from candidate
    cross join lateral jsonb_to_recordset(tidemark.latest_contract(candidate.relation) -> 'columns')
      as c (number int2, definition text)
    join pg_attribute a on a.attrelid = candidate.relation and a.attnum = c.number and not a.attisdropped
    where c.definition is not null
  )
  select distinct s.relation
  from said s
  join (
    select d.atttypid, d.atttypmod, y.definition
    from (select distinct atttypid, atttypmod from said) as d
    cross join lateral tidemark.column_type(d.atttypid, d.atttypmod) y
  ) as type using (atttypid, atttypmod)
  where s.definition is distinct from type.definition;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.publications_of(relation oid)
 RETURNS TABLE(publication name, listed oid, only_columns text, condition text, generated_columns text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  of_schemas oid[] := '{}';
begin
  -- Postgres 14 has no publications of schemas. It does not analyze a statement that is not executed.
  if to_regclass('pg_catalog.pg_publication_namespace') is not null then
    of_schemas := array(
      select s.pnpubid
      from pg_publication_namespace s
      join pg_class c on c.relnamespace = s.pnnspid
      where c.oid in (select relation union all select pg_partition_ancestors(relation))
    );
  end if;
  return query
  with above as (
    select coalesce(a.relid, relation)::oid as oid, a.distance
    from pg_partition_ancestors(relation) with ordinality as a (relid, distance)
    union
    select relation, 1
  )
  select p.pubname, entry.oid, entry.detail ->> 'prattrs', entry.detail ->> 'prqual',
    to_jsonb(p) ->> 'pubgencols'
  from pg_publication p
  left join lateral (
    select a.oid, to_jsonb(r) as detail
    from pg_publication_rel r
    join above a on a.oid = r.prrelid
    where r.prpubid = p.oid
      and (a.distance = 1 or p.pubviaroot)
    order by a.distance desc
    limit 1
  ) as entry on true
  where (p.pubupdate or p.pubdelete)
    and (
      p.puballtables
      or p.oid = any (of_schemas)
      or exists (select from pg_publication_rel r join above a on a.oid = r.prrelid where r.prpubid = p.oid)
    );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.publish_contracts()
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET lock_timeout TO '2s'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  observed oid;
  written integer := 0;
begin
  for observed in select tidemark.observed_relations() loop
    begin
      written := written + tidemark.observe_table(observed)::integer;
    exception when lock_not_available then
      -- DDL on the table is still open, and writes the contract itself.
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
 SET lock_timeout TO '500ms'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if not tidemark.begin_step(of_relation, 'pending', 'share update exclusive') then
    return;
  end if;
  -- The initial snapshot would read the rows of inheriting tables as rows of this one.
  if tidemark.has_children(of_relation) and tidemark.is_read_initially() then
    return;
  end if;
  if exists (select from pg_class c where c.oid = of_relation) then
    if tidemark.may_get_key(of_relation) or not tidemark.give_full_identity(of_relation) then
      return;
    end if;
    if not tidemark.is_published(of_relation) then
      execute format('alter publication tidemark add table only %s', of_relation::regclass);
    end if;
  end if;
  -- From here on no DDL on the table is open. Earlier DDL may have dropped the table, or made it one that is refused.
  update tidemark.captured_table t
  set state = case when tidemark.is_read_initially() then 'captured' else 'awaiting writers' end,
      complete = tidemark.is_read_initially(),
      awaited = null,
      signal_id = null,
      not_before = null,
      since = now()
  where t.relation = of_relation::bigint;
  perform tidemark.observe_table(of_relation);
  perform tidemark.grant_reading(of_relation)
  from tidemark.captured_table t
  where t.relation = of_relation::bigint
    and t.state in ('awaiting writers', 'captured');
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.reading_ends(signal text)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform pg_advisory_unlock_all();
  perform pg_try_advisory_lock(hashtextextended(signal, 0));
  return false;
end
$function$
-- owned by postgres
-- tidemark_capture may execute

CREATE OR REPLACE FUNCTION tidemark.refusals(relation oid)
 RETURNS TABLE(reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select r.reason, r.fix
  from tidemark.table_refusals(relation, tidemark.excluded_columns(relation), current_user) r
  union all
  -- The connector knows the names in the setting, but not which table inherits from which.
  select format('it is captured as part of %s, and its own name is not among the captured tables', parent.name),
    case s.captured -> 'includeTables'
      when '[]' then format('-- add ''%s'' to schemas of the setting captured', self.schema_name)
      else format('-- add ''%s'' to includeTables of the setting captured', self.name)
    end
  from tidemark.setting s
  join tidemark.chosen_by(relation) self on self.own
  cross join lateral (
    select string_agg(b.name, ' and ') as name
    from tidemark.chosen_by(relation) b
    where not b.own
  ) as parent
  where not case s.captured -> 'includeTables'
    when '[]' then s.captured -> 'schemas' ? self.schema_name
    else s.captured -> 'includeTables' ? self.name
  end;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refuse_unwritable(touched oid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  unwritable regclass;
begin
  begin
    select t into unwritable
    from unnest(touched) as t
    where tidemark.is_unwritable(t)
    limit 1;
  exception when others then
    raise debug 'tidemark: %', sqlerrm;
  end;
  if unwritable is not null then
    raise exception 'after this DDL, rows of % could not be updated or deleted while it is captured, and another transaction prevents '
      'its removal from publication tidemark', unwritable
      using errcode = 'lock_not_available',
        hint = 'Run the DDL again when that transaction has ended; select * from pg_locks where classid = ''pg_publication''::regclass '
          'shows its session.';
  end if;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_column_names(relation oid)
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select a.attnum::integer, format('the name of its column %I is reserved or holds a quote', a.attname),
    format('alter table %I.%I rename column %I to %I', n.nspname, c.relname, a.attname,
      regexp_replace(a.attname, '["\\]|^tidemark\$', '_', 'g'))
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.oid = relation
    and (a.attname ~ '["\\]' or a.attname like 'tidemark$%');
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_columns_alike(relation oid)
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select min(a.attnum)::integer,
    format('its columns %s differ only in case', string_agg(format('%I', a.attname), ' and ' order by a.attnum)),
    format('alter table %I.%I rename column %I to %I', n.nspname, c.relname, max(a.attname), max(a.attname) || '_2')
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.oid = relation
  group by n.nspname, c.relname, lower(a.attname)
  having count(*) > 1;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_computed_from_other(relation oid, excluded_columns text[])
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select a.attnum::integer, format('generated column %I is computed from column %I, which %s', a.attname, u.attname,
      case when u.excluded then 'is excluded' else 'the target stores as ' || type.carried end),
    tidemark.advice_on_generated(relation, a.attnum, a.attgenerated)
  from tidemark.columns_for_rules(relation, excluded_columns) a
  join tidemark.computed_with(relation) d on d.attnum = a.attnum
    and d.refclassid = 'pg_class'::regclass and d.refobjid = relation and d.refobjsubid <> a.attnum
  join tidemark.columns_for_rules(relation, excluded_columns) u on u.attnum = d.refobjsubid
  cross join lateral tidemark.column_type(u.atttypid, u.atttypmod) type
  where not a.excluded
    and (
      u.excluded
      or type.carried in ('text', 'text[]') and format_type(u.atttypid, u.atttypmod) not in ('text', 'text[]')
    );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_excluded_key(relation oid, excluded_columns text[])
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select a.attnum::integer, format('column %I of its primary key is excluded', a.attname),
    format('-- take ''%s.%s'' out of excludeColumns of the setting captured', a.path, a.attname)
  from tidemark.columns_for_rules(relation, excluded_columns) a
  where a.excluded
    and a.place is not null;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_forced_row_security(relation oid, administrator name)
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select 0, format('row-level security, which is forced on its owner, hides rows from %I', administrator),
    -- Without the force, an application that connects as the owner would see every row.
    format('alter role %I bypassrls', administrator)
  from pg_class c
  join pg_roles a on a.rolname = administrator and not a.rolbypassrls and not a.rolsuper
  where c.oid = relation
    and c.relrowsecurity
    and c.relforcerowsecurity;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_generated_key(relation oid, excluded_columns text[])
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select a.attnum::integer, format('column %I of its primary key is generated', a.attname),
    format('-- give the table another primary key, or exclude it; after alter table %s alter column %I drop expression '
      'nothing computes the column, and the application that inserts rows has to', a.table_name, a.attname)
  from tidemark.columns_for_rules(relation, excluded_columns) a
  where a.attgenerated <> ''
    and a.place is not null;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_key_collations(relation oid, excluded_columns text[])
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select a.attnum::integer, format('the collation of key column %I is not deterministic', a.attname),
    format('alter table %s alter column %I type %s collate "C"', a.table_name, a.attname, format_type(a.atttypid, a.atttypmod))
  from tidemark.columns_for_rules(relation, excluded_columns) a
  join pg_collation l on l.oid = a.attcollation and not l.collisdeterministic
  where a.place is not null;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_key_types(relation oid, excluded_columns text[])
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select a.attnum::integer,
    format('type %s of key column %I: %s', format_type(a.atttypid, a.atttypmod), a.attname, type.key_refusal),
    format('-- exclude the table, or give %s another primary key', a.table_name)
  from tidemark.columns_for_rules(relation, excluded_columns) a
  cross join lateral tidemark.column_type(a.atttypid, a.atttypmod) type
  where a.place is not null
    and type.key_refusal is not null;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_long_column_names(relation oid, excluded_columns text[])
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select a.attnum::integer, format('the name of its column %I has more than 63 bytes in UTF-8: the target would cut it off', a.attname),
    format('alter table %I.%I rename column %I to %I', n.nspname, c.relname, a.attname, left(a.attname, 15))
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.oid = relation
    and a.attname <> all (excluded_columns)
    and tidemark.is_cut_off(a.attname);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_missing_in_target(relation oid, excluded_columns text[])
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select a.attnum::integer, format('generated column %I uses %s, which the target does not have', a.attname,
      string_agg(pg_describe_object(d.refclassid, d.refobjid, 0), ' and ')),
    tidemark.advice_on_generated(relation, a.attnum, a.attgenerated)
  from tidemark.columns_for_rules(relation, excluded_columns) a
  join tidemark.computed_with(relation) d on d.attnum = a.attnum
  where not a.excluded
    and d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass, 'pg_collation'::regclass)
    and not exists (
      select
      from pg_depend e
      where e.classid = d.refclassid
        and e.objid = d.refobjid
        and e.deptype = 'e'
    )
    and coalesce(
      (select p.pronamespace from pg_proc p where d.refclassid = 'pg_proc'::regclass and p.oid = d.refobjid),
      (select o.oprnamespace from pg_operator o where d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid),
      (select t.typnamespace from pg_type t where d.refclassid = 'pg_type'::regclass and t.oid = d.refobjid),
      (select l.collnamespace from pg_collation l where d.refclassid = 'pg_collation'::regclass and l.oid = d.refobjid)
    ) <> 'pg_catalog'::regnamespace
  group by a.attname, a.attnum, a.attgenerated;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_owner(relation oid, administrator name)
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select 0, format('it is owned by %I, whose rights %I does not have', o.rolname, administrator),
    format('grant %I to %I', o.rolname, administrator)
  from pg_class c
  join pg_roles o on o.oid = c.relowner
  where c.oid = relation
    and not pg_has_role(administrator, c.relowner, 'usage');
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_owner_writes(relation oid, excluded_columns text[])
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select o.attnum::integer,
    format('its owner could not update or delete its rows: %s, and %s', coalesce(n.need, 'its replica identity is full'), o.obstacle),
    case
      when n.need is null then format('alter table %I.%I replica identity default', s.nspname, c.relname)
      else coalesce(o.fix, format('-- %s, or exclude the table; %s',
        case
          when exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indimmediate)
            then 'exclude the columns of these types with excludeColumns of the setting captured'
          else 'add a primary key'
        end, o.price))
    end
  from pg_class c
  join pg_namespace s on s.oid = c.relnamespace
  cross join lateral tidemark.obstacles_to_images(relation) o
  cross join lateral tidemark.need_of_images(relation, excluded_columns) n (need)
  where c.oid = relation
    and (n.need is not null or c.relreplident = 'f');
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_replica_identity(relation oid)
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select 0,
    format('its replica identity is %s', case c.relreplident when 'i' then 'an index other than its primary key' else 'nothing' end),
    case
      when c.relreplident = 'i' and others.publications is not null then format(
        '-- exclude the table, or let subscribers of %s get rows by their primary key: alter table %I.%I replica identity default',
        others.publications, n.nspname, c.relname)
      else format('alter table %I.%I replica identity default', n.nspname, c.relname)
    end
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  cross join lateral (
    select string_agg(format('%I', p.publication), ', ' order by p.publication) as publications
    from tidemark.publications_of(relation) p
    where p.publication <> 'tidemark'
  ) as others
  where c.oid = relation
    and c.relreplident in ('i', 'n')
    and exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indimmediate)
    and not exists (select from pg_index i where i.indrelid = c.oid and i.indisreplident and i.indisprimary);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_row_security(relation oid)
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select 0, 'row-level security hides rows from tidemark_capture',
    case
      -- A restrictive policy takes rows away that another one gives.
      when policies.restrict then 'alter role tidemark_capture bypassrls'
      else format('create policy tidemark_capture on %I.%I for select to tidemark_capture using (true)', n.nspname, c.relname)
    end
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  cross join lateral (
    select
      coalesce(bool_or(p.permissive = 'PERMISSIVE' and p.qual = 'true'), false) as show_all,
      coalesce(bool_or(p.permissive = 'RESTRICTIVE'), false) as restrict
    from pg_policies p
    where p.schemaname = n.nspname
      and p.tablename = c.relname
      and p.cmd in ('SELECT', 'ALL')
      and p.roles && array['tidemark_capture', 'public']::name[]
  ) as policies
  where c.oid = relation
    and c.relrowsecurity
    and (not policies.show_all or policies.restrict)
    and not exists (
      select from pg_roles r where r.rolname = 'tidemark_capture' and (r.rolbypassrls or r.rolsuper)
    );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_schema_access(relation oid, administrator name)
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select 0, format('%I may not let tidemark_capture into its schema', administrator),
    format('grant usage on schema %I to %I with grant option', n.nspname, administrator)
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
    and not has_schema_privilege(administrator, n.oid, 'usage with grant option')
    and not exists (
      select
      from aclexplode(n.nspacl) acl
      where acl.privilege_type = 'USAGE'
        and acl.grantee in (0, coalesce(to_regrole('tidemark_capture')::oid, 0))
    );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_schema_name(relation oid)
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select 0, 'the name of its schema holds a quote, a backslash, a bracket or one of *+?|^',
    format('alter schema %I rename to %I', n.nspname, regexp_replace(n.nspname, '["\\()[\]{}*+?|^]', '_', 'g'))
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
    and n.nspname ~ '["\\()[\]{}*+?|^]'
  union all
  select 1, 'the name of its schema has more than 63 bytes in UTF-8: the target would cut it off',
    format('alter schema %I rename to %I', n.nspname, left(n.nspname, 15))
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
    and tidemark.is_cut_off(n.nspname);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_table_name(relation oid)
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select 0, 'its name holds a quote, a backslash, a bracket or one of *+?|^',
    format('alter table %I.%I rename to %I', n.nspname, c.relname, regexp_replace(c.relname, '["\\()[\]{}*+?|^]', '_', 'g'))
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
    and c.relname ~ '["\\()[\]{}*+?|^]'
  union all
  select 1, 'its name has more than 63 bytes in UTF-8: the target would cut it off',
    format('alter table %I.%I rename to %I', n.nspname, c.relname, left(c.relname, 15))
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
    and tidemark.is_cut_off(c.relname);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_types(relation oid, excluded_columns text[])
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  -- A table of a thousand columns has few types.
  with type as materialized (
    select d.atttypid, d.atttypmod, c.carried, c.refusal
    from (select distinct a.atttypid, a.atttypmod from tidemark.columns_for_rules(relation, excluded_columns) a) as d
    cross join lateral tidemark.column_type(d.atttypid, d.atttypmod) c
  )
  select a.attnum::integer, format('type %s of column %I: %s', format_type(a.atttypid, a.atttypmod), a.attname, r.refusal), r.fix
  from tidemark.columns_for_rules(relation, excluded_columns) a
  join type on type.atttypid = a.atttypid and type.atttypmod = a.atttypmod
  cross join lateral tidemark.column_type_refusal(relation, a.attnum) r
  where not a.excluded
    -- What generated columns hold is not taken from Debezium. It reads them in spite of that, and an interval may end it.
    and (a.attgenerated = '' or type.carried like 'interval%')
    and type.refusal is not null;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.refused_unlogged(relation oid)
 RETURNS TABLE(attnum integer, reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select 0, 'it is unlogged: its changes are not in the log', format('alter table %I.%I set logged', n.nspname, c.relname)
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation
    and c.relpersistence = 'u';
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.restore_publication()
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  control_tables constant regclass[] := array['tidemark.table_contract', 'tidemark.beacon', 'tidemark.signal'];
  published pg_publication;
  control_table regclass;
  was_reduced boolean := false;
begin
  perform tidemark.make_publication();
  select * into published from pg_publication p where p.pubname = 'tidemark';
  foreach control_table in array control_tables loop
    if tidemark.is_published_in_part(control_table) then
      execute format('alter publication tidemark drop table only %s', control_table);
    end if;
    if not tidemark.is_published(control_table) then
      execute format('alter publication tidemark add table only %s', control_table);
      was_reduced := true;
    end if;
  end loop;
  if to_jsonb(published) ->> 'pubgencols' <> 's' then
    alter publication tidemark set (publish_generated_columns = stored);
  end if;
  if not (published.pubinsert and published.pubupdate and published.pubdelete and published.pubtruncate)
    or published.pubviaroot then
    alter publication tidemark set (publish = 'insert, update, delete, truncate', publish_via_partition_root = false);
    was_reduced := true;
  end if;
  return was_reduced;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.resync("table" text)
 RETURNS SETOF text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET lock_timeout TO '2s'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
declare
  wanted constant text := resync."table";
  near text;
  it tidemark.captured_table;
  found_any boolean := false;
begin
  for it in
    select t.*
    from tidemark.captured_table t
    where exists (
      select
      from tidemark.chosen_by(t.relation::oid) b
      join pg_namespace n on n.nspname = b.schema_name
      join pg_class c on c.relnamespace = n.oid and b.name = n.nspname || '.' || c.relname
      where wanted in (b.name, format('%I.%I', n.nspname, c.relname))
        and (b.own or c.relkind = 'p')
    )
    order by t.schema_name, t.table_name
  loop
    found_any := true;
    perform tidemark.take_turn(it.relation::oid);
    select * into it from tidemark.captured_table t where t.relation = it.relation;
    if it.state = 'refused' then
      raise exception '%.% is not captured: %', it.schema_name, it.table_name, it.reason
        using hint = it.fix;
    elsif it.state <> 'captured' then
      raise exception '%.% is being captured already (%): tidemark.uncaptured says what it waits for',
        it.schema_name, it.table_name, it.state
        using errcode = 'object_in_use';
    end if;
    perform tidemark.begin_generation(it.relation::oid);
    perform tidemark.observe_table(it.relation::oid);
    return next it.schema_name || '.' || it.table_name;
  end loop;
  if found_any then
    return;
  end if;
  select string_agg(n.name, ' or ') into near from tidemark.near_names(wanted) n (name);
  raise exception 'there is no captured table %: %', wanted,
    coalesce('did you mean ' || near || '?', 'write schema.table as tidemark.captured_table lists it')
    using errcode = 'undefined_table';
end
$function$
-- owned by postgres
-- tidemark_console_act may execute

CREATE OR REPLACE FUNCTION tidemark.secure_images(of_relation oid, contract jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  can_stay constant boolean :=
    contract ->> 'refusal' is null and not tidemark.is_published_in_part(of_relation);
begin
  if can_stay and not tidemark.lacks_images(of_relation) then
    return;
  end if;
  if can_stay and exists (select from tidemark.key_columns(of_relation)) then
    begin
      -- The DDL that made this necessary already holds the lock that it needs.
      execute format('alter table only %s replica identity full', of_relation::regclass);
      update tidemark.captured_table t set identity_given = true where t.relation = of_relation::bigint;
      return;
    exception when others then
      raise debug 'tidemark: %', sqlerrm;
    end;
  end if;
  if not tidemark.is_publication_held() then
    begin
      execute format('alter publication tidemark drop table only %s', of_relation::regclass);
      perform tidemark.give_identity_back(of_relation);
      return;
    exception when lock_not_available then
      raise debug 'tidemark: %', sqlerrm;
    end;
  end if;
  perform tidemark.give_writable_identity(of_relation);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.signal_of(id text, type text, data text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
RETURN CASE WHEN (type ~~ 'snapshot-window-%'::text) THEN ((data)::jsonb ->> 'correlationId'::text) ELSE id END
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.snapshot_failure(of_relation oid, failure text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  excluded text[] := tidemark.excluded_columns(of_relation);
  found_reasons text;
begin
  select string_agg(r.reason, '; ') into found_reasons
  from (
    select format('tidemark_capture may not use its schema: grant usage on schema %I to tidemark_capture', n.nspname)
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.oid = of_relation
      and not has_schema_privilege('tidemark_capture', n.oid, 'usage')
    union all
    select format('tidemark_capture may not read %s: grant select (%1$s) on %s to tidemark_capture',
      string_agg(quote_ident(a.attname), ', ' order by a.attnum), of_relation::regclass)
    from pg_attribute a
    where a.attrelid = of_relation
      and a.attnum > 0
      and not a.attisdropped
      and a.attname <> all (excluded)
      and not has_column_privilege('tidemark_capture', of_relation, a.attnum, 'select')
    having count(*) > 0
    union all
    select r.reason || coalesce(': ' || r.fix, '')
    from tidemark.refusals(of_relation) r
    union all
    select 'it was taken out of the publication tidemark'
    where not tidemark.is_published(of_relation)
  ) as r (reason);
  return failure || coalesce(', because ' || found_reasons, ', though it has the right to: its session was ended, the connector '
    'was restarted, or its configuration does not name the table, which the next deployment corrects. The log of Connect says which');
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.snapshot_signal(of_relation oid, signal text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  excluded text[] := tidemark.excluded_columns(of_relation);
  quoted text;
  pattern text;
  columns text;
  nulls text;
  snapshot_of jsonb;
begin
  select '"' || n.nspname || '"."' || c.relname || '"',
    -- Debezium separates patterns by commas, and they ignore case.
    '(?-i)' || regexp_replace(n.nspname || '.' || c.relname, '([^A-Za-z0-9_])', '\\\1', 'g'),
    jsonb_build_object('relation', of_relation::bigint, 'generation', t.generation)
  into quoted, pattern, snapshot_of
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  left join tidemark.captured_table t on t.relation = c.oid
  where c.oid = of_relation;
  if tidemark.is_read_in_chunks(of_relation) then
    return jsonb_strip_nulls(jsonb_build_object(
      'type', 'incremental',
      'data-collections', jsonb_build_array(quoted),
      'additional-conditions', case when tidemark.has_children(of_relation) then jsonb_build_array(
        jsonb_build_object('data-collection', quoted, 'filter', 'tableoid = ' || of_relation)
      ) end
    ));
  end if;
  select string_agg(format('%I', a.attname), ', ' order by a.attnum), string_agg('null', ', ')
  into columns, nulls
  from pg_attribute a
  where a.attrelid = of_relation
    and a.attnum > 0
    and not a.attisdropped
    and a.attname <> all (excluded);
  return jsonb_build_object(
    'type', 'blocking',
    'data-collections', jsonb_build_array('tidemark\.beacon', pattern),
    'additional-conditions', jsonb_build_array(
      jsonb_build_object('data-collection', 'tidemark.beacon', 'filter', format(
        'select slot, number, body || jsonb_build_object(''snapshot'', pg_current_snapshot()::text, ''reading'', %L::jsonb) as body, '
          'emitted_at from tidemark.beacon',
        snapshot_of
      )),
      jsonb_build_object('data-collection', quoted, 'filter', format(
        'select %1$s from only %2$s union all select %3$s where tidemark.reading_ends(%4$L)',
        columns, quoted, nulls, signal
      ))
    )
  );
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.table_refusals(relation oid, excluded_columns text[], administrator name)
 RETURNS TABLE(reason text, fix text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  -- Where nothing is in the log, other reasons do not matter.
  return query select r.reason, r.fix from tidemark.refused_unlogged(relation) r;
  if found then
    return;
  end if;
  return query
  with refused (place, attnum, reason, fix) as (
    select 1, r.* from tidemark.refused_replica_identity(relation) r
    union all
    select 2, r.* from tidemark.refused_row_security(relation) r
    union all
    select 3, r.* from tidemark.refused_forced_row_security(relation, administrator) r
    union all
    select 4, r.* from tidemark.refused_owner(relation, administrator) r
    union all
    select 5, r.* from tidemark.refused_schema_access(relation, administrator) r
    union all
    select 6, r.* from tidemark.refused_columns_alike(relation) r
    union all
    select 7, r.* from tidemark.refused_column_names(relation) r
    union all
    select 8, r.* from tidemark.refused_excluded_key(relation, excluded_columns) r
    union all
    select 9, r.* from tidemark.refused_generated_key(relation, excluded_columns) r
    union all
    select 10, r.* from tidemark.refused_missing_in_target(relation, excluded_columns) r
    union all
    select 11, r.* from tidemark.refused_computed_from_other(relation, excluded_columns) r
    union all
    select 12, r.* from tidemark.refused_types(relation, excluded_columns) r
    union all
    select 13, r.* from tidemark.refused_key_types(relation, excluded_columns) r
    union all
    select 14, r.* from tidemark.refused_key_collations(relation, excluded_columns) r
    union all
    select 15, r.* from tidemark.refused_owner_writes(relation, excluded_columns) r
    union all
    -- These come last, since the statements before them use the names as they are.
    select 16, r.* from tidemark.refused_long_column_names(relation, excluded_columns) r
    union all
    select 17, r.* from tidemark.refused_table_name(relation) r
    union all
    select 18, r.* from tidemark.refused_schema_name(relation) r
  )
  -- A comment ends with its line, and a name or an expression in it may have several.
  select refused.reason, case when refused.fix like '--%' then regexp_replace(refused.fix, '[\r\n]+', ' ', 'g') else refused.fix end
  from refused
  order by refused.place, refused.attnum;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.tables_of_publications(classes oid[], objects oid[])
 RETURNS SETOF oid
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if exists (
    select
    from unnest(classes, objects) as command (classid, objid)
    where command.classid in ('pg_publication'::regclass, to_regclass('pg_publication_namespace'))
      or command.classid = 'pg_publication_rel'::regclass
        and not exists (
          select
          from pg_publication_rel r
          join pg_publication p on p.oid = r.prpubid
          where r.oid = command.objid
            and p.pubname = 'tidemark'
            and not tidemark.is_published_in_part(r.prrelid)
        )
  ) then
    return query select u from tidemark.unwritable_tables() as u;
  end if;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.tables_with_types(types oid[])
 RETURNS SETOF oid
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  with recursive made_of (oid) as (
    select unnest(types)
    union
    select u.oid
    from made_of
    cross join lateral (
      select t.oid
      from pg_type t
      where made_of.oid in (t.typelem, t.typbasetype)
      union all
      select c.reltype
      from pg_attribute a
      join pg_class c on c.oid = a.attrelid and c.relkind = 'c'
      where a.atttypid = made_of.oid
    ) as u
  )
  select distinct a.attrelid
  from pg_attribute a
  where a.atttypid = any (array(select made_of.oid from made_of))
    and not a.attisdropped;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.take_turn(of_relation oid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform pg_advisory_xact_lock(hashtextextended('tidemark.table_contract', of_relation::bigint));
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

CREATE OR REPLACE FUNCTION tidemark.touched_tables(classes oid[], objects oid[])
 RETURNS SETOF oid
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  named oid[];
  types oid[];
begin
  select array_agg(c.oid), array_agg(c.reltype) filter (where c.relkind = 'c') into named, types
  from unnest(classes, objects) as command (classid, objid)
  join pg_class c on c.oid = command.objid
  where command.classid = 'pg_class'::regclass;
  if 'pg_namespace'::regclass = any (classes) then
    named := named || array(select c.oid from pg_class c where c.relnamespace = any (objects));
  end if;
  if types <> '{}' or 'pg_type'::regclass = any (classes) then
    named := named || array(select tidemark.tables_with_types(types || objects));
  end if;
  return query
  with recursive below (oid) as (
    select unnest(named)
    union
    select i.inhrelid
    from below
    join pg_inherits i on i.inhparent = below.oid
  )
  select c.oid
  from below
  join pg_class c using (oid)
  where c.relkind = 'r'
    and c.relpersistence <> 't';
  -- A leaf that was detached is not among the objects of the DDL.
  return query
  select t.relation::oid
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join tidemark.captured_table t on tidemark.latest_contract(t.relation::oid) -> 'parents'
    @> jsonb_build_array(jsonb_build_object('schema', n.nspname, 'table', c.relname))
  where c.oid = any (named)
    and c.relkind = 'p';
  return query select p from tidemark.tables_of_publications(classes, objects) as p;
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.unwritable_tables()
 RETURNS SETOF oid
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
  select t.relation::oid
  from tidemark.captured_table t
  where tidemark.is_unwritable(t.relation::oid);
end
$function$
-- owned by postgres

CREATE OR REPLACE FUNCTION tidemark.wanted_state(of_relation oid, contract jsonb)
 RETURNS TABLE(relation bigint, schema_name text, table_name text, state text, reason text, fix text, generation integer, complete boolean)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if contract is null or (contract ->> 'dropped')::boolean or not tidemark.is_chosen(of_relation) then
    return;
  end if;
  return query select
    of_relation::bigint,
    contract ->> 'schema',
    contract ->> 'table',
    case when contract ->> 'refusal' is null then 'pending' else 'refused' end,
    contract ->> 'refusal',
    case when contract ->> 'refusal' is not null then (
      select string_agg(r.fix || ';', E'\n') from tidemark.refusals(of_relation) r
    ) end,
    (contract ->> 'generation')::integer,
    (contract ->> 'complete')::boolean;
end
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
  when ALTER EXTENSION, ALTER INDEX, ALTER PUBLICATION, ALTER SCHEMA, ALTER TABLE, ALTER TYPE, CREATE EXTENSION, CREATE PUBLICATION, CREATE SCHEMA, CREATE TABLE, CREATE TABLE AS, SELECT INTO

event trigger tidemark_sql_drop on sql_drop execute tidemark.on_sql_drop() always

event trigger tidemark_table_rewrite on table_rewrite execute tidemark.on_table_rewrite() always

publication tidemark insert t update t delete t truncate t
  tidemark.beacon
  tidemark.signal
  tidemark.table_contract
