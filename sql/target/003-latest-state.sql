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

-- One row per captured relation.
create table if not exists tidemark.table_marker (
  relation bigint primary key,
  schema_name text not null,
  table_name text not null,
  epoch integer not null,
  version integer not null,
  dropped_at timestamptz,
  named_at timestamptz not null default clock_timestamp()
);

comment on column tidemark.table_marker.version is 'the newest contract that any topic partition has met';
comment on column tidemark.table_marker.named_at is 'when it took its name: of two relations of one name the view is that of the earlier';

-- The views that were made here: nothing else is ever replaced or dropped.
create table if not exists tidemark.shown_view (
  schema_name text not null,
  table_name text not null,
  view regclass not null,
  empty_of text[],
  primary key (schema_name, table_name)
);

comment on column tidemark.shown_view.empty_of is 'schema and table of a view without rows: the source has none of that name any more, and objects of users depend on the view';

-- One row per reading of a relation's rows; each has a table of its own, tidemark_rows.t<relation>_<generation>.
create table if not exists tidemark.generation (
  relation bigint not null,
  generation integer not null,
  contract jsonb not null,
  keyless boolean not null,
  shown boolean not null default false,
  truncated_epoch integer not null default 0,
  truncated_lsn bigint not null default 0,
  gap_epoch integer not null default 0,
  gap_lsn bigint not null default 0,
  read_snapshot text,
  primary key (relation, generation)
);

comment on column tidemark.generation.contract is 'the newest one of the generation: what the view of its rows is made from';
comment on column tidemark.generation.shown is 'whether the view shows its rows; another generation waits to be complete';
comment on column tidemark.generation.truncated_lsn is 'rows and changes from before it are gone';
comment on column tidemark.generation.gap_epoch is 'changes up to (gap_epoch, gap_lsn) may be missing in history: those that follow keep the row before them; 0: none';
comment on column tidemark.generation.read_snapshot is 'of a table without a key: the snapshot its rows were read in, as pg_snapshot writes it';

-- The type as this server writes it; unknown or injected text is an error here, never part of a statement. The extensions
-- whose types are carried are made where the server has them.
create or replace function tidemark.canonical_type(type_name text) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  extension text := case
    when type_name ~ '^(citext|hstore|ltree)([[(]|$)' then substring(type_name from '^[a-z]+')
    when type_name ~ '^(lquery|ltxtquery)([[(]|$)' then 'ltree'
  end;
  known text := type_name;
begin
  if to_regtype(known) is null and to_regtype('public.' || type_name) is null
    and exists (select from pg_available_extensions e where e.name = extension and e.installed_version is null) then
    execute format('create extension if not exists %I with schema public', extension);
  end if;
  if to_regtype(known) is null then
    known := 'public.' || type_name;
  end if;
  if to_regtype(known) is null then
    raise exception 'type % does not exist in the target', type_name
      using errcode = 'undefined_object', hint = 'create it, then accept the table';
  end if;
  return format_type(to_regtype(known)::oid, to_regtypemod(known));
end
$$;

create or replace function tidemark.rows_name(of_relation bigint, of_generation integer) returns text
language sql immutable
return 't' || of_relation || '_' || of_generation;

-- The columns of a contract that are stored. A generated one is computed by the view.
create or replace function tidemark.stored_columns(contract jsonb)
returns table (name text, number integer, type text, key integer, missing text)
language sql immutable
begin atomic
  select 'c' || (c ->> 'number'), (c ->> 'number')::integer, c ->> 'carried', (c ->> 'key')::integer, c ->> 'missing'
  from jsonb_array_elements(contract -> 'columns') c
  where not (c ->> 'generated')::boolean;
end;

