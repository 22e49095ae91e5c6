-- A value's text as JSON: numbers, booleans, JSON and arrays as such, everything else as the text Postgres writes.
create or replace function tidemark.json_value(type text, value text) returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
set array_nulls = on
set extra_float_digits = 1
as $$
begin
  if value is null then
    return 'null';
  elsif type like '%[]' and type not like 'box%' then
    return case
      when type ~ '^(smallint|integer|bigint|numeric)' then to_jsonb(value::numeric[])
      when type ~ '^(real|double precision)' then to_jsonb(value::float8[])
      when type ~ '^boolean' then to_jsonb(value::boolean[])
      when type ~ '^jsonb' then to_jsonb(value::jsonb[])
      else to_jsonb(value::text[])
    end;
  elsif type ~ '^(smallint|integer|bigint|numeric|real|double precision)' and value !~ '^-?[NI]' then
    return value::jsonb;
  elsif type = 'boolean' then
    return to_jsonb(value::boolean);
  elsif type = 'jsonb' then
    return value::jsonb;
  end if;
  return to_jsonb(value);
end
$$;

-- A row as JSON by the names of its columns.
create or replace function tidemark.row_image(names text[], types text[], image text[]) returns jsonb
language sql immutable parallel safe
return case
  when image is null then null
  when names is null then to_jsonb(image)
  else (
    select jsonb_object_agg(n, tidemark.json_value(t, v))
    from unnest(names, types, image) as u (n, t, v)
    where n is not null
  )
end;

-- The columns whose values differ, as {"column": [old, new]}; null where a row is unknown.
create or replace function tidemark.changed_columns(names text[], types text[], before text[], after text[]) returns jsonb
language sql immutable parallel safe
return case when before is not null and after is not null and names is not null then (
  select coalesce(
    jsonb_object_agg(n, jsonb_build_array(tidemark.json_value(t, b), tidemark.json_value(t, a))), '{}')
  from unnest(names, types, before, after) as u (n, t, b, a)
  where b is distinct from a
    and n is not null
) end;

-- The names and types by which the images of a contract's changes are read.
create or replace function tidemark.image_shape(contract jsonb)
returns table (numbers integer[], names text[], types text[], key_numbers integer[], key_names text[], key_types text[])
language sql immutable parallel safe
begin atomic
  select array_agg((c ->> 'number')::integer order by n),
    array_agg(c ->> 'name' order by n),
    array_agg(c ->> 'carried' order by n),
    array_agg((c ->> 'number')::integer order by (c ->> 'key')::integer) filter (where c ->> 'key' is not null),
    array_agg(c ->> 'name' order by (c ->> 'key')::integer) filter (where c ->> 'key' is not null),
    array_agg(c ->> 'carried' order by (c ->> 'key')::integer) filter (where c ->> 'key' is not null)
  from jsonb_array_elements(contract -> 'columns') with ordinality as listed (c, n)
  where not (c ->> 'generated')::boolean;
end;

-- A row as Postgres writes its values, of the texts that were sent for it. A value whose type is gone stays as it is.
create or replace function tidemark.written_image(types text[], image text[]) returns text[]
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  written text[] := image;
  value text;
  type text;
  type_id oid;
