-- Why a table cannot be captured, and the SQL that changes it.

-- What to do about a generated column that the target could not compute. To drop the expression is for its owner to decide,
-- and Postgres 18 does not do it for a virtual column.
create or replace function tidemark.advice_on_generated(relation oid, attribute smallint, kind "char") returns text
language sql stable
as $$
  select format('-- add ''%s.%s.%s'' to excludeColumns of the setting captured', n.nspname, c.relname, a.attname)
    || case when kind = 's' then format('; after alter table %I.%I alter column %I drop expression nothing computes the column, '
      'and who inserts rows has to', n.nspname, c.relname, a.attname)
    else '' end
  from pg_attribute a
  join pg_class c on c.oid = a.attrelid
  join pg_namespace n on n.oid = c.relnamespace
  where a.attrelid = relation
    and a.attnum = attribute
$$;

-- Why a table cannot be captured, and the SQL that changes it, or a comment where that would harm somebody else or take
-- something along; no row means that it can be. What each type needs is
-- decided by column_type. It reads the catalog only, so that the preflight can create it in pg_temp.
create or replace function tidemark.table_refusals(relation oid, excluded_columns text[], administrator name)
returns table (reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  with this as (
    select c.oid, c.relpersistence, c.relreplident, c.relrowsecurity, c.relforcerowsecurity, c.relowner, n.nspname, c.relname,
      format('%I.%I', n.nspname, c.relname) as name
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.oid = relation
  ),
  -- Without a primary key rows are told apart by all their values.
  key as (
    select k.attnum, k.place
    from pg_index i
    cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
    where i.indrelid = relation
      and i.indisprimary
      and i.indimmediate
      and k.place <= i.indnkeyatts
  ),
  -- A table of a thousand columns has few types.
  type as materialized (
    select distinct a.atttypid, a.atttypmod, c.carried, c.refusal, c.key_refusal
    from (
      select distinct a.atttypid, a.atttypmod
      from pg_attribute a
      where a.attrelid = relation
        and a.attnum > 0
        and not a.attisdropped
    ) as a
    cross join lateral tidemark.column_type(a.atttypid, a.atttypmod) c
  ),
  attribute as (
    select a.attname, a.attnum, a.attgenerated, a.attcollation, key.place, a.attname = any (excluded_columns) as excluded,
      format_type(a.atttypid, a.atttypmod) as type, type.carried, type.refusal, type.key_refusal,
      d.oid as expression
    from pg_attribute a
    join type on type.atttypid = a.atttypid and type.atttypmod = a.atttypmod
    left join key on key.attnum = a.attnum
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum and a.attgenerated <> ''
    where a.attrelid = relation
      and a.attnum > 0
      and not a.attisdropped
  ),
  -- What generated columns are computed with: Postgres 14 notes it about the column, later ones about its expression.
  computed_with as (
    select a.attnum, d.refclassid, d.refobjid, d.refobjsubid
    from attribute a
    join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = a.expression
      or d.classid = 'pg_class'::regclass and d.objid = relation and d.objsubid = a.attnum and d.deptype = 'a'
    where a.expression is not null
  ),
  kind (reason, fix) as (
    select 'it is unlogged: its changes are not in the log', format('alter table %s set logged', this.name)
    from this
    where this.relpersistence = 'u'
  ),
  detail (rank, attnum, reason, fix) as (
    select 1, 0, format('its replica identity is %s', case this.relreplident when 'i' then 'an index other than its primary key' else 'nothing' end),
      case
        when this.relreplident = 'i' and others.publications is not null then format(
          '-- exclude the table, or let subscribers of %s get rows by their primary key: alter table %s replica identity default',
          others.publications, this.name)
        else format('alter table %s replica identity default', this.name)
      end
    from this
    cross join lateral (
      select string_agg(format('%I', p.publication), ', ' order by p.publication) as publications
      from tidemark.publications_of(relation) p
      where p.publication <> 'tidemark'
    ) as others
    where this.relreplident in ('i', 'n')
      and exists (select from key)
      and not exists (
        select
        from pg_index i
        where i.indrelid = this.oid
          and i.indisreplident
          and i.indisprimary
      )
    union all
    select 2, 0, 'row-level security hides rows from tidemark_capture',
      case
        -- A restrictive policy takes rows away that another one gives.
        when policies.restrict then 'alter role tidemark_capture bypassrls'
        else format('create policy tidemark_capture on %s for select to tidemark_capture using (true)', this.name)
      end
    from this
    cross join lateral (
      select
        coalesce(bool_or(p.permissive = 'PERMISSIVE' and p.qual = 'true'), false) as show_all,
        coalesce(bool_or(p.permissive = 'RESTRICTIVE'), false) as restrict
      from pg_policies p
      where p.schemaname = this.nspname
        and p.tablename = this.relname
        and p.cmd in ('SELECT', 'ALL')
        and p.roles && array['tidemark_capture', 'public']::name[]
    ) as policies
    where this.relrowsecurity
      and (not policies.show_all or policies.restrict)
      and not exists (
        select from pg_roles r where r.rolname = 'tidemark_capture' and (r.rolbypassrls or r.rolsuper)
      )
    union all
    -- Whether a table holds rows that have to be read is asked as the administrator.
    select 2, 1, format('row-level security, which is forced on its owner, hides rows from %I', administrator),
      -- Taking the force away would show every row to an application that connects as the owner.
      format('alter role %I bypassrls', administrator)
    from this
    join pg_roles a on a.rolname = administrator and not a.rolbypassrls and not a.rolsuper
    where this.relrowsecurity
      and this.relforcerowsecurity
    union all
    select 3, 0, format('it is owned by %I, whose rights %I does not have', o.rolname, administrator),
      format('grant %I to %I', o.rolname, administrator)
    from this
    join pg_roles o on o.oid = this.relowner
    where not pg_has_role(administrator, this.relowner, 'usage')
    union all
    select 4, 0, format('%I may not let tidemark_capture into its schema', administrator),
      format('grant usage on schema %I to %I with grant option', this.nspname, administrator)
    from this
    join pg_namespace n on n.nspname = this.nspname
    where not has_schema_privilege(administrator, n.oid, 'usage with grant option')
      and not exists (
        select
        from aclexplode(n.nspacl) acl
        where acl.privilege_type = 'USAGE'
          and acl.grantee in (0, coalesce(to_regrole('tidemark_capture')::oid, 0))
      )
    union all
    -- Debezium fails on two columns that differ only in case.
    select 5, min(a.attnum), format('its columns %s differ only in case', string_agg(format('%I', a.attname), ' and ' order by a.attnum)),
      format('alter table %s rename column %I to %I', this.name, max(a.attname), max(a.attname) || '_2')
    from this
    cross join attribute a
    group by this.name, lower(a.attname)
    having count(*) > 1
    union all
    select 6, a.attnum, format('the name of its column %I is reserved or holds a quote', a.attname),
      format('alter table %s rename column %I to %I', this.name, a.attname, regexp_replace(a.attname, '["\\]|^tidemark\$', '_', 'g'))
    from this
    cross join attribute a
    where a.attname ~ '["\\]'
      or a.attname like 'tidemark$%'
    union all
    select 7, a.attnum, format('column %I of its primary key is excluded', a.attname),
      format('-- take ''%s.%s.%s'' out of excludeColumns of the setting captured', this.nspname, this.relname, a.attname)
    from this
    cross join attribute a
    where a.excluded
      and a.place is not null
    union all
    -- Streamed changes lack generated columns before Postgres 18: the target computes them again.
    select 8, a.attnum, format('column %I of its primary key is generated', a.attname),
      format('-- give the table another primary key, or exclude it; after alter table %s alter column %I drop expression '
        'nothing computes the column, and who inserts rows has to', this.name, a.attname)
    from this
    cross join attribute a
    where a.attgenerated <> ''
      and a.place is not null
    union all
    select 9, a.attnum, format('generated column %I uses %s, which the target does not have', a.attname,
        string_agg(pg_describe_object(d.refclassid, d.refobjid, 0), ' and ')),
      tidemark.advice_on_generated(this.oid, a.attnum, a.attgenerated)
    from this
    cross join attribute a
    join computed_with d on d.attnum = a.attnum
    where not a.excluded
      and d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass, 'pg_collation'::regclass)
      and not exists (
        select
        from pg_depend e
        where e.classid = d.refclassid
          and e.objid = d.refobjid
          and e.deptype = 'e'
      )
      and coalesce(
        (select p.pronamespace from pg_proc p where d.refclassid = 'pg_proc'::regclass and p.oid = d.refobjid),
        (select o.oprnamespace from pg_operator o where d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid),
        (select t.typnamespace from pg_type t where d.refclassid = 'pg_type'::regclass and t.oid = d.refobjid),
        (select l.collnamespace from pg_collation l where d.refclassid = 'pg_collation'::regclass and l.oid = d.refobjid)
      ) <> 'pg_catalog'::regnamespace
    group by this.oid, a.attname, a.attnum, a.attgenerated
    union all
    select 10, a.attnum, format('generated column %I is computed from column %I, which %s', a.attname, u.attname,
        case when u.excluded then 'is excluded' else 'the target stores as ' || u.carried end),
      tidemark.advice_on_generated(this.oid, a.attnum, a.attgenerated)
    from this
    cross join attribute a
    join computed_with d on d.attnum = a.attnum
      and d.refclassid = 'pg_class'::regclass and d.refobjid = this.oid and d.refobjsubid <> a.attnum
    join attribute u on u.attnum = d.refobjsubid
    where not a.excluded
      and (u.excluded or u.carried in ('text', 'text[]') and u.type not in ('text', 'text[]'))
    union all
    select 11, a.attnum, format('type %s of column %I: %s', a.type, a.attname, r.refusal), r.fix
    from this
    cross join attribute a
    cross join lateral tidemark.column_type_refusal(relation, a.attnum) r
    where not a.excluded
      -- What generated columns hold is not taken from Debezium. It reads them all the same, and an interval may end it.
      and (a.attgenerated = '' or a.carried like 'interval%')
      and a.refusal is not null
    union all
    select 12, a.attnum, format('type %s of key column %I: %s', a.type, a.attname, a.key_refusal),
      format('-- exclude the table, or give %s another primary key', this.name)
    from this
    cross join attribute a
    where a.place is not null
      and a.key_refusal is not null
    union all
    select 13, a.attnum, format('the collation of key column %I is not deterministic', a.attname),
      format('alter table %s alter column %I type %s collate "C"', this.name, a.attname, a.type)
    from this
    cross join attribute a
    join pg_collation l on l.oid = a.attcollation and not l.collisdeterministic
    where a.place is not null
    union all
    select 13, o.attnum, format('its owner could not update or delete its rows: %s, and %s', coalesce(n.need, 'its replica identity is full'), o.obstacle),
      case
        when n.need is null then format('alter table %s replica identity default', this.name)
        else coalesce(o.fix, format('-- %s, or exclude the table; %s',
          case
            when exists (select from key) then 'exclude the columns of these types with excludeColumns of the setting captured'
            else 'add a primary key'
          end, o.price))
      end
    from this
    cross join lateral tidemark.obstacles_to_images(relation) o
    cross join lateral tidemark.need_of_images(relation, excluded_columns) n (need)
    where n.need is not null
      or this.relreplident = 'f'
    union all
    -- The target has names of 63 bytes at most, and its encoding is UTF-8.
    select long.rank, long.attnum, long.what || ' has more than 63 bytes in UTF-8: the target would cut it off', long.fix
    from this
    cross join lateral (
      select 13 as rank, a.attnum, format('the name of its column %I', a.attname) as what, a.attname as name,
        format('alter table %s rename column %I to %I', this.name, a.attname, left(a.attname, 15)) as fix
      from attribute a
      where not a.excluded
      union all
      select 14, 1, 'its name', this.relname, format('alter table %s rename to %I', this.name, left(this.relname, 15))
      union all
      select 15, 1, 'the name of its schema', this.nspname, format('alter schema %I rename to %I', this.nspname, left(this.nspname, 15))
    ) as long
    where case
        when getdatabaseencoding() in ('UTF8', 'SQL_ASCII') then false
        else octet_length(convert_to(long.name::text, 'UTF8')) > 63
      end
    union all
    -- Debezium takes names for patterns, and fails on a quote, and with it every table. These come last: the statements
    -- before them use the names as they are.
    select 14, 0, 'its name holds a quote, a backslash, a bracket or one of *+?|^',
      format('alter table %s rename to %I', this.name, regexp_replace(this.relname, '["\\()[\]{}*+?|^]', '_', 'g'))
    from this
    where this.relname ~ '["\\()[\]{}*+?|^]'
    union all
    select 15, 0, 'the name of its schema holds a quote, a backslash, a bracket or one of *+?|^',
      format('alter schema %I rename to %I', this.nspname, regexp_replace(this.nspname, '["\\()[\]{}*+?|^]', '_', 'g'))
    from this
    where this.nspname ~ '["\\()[\]{}*+?|^]'
  )
  -- A comment ends with its line, whatever a name or an expression in it holds.
  select reasons.reason, case when reasons.fix like '--%' then regexp_replace(reasons.fix, '[\r\n]+', ' ', 'g') else reasons.fix end
  from (
    select 0 as rank, 0 as attnum, kind.reason, kind.fix
    from kind
    union all
    select detail.rank, detail.attnum, detail.reason, detail.fix
    from detail
    where not exists (select from kind)
  ) as reasons
  order by reasons.rank, reasons.attnum;
end
$$;
