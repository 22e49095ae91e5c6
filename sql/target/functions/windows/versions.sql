-- The versions of a definition: one is shown, and another one that is complete takes its place.

-- The query of the records that the topic of a version has.
create or replace function tidemark.window_published(known tidemark.window_definition) returns text
language sql stable
as $$
  select format('select %s as record_key, %s as record_value from tidemark_window_rows.w%s_groups g where g.visible%s',
    known.plan ->> 'recordKey', known.plan ->> 'recordValue', known.id,
    case when known.definition ->> 'emit' = 'on close' then ' and g.emitted_at is not null' else '' end)
$$;

-- Publishes a tombstone for each group of a version that its topic has, and that another version does not have.
create or replace function tidemark.retract_window(known tidemark.window_definition, other tidemark.window_definition default null)
returns void
language plpgsql
as $$
begin
  if known.definition ->> 'publish' is null or known.plan is null then
    return;
  end if;
  execute format('insert into tidemark.window_outbox (definition, topic, record_key) select %L, %L, p.record_key from (%s) as p%s',
    known.name, known.definition ->> 'publish', tidemark.window_published(known),
    case
      when other.definition ->> 'publish' = known.definition ->> 'publish'
        then format(' where p.record_key not in (select o.record_key from (%s) as o)', tidemark.window_published(other))
      else ''
    end);
end
$$;

-- The version that is shown, if it is of the same definition and its tables have the same columns.
create or replace function tidemark.window_predecessor(new tidemark.window_definition) returns bigint
language sql stable
as $$
  select d.id
  from tidemark.window_definition d
  where d.name = new.name
    and d.was_shown
    and d.id <> new.id
    and d.definition = new.definition
    and (d.plan - 'version' - 'columns') = (new.plan - 'version' - 'columns')
$$;

-- Called once the image of a version is complete: rows that were late or ahead in the version before it are so in this one,
-- since reading them again does not say when they came.
create or replace function tidemark.carry_window(of_definition bigint) returns void
language plpgsql security definer
as $$
declare
  new tidemark.window_definition;
  former bigint;
  same_row text;
begin
  select * into new from tidemark.window_definition d where d.id = of_definition;
  former := tidemark.window_predecessor(new);
  if former is null then
    return;
  end if;
  select string_agg(format('o.%I = n.%1$I', c), ' and ') into same_row
  from unnest(
    case
      when jsonb_array_length(new.plan -> 'key') = 0 then array['image', 'n']
      else array(select 'k' || i from generate_series(1, jsonb_array_length(new.plan -> 'key')) as i)
    end
  ) as c;
  execute format(
    'update tidemark_window_rows.w%s_rows n set late_from = o.late_from, excluded_until = o.excluded_until, standing = o.standing '
    'from tidemark_window_rows.w%s_rows o where %s and o.event_time = n.event_time and n.late_from is null '
    'and (o.late_from is not null or o.standing = ''future'')', new.id, former, same_row);
end
$$;

-- What was emitted on close stays as it was emitted.
create or replace function tidemark.carry_emitted_windows(new tidemark.window_definition, former tidemark.window_definition)
returns void
language plpgsql
as $$
begin
  if new.definition ->> 'emit' = 'on close' and tidemark.window_predecessor(new) = former.id then
    execute format('delete from tidemark_window_rows.w%s_groups g '
      'where g.window_start <= $1 - interval ''%s microseconds'' - interval ''%s microseconds''',
      new.id, new.definition -> 'window' ->> 'sizeMicros', new.definition ->> 'allowedLatenessMicros')
      using former.emitted_until;
    execute format('insert into tidemark_window_rows.w%s_groups '
      'select * from tidemark_window_rows.w%s_groups g where g.emitted_at is not null', new.id, former.id);
    update tidemark.window_definition d set emitted_until = former.emitted_until where d.id = new.id;
  end if;
end
$$;

-- Shows a version of a definition that is complete, in place of the former one, and publishes the difference.
create or replace function tidemark.show_window(of_definition bigint) returns void
language plpgsql security definer
as $$
declare
  new tidemark.window_definition;
  former tidemark.window_definition;
begin
  perform tidemark.lock_windows();
  select * into new from tidemark.window_definition d where d.id = of_definition for update;
  if not found or new.was_shown then
    return;
  end if;
  perform pg_advisory_xact_lock(730511005, of_definition::integer);
  select * into former from tidemark.window_definition d where d.name = new.name and d.was_shown;
  if found then
    perform pg_advisory_xact_lock(730511005, former.id::integer);
    -- A watermark never goes back, also when its definition is computed again.
    insert into tidemark.window_watermark as w (definition_id, topic, topic_partition, newest_event, last_row_at, reached)
    select new.id, f.topic, f.topic_partition, f.newest_event, f.last_row_at, f.reached
    from tidemark.window_watermark f
    where f.definition_id = former.id
      and former.definition = new.definition
    on conflict (definition_id, topic, topic_partition) do update
    set newest_event = greatest(w.newest_event, excluded.newest_event),
      last_row_at = greatest(w.last_row_at, excluded.last_row_at),
      reached = greatest(w.reached, excluded.reached);
    perform tidemark.carry_emitted_windows(new, former);
    perform tidemark.retract_window(former, new);
    update tidemark.window_definition d set was_shown = false where d.id = former.id;
  end if;
  perform tidemark.show_window_view(new.id, new.definition, new.plan);
  update tidemark.window_definition d
  set was_shown = true, state = 'shown', reason = null, phase = null, phase_after = null, shown_at = clock_timestamp()
  where d.id = of_definition;
  if new.definition ->> 'publish' is not null then
    execute format('insert into tidemark.window_outbox (definition, topic, record_key, record_value) '
      'select %L, %L, p.record_key, p.record_value from (%s) as p',
      new.name, new.definition ->> 'publish', tidemark.window_published(new));
  end if;
  if former.id is not null then
    perform tidemark.discard_window(former.id);
  end if;
  perform pg_notify('tidemark_windows', new.name);
end
$$;
