-- The event triggers that write a contract in the transaction of the DDL that makes it due. They must not fail or delay that
-- DDL: waits are short, and when a contract cannot be written, the error is recorded in tidemark.contract_failure. The next run
-- of capture-tables writes what is missing (tidemark.catch_up in uncaptured.sql).

-- Records that a contract may be missing. Relation 0 stands for any relation.
create or replace function tidemark.note_failure(of_relation oid, failure text, was_rewritten boolean default false)
returns void
language plpgsql
as $$
begin
  insert into tidemark.contract_failure (relation, message, rewritten, failed_at)
  values (of_relation, failure, was_rewritten, clock_timestamp());
exception when others then
  raise warning 'tidemark could not record that the contract of a table is missing: % (%)', failure, sqlerrm;
end
$$;

-- Observes one relation for an event trigger. An error is recorded instead of raised, so that the DDL does not fail. The
-- table then has a replica identity with which its owner can still update and delete rows. DDL waits for one lock only:
-- after that its other tables are tried without waiting.
create or replace function tidemark.observe_safely(of_relation oid) returns void
language plpgsql
as $$
begin
  perform tidemark.observe_table(of_relation);
exception when others then
  if sqlstate = '55P03' then
    perform set_config('lock_timeout', '1ms', true);
  end if;
  perform tidemark.note_failure(of_relation, sqlerrm);
  perform tidemark.give_writable_identity(of_relation);
end
$$;

-- Begins a generation of one relation whose rows were rewritten. An error is recorded instead of raised.
create or replace function tidemark.begin_generation_safely(of_relation oid) returns void
language plpgsql
as $$
begin
  perform tidemark.begin_generation(of_relation);
exception when others then
  perform tidemark.note_failure(of_relation, sqlerrm, was_rewritten => true);
end
$$;

-- The tables that DDL on some objects may have changed: those that it names, those of a schema, those with columns of a
-- type, the tables that inherit from them, and those that did before.
create or replace function tidemark.touched_tables(classes oid[], objects oid[]) returns setof oid
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
declare
  named oid[];
  types oid[];
begin
  select array_agg(c.oid), array_agg(c.reltype) filter (where c.relkind = 'c') into named, types
  from unnest(classes, objects) as command (classid, objid)
  join pg_class c on c.oid = command.objid
  where command.classid = 'pg_class'::regclass;
  if 'pg_namespace'::regclass = any (classes) then
    named := named || array(select c.oid from pg_class c where c.relnamespace = any (objects));
  end if;
  if types <> '{}' or 'pg_type'::regclass = any (classes) then
    named := named || array(select tidemark.tables_with_types(types || objects));
  end if;
  return query
  with recursive below (oid) as (
    select unnest(named)
    union
    select i.inhrelid
    from below
    join pg_inherits i on i.inhparent = below.oid
  )
  select c.oid
  from below
  join pg_class c using (oid)
  where c.relkind = 'r'
    and c.relpersistence <> 't';
  -- A leaf that was detached is not among the objects of the DDL.
  return query
  select t.relation::oid
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join tidemark.captured_table t on tidemark.latest_contract(t.relation::oid) -> 'parents'
    @> jsonb_build_array(jsonb_build_object('schema', n.nspname, 'table', c.relname))
  where c.oid = any (named)
    and c.relkind = 'p';
  return query select p from tidemark.tables_of_publications(classes, objects) as p;
end
$$;

-- The relations with a column of one of these types, or of a type that is made of one.
create or replace function tidemark.tables_with_types(types oid[]) returns setof oid
language plpgsql stable
as $$
begin
  return query
  with recursive made_of (oid) as (
    select unnest(types)
    union
    select u.oid
    from made_of
    cross join lateral (
      select t.oid
      from pg_type t
      where made_of.oid in (t.typelem, t.typbasetype)
      union all
      select c.reltype
      from pg_attribute a
      join pg_class c on c.oid = a.attrelid and c.relkind = 'c'
      where a.atttypid = made_of.oid
    ) as u
  )
  select distinct a.attrelid
  from pg_attribute a
  where a.atttypid = any (array(select made_of.oid from made_of))
    and not a.attisdropped;
end
$$;

-- Writes the contracts that DDL has made due.
create or replace function tidemark.on_ddl_command_end() returns event_trigger
language plpgsql security definer
set lock_timeout = '200ms'
as $$
declare
  touched oid[];
begin
  begin
    if tg_tag = 'ALTER PUBLICATION' then
      perform tidemark.restore_publication();
    end if;
    select array_agg(distinct t) into touched
    from (select array_agg(d.classid) as classes, array_agg(d.objid) as objects from pg_event_trigger_ddl_commands() d) as c
    cross join lateral tidemark.touched_tables(c.classes, c.objects) as t;
    perform tidemark.observe_safely(t) from unnest(touched) as t;
  exception when others then
    perform tidemark.note_failure(0, sqlerrm);
  end;
  perform tidemark.refuse_unwritable(touched);
end
$$;

-- Writes the contracts of tables that were dropped or have lost a column or a constraint.
create or replace function tidemark.on_sql_drop() returns event_trigger
language plpgsql security definer
set lock_timeout = '200ms'
as $$
declare
  touched oid[];
begin
  begin
    -- These are tables that were dropped, and tables that have lost a column or a constraint, also to a cascade.
    select array_agg(r.oid) into touched
    from (
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
    ) as r (oid);
    perform tidemark.observe_safely(t) from unnest(touched) as t;
  exception when others then
    perform tidemark.note_failure(0, sqlerrm);
  end;
  perform tidemark.refuse_unwritable(touched);
end
$$;

-- ALTER TABLE that rewrites the rows sends no changes, so what was captured has to be read again.
create or replace function tidemark.on_table_rewrite() returns event_trigger
language plpgsql security definer
set lock_timeout = '200ms'
as $$
begin
  -- Reason 2 is a column's default, 4 a column's type. The others (persistence, access method) keep the values.
  if pg_event_trigger_table_rewrite_reason() & 6 = 0 then
    return;
  end if;
  perform tidemark.begin_generation_safely(pg_event_trigger_table_rewrite_oid());
end
$$;

do $$
begin
  drop event trigger if exists tidemark_ddl_command_end;
  drop event trigger if exists tidemark_sql_drop;
  drop event trigger if exists tidemark_table_rewrite;
  create event trigger tidemark_ddl_command_end on ddl_command_end
    when tag in (
      -- ALTER INDEX can also rename a table.
      'ALTER EXTENSION', 'ALTER INDEX', 'ALTER PUBLICATION', 'ALTER SCHEMA', 'ALTER TABLE', 'ALTER TYPE',
      'CREATE EXTENSION', 'CREATE PUBLICATION', 'CREATE SCHEMA', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO'
    )
    execute function tidemark.on_ddl_command_end();
  create event trigger tidemark_sql_drop on sql_drop
    execute function tidemark.on_sql_drop();
  create event trigger tidemark_table_rewrite on table_rewrite
    execute function tidemark.on_table_rewrite();
  -- The triggers also fire in sessions that restore a dump with session_replication_role = replica.
  alter event trigger tidemark_ddl_command_end enable always;
  alter event trigger tidemark_sql_drop enable always;
  alter event trigger tidemark_table_rewrite enable always;
exception when insufficient_privilege then
  raise notice 'this role may not create event triggers: run select tidemark.publish_contracts() after each DDL statement';
end
$$;