-- Creates the table of a generation. Its rows carry the position that wrote them; one that is not live is a delete
-- marker. Rows of a table without a key are counted instead, by what they hold.
create or replace function tidemark.create_rows(contract jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  rows_name text := tidemark.rows_name((contract ->> 'relation')::bigint, (contract ->> 'generation')::integer);
  columns text;
  key_names text;
  bookkeeping text := '"tidemark$epoch" integer not null, "tidemark$phase" smallint not null, '
    '"tidemark$live" boolean not null, "tidemark$whole" boolean not null default true, "tidemark$lsn" bigint not null';
begin
  select string_agg(format(', %I %s', c.name, tidemark.canonical_type(c.type)), '' order by c.number),
    string_agg(format('%I', c.name), ', ' order by c.key) filter (where c.key is not null)
  into columns, key_names
  from tidemark.stored_columns(contract) c;
  if key_names is null then
    key_names := '"tidemark$image"';
    bookkeeping := '"tidemark$image" uuid not null, "tidemark$count" bigint not null';
  end if;
  execute format('create table tidemark_rows.%I (%s%s, primary key (%s)) with (fillfactor = 85)',
    rows_name, bookkeeping, columns, key_names);
  if key_names <> '"tidemark$image"' then
    -- For maintenance, which removes delete markers that nothing can come before any more.
    execute format('create index on tidemark_rows.%I ("tidemark$epoch") where not "tidemark$live"', rows_name);
  end if;
  execute format('comment on table tidemark_rows.%I is %L',
    rows_name, format('rows of %s.%s', contract ->> 'schema', contract ->> 'table'));
  execute format('grant select, insert, update, delete on tidemark_rows.%I to tidemark_apply', rows_name);
end
$$;

-- The greatest generation that is known of any table: a source that begins an epoch uses greater ones.
create or replace function tidemark.newest_generation() returns integer
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select greatest(
    (select coalesce(max((c.contract ->> 'generation')::integer), 0) from tidemark.contract c),
    (select coalesce(max(g.generation), 0) from tidemark.generation g)
  )
$$;

-- Brings the table of a generation in line with a later contract of it: columns are added and widened, never taken
-- away, since other topic partitions may still write by the contract before. Returns whether a type changed.
create or replace function tidemark.widen_rows(contract jsonb) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  rows_name text := tidemark.rows_name((contract ->> 'relation')::bigint, (contract ->> 'generation')::integer);
  stored record;
  retyped boolean := false;
begin
  for stored in
    select c.name, c.missing, tidemark.canonical_type(c.type) as type, format_type(a.atttypid, a.atttypmod) as old_type
    from tidemark.stored_columns(contract) c
    left join pg_attribute a on a.attrelid = format('tidemark_rows.%I', rows_name)::regclass and a.attname = c.name
    order by c.number
  loop
    if stored.old_type is null then
      execute format('alter table tidemark_rows.%I add column %I %s%s', rows_name, stored.name, stored.type,
        coalesce(format(' default %L', stored.missing), ''));
    elsif stored.old_type <> stored.type then
      -- The view stands in the way; it is made anew afterwards.
      perform tidemark.drop_view(contract ->> 'schema', contract ->> 'table');
      perform tidemark.drop_view(p ->> 'schema', p ->> 'table') from jsonb_array_elements(contract -> 'parents') p;
      execute format('alter table tidemark_rows.%I alter column %I type %s', rows_name, stored.name, stored.type);
      retyped := true;
    end if;
  end loop;
  return retyped;
end
$$;

-- Adds what the table of a generation lacks of a contract that is not the newest: while a table is stopped its contracts are
-- not carried out, but those of a later generation are.
create or replace function tidemark.add_missing_columns(contract jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  rows_table regclass := to_regclass(format('tidemark_rows.%I',
    tidemark.rows_name((contract ->> 'relation')::bigint, (contract ->> 'generation')::integer)));
  lacking record;
begin
  for lacking in
    select c.name, c.missing, c.type
    from tidemark.stored_columns(contract) c
    where rows_table is not null
      and not exists (select from pg_attribute a where a.attrelid = rows_table and a.attname = c.name)
    order by c.number
  loop
    execute format('alter table %s add column %I %s%s', rows_table, lacking.name, tidemark.canonical_type(lacking.type),
      coalesce(format(' default %L', lacking.missing), ''));
  end loop;
end
$$;

-- Raises an error where a table or one of its parents has a name that belongs to us or to Postgres: each would get a view.
create or replace function tidemark.check_names(contract jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  named record;
begin
  for named in
    select contract ->> 'schema' as schema, contract ->> 'table' as table, 'a latest-state table' as part
    union all
    select p ->> 'schema', p ->> 'table', 'the parent of a latest-state table'
    from jsonb_array_elements(contract -> 'parents') p
  loop
    if named.schema in ('tidemark', 'tidemark_rows', 'information_schema') or starts_with(named.schema, 'pg_') then
      raise exception '%.% cannot be %: the name of its schema is reserved', named.schema, named.table, named.part;
    end if;
  end loop;
end
$$;

-- Makes what a contract needs: the table of its generation, its columns, the view. A generation after the first is shown
-- when it is complete. Older versions and repetitions change nothing.
create or replace function tidemark.shape_latest_state(of_epoch integer, contract jsonb) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  of_relation bigint := (contract ->> 'relation')::bigint;
  of_generation integer := (contract ->> 'generation')::integer;
  of_version integer := (contract ->> 'version')::integer;
  before tidemark.table_marker;
  known tidemark.generation;
begin
  perform pg_advisory_xact_lock(hashtextextended('tidemark.table_marker', of_relation));
  select * into before from tidemark.table_marker m where m.relation = of_relation for update;
  if (before.epoch, before.version) >= (of_epoch, of_version) then
    perform tidemark.add_missing_columns(contract);
    return;
  end if;
  perform tidemark.check_names(contract);
  -- The initial snapshot of an epoch reads every version that the source has kept, also those of generations before.
  if exists (select from tidemark.generation g where g.relation = of_relation and g.generation > of_generation) then
    return;
  end if;
  perform tidemark.check_expressions(contract);
  -- Another source, or one that was put back, may have given the number of a relation to a table of another name.
  if before.epoch < of_epoch
    and before.dropped_at is null
    and (before.schema_name, before.table_name) <> (contract ->> 'schema', contract ->> 'table') then
    perform tidemark.forget_relation(of_relation);
    before.dropped_at := clock_timestamp();
  end if;
  insert into tidemark.table_marker as m (relation, schema_name, table_name, epoch, version)
  values (of_relation, contract ->> 'schema', contract ->> 'table', of_epoch, of_version)
  on conflict (relation) do update
  set schema_name = excluded.schema_name,
    table_name = excluded.table_name,
    epoch = excluded.epoch,
    version = excluded.version,
    named_at = case
      when m.dropped_at is null and (m.schema_name, m.table_name) = (excluded.schema_name, excluded.table_name) then m.named_at
      else clock_timestamp()
    end,
    dropped_at = null;

  select * into known from tidemark.generation g where (g.relation, g.generation) = (of_relation, of_generation) for update;
  if not found then
    perform tidemark.create_rows(contract);
    insert into tidemark.generation (relation, generation, contract, keyless, shown)
    select of_relation, of_generation, contract,
      not exists (select from tidemark.stored_columns(contract) c where c.key is not null),
      not exists (select from tidemark.generation g where g.relation = of_relation and g.shown)
        and not exists (select from tidemark.predecessors(of_relation));
  else
    perform tidemark.widen_rows(contract);
    update tidemark.generation g
    set contract = shape_latest_state.contract
    where (g.relation, g.generation) = (of_relation, of_generation);
  end if;

  if before.dropped_at is null and (before.schema_name, before.table_name) <> (contract ->> 'schema', contract ->> 'table') then
    perform tidemark.rename_view(before.schema_name, before.table_name, contract ->> 'schema', contract ->> 'table');
    perform tidemark.show_view(before.schema_name, before.table_name, or_leave => true);
    perform tidemark.free_name(before.schema_name, before.table_name);
  end if;
  perform tidemark.show_views(of_relation, known.contract);
  -- It was stopped for want of a contract.
  delete from tidemark.stopped_table s
  where s.relation = 0
    and (s.schema_name, s.table_name) = (contract ->> 'schema', contract ->> 'table');
end
$$;

-- The relations that had the name of one in an earlier epoch and are shown: they give way when its rows are complete.
create or replace function tidemark.predecessors(of_relation bigint) returns setof bigint
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select m.relation
  from tidemark.table_marker self
  join tidemark.table_marker m using (schema_name, table_name)
  where self.relation = of_relation
    and m.relation <> of_relation
    and m.epoch < self.epoch
    and m.dropped_at is null
    and exists (select from tidemark.generation g where g.relation = m.relation and g.shown)
$$;

-- Drops what there is of a relation, its rows included, for every topic partition: none will bring anything of it.
create or replace function tidemark.forget_relation(of_relation bigint) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform tidemark.drop_latest_state(of_relation);
  perform tidemark.drop_rows(g.relation, g.generation) from tidemark.generation g where g.relation = of_relation;
  delete from tidemark.stopped_table s where s.relation = of_relation;
  delete from tidemark.quarantine q where q.relation = of_relation;
end
$$;

-- Whose rows the view of a name shows, besides those of partitions and heirs: while the source has renamed or dropped a
-- table and the contract that says so has not come, two relations have one name.
create or replace function tidemark.owner_of(of_schema text, of_table text) returns bigint
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select m.relation
  from tidemark.table_marker m
  where (m.schema_name, m.table_name) = (of_schema, of_table)
    and m.dropped_at is null
  order by exists (select from tidemark.generation g where g.relation = m.relation and g.shown) desc,
    m.epoch desc, m.named_at, m.relation
  limit 1
$$;

-- Called after the contracts and drops of a batch: stops a relation whose name is still another's. It goes on by itself
-- when that one gives it up.
create or replace function tidemark.await_name(of_relation bigint) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform tidemark.stop_table(m.relation, g.generation, m.schema_name, m.table_name,
    format('relation %s has the name of relation %s, which is still captured: the view shows the rows of the latter, and '
      'the table goes on by itself once that one is renamed or dropped in the source', m.relation, owner),
    'accept', false)
  from tidemark.table_marker m
  cross join tidemark.owner_of(m.schema_name, m.table_name) as owner
  cross join lateral (select max(g.generation) as generation from tidemark.generation g where g.relation = m.relation) as g
  where m.relation = of_relation
    and m.dropped_at is null
    and owner <> m.relation
    and not exists (select from tidemark.predecessors(m.relation) p where p = owner);
end
$$;

-- A relation gave up its name: another that waits for it goes on.
create or replace function tidemark.free_name(of_schema text, of_table text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  update tidemark.stopped_table s
  set accepted_at = now()
  where (s.schema_name, s.table_name) = (of_schema, of_table)
    and s.relation = tidemark.owner_of(of_schema, of_table)
    and s.repair = 'accept'
    and s.accepted_at is null;
end
$$;

-- The relation is gone in the source: so is its view, unless objects of users depend on it. Its rows go when every topic partition has met the drop.
create or replace function tidemark.drop_latest_state(of_relation bigint) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update tidemark.table_marker m
  set dropped_at = now()
  where m.relation = of_relation
    and m.dropped_at is null;
  if found then
    perform tidemark.show_views(of_relation, or_leave => true);
    perform tidemark.free_name(m.schema_name, m.table_name) from tidemark.table_marker m where m.relation = of_relation;
    delete from tidemark.stopped_table s where s.relation = of_relation;
  end if;
end
$$;

-- Called after a topic partition has met a contract: shows a generation that is complete in all of them, drops the rows
-- of those before it, and the rows of a relation whose drop all of them have met. Returns why it cannot, or null.
create or replace function tidemark.settle_latest_state(of_topic text, of_relation bigint) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  newest record;
  former integer;
  replaced bigint[];
  has_gaps boolean;
begin
  perform pg_advisory_xact_lock(hashtextextended('tidemark.table_marker', of_relation));
  select c.contract ->> 'generation' as generation, (c.contract ->> 'dropped')::boolean as dropped,
    count(distinct c.topic_partition) >= (c.contract ->> 'topicPartitions')::integer as everywhere
  into newest
  from tidemark.contract c
  where c.topic = of_topic
    and c.relation = of_relation
    and ((c.contract ->> 'complete')::boolean or (c.contract ->> 'dropped')::boolean)
  group by c.epoch, c.contract ->> 'generation', (c.contract ->> 'dropped')::boolean, c.contract ->> 'topicPartitions'
  order by c.epoch desc, (c.contract ->> 'dropped')::boolean desc, (c.contract ->> 'generation')::integer desc
  limit 1;
  if not coalesce(newest.everywhere, false) then
    return null;
  end if;
  if newest.dropped then
    perform tidemark.drop_rows(g.relation, g.generation)
    from tidemark.generation g
    join tidemark.table_marker m on m.relation = g.relation and m.dropped_at is not null
    where g.relation = of_relation;
    return null;
  end if;
  if not exists (
    select
    from tidemark.generation g
    where (g.relation, g.generation) = (of_relation, newest.generation::integer)
      and not g.shown
  ) then
    return null;
  end if;
  replaced := array(select tidemark.predecessors(of_relation));
  if not (select g.keyless from tidemark.generation g where (g.relation, g.generation) = (of_relation, newest.generation::integer)) then
    execute format('select exists (select from tidemark_rows.%I where "tidemark$live" and not "tidemark$whole")',
      tidemark.rows_name(of_relation, newest.generation::integer)) into has_gaps;
    if has_gaps then
      return 'an update while its rows were read left a TOASTed value out that no reading brought';
    end if;
  end if;
  update tidemark.generation g
  set shown = g.generation = newest.generation::integer
  where g.relation = of_relation;
  -- Those that had the name in an earlier epoch leave it without the name being nobody's in between.
  update tidemark.table_marker m set dropped_at = now() where m.relation = any (replaced);
  perform tidemark.show_views(of_relation);
  perform tidemark.forget_relation(r) from unnest(replaced) as r;
  for former in
    select g.generation from tidemark.generation g where g.relation = of_relation and g.generation < newest.generation::integer
  loop
    perform tidemark.drop_rows(of_relation, former);
  end loop;
  delete from tidemark.stopped_table s where s.relation = of_relation and s.generation < newest.generation::integer;
  delete from tidemark.quarantine q where q.relation = of_relation and q.generation < newest.generation::integer;
  return null;
end
$$;

create or replace function tidemark.drop_rows(of_relation bigint, of_generation integer) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('drop table if exists tidemark_rows.%I', tidemark.rows_name(of_relation, of_generation));
  delete from tidemark.generation g where (g.relation, g.generation) = (of_relation, of_generation);
end
$$;
