-- When the rows of a relation have to be read again after DDL, because the log does not have all that changed them: its next
-- generation. Three files decide it: this one compares contracts, on_table_rewrite in ddl-triggers.sql sees rows that were
-- rewritten, and catch_up in uncaptured.sql what no event trigger reported.

-- Whether two definitions of a type differ at most by added enum labels: the text of stored values is then the same.
create or replace function tidemark.only_adds_labels(before text, after text) returns boolean
language plpgsql immutable
as $$
declare
  label constant text := '\d+ (?:"(?:[^"]|"")*"|[^",<> ]+)';
  added text;
  rest text := after;
begin
  for added in
    select m[1] from regexp_matches(after, '(' || label || ')', 'g') m
    except
    select m[1] from regexp_matches(before, '(' || label || ')', 'g') m
  loop
    rest := replace(replace(replace(rest, ', ' || added, ''), added || ', ', ''), '<' || added || '>', '<>');
  end loop;
  return rest = before;
end
$$;

-- Whether the rows of a published relation have to be read again after a change of its contract. They have to when the log has
-- no changes for what the DDL did to the rows, so that applying the log would leave the former values. DDL that rewrites rows
-- is not detected here: on_table_rewrite sees it.
create or replace function tidemark.begins_generation(before jsonb, after jsonb) returns boolean
language plpgsql immutable
as $$
begin
  if not (before ->> 'published')::boolean or (after ->> 'dropped')::boolean then
    return false;
  end if;
  return not (after ->> 'published')::boolean
    or exists (
      select
      from jsonb_to_recordset(before -> 'columns') as b (number int, name text, key int, expression text, definition text)
      full join jsonb_to_recordset(after -> 'columns') as a (number int, name text, key int, expression text, definition text)
        using (number)
      where a.key is distinct from b.key
        or b.definition <> a.definition and not tidemark.only_adds_labels(b.definition, a.definition)
        -- A renamed column changes the text of an expression, but not its value.
        or b.expression <> a.expression and not exists (
          select
          from jsonb_to_recordset(before -> 'columns') as x (number int, name text)
          join jsonb_to_recordset(after -> 'columns') as y (number int, name text) using (number)
          where x.name <> y.name
        )
    );
end
$$;

-- Whether a contract changes columns or name of a relation while a snapshot reads its rows. It would then be unknown by which of
-- the two contracts a row was read.
create or replace function tidemark.disturbs_snapshot(of_relation oid, before jsonb, after jsonb) returns boolean
language plpgsql stable
as $$
begin
  return (before -> 'columns', before -> 'schema', before -> 'table') is distinct from
      (after -> 'columns', after -> 'schema', after -> 'table')
    and exists (
      select from tidemark.captured_table t where t.relation = of_relation::bigint and t.state = 'snapshotting'
    );
end
$$;

-- Begins a generation of a published relation, whose rows are read again. Its next contract says so; in an event trigger
-- that contract is written at the end of the DDL.
create or replace function tidemark.begin_generation(of_relation oid) returns void
language plpgsql
as $$
begin
  update tidemark.captured_table t
  set generation = t.generation + 1,
      complete = false,
      state = 'pending',
      awaited = null,
      signal_id = null,
      since = now()
  where t.relation = of_relation::bigint
    and t.state <> 'refused'
    and (tidemark.latest_contract(of_relation) ->> 'published')::boolean;
end
$$;
