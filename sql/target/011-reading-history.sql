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

-- Every change with the names that its table and columns had, and with what its transaction said about itself. The
-- number of a transaction may come again after four thousand million others: its messages are of the same day.
create or replace view tidemark.described_change as
select k.schema_name, k.table_name,
  case c.op
    when 'c' then 'insert' when 'u' then 'update' when 'd' then 'delete' when 'r' then 'read' when 't' then 'truncate'
  end as op,
  tidemark.row_image(k.key_names, k.key_types, c.key) as key,
  tidemark.row_image(k.names, k.types, c.before) as before,
  tidemark.row_image(k.names, k.types, c.after) as after,
  tidemark.changed_columns(k.names, k.types, c.before, c.after) as changed,
  c.txid as transaction_id,
  '0/0'::pg_lsn + c.lsn as lsn,
  c.epoch, c.committed_at, m.who, m.application, m.why, m.details, c.relation,
  c.key_hash, c.place, c.key as key_values, c.before as before_values, c.after as after_values, k.numbers
from tidemark_rows.change c
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
alter view tidemark.described_change owner to tidemark_owner;
alter view tidemark.change_log owner to tidemark_owner;
alter function tidemark.relations_named(text) owner to tidemark_owner;
grant select on tidemark.change_log to tidemark_read;
