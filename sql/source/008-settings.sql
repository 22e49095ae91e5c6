-- Checks what is to be captured; raises an error that says what is wrong with it.
create or replace function tidemark.check_captured(captured jsonb) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- Sets how many topic partitions there are, what is captured and the epoch, and brings the contracts in line. The
-- number of topic partitions is fixed once set: with another one some would lack contracts and beacons.
create or replace function tidemark.configure(topic_partitions integer, captured jsonb, epoch integer default 1)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  before tidemark.setting;
  parent regclass;
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
      complete = true,
      awaited = null,
      signal_id = null,
      since = now()
  where before.epoch < configure.epoch
    and t.state in ('awaiting writers', 'reading');

  -- Not so that of a table with children: it is captured once Debezium listens, see tidemark.publish_table.
  for parent in
    select t.relation::oid::regclass
    from tidemark.captured_table t
    where before.epoch < configure.epoch
      and tidemark.has_children(t.relation::oid)
      and tidemark.is_published(t.relation::oid)
  loop
    execute format('alter publication tidemark drop table only %s', parent);
  end loop;

  -- Removing the connector may have dropped it.
  perform tidemark.restore_publication();
  perform tidemark.publish_contracts();
end
$$;

revoke all on all functions in schema tidemark from public;
