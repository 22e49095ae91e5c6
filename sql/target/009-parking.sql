-- Tables whose changes are kept in quarantine instead of applied, and why. Relation 0: no contract names the table. A
-- later generation of the table is not stopped: its rows are read anew.
create table if not exists tidemark.stopped_table (
  relation bigint not null,
  generation integer not null default 0,
  schema_name text not null,
  table_name text not null,
  reason text not null,
  repair text not null default 'resync' check (repair in ('accept', 'resync')),
  automatic boolean not null default false,
  requested_at timestamptz,
  accepted_at timestamptz,
  stopped_at timestamptz not null default now(),
  primary key (relation, schema_name, table_name)
);

comment on column tidemark.stopped_table.repair is 'accept: its cause is in the target, once that is gone its changes can be applied; resync: its rows have to be read again';
comment on column tidemark.stopped_table.automatic is 'the resync is asked for without anybody''s word';
comment on column tidemark.stopped_table.requested_at is 'when a resync was last asked for';
comment on column tidemark.stopped_table.accepted_at is 'when somebody said to apply what was kept';

-- Stops a table; the first reason stays, but what has to be read again is not made good by accepting it.
create or replace function tidemark.stop_table(
  of_relation bigint, of_generation integer, of_schema text, of_table text, why text, repaired_by text, by_itself boolean
) returns void
language sql
as $$
  -- A relation has one stop: it may have been renamed since.
  update tidemark.stopped_table s
  set schema_name = of_schema,
    table_name = of_table
  where of_relation <> 0
    and s.relation = of_relation
    and (s.schema_name, s.table_name) <> (of_schema, of_table);
  insert into tidemark.stopped_table as s (relation, generation, schema_name, table_name, reason, repair, automatic)
  values (of_relation, of_generation, of_schema, of_table, why, repaired_by, by_itself)
  on conflict (relation, schema_name, table_name) do update
  set generation = greatest(s.generation, excluded.generation),
    reason = case when s.generation = excluded.generation and s.accepted_at is null then s.reason else excluded.reason end,
    repair = excluded.repair,
    automatic = excluded.automatic,
    requested_at = null,
    accepted_at = null
  where s.generation < excluded.generation
    or s.accepted_at is not null
    or (s.generation = excluded.generation and s.repair = 'accept' and excluded.repair = 'resync')
$$;

-- Has the changes that were kept of a table applied, in order, with the next beacon. What fails again stops it again.
create or replace function tidemark.accept(table_name text) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  stopped tidemark.stopped_table;
  kept bigint;
begin
  update tidemark.stopped_table s
  set accepted_at = now()
  where s.schema_name || '.' || s.table_name = accept.table_name
  returning * into stopped;
  if stopped.repair = 'resync' then
    raise exception '% cannot be accepted, its rows have to be read again: %', table_name, stopped.reason
      using hint = format('npm run resync -- %s', table_name);
  end if;
  if stopped is null then
    raise exception '% is not stopped', table_name
      using hint = coalesce('stopped: ' || (
        select string_agg(s.schema_name || '.' || s.table_name, ', ') from tidemark.stopped_table s
      ), 'no table is');
  end if;
  select count(*) into kept from tidemark.quarantine q where q.relation = stopped.relation;
  return format('%s changes of %s are applied now; it was stopped: %s', kept, table_name, stopped.reason);
end
$$;

-- The kept records that a word names: one by its place (changes-2@17), those of a table (public.orders), or all. Inlined,
-- so that who asks for a few of them does not have all of them read.
create or replace function tidemark.kept(what text) returns setof tidemark.quarantine
language sql stable
begin atomic
  select *
  from tidemark.quarantine q
  where what in ('all', q.table_name, format('%s-%s@%s', q.topic, q.topic_partition, q.record_offset))
  order by q.topic, q.topic_partition, q.record_offset;
end;

-- Raises an error where the word names no kept record.
create or replace function tidemark.require_kept(what text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from tidemark.kept(what)) then
    raise exception 'nothing in quarantine is %', what
      using hint = 'npm run quarantine -- list shows what is there; a record is named by its place, such as changes-2@17';
  end if;
end
$$;

-- Whether what is kept of a relation is part of its rows: it has a contract, and is not known to be dropped.
create or replace function tidemark.is_owed(of_relation bigint) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select exists (select from tidemark.contract c where c.relation = of_relation)
    and not exists (select from tidemark.table_marker m where m.relation = of_relation and m.dropped_at is not null)
$$;

-- Forgets kept records, and returns how many. What is kept of a table that is captured is part of its rows: it goes when
-- they are read again, or is applied.
create or replace function tidemark.discard(what text) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  owed text;
  forgotten bigint;
begin
  perform tidemark.require_kept(what);
  select min(q.table_name) into owed from tidemark.kept(what) q where tidemark.is_owed(q.relation);
  if owed is not null and what <> 'all' then
    raise exception 'what is kept of % cannot be discarded: the table would lack it', owed
      using hint = format('npm run resync -- %s reads its rows again, after which nothing of it is kept', owed);
  end if;
  with gone as (
    delete from tidemark.quarantine q
    using tidemark.kept(what) k
    where (q.topic, q.topic_partition, q.record_offset) = (k.topic, k.topic_partition, k.record_offset)
      and not tidemark.is_owed(q.relation)
    returning q.relation, q.table_name
  ),
  released as (
    delete from tidemark.stopped_table s
    using gone g
    where (s.relation, s.schema_name || '.' || s.table_name) = (g.relation, g.table_name)
      -- A record of the table that is still kept would be out of order behind those that follow.
      and not exists (
        select from tidemark.quarantine q
        where q.relation = g.relation and q.table_name = g.table_name
          and (q.topic, q.topic_partition, q.record_offset) not in (
            select k.topic, k.topic_partition, k.record_offset from tidemark.kept(what) k
          )
      )
  )
  select count(*) into forgotten from gone;
  return forgotten;
