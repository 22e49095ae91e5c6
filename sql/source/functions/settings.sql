-- Puts the setting of a deployment in force, and begins an epoch.

-- Raises an error where the setting `captured` is not what it has to be, and says what is wrong with it.
create or replace function tidemark.check_captured(captured jsonb) returns void
language plpgsql stable
as $$
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
$$;

-- Begins an epoch. What was captured before it may lack changes, so each table gets a generation, whose rows are read by
-- a signal once the connector listens. The target shows the rows that it has until those are complete.
create or replace function tidemark.begin_epoch() returns void
language plpgsql
as $$
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
$$;

-- Sets the number of topic partitions, what is captured and the epoch, and brings the contracts in line. The number of
-- topic partitions is fixed within an epoch: with another one some topic partitions would lack contracts and beacons. A
-- greater epoch than the stored one begins that epoch. A smaller one has no effect, since the epoch of a deployment is
-- only the least that there has to be. known_generation is the greatest generation that the target knows of any table, 0
-- where it knows none: a source that was restored from a backup, or another source, has used other numbers.
create or replace function tidemark.configure(
  topic_partitions integer, captured jsonb, epoch integer default 1, known_generation integer default 0
) returns void
language plpgsql
as $$
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
$$;
