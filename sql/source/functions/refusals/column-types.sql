-- Which types are carried exactly, and how their values travel. This is the only place that knows it; docs/types.md lists what
-- follows from it, and docs/decisions/005 says what was found about each type. Like each file of this folder it reads nothing
-- but the catalog, so that the preflight can create it in pg_temp.

-- How the values of a column of a type travel:
-- carried      the type that the target stores: the base type of a domain; text for an enum, a composite and a type that the
--              target cannot be expected to have; otherwise the type itself, without its schema if it is of an extension
-- wire         value, or text where Debezium does not know the type and sends Postgres's text
-- definition   the make-up of a user-defined type, which changes with it; null where there is none
-- full_images  where an update leaves a TOASTed value unchanged, Debezium sends null for it or fails. So the table is captured
--              with replica identity full, unless the storage of the column is plain (attstorage = 'p')
-- refusal, fix why the type is not carried, and what to do as a format string: %1$s is the table, %2$I the column
-- key_refusal  why it is not carried in a key, though it is elsewhere
-- checks       the type is carried in spite of the refusal in a table that has a check constraint on each of these expressions
create or replace function tidemark.column_type(type oid, typmod integer)
returns table (
  carried text, wire text, definition text, full_images boolean, refusal text, fix text, key_refusal text, checks text[]
)
language plpgsql stable
as $$
declare
  base pg_type;
  base_modifier integer := typmod;
  extension text;
  element record;
begin
  select * into base from pg_type t where t.oid = type;
  while base.typtype = 'd' loop
    -- The modifier of a domain is that of its base type: the definition of a column cannot give another one.
    base_modifier := base.typtypmod;
    select * into base from pg_type t where t.oid = base.typbasetype;
  end loop;
  select e.extname into extension
  from pg_depend d
  join pg_extension e on e.oid = d.refobjid
  where d.classid = 'pg_type'::regclass
    and d.objid = base.oid
    and d.refclassid = 'pg_extension'::regclass
    and d.deptype = 'e';

  wire := 'value';
  full_images := false;
  carried := format_type(base.oid, base_modifier);

  if exists (select from pg_type e where e.oid = base.typelem and e.typarray = base.oid) then
    select c.*, e.typtype, e.typname into element
    from tidemark.column_type(base.typelem, base_modifier) c
    join pg_type e on e.oid = base.typelem;
    carried := element.carried || '[]';
    definition := element.definition;
    -- For a TOASTed array of these types that an update leaves unchanged, Debezium sends something else.
    full_images := element.carried !~ '^(integer|bigint|text|character varying|character|uuid|jsonb?|bytea|date)\M'
      or element.typtype = 'e';
    key_refusal := case
      when element.key_refusal is not null or element.carried ~ '^(numeric|real|double|character(\(|$)|citext|hstore|jsonb|numrange)'
        then 'equal keys may be written differently'
      when element.carried = 'json' then 'Postgres does not compare its values'
    end;
    if element.typtype = 'd' then
      refusal := 'Debezium sends null for an array of a domain';
    elsif element.typtype <> 'e' and element.carried !~ (
      '^("char"|smallint|integer|bigint|numeric|real|double precision|boolean|text|character varying|character|citext'
      || '|uuid|jsonb?|bytea|date|time\M.* without time zone|timestamp\M.* without time zone|inet|cidr|macaddr8?|oid'
      || '|int4range|int8range|numrange|daterange|tsrange|tstzrange|hstore)(\(|$| )')
      or element.wire = 'text' then
      refusal := 'Debezium sends null or nothing for such an array';
    else
      refusal := 'an array with other lower bounds or dimensions arrives as another array';
      checks := array['((array_ndims(%1$I) = 1) AND (array_lower(%1$I, 1) = 1))'] || case
        when element.typtype = 'e' then
          array[format('(array_position(%%1$I, NULL::%s) IS NULL)', format_type(base.typelem, -1))]
        when element.carried = 'numeric' then
          array['(''NaN''::numeric <> ALL (%1$I))', '(''Infinity''::numeric <> ALL (%1$I))', '(''-Infinity''::numeric <> ALL (%1$I))']
        when element.carried like 'numeric%' then array['(''NaN''::numeric <> ALL (%1$I))']
        when element.carried = 'date' then array['(''1582-10-15''::date <= ALL (%1$I))']
        when element.carried like 'timestamp%' then
          array['(''1582-10-15 00:00:00''::timestamp without time zone <= ALL (%1$I))']
        when element.carried like 'time%' then array['(''24:00:00''::time without time zone <> ALL (%1$I))']
      end;
    end if;
  elsif base.typtype = 'e' then
    carried := 'text';
    definition := (
      select string_agg(format('%s %s', e.oid, quote_ident(e.enumlabel)), ', ' order by e.enumsortorder)
      from pg_enum e
      where e.enumtypid = base.oid
    );
  elsif base.typtype = 'c' then
    carried := 'text';
    wire := 'text';
    definition := (
      select string_agg(
        concat_ws(' ', a.attnum, quote_ident(a.attname), format_type(a.atttypid, a.atttypmod), '<' || c.definition || '>'),
        ', ' order by a.attnum)
      from pg_attribute a
      cross join tidemark.column_type(a.atttypid, a.atttypmod) c
      where a.attrelid = base.typrelid
        and a.attnum > 0
        and not a.attisdropped
    );
    key_refusal := 'equal keys may be written differently';
  elsif base.typnamespace = 'pg_catalog'::regnamespace then
    case
      when base.typname = any (array[
        'bool', 'int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'money', 'text', 'varchar', 'bpchar', 'char', 'name',
        'uuid', 'json', 'jsonb', 'xml', 'tsvector', 'date', 'time', 'timestamp', 'timestamptz', 'bytea', 'inet', 'cidr',
        'macaddr', 'macaddr8', 'oid', 'int4range', 'int8range', 'numrange', 'daterange', 'tsrange', 'tstzrange', 'point',
        'line', 'lseg', 'box', 'circle'
      ]) then
        null;
      when base.typname = any (array[
        'tsquery', 'jsonpath', 'xid', 'xid8', 'cid', 'tid', 'pg_lsn', 'pg_snapshot', 'txid_snapshot', 'int4multirange',
        'int8multirange', 'nummultirange', 'datemultirange', 'tsmultirange', 'tstzmultirange'
      ]) then
        wire := 'text';
      when base.typname in ('path', 'polygon') then
        full_images := true;
      when base.typname = 'bit' then
        -- A value of at most 24 bytes is never TOASTed.
        full_images := base_modifier > 128;
      when base.typname = 'aclitem' then
        carried := 'text';
        wire := 'text';
      when base.typname = 'varbit' then
        refusal := 'its values arrive without their length';
      when base.typname = 'interval' then
        refusal := 'infinity arrives as 0, and 2147483648 hours or more end the connector';
        checks := array['isfinite(%1$I)', '(abs(EXTRACT(hour FROM %1$I)) < (2147483647)::numeric)'];
      when base.typname = 'timetz' then
        refusal := 'its values arrive without their time zone';
        checks := array['(EXTRACT(timezone FROM %1$I) = (0)::numeric)'];
      when base.typname like 'reg%' then
        refusal := 'what its values mean depends on the database';
      else
        refusal := 'Debezium does not send its values';
    end case;
    if base.typname in ('tsvector', 'tsquery') then
      key_refusal := 'it is not carried in keys';
    end if;
  elsif extension in ('hstore', 'citext') or extension = 'ltree' and base.typname = 'ltree' then
    carried := quote_ident(base.typname);
    -- Which texts are equal depends on the language of the database, and in these languages that differs even for letters
    -- without accents. The column with a language of ICU is daticulocale in Postgres 15 and 16 and datlocale since 17. It is
    -- read from JSON, since a column that a major does not have would be an error.
    if extension = 'citext' and exists (
      select
      from pg_database b
      cross join to_jsonb(b) as d
      where b.datname = current_database()
        and concat(b.datctype, ' ', d ->> 'daticulocale', ' ', d ->> 'datlocale') ~ '(^|\W)(tr|az|lt)'
    ) then
      key_refusal := 'equal keys may be written differently';
    end if;
  elsif extension = 'isn' and base.typname = 'isbn' then
    carried := 'text';
    key_refusal := 'equal keys may be written differently';
  elsif base.typname in ('geometry', 'geography', 'vector', 'halfvec', 'sparsevec') then
    refusal := 'not carried exactly yet';
  else
    carried := 'text';
    wire := 'text';
    key_refusal := 'equal keys may be written differently';
  end if;

  fix := case
    when refusal is null then null
    when checks is null then 'alter table %1$s alter column %2$I type text using %2$I::text'
    else 'alter table %1$s ' || (
      select string_agg('add check (' || replace(c.expression, '%1$I', '%2$I') || ')', ', ' order by c.place)
      from unnest(checks) with ordinality as c (expression, place)
    )
  end;
  return next;
