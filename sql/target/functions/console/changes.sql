-- Changes as the console shows them: a few columns of a row, with long values cut, so that a list of large rows is small.
-- Runs after history/row-images.sql.

-- The number of UTF-16 units of a text, which is what a browser counts.
create or replace function tidemark.utf16_length(value text) returns integer
language sql immutable parallel safe strict
return length(value) + case
  when octet_length(value) = length(value) then 0
  else regexp_count(value, '[\U00010000-\U0010ffff]')
end;

-- A value as JSON: null, its text, or, of a text with more characters than `cut`, its beginning and the length of the whole.
create or replace function tidemark.shown_value(value text, cut integer) returns jsonb
language sql immutable parallel safe
return case
  when value is null then 'null'::jsonb
  when octet_length(value) <= cut or length(value) <= cut then to_jsonb(value)
  else jsonb_build_array(left(value, cut), tidemark.utf16_length(value))
end;

-- The names and types of the columns that the rows in changes of a contract have, as the source calls them.
create or replace function tidemark.shown_shape(contract jsonb, out names text[], out types text[])
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
begin atomic
  select array_agg(c ->> 'name' order by n), array_agg(coalesce(c ->> 'type', c ->> 'carried') order by n)
  from jsonb_array_elements(contract -> 'columns') with ordinality as listed (c, n)
  where not (c ->> 'generated')::boolean;
end;

-- The columns of a change, each as [place, before, after, is_changed], and how many the change has changed. These are the
-- changed columns of an update, or the first ones of the row, at most `most`. If `most` is null, they are all columns.
-- Texts that are equal are not written as values, so that a row with a thousand columns costs what its change does.
create or replace function tidemark.shown_columns(
  op "char", types text[], row_before text[], row_after text[], most integer, cut integer,
  out columns jsonb, out changed integer
)
language plpgsql stable
as $$
declare
  is_compared constant boolean := op = 'u' and row_before is not null and row_after is not null;
  places integer[];
  shown_types text[];
  befores text[];
  afters text[];
  characters bigint;
begin
  changed := 0;
  if is_compared then
    select array_agg(u.n::integer order by u.n), array_agg(u.type order by u.n), array_agg(u.b order by u.n),
      array_agg(u.a order by u.n)
    into places, shown_types, befores, afters
    from unnest(types, row_before, row_after) with ordinality as u (type, b, a, n)
    where u.b is distinct from u.a;
    befores := tidemark.written_image(shown_types, befores);
    afters := tidemark.written_image(shown_types, afters);
    select array_agg(u.n order by u.n), array_agg(u.b order by u.n), array_agg(u.a order by u.n), count(*)::integer
    into places, befores, afters, changed
    from unnest(places, befores, afters) as u (n, b, a)
    where u.b is distinct from u.a;
  end if;
  if most is null or changed = 0 then
    select array_agg(u.n::integer order by u.n), array_agg(u.type order by u.n), array_agg(u.b order by u.n),
      array_agg(u.a order by u.n)
    into places, shown_types, befores, afters
    from unnest(types, row_before, row_after) with ordinality as u (type, b, a, n)
    where most is null or u.n <= most;
    befores := tidemark.written_image(shown_types, befores);
    afters := tidemark.written_image(shown_types, afters);
  end if;
  if most is null then
    -- The whole row has to be one answer, which is limited: where it is too large, each value gets its share.
    select coalesce(sum(length(v)), 0) into characters from unnest(befores || afters) as v;
    cut := case when characters <= cut then cut else greatest(cut / (2 * greatest(cardinality(places), 1)), 100) end;
  end if;
  select jsonb_agg(jsonb_build_array(u.n, tidemark.shown_value(u.b, cut), tidemark.shown_value(u.a, cut),
    is_compared and u.b is distinct from u.a) order by u.n)
  into columns
  from unnest(places, befores, afters) with ordinality as u (n, b, a, turn)
  where most is null or u.turn <= most;
  columns := coalesce(columns, '[]');
end
$$;
