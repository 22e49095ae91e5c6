-- The text of a key's value that is the same for all values which Postgres holds equal, of the types whose usual text is not.
-- Of the others it is the usual text; tidemark.key_texts and adapters/postgres/apply/key-text.ts say which are which.

-- When intervals are compared, a month has 30 days and a day 24 hours. An interval of more than some 30 million years cannot
-- be written in other units without an overflow: its text is its length in seconds.
create or replace function tidemark.key_text(value interval) returns text
language sql stable strict
as $$
  select case
    when length.seconds is null then value::text
    when abs(length.seconds) < 1e15 then justify_interval(value)::text
    else length.seconds || ' seconds'
  end
  from (
    select ((extract(year from value) * 12 + extract(month from value)) * 30 + extract(day from value)) * 86400
      + extract(hour from value) * 3600 + extract(minute from value) * 60 + extract(second from value) as seconds
  ) length
$$;

-- The digits behind the point of a number are kept, and make no difference; in a string they do.
create or replace function tidemark.key_text(value jsonb) returns text
language sql stable strict
as $$
  select string_agg(case when t[1] ~ '^-?\d' then trim_scale(t[1]::numeric)::text else t[1] end, '' order by n)
  from regexp_matches(value::text, '("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|[^"\d-]+)', 'g') with ordinality as token (t, n)
$$;

create or replace function tidemark.key_text(value numrange) returns text
language sql stable strict
as $$
  select case
    when isempty(value) then 'empty'
    else numrange(trim_scale(lower(value)), trim_scale(upper(value)),
      case when lower_inc(value) then '[' else '(' end || case when upper_inc(value) then ']' else ')' end)::text
  end
$$;

create or replace function tidemark.key_text(value nummultirange) returns text
language sql stable strict
as $$
  select coalesce(range_agg(tidemark.key_text(r)::numrange), '{}')::text
  from unnest(value) as r
$$;

-- The text of a value of a type, as tidemark.key_texts makes it, from the text that Postgres writes for the value. The JSON
-- value null is shown as null is, so it has the same text: none.
create or replace function tidemark.key_text_of(type text, value text) returns text
language sql stable
return case
  when type ~ '\[\]$' then value
  when type ~ '(^|\.)citext$' then lower(value)
  when type ~ '^numeric' then trim_scale(value::numeric)::text
  when type = 'real' then (value::real + 0)::text
  when type = 'double precision' then (value::float8 + 0)::text
  when type ~ '^interval' then tidemark.key_text(value::interval)
  when type = 'jsonb' then nullif(tidemark.key_text(value::jsonb), 'null')
  when type = 'numrange' then tidemark.key_text(value::numrange)
  when type = 'nummultirange' then tidemark.key_text(value::nummultirange)
  else value
end;
