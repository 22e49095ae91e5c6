-- Contracts are written in the transaction of the DDL that makes them due. Nothing here may fail or hold up that DDL:
-- waits are short, errors are noted in tidemark.contract_failure, and the next capture writes what is missing.

-- Notes that a contract may be missing; relation 0 stands for any.
create or replace function tidemark.note_failure(of_relation oid, failure text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into tidemark.contract_failure (relation, message)
  values (of_relation, failure)
  on conflict (relation) do update
  set message = excluded.message,
      failed_at = now();
exception when others then
  raise warning 'tidemark could not note that a contract is missing: % (%)', failure, sqlerrm;
end
$$;

-- Observes one relation for a trigger; an error leaves a note instead.
create or replace function tidemark.observe_safely(of_relation oid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform tidemark.observe_table(of_relation);
exception when others then
  perform tidemark.note_failure(of_relation, sqlerrm);
end
$$;

create or replace function tidemark.on_ddl_command_end() returns event_trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
as $$
declare
  relation oid;
begin
  for relation in
    with recursive command as (
      select d.classid, d.objid from pg_event_trigger_ddl_commands() d
    ),
    named (oid) as (
      select command.objid from command where command.classid = 'pg_class'::regclass
      union
      select c.oid
      from command
      join pg_class c on c.relnamespace = command.objid
      where command.classid = 'pg_namespace'::regclass
      union
      select a.attrelid
      from command
      join pg_type t on command.objid in (t.oid, t.typelem)
      join pg_attribute a on a.atttypid = t.oid
      where command.classid = 'pg_type'::regclass
    ),
    touched (oid) as (
      select c.oid
      from named
      join pg_class c using (oid)
      where c.relkind in ('r', 'p')
        and c.relpersistence <> 't'
      union
      -- What is done to an inheritance parent is done to its children; a new child changes what its parent is.
      select case when i.inhparent = touched.oid then i.inhrelid else i.inhparent end
      from touched
      join pg_inherits i on touched.oid in (i.inhparent, i.inhrelid)
    )
    select touched.oid from touched
  loop
    perform tidemark.observe_safely(relation);
  end loop;
exception when others then
  perform tidemark.note_failure(0, sqlerrm);
end
$$;

create or replace function tidemark.on_sql_drop() returns event_trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
as $$
declare
  relation oid;
begin
  -- Tables themselves, and tables that lost a column or a constraint to a cascade.
  for relation in
    select d.objid
    from pg_event_trigger_dropped_objects() d
    where d.object_type in ('table', 'table column')
      and not d.is_temporary
    union
    select c.oid
    from pg_event_trigger_dropped_objects() d
    join pg_namespace n on n.nspname = d.address_names[1]
    join pg_class c on c.relnamespace = n.oid and c.relname = d.address_names[2]
    where d.object_type = 'table constraint'
      and not d.is_temporary
  loop
    perform tidemark.observe_safely(relation);
  end loop;
exception when others then
  perform tidemark.note_failure(0, sqlerrm);
end
$$;

-- ALTER TABLE that computes rows anew sends no changes: what was captured has to be read again.
create or replace function tidemark.on_table_rewrite() returns event_trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
as $$
begin
  -- Reasons: 2 a column's default, 4 a column's type. The others (persistence, access method) keep the values.
  if pg_event_trigger_table_rewrite_reason() & 6 = 0 then
    return;
  end if;
  update tidemark.captured_table t
  set state = 'pending',
      since = now()
  where t.relation = pg_event_trigger_table_rewrite_oid()
    and t.state <> 'refused';
exception when others then
  perform tidemark.note_failure(0, sqlerrm);
end
$$;

do $$
begin
  drop event trigger if exists tidemark_ddl_command_end;
  drop event trigger if exists tidemark_sql_drop;
  drop event trigger if exists tidemark_table_rewrite;
  create event trigger tidemark_ddl_command_end on ddl_command_end
    when tag in (
      'ALTER EXTENSION', 'ALTER INDEX', 'ALTER SCHEMA', 'ALTER TABLE', 'ALTER TYPE', 'CREATE EXTENSION',
      'CREATE SCHEMA', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO'
    )
    execute function tidemark.on_ddl_command_end();
  create event trigger tidemark_sql_drop on sql_drop
    execute function tidemark.on_sql_drop();
  create event trigger tidemark_table_rewrite on table_rewrite
    execute function tidemark.on_table_rewrite();
  -- Also for sessions that restore a dump with session_replication_role = replica.
  alter event trigger tidemark_ddl_command_end enable always;
  alter event trigger tidemark_sql_drop enable always;
  alter event trigger tidemark_table_rewrite enable always;
exception when insufficient_privilege then
  raise notice 'event triggers are not allowed here: run select tidemark.publish_contracts() after each DDL';
end
$$;

revoke all on all functions in schema tidemark from public;
