-- The removal of a view that users read, which never takes objects of users along.

-- The view of a name, if Tidemark made it.
create or replace function tidemark.own_view(of_schema text, of_table text) returns regclass
language sql stable
as $$
  select s.view
  from tidemark.shown_view s
  join pg_class c on c.oid = s.view and c.relkind = 'v' and c.relname = s.table_name
  join pg_namespace n on n.oid = c.relnamespace and n.nspname = s.schema_name
  where (s.schema_name, s.table_name) = (of_schema, of_table)
$$;

-- The objects of users that depend on a view, and the command that drops each where that drops nothing else. An object
-- that depends on another one of these comes after it.
create or replace function tidemark.dependents(of_view regclass)
returns table (object text, dropped_by text, place bigint)
language sql stable
as $$
  with recursive dependent (class, oid, part, depth) as (
    select 'pg_class'::regclass::oid, of_view::oid, 0, 0
    union
    select next.class, next.oid, next.part, b.depth + 1
    from dependent b
    join pg_depend d on d.deptype = 'n' and b.part = 0 and (
      (d.refclassid, d.refobjid) = (b.class, b.oid)
      -- The rows of a view have a type, and arrays of them have another one.
      or b.class = 'pg_class'::regclass and d.refclassid = 'pg_type'::regclass and d.refobjid in (
        select t.oid from pg_type t where t.typrelid = b.oid
        union all
        select t.typarray from pg_type t where t.typrelid = b.oid
      )
    )
    left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
    cross join lateral (
      -- The rule of a view stands for the view.
      select case when r.oid is null then d.classid else 'pg_class'::regclass::oid end as class,
        coalesce(r.ev_class, d.objid) as oid, case when r.oid is null then d.objsubid else 0 end as part
    ) as next
    where (next.class, next.oid) <> (b.class, b.oid)
  )
  select pg_describe_object(l.class, l.oid, l.part),
    case when i.type in ('view', 'materialized view', 'function', 'procedure', 'policy') then
      format('drop %s %s;', i.type, i.identity)
    end,
    row_number() over (order by l.depth, i.identity)
  from (
    select d.class, d.oid, d.part, max(d.depth) as depth
    from dependent d
    where d.depth > 0
    group by d.class, d.oid, d.part
  ) as l
  cross join lateral pg_identify_object(l.class, l.oid, l.part) i
$$;

-- The advisory lock of a view: relations that share a parent take turns at its view.
create or replace function tidemark.lock_of_view(of_schema text, of_table text) returns bigint
language sql immutable
as $$
  select hashtextextended(format('tidemark.show_view %I.%I', of_schema, of_table), 0)
$$;

-- Drops the view of a name. It is an error if objects of users depend on it, and the error names them.
create or replace function tidemark.drop_view(of_schema text, of_table text) returns void
language plpgsql
as $$
declare
  view constant regclass := tidemark.own_view(of_schema, of_table);
  found record;
begin
  if view is not null then
    execute format('drop view %s', view);
  end if;
  delete from tidemark.shown_view s where (s.schema_name, s.table_name) = (of_schema, of_table);
exception when dependent_objects_still_exist then
  select string_agg(d.object, ' and ' order by d.place) as objects, count(*) = 1 as one,
    string_agg(coalesce(d.dropped_by, '-- drop ' || d.object), ' ' order by d.place desc) as dropped_by
  into found
  from tidemark.dependents(view) d;
  raise exception '% % on the view %.%, which has to be created again because columns of the table have changed',
    found.objects, case when found.one then 'depends' else 'depend' end, of_schema, of_table
    using errcode = 'dependent_objects_still_exist',
      hint = format('save %s (pg_get_viewdef), run %s then npm run accept -- %s.%s, and create %s again',
        case when found.one then 'its definition' else 'their definitions' end, found.dropped_by, of_schema, of_table,
        case when found.one then 'it' else 'them' end);
end
$$;

-- Removes the view of a name that no table has any more. Where objects of users depend on the view they are not
-- destroyed: the view stays, without rows, until they are gone or a new table has the name.
create or replace function tidemark.retire_view(of_schema text, of_table text) returns void
language plpgsql
as $$
begin
  perform tidemark.drop_view(of_schema, of_table);
exception when dependent_objects_still_exist then
  execute (
    select format('create or replace view %I.%I as select %s where false', of_schema, of_table,
      string_agg(format('null::%s%s as %I', format_type(a.atttypid, a.atttypmod),
        case when a.attcollation <> t.typcollation then ' collate ' || a.attcollation::regcollation end, a.attname),
        ', ' order by a.attnum))
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    where a.attrelid = tidemark.own_view(of_schema, of_table)
      and a.attnum > 0
      and not a.attisdropped
  );
  update tidemark.shown_view s
  set empty_of = array[of_schema, of_table]
  where (s.schema_name, s.table_name) = (of_schema, of_table)
    and s.empty_of is null;
end
$$;

-- Frees the name of a view for another one. A view without rows that objects of users depend on is renamed and moved to
-- the schema tidemark_rows. For a view that shows a table this is an error.
create or replace function tidemark.free_view_name(of_schema text, of_table text) returns void
language plpgsql
as $$
declare
  view constant regclass := tidemark.own_view(of_schema, of_table);
  aside constant text := 'former_' || view::oid;
begin
  perform tidemark.drop_view(of_schema, of_table);
exception when dependent_objects_still_exist then
  update tidemark.shown_view s
  set schema_name = 'tidemark_rows', table_name = aside
  where (s.schema_name, s.table_name) = (of_schema, of_table)
    and s.empty_of is not null;
  if not found then
    raise;
  end if;
  execute format('alter view %s rename to %I', view, aside);
  execute format('alter view %I.%I set schema tidemark_rows', of_schema, aside);
end
$$;

-- Drops the views without rows that nothing depends on any more. A view that is in use is left to the next run.
create or replace function tidemark.drop_empty_views() returns void
language plpgsql
set lock_timeout = '200ms'
as $$
declare
  empty tidemark.shown_view;
begin
  for empty in select * from tidemark.shown_view s where s.empty_of is not null loop
    if pg_try_advisory_xact_lock(tidemark.lock_of_view(empty.schema_name, empty.table_name)) then
      begin
        perform tidemark.drop_view(empty.schema_name, empty.table_name);
      exception when dependent_objects_still_exist or lock_not_available then
        continue;
      end;
    end if;
  end loop;
end
$$;

-- The views without rows: their tables are gone in the source, and objects of users depend on them. The views are
-- dropped when these objects are.
create or replace view tidemark.empty_view as
select s.empty_of[1] as schema_name, s.empty_of[2] as table_name, s.view,
  string_agg(d.object, ' and ' order by d.place) as dependents,
  string_agg(coalesce(d.dropped_by, '-- drop ' || d.object), E'\n' order by d.place desc) as dropped_by
from tidemark.shown_view s
cross join lateral tidemark.dependents(s.view) d
where s.empty_of is not null
group by s.empty_of, s.view;
