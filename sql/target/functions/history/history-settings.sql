-- Of which tables changes are kept, and how long.

-- The setting of a relation: the one that was made for it, otherwise that of its name, otherwise that of every table.
create or replace function tidemark.history_setting_of(relation bigint, schema_name text, table_name text)
returns table (enabled boolean, retention interval)
language sql stable parallel safe
begin atomic
  select s.enabled,
    coalesce(s.retention, (select d.retention from tidemark.history_setting d where d.schema_name = '*'), interval 'infinity')
  from tidemark.history_setting s
  where s.relations @> array[history_setting_of.relation]
    or (s.schema_name, s.table_name) = (history_setting_of.schema_name, history_setting_of.table_name)
    or s.schema_name = '*'
  order by s.relations @> array[history_setting_of.relation] desc, s.schema_name = '*'
  limit 1;
end;

-- Whether changes of the table are to be kept.
create or replace function tidemark.history_enabled(relation bigint, schema_name text, table_name text) returns boolean
language sql stable parallel safe
return (select s.enabled from tidemark.history_setting_of(relation, schema_name, table_name) s);

-- Turns history of a table on or off from now on, and sets how long its changes are kept. Null leaves the retention as
-- it is, which is at first that of every table; interval 'infinity' keeps them for ever. '*' stands for every table
-- without a setting of its own. A setting follows a rename.
create or replace function tidemark.set_history(table_name text, enabled boolean default true, retention interval default null)
returns void
language plpgsql
as $$
declare
  of_relations bigint[] := array(select distinct r.relation from tidemark.relations_named(table_name) r order by 1);
  named record;
begin
  if table_name = '*' then
    update tidemark.history_setting s
    set enabled = set_history.enabled,
      retention = coalesce(set_history.retention, s.retention)
    where s.schema_name = '*';
    return;
  end if;
  select k.contract ->> 'schema' as schema_name, k.contract ->> 'table' as table_name
  into named
  from tidemark.contract k
  where k.relation = any (of_relations)
  order by k.epoch desc, k.version desc
  limit 1;
  if not found then
    raise exception 'no captured table is or was called %', table_name
      using errcode = 'undefined_table', hint = 'Write it with its schema, as in public.orders; * stands for every table.';
  end if;
  update tidemark.history_setting s
  set relations = array(select r from unnest(s.relations) r where r <> all (of_relations));
  insert into tidemark.history_setting as s (schema_name, table_name, enabled, retention, relations)
  values (named.schema_name, named.table_name, set_history.enabled, set_history.retention, of_relations)
  on conflict on constraint history_setting_pkey do update
  set enabled = excluded.enabled,
    retention = coalesce(excluded.retention, s.retention),
    relations = excluded.relations;
end
$$;

-- How long changes of each relation are kept, by the setting of its newest name.
create or replace function tidemark.kept_relations() returns table (relation bigint, retention interval)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select n.relation, s.retention
  from (
    select distinct on (k.relation) k.relation, k.contract ->> 'schema' as schema_name, k.contract ->> 'table' as table_name
    from tidemark.contract k
    order by k.relation, k.epoch desc, k.version desc
  ) n
  cross join tidemark.history_setting_of(n.relation, n.schema_name, n.table_name) s;
end;

-- The longest retention of any table.
create or replace function tidemark.longest_retention() returns interval
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select coalesce(max(s.retention), interval 'infinity') from tidemark.history_setting s;
end;
