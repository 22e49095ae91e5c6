-- How the values of a column travel: the one place that knows which types are carried exactly. It reads the catalog
-- only, so that the preflight can create it in pg_temp.
--
-- carried      the type the target stores: of a domain its base type, of an enum or a composite text, else the type
--              itself; types of extensions without a schema
-- wire         value, or text where Debezium does not know the type and sends Postgres's text
-- definition   changes with the make-up of a user-defined type; null where there is none
-- full_images  an update that leaves a TOASTed value as it is says nothing about it: unless the column's storage is
--              plain (attstorage = 'p'), the table needs replica identity full
-- refusal, fix why the type is not carried, and what to do as a format string: %1$s is the table, %2$I the column
-- key_refusal  why it is not carried in a key, though it is elsewhere
create or replace function tidemark.column_type(type oid, typmod integer)
returns table (
  carried text, wire text, definition text, full_images boolean, refusal text, fix text, key_refusal text
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  base pg_type;
  base_modifier integer := typmod;
  element record;
begin
  select * into base from pg_type t where t.oid = type;
  while base.typtype = 'd' loop
    -- A domain's modifier is that of its base type: column definitions cannot give another.
    base_modifier := base.typtypmod;
    select * into base from pg_type t where t.oid = base.typbasetype;
  end loop;

  wire := 'value';
  full_images := false;
  fix := 'alter table %1$s alter column %2$I type text using %2$I::text';

  if exists (select from pg_type e where e.oid = base.typelem and e.typarray = base.oid) then
    select c.carried, c.definition into element from tidemark.column_type(base.typelem, base_modifier) c;
    carried := element.carried || '[]';
    definition := element.definition;
    refusal := 'arrays are not carried exactly yet';
  elsif base.typtype = 'e' then
    carried := 'text';
    definition := (
      select string_agg(format('%s %s', e.oid, quote_ident(e.enumlabel)), ', ' order by e.enumsortorder)
      from pg_enum e
      where e.enumtypid = base.oid
    );
    refusal := 'enums are not carried exactly yet';
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
    refusal := 'composites are not carried exactly yet';
  else
    carried := format_type(base.oid, base_modifier);
    if base.typnamespace <> 'pg_catalog'::regnamespace or base.typname <> all (array[
      'int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'text', 'varchar', 'bpchar', 'bool', 'date', 'timestamp',
      'timestamptz', 'uuid', 'json', 'jsonb', 'bytea'
    ]) then
      refusal := 'not carried exactly yet';
    elsif base.typname <> all (array[
      'int2', 'int4', 'int8', 'numeric', 'text', 'varchar', 'bpchar', 'bool', 'date', 'timestamp', 'timestamptz', 'uuid'
    ]) then
      key_refusal := 'equal keys may be written differently';
    end if;
  end if;
  if refusal is null then
    fix := null;
  end if;
  return next;
end
$$;
