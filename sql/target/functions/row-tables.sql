-- The tables that hold the rows of one generation of a relation, tidemark_rows.t<relation>_<generation>.

-- The name of a type as this server writes it. Unknown or injected text is an error here and never becomes part of a
-- statement. The extensions whose types are carried are made where the server has them.
create or replace function tidemark.canonical_type(type_name text) returns text
language plpgsql
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
      using errcode = 'undefined_object', hint = 'create the type, then npm run accept for the table';
  end if;
  return format_type(to_regtype(known)::oid, to_regtypemod(known));
end
$$;

-- The name of the table that has the rows of a generation.
create or replace function tidemark.rows_name(of_relation bigint, of_generation integer) returns text
language sql immutable
return 't' || of_relation || '_' || of_generation;

-- The newest contract of the newest generation of a relation; null if it has no generation.
create or replace function tidemark.newest_contract(of_relation bigint) returns jsonb
language sql stable
as $$
  select g.contract from tidemark.generation g where g.relation = of_relation order by g.generation desc limit 1
$$;

-- The columns of a contract that are stored. Generated ones are computed by the view.
create or replace function tidemark.stored_columns(contract jsonb)
returns table (name text, number integer, type text, key integer, missing text)
language sql immutable
begin atomic
  select 'c' || (c ->> 'number'), (c ->> 'number')::integer, c ->> 'carried', (c ->> 'key')::integer, c ->> 'missing'
  from jsonb_array_elements(contract -> 'columns') c
  where not (c ->> 'generated')::boolean;
end;

-- Creates the table of a generation. Its rows have the position that wrote them, and one that is not live is a delete
-- marker. Rows of a keyless table are instead counted by what they hold.
create or replace function tidemark.create_rows(contract jsonb) returns void
language plpgsql
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
    -- Maintenance uses this index to find delete markers that are not needed any more.
    execute format('create index on tidemark_rows.%I ("tidemark$epoch") where not "tidemark$live"', rows_name);
  end if;
  execute format('comment on table tidemark_rows.%I is %L',
    rows_name, format('rows of %s.%s', contract ->> 'schema', contract ->> 'table'));
  execute format('grant select, insert, update, delete on tidemark_rows.%I to tidemark_apply', rows_name);
  execute format('grant select on tidemark_rows.%I to tidemark_windows', rows_name);
end
$$;

-- Brings the table of a generation in line with a later contract of it. Columns are added and widened, never dropped,
-- since other topic partitions may still write by the earlier contract. Returns whether a type was changed.
create or replace function tidemark.widen_rows(contract jsonb) returns boolean
language plpgsql
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
      -- A column that a view uses cannot be altered, so the views are dropped and created again afterwards.
      perform tidemark.drop_view(contract ->> 'schema', contract ->> 'table');
      perform tidemark.drop_view(p ->> 'schema', p ->> 'table') from jsonb_array_elements(contract -> 'parents') p;
      execute format('alter table tidemark_rows.%I alter column %I type %s', rows_name, stored.name, stored.type);
      retyped := true;
    end if;
  end loop;
  return retyped;
end
$$;

-- Adds the columns of a contract that is not the newest to the table of its generation. While a table is stopped its
-- contracts are not applied, but those of a later generation are.
create or replace function tidemark.add_missing_columns(contract jsonb) returns void
language plpgsql
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

-- Drops the table of a generation.
create or replace function tidemark.drop_rows(of_relation bigint, of_generation integer) returns void
language plpgsql
as $$
begin
  execute format('drop table if exists tidemark_rows.%I', tidemark.rows_name(of_relation, of_generation));
  delete from tidemark.generation g where (g.relation, g.generation) = (of_relation, of_generation);
  delete from tidemark.relation_index f
  where f.relation = of_relation
    and not exists (select from tidemark.generation g where g.relation = of_relation);
end
$$;
