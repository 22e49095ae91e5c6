-- Rows of history, which are kept as the texts that were sent, as JSON and by a later version of their contract.

-- The text of a value as JSON. Numbers, booleans, JSON and arrays become that; everything else becomes the text that
-- Postgres writes.
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

-- The columns whose values differ, as {"column": [old, new]}; null where one of the rows is unknown.
create or replace function tidemark.changed_columns(names text[], types text[], before text[], after text[]) returns jsonb
language sql immutable parallel safe
return case when before is not null and after is not null and names is not null then (
  select coalesce(
    jsonb_object_agg(n, jsonb_build_array(tidemark.json_value(t, b), tidemark.json_value(t, a))), '{}')
  from unnest(names, types, before, after) as u (n, t, b, a)
  where b is distinct from a
    and n is not null
) end;

-- The names and types by which the rows in changes of a contract are read.
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

-- The row as Postgres writes its values, from the texts that were sent for it. A value whose type is gone stays as it
-- is.
create or replace function tidemark.written_image(types text[], image text[]) returns text[]
language plpgsql stable parallel safe
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
      -- For a type that is known only at run time there is no cast, but an array of it can be read.
      written[i] := array_to_string(array_in(
        textout('{"' || replace(replace(value, '\', '\\'), '"', '\"') || '"}'), type_id, tidemark.type_modifier(type)), '');
    end if;
  end loop;
  return written;
end
$$;

-- The modifier in the name of a type, -1 where there is none.
create or replace function tidemark.type_modifier(type text) returns integer
language sql stable parallel safe
return case when type like '%(%' then coalesce(to_regtypemod(type), to_regtypemod('public.' || type), -1) else -1 end;

-- A version of a contract. Where the epoch does not have it, that of another epoch.
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

-- A row of one version of a contract as a later version has it: its columns by number. Columns that were added since
-- have the value that earlier rows have in them.
create or replace function tidemark.image_by_version(
  relation bigint, epoch integer, from_version integer, to_version integer, image text[]
) returns text[]
language plpgsql stable parallel safe
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