begin
  for i in 1 .. coalesce(cardinality(image), 0) loop
    value := image[i];
    type := types[i];
    if value is null or type in ('text', 'smallint', 'integer', 'bigint') or type ~ '^character varying(\(\d+\))?$' then
      continue;
    elsif type = 'boolean' then
      written[i] := value::boolean::text;
    elsif type = 'timestamp with time zone' then
      written[i] := value::timestamptz::text;
    elsif type = 'timestamp without time zone' then
      written[i] := value::timestamp::text;
    elsif type = 'date' then
      written[i] := value::date::text;
    elsif type = 'jsonb' then
      written[i] := value::jsonb::text;
    elsif type = 'numeric' then
      written[i] := value::numeric::text;
    elsif type = 'inet' then
      written[i] := value::inet::text;
    elsif type ~ '^character(\(\d+\))?$' then
      written[i] := rtrim(value, ' ');
    elsif type ~ '\[\]$' then
      type_id := (select t.typelem from pg_type t where t.oid = coalesce(to_regtype(type), to_regtype('public.' || type)));
      continue when type_id is null;
      written[i] := array_out(array_in(textout(value), type_id, tidemark.type_modifier(type)));
    else
      type_id := coalesce(to_regtype(type), to_regtype('public.' || type));
      continue when type_id is null;
      -- Of types that are known when it runs only arrays can be read.
      written[i] := array_to_string(array_in(
        textout('{"' || replace(replace(value, '\', '\\'), '"', '\"') || '"}'), type_id, tidemark.type_modifier(type)), '');
    end if;
  end loop;
  return written;
end
$$;

create or replace function tidemark.type_modifier(type text) returns integer
language sql stable parallel safe
return case when type like '%(%' then coalesce(to_regtypemod(type), to_regtypemod('public.' || type), -1) else -1 end;

-- A row of one version of a contract as it is by a later one: its columns by number, with the value that rows from before
-- have in those that were added since.
create or replace function tidemark.image_by_version(
  relation bigint, epoch integer, from_version integer, to_version integer, image text[]
) returns text[]
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  former record;
  present record;
  written text[];
  mapped text[] := '{}';
  at integer;
begin
  if from_version = to_version or image is null then
    return image;
  end if;
  select s.* into former from tidemark.contract_of(relation, epoch, from_version) k cross join tidemark.image_shape(k) s;
  select s.* into present from tidemark.contract_of(relation, epoch, to_version) k cross join tidemark.image_shape(k) s;
  written := tidemark.written_image(former.types, image);
  for i in 1 .. coalesce(cardinality(present.numbers), 0) loop
    at := array_position(former.numbers, present.numbers[i]);
    mapped[i] := case
      when at is not null then written[at]
      else (
        select c ->> 'missing'
        from tidemark.contract k
        cross join jsonb_array_elements(k.contract -> 'columns') c
        where k.relation = image_by_version.relation
          and k.epoch = image_by_version.epoch
          and k.version > from_version
          and k.version <= to_version
          and (c ->> 'number')::integer = present.numbers[i]
        order by k.version
        limit 1
      )
    end;
  end loop;
  return mapped;
end
$$;

-- A version of a contract; where the epoch has none, that of another.
create or replace function tidemark.contract_of(relation bigint, epoch integer, version integer) returns jsonb
language sql stable parallel safe
begin atomic
  select k.contract
  from tidemark.contract k
  where k.relation = contract_of.relation
    and k.version = contract_of.version
  order by k.epoch = contract_of.epoch desc
  limit 1;
end;

-- Whether no time of a change was as much as a day before that of one before it.
create or replace function tidemark.clocks_are_steady() returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select coalesce(max((p.fence ->> 'backMs')::float8), 0) < 86400000
  from tidemark.progress p;
end;

-- Every change with the row before it: as it was kept, or as the change before it left it.
create or replace view tidemark.linked_change as
select c.*,
  case
    when c.op not in ('u', 'd') then null
    when c.before is not null then nullif(c.before, '{}')
    else (
      select tidemark.image_by_version(c.relation, c.epoch, p.version, c.version, p.after)
      from (
        -- Mostly it is near. Nothing that lies between is further away, unless a clock was set back by a day.
        (
          select 1 as turn, near.version, near.after
          from (
            select p.version, p.after, p.committed_at
            from tidemark_rows.change p
            where p.key_hash = c.key_hash
              and p.ordinal < c.ordinal
              and p.committed_at > c.committed_at - interval '2 days'
              and p.committed_at < c.committed_at + interval '1 day'
              and (p.relation, p.epoch, p.generation) = (c.relation, c.epoch, c.generation)
              and p.key = c.key
            order by p.ordinal desc
            limit 1
          ) near
          where near.committed_at > c.committed_at - interval '1 day'
            and (select tidemark.clocks_are_steady())
        )
        union all
        (
          select 2, p.version, p.after
          from tidemark_rows.change p
          where p.key_hash = c.key_hash
            and p.ordinal < c.ordinal
            and (p.relation, p.epoch, p.generation) = (c.relation, c.epoch, c.generation)
            and p.key = c.key
          order by p.ordinal desc
          limit 1
        )
      ) p
      limit 1
    )
  end as row_before
from tidemark_rows.change c;

-- Every change with the names that its table and columns had, and with what its transaction said about itself. The
-- number of a transaction may come again after four thousand million others: its messages are of the same day.
create or replace view tidemark.described_change as
select k.schema_name, k.table_name,
  case c.op
    when 'c' then 'insert' when 'u' then 'update' when 'd' then 'delete' when 'r' then 'read' when 't' then 'truncate'
  end as op,
  tidemark.row_image(k.key_names, k.key_types, c.key) as key,
  tidemark.row_image(k.names, k.types, tidemark.written_image(k.types, c.row_before)) as before,
  tidemark.row_image(k.names, k.types, tidemark.written_image(k.types, c.after)) as after,
  case when c.op = 'u' then tidemark.changed_columns(k.names, k.types,
    tidemark.written_image(k.types, c.row_before), tidemark.written_image(k.types, c.after)) end as changed,
  c.txid as transaction_id,
  '0/0'::pg_lsn + c.lsn as lsn,
  c.epoch, c.committed_at, m.who, m.application, m.why, m.details, c.relation,
  c.key_hash, c.ordinal, c.key as key_values, c.before as before_values, c.after as after_values, k.numbers
from tidemark.linked_change c
left join lateral (
  select n.contract ->> 'schema' as schema_name, n.contract ->> 'table' as table_name, s.*
  from (
    select of.contract
    from tidemark.contract of
    where of.relation = c.relation
      and of.version = c.version
    order by of.epoch = c.epoch desc
    limit 1
  ) n
  cross join tidemark.image_shape(n.contract) s
) k on true
left join lateral (
  select (array_agg(a.who order by a.lsn desc) filter (where a.who is not null))[1] as who,
    (array_agg(a.application order by a.lsn desc) filter (where a.application is not null))[1] as application,
    (array_agg(a.why order by a.lsn desc) filter (where a.why is not null))[1] as why,
    (array_agg(a.details order by a.lsn desc) filter (where a.details is not null))[1] as details
  from tidemark.audit_message a
  where a.epoch = c.epoch
    and a.txid = c.txid
    and a.committed_at between c.committed_at - interval '1 day' and c.committed_at + interval '1 day'
) m on true;

create or replace view tidemark.change_log as
select schema_name, table_name, op, key, before, after, changed, transaction_id, lsn, epoch, committed_at,
  who, application, why, details, relation
from tidemark.described_change;

-- The relations that a name stands for, by epoch: those that have it or had it when they were dropped; if there are none,
-- those that had it before they were renamed.
create or replace function tidemark.relations_named(wanted text) returns table (epoch integer, relation bigint)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  with named as (
    select k.epoch, k.relation,
      wanted in (concat(k.contract ->> 'schema', '.', k.contract ->> 'table'),
        format('%I.%I', k.contract ->> 'schema', k.contract ->> 'table')) as matches,
      row_number() over (partition by k.epoch, k.relation order by k.version desc, k.topic_partition) = 1 as newest
    from tidemark.contract k
  )
  select distinct n.epoch, n.relation
  from named n
  where n.matches
    and (n.newest or not exists (select from named other where other.matches and other.newest));
end;

alter function tidemark.json_value(text, text) owner to tidemark_owner;
alter function tidemark.row_image(text[], text[], text[]) owner to tidemark_owner;
alter function tidemark.changed_columns(text[], text[], text[], text[]) owner to tidemark_owner;
alter function tidemark.image_shape(jsonb) owner to tidemark_owner;
alter function tidemark.written_image(text[], text[]) owner to tidemark_owner;
alter function tidemark.type_modifier(text) owner to tidemark_owner;
alter function tidemark.image_by_version(bigint, integer, integer, integer, text[]) owner to tidemark_owner;
alter function tidemark.contract_of(bigint, integer, integer) owner to tidemark_owner;
alter function tidemark.clocks_are_steady() owner to tidemark_owner;
alter view tidemark.linked_change owner to tidemark_owner;
alter view tidemark.described_change owner to tidemark_owner;
alter view tidemark.change_log owner to tidemark_owner;
alter function tidemark.relations_named(text) owner to tidemark_owner;
grant select on tidemark.change_log to tidemark_read;
