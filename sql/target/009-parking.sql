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
  insert into tidemark.stopped_table as s (relation, generation, schema_name, table_name, reason, repair, automatic)
  values (of_relation, of_generation, of_schema, of_table, why, repaired_by, by_itself)
  on conflict (relation, schema_name, table_name) do update
  set generation = excluded.generation,
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

alter table tidemark.contract owner to tidemark_owner;
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
grant execute on function tidemark.rows_name(bigint, integer) to public;
grant execute on function tidemark.shape_latest_state(integer, jsonb), tidemark.drop_latest_state(bigint),
  tidemark.settle_latest_state(text, bigint), tidemark.await_name(bigint),
  tidemark.stop_table(bigint, integer, text, text, text, text, boolean) to tidemark_apply;
grant execute on function tidemark.begin_initial_read(integer, integer, bigint),
  tidemark.finish_initial_read(integer, integer, integer) to tidemark_apply;
grant select, insert on tidemark.contract to tidemark_apply;
grant select on tidemark.table_marker to tidemark_apply;
grant select, update on tidemark.generation to tidemark_apply;
grant select, insert, update, delete on tidemark.stopped_table to tidemark_apply;
grant select on tidemark.contract, tidemark.table_marker, tidemark.generation, tidemark.stopped_table to tidemark_read;