end
$$;

-- Has kept records applied again, and returns how many that are: those of a stopped table all together and in order, as
-- tidemark.accept does, or user events one by one.
create or replace function tidemark.retry(what text) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  refused tidemark.quarantine;
  accepted text;
  retried bigint;
begin
  perform tidemark.require_kept(what);
  if exists (select from tidemark.stopped_table s where s.schema_name || '.' || s.table_name = what and s.relation <> 0) then
    perform tidemark.accept(what);
    return (select count(*) from tidemark.kept(what));
  end if;
  select * into refused from tidemark.kept(what) q where q.topic <> 'user-events' limit 1;
  if refused.relation > 0 and what <> 'all' then
    raise exception '%-%@% is a change of %, whose changes are applied in order and together',
      refused.topic, refused.topic_partition, refused.record_offset, refused.table_name
      using hint = format('npm run quarantine -- retry %s', refused.table_name);
  elsif refused.topic is not null and what <> 'all' then
    raise exception '%-%@% cannot be applied later: it is no change of a table that is captured',
      refused.topic, refused.topic_partition, refused.record_offset
      using hint = format('npm run quarantine -- discard %s', what);
  end if;
  for accepted in
    select s.schema_name || '.' || s.table_name
    from tidemark.stopped_table s
    where what = 'all' and s.repair = 'accept' and s.relation <> 0
  loop
    perform tidemark.accept(accepted);
  end loop;
  update tidemark.quarantine q
  set retry_at = now()
  from tidemark.kept(what) k
  where (q.topic, q.topic_partition, q.record_offset) = (k.topic, k.topic_partition, k.record_offset)
    and q.topic = 'user-events';
  get diagnostics retried = row_count;
  return retried + (
    select count(*)
    from tidemark.quarantine q
    join tidemark.stopped_table s on s.relation = q.relation and s.accepted_at is not null
    where q.relation <> 0
  );
end
$$;

-- Tables that are shown and whose changes do not come any more: capture said so in their newest contract. Every contract is
-- in every topic partition, so one of them tells all.
create or replace view tidemark.not_captured as
select m.relation, m.schema_name, m.table_name,
  coalesce(newest.refusal, 'it has left the publication of the source, and its changes are not applied until its rows are '
    || 'read again: tidemark.uncaptured in the source says what that waits for') as reason,
  exists (select from tidemark.stopped_table s where s.relation = m.relation) as stopped
from (
  select distinct on (c.relation) c.relation, (c.contract ->> 'published')::boolean as published,
    c.contract ->> 'refusal' as refusal
  from tidemark.contract c
  where c.topic_partition = 0
  order by c.relation, c.epoch desc, c.version desc
) as newest
join tidemark.table_marker m on m.relation = newest.relation and m.dropped_at is null
where not newest.published
  and exists (select from tidemark.generation g where g.relation = m.relation and g.shown);

comment on column tidemark.not_captured.stopped is 'whether it is one of tidemark.stopped_table, too';

alter table tidemark.contract owner to tidemark_owner;
alter view tidemark.not_captured owner to tidemark_owner;
alter table tidemark.table_marker owner to tidemark_owner;
alter table tidemark.generation owner to tidemark_owner;
alter table tidemark.shown_view owner to tidemark_owner;
alter table tidemark.stopped_table owner to tidemark_owner;
alter table tidemark.quarantine owner to tidemark_owner;

do $$
declare
  ours regprocedure;
begin
  for ours in select p.oid from pg_proc p where p.pronamespace = 'tidemark'::regnamespace loop
    execute format('alter function %s owner to tidemark_owner', ours);
  end loop;
end
$$;

revoke all on all functions in schema tidemark from public;
grant execute on function tidemark.rows_name(bigint, integer), tidemark.dependents(regclass) to public;
grant execute on function tidemark.kept(text), tidemark.missing_rows(), tidemark.missing_views() to tidemark_read;
grant execute on function tidemark.shape_latest_state(integer, jsonb), tidemark.drop_latest_state(bigint),
  tidemark.settle_latest_state(text, bigint), tidemark.await_name(bigint), tidemark.forget_relation(bigint),
  tidemark.newest_generation(), tidemark.order_epoch(integer, text, boolean), tidemark.rebase(text, text, integer, bigint),
  tidemark.missing_rows(), tidemark.missing_views(), tidemark.restore_view(text, text),
  tidemark.stop_table(bigint, integer, text, text, text, text, boolean) to tidemark_apply;
grant execute on function tidemark.begin_initial_read(integer, integer, bigint),
  tidemark.finish_initial_read(integer, integer, integer) to tidemark_apply;
grant select, insert on tidemark.contract to tidemark_apply;
grant select on tidemark.table_marker to tidemark_apply;
grant select, update on tidemark.generation to tidemark_apply;
grant select, insert, update, delete on tidemark.stopped_table to tidemark_apply;
grant select on tidemark.contract, tidemark.table_marker, tidemark.generation, tidemark.stopped_table, tidemark.not_captured
  to tidemark_read;
grant select on tidemark.not_captured to tidemark_apply;
