-- What users see of windows: the state of each, rows that are late or ahead, and one line per definition.

-- The state of a window. core/windows/watermark.ts has the same rule.
create or replace function tidemark.window_state(
  window_end timestamp, allowed_lateness interval, closes boolean, watermark timestamp, late_rows bigint
) returns text
language sql immutable
begin atomic
  select case
    when watermark is null or watermark < window_end then 'open'
    when closes and watermark >= window_end + allowed_lateness then 'closed'
    when late_rows > 0 then 'revised'
    else 'final'
  end;
end;

-- The watermark of a definition. core/windows/watermark.ts has the same rule: the least of the topic partitions that are not
-- idle, or the greatest if all are, and never one that is before a former one.
create or replace function tidemark.window_watermark(of_definition bigint) returns timestamp
language sql stable security definer
as $$
  select greatest(max(w.reached), max(d.emitted_until),
    coalesce(
      min(w.newest_event) filter (where not coalesce(p.beacon_at - w.last_row_at >= t.idle_after, false)),
      max(w.newest_event)
    ) - max(t.bound))
  from tidemark.window_definition d
  cross join lateral (
    select (d.definition ->> 'boundMicros')::double precision * interval '1 microsecond' as bound,
      (d.definition ->> 'idleAfterMicros')::double precision * interval '1 microsecond' as idle_after
  ) t
  left join tidemark.window_watermark w on w.definition_id = d.id
  left join tidemark.progress p
    on (p.consumer, p.topic, p.topic_partition) = ('tidemark-windows', w.topic, w.topic_partition)
  where d.id = of_definition
$$;

-- Rows that are in no window, or late, of all definitions that are shown.
create or replace function tidemark.window_rows_of(of_standing text)
returns table (definition text, window_start timestamp, event_time timestamp, watermark timestamp, counted boolean, "row" jsonb)
language plpgsql stable security definer
as $$
declare
  shown tidemark.window_definition;
begin
  for shown in select * from tidemark.window_definition d where d.was_shown order by d.name loop
    return query execute format(
      'select %L, date_bin(interval ''%s microseconds'', i.event_time, timestamp ''1970-01-01''), i.event_time, i.late_from,
         i.standing = ''late'' and %L, jsonb_build_object(%s)
       from tidemark_window_rows.w%s_rows i
       where i.standing = $1 and i.standing <> ''counted''',
      shown.name, shown.definition -> 'window' ->> 'slideMicros',
      shown.definition ->> 'lateRows' = 'count' and shown.definition ->> 'emit' = 'on update',
      (
        select string_agg(format('%L, i.%I', c.name, c.stored), ', ' order by c.number)
        from tidemark.window_image_columns(shown.plan) c
        where c.name is not null
      ),
      shown.id) using of_standing;
  end loop;
end
$$;

create or replace view tidemark.late_event as
select definition, window_start, event_time, watermark, counted, "row"
from tidemark.window_rows_of('late');
comment on view tidemark.late_event is 'rows that came after their window had ended and the allowed lateness had passed';
comment on column tidemark.late_event.watermark is 'the watermark when the row came';
comment on column tidemark.late_event.counted is 'whether the row counts nevertheless, as the definition says';

create or replace view tidemark.future_event as
select definition, window_start, event_time, "row"
from tidemark.window_rows_of('future');
comment on view tidemark.future_event is 'rows whose event time was further ahead of their commit than the definition allows';

-- One row per definition, with what is in its windows.
create or replace function tidemark.window_states()
returns table (
  name text, id bigint, state text, reason text, source text, emit text, publish text, open bigint, final bigint, revised bigint,
  closed bigint, visible bigint, late bigint, future bigint, null_times bigint, watermark timestamp, newest_event timestamp,
  committed_at timestamptz, phase text, rows_done bigint, rows_total bigint, since timestamptz
)
language plpgsql stable security definer
as $$
declare
  d tidemark.window_definition;
begin
  for d in select * from tidemark.window_definition w order by w.name, w.id loop
    name := d.name; id := d.id; state := d.state; reason := d.reason;
    source := format('%s.%s', d.definition -> 'source' ->> 'schema', d.definition -> 'source' ->> 'table');
    emit := d.definition ->> 'emit'; publish := d.definition ->> 'publish';
    phase := d.phase; rows_done := d.rows_done; rows_total := d.rows_total;
    since := coalesce(d.stopped_at, d.shown_at, d.created_at);
    watermark := tidemark.window_watermark(d.id);
    select max(w.newest_event), max(w.last_row_at) into newest_event, committed_at
    from tidemark.window_watermark w
    where w.definition_id = d.id;
    open := null; final := null; revised := null; closed := null; visible := null; late := null; future := null; null_times := null;
    if to_regclass(format('tidemark_window_rows.w%s_groups', d.id)) is not null then
      execute format(
        'select count(*) filter (where s = ''open''), count(*) filter (where s = ''final''),
           count(*) filter (where s = ''revised''), count(*) filter (where s = ''closed''), count(*) filter (where visible)
         from (
           select g.visible, tidemark.window_state(g.window_start + interval ''%s microseconds'', interval ''%s microseconds'', %L, $1, g.late_rows) as s
           from tidemark_window_rows.w%s_groups g
           where g.rows > 0
         ) as counted',
        d.definition -> 'window' ->> 'sizeMicros', d.definition ->> 'allowedLatenessMicros',
        d.definition ->> 'emit' = 'on close' or d.definition ->> 'lateRows' = 'set aside', d.id)
        into open, final, revised, closed, visible using watermark;
      execute format(
        'select count(*) filter (where standing = ''late''), count(*) filter (where standing = ''future''),
           count(*) filter (where standing = ''no time'')
         from tidemark_window_rows.w%s_rows
         where standing <> ''counted''', d.id) into late, future, null_times;
    end if;
    return next;
  end loop;
end
$$;

create or replace view tidemark.window_status as
select name, id, state, reason, source, emit, publish, open, final, revised, closed, visible, late, future, null_times, watermark,
  newest_event, committed_at, phase, rows_done, rows_total, since
from tidemark.window_states();
comment on view tidemark.window_status is 'one row per version of a definition of windows';
comment on column tidemark.window_status.visible is 'groups that having leaves in the result';
comment on column tidemark.window_status.phase is 'what is being reconciled: rows, then groups; rows_done of rows_total';
