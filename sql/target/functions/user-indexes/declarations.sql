-- What users say: an index is declared, or is not needed any more.

-- Declares an index on a table, or on the tables below a parent, by what follows the name of the table in create index. The
-- definition is compared with the columns first. Returns the number of the index; a repetition changes nothing.
create or replace function tidemark.declare_index(of_table text, definition text, named text default null) returns bigint
language plpgsql security definer
as $$
declare
  target record;
  fitted record;
  shown_as text;
  place integer := 0;
  known tidemark.user_index;
begin
  named := nullif(named, '');
  -- No generation begins that does not see the index.
  perform pg_advisory_xact_lock(hashtextextended('tidemark.user_index', 0));
  for target in select * from tidemark.indexable_tables() t where t.schema_name || '.' || t.table_name = of_table loop
    select * into fitted from tidemark.fit_definition(target.contract, declare_index.definition);
    shown_as := coalesce(shown_as, tidemark.named_definition(target.contract, fitted.keys, fitted.predicate));
  end loop;
  if shown_as is null then
    raise exception 'no captured table is called %', of_table
      using errcode = 'undefined_table', hint = 'Write it with its schema, as in public.orders.';
  end if;
  -- Without a name it gets the one that Postgres would give it, as the first of this name that is free or the same index.
  loop
    known := null;
    select * into known
    from tidemark.user_index u
    where (u.schema_name, u.table_name) = (target.schema_name, target.table_name)
      and u.index_name = coalesce(named, fitted.usual_name || nullif(place, 0), fitted.usual_name);
    exit when known.id is null or known.definition = shown_as;
    if named is not null then
      raise exception '%.% has an index % already: %', target.schema_name, target.table_name, named, known.definition
        using errcode = 'duplicate_object', hint = 'Remove it first, or give the new one another name.';
    end if;
    place := place + 1;
  end loop;
  if known.id is null then
    insert into tidemark.user_index (schema_name, table_name, index_name, definition)
    values (target.schema_name, target.table_name,
      coalesce(named, fitted.usual_name || nullif(place, 0), fitted.usual_name), shown_as)
    returning * into known;
    perform tidemark.fit_index(known.id, t.contract)
    from tidemark.indexable_tables() t
    where (t.schema_name, t.table_name) = (known.schema_name, known.table_name);
  end if;
  return known.id;
end
$$;

-- Forgets a declared index. What was made of it is dropped by the command, or by maintenance.
create or replace function tidemark.forget_index(of_table text, named text) returns void
language plpgsql security definer
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('tidemark.user_index', 0));
  delete from tidemark.user_index u where u.schema_name || '.' || u.table_name = of_table and u.index_name = named;
  if not found then
    raise exception '% has no declared index %', of_table, named
      using errcode = 'undefined_object',
        hint = coalesce('It has ' || (
          select string_agg(u.index_name, ', ' order by u.index_name)
          from tidemark.user_index u
          where u.schema_name || '.' || u.table_name = of_table
        ) || '.', 'It has none.');
  end if;
end
$$;