end
$$;

-- Why a column of a table cannot be carried, and the SQL that changes it. No row means that it can.
create or replace function tidemark.column_type_refusal(relation oid, attribute smallint)
returns table (refusal text, fix text)
language plpgsql stable
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
  this record;
begin
  select c.*, a.attname, a.atttypid as base, format('%I.%I', n.nspname, r.relname) as name
  into this
  from pg_attribute a
  join pg_class r on r.oid = a.attrelid
  join pg_namespace n on n.oid = r.relnamespace
  cross join tidemark.column_type(a.atttypid, a.atttypmod) c
  where a.attrelid = relation
    and a.attnum = attribute;
  while (select t.typtype from pg_type t where t.oid = this.base) = 'd' loop
    this.base := (select t.typbasetype from pg_type t where t.oid = this.base);
  end loop;

  if this.refusal is not null and not coalesce(
    (
      select bool_and(exists (
        select
        from pg_constraint k
        where k.conrelid = relation
          and k.contype = 'c'
          and k.convalidated
          -- Postgres shows a column of a domain with a cast.
          and replace(
            pg_get_constraintdef(k.oid),
            format('(%I)::%s', this.attname, format_type(this.base, null)),
            quote_ident(this.attname)
          ) = format('CHECK (%s)', format(c.expression, this.attname))
      ))
      from unnest(this.checks) as c (expression)
    ),
    false
  ) then
    refusal := this.refusal;
    fix := format(this.fix, this.name, this.attname);
    return next;
  end if;
end
$$;
