-- What the catalog says of a relation, as a contract says it (core/contract.ts).

-- The columns of a relation's primary key, by place. There are none where the key is deferrable: its rows are then
-- captured as rows without a key.
create or replace function tidemark.key_columns(relation oid) returns table (attnum int2, place bigint)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select k.attnum, k.place
  from pg_index i
  cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
  where i.indrelid = relation
    and i.indisprimary
    and i.indimmediate
    and k.place <= i.indnkeyatts;
end
$$;

-- Whether the relation needs replica identity full and does not have it.
create or replace function tidemark.lacks_images(relation oid) returns boolean
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return exists (
    select
    from pg_class c
    where c.oid = relation
      and c.relreplident <> 'f'
      and tidemark.need_of_images(relation, tidemark.excluded_columns(relation)) is not null
  );
end
$$;

-- Why a relation cannot be captured, because of what it is itself and because of the setting.
create or replace function tidemark.refusals(relation oid) returns table (reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select r.reason, r.fix
  from tidemark.table_refusals(relation, tidemark.excluded_columns(relation), current_user) r
  union all
  -- The connector knows the names in the setting, but not which table inherits from which.
  select format('it is captured as part of %s, and its own name is not among the captured tables', parent.name),
    case s.captured -> 'includeTables'
      when '[]' then format('-- add ''%s'' to schemas of the setting captured', self.schema_name)
      else format('-- add ''%s'' to includeTables of the setting captured', self.name)
    end
  from tidemark.setting s
  join tidemark.chosen_by(relation) self on self.own
  cross join lateral (
    select string_agg(b.name, ' and ') as name
    from tidemark.chosen_by(relation) b
    where not b.own
  ) as parent
  where not case s.captured -> 'includeTables'
    when '[]' then s.captured -> 'schemas' ? self.schema_name
    else s.captured -> 'includeTables' ? self.name
  end;
end
$$;

-- The captured columns of a relation, in attribute order, as core/contract.ts describes them.
create or replace function tidemark.describe_columns(relation oid) returns jsonb
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
declare
  excluded text[] := tidemark.excluded_columns(relation);
begin
  return (
    with type as materialized (
      select a.atttypid, a.atttypmod, c.carried, c.wire, c.definition
      from (
        select distinct a.atttypid, a.atttypmod
        from pg_attribute a
        where a.attrelid = relation
          and a.attnum > 0
          and not a.attisdropped
      ) as a
      cross join lateral tidemark.column_type(a.atttypid, a.atttypmod) c
    )
    select coalesce(jsonb_agg(
      jsonb_build_object(
        'number', a.attnum,
        'name', a.attname,
        'type', format_type(a.atttypid, a.atttypmod),
        'carried', type.carried,
        'wire', type.wire,
        'nullable', not a.attnotnull,
        'generated', a.attgenerated <> '',
        'expression', case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end,
        'key', k.place,
        'missing', case when a.atthasmissing then tidemark.only_element(a.attmissingval::text) end,
        'definition', type.definition
      )
      order by a.attnum), '[]')
    from pg_attribute a
    join type on type.atttypid = a.atttypid and type.atttypmod = a.atttypmod
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    left join tidemark.key_columns(relation) k on k.attnum = a.attnum
    where a.attrelid = relation
      and a.attnum > 0
      and not a.attisdropped
      and a.attname <> all (excluded)
  );
end
$$;

-- The element, as text, of an array with one element.
create or replace function tidemark.only_element(array_text text) returns text
language sql immutable
as $$
  select case
    -- Elements of type box are separated by semicolons, so that their commas are not quoted.
    when array_text like '{(%' then substr(array_text, 2, length(array_text) - 2)
    else (array_text::text[])[1]
  end
$$;

-- The contract of a relation as the catalog has it now, without its version; null when the relation does not exist.
create or replace function tidemark.describe_table(relation oid) returns jsonb
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return (
    select jsonb_build_object(
      'relation', c.oid::bigint,
      'schema', n.nspname,
      'table', c.relname,
      'dropped', false,
      'published', tidemark.is_published(c.oid),
      'refusal', case
        when tidemark.is_chosen(c.oid) then (select string_agg(r.reason, '; ' order by r.reason) from tidemark.refusals(c.oid) r)
        else 'it is not among the captured tables'
      end,
      'generation', coalesce(
        t.generation, (tidemark.latest_contract(c.oid) ->> 'generation')::integer,
        (select s.first_generation from tidemark.setting s)
      ),
      'complete', coalesce(t.complete, false) and tidemark.is_published(c.oid),
      'topicPartitions', (select s.topic_partitions from tidemark.setting s),
      'replicaIdentity', case c.relreplident
        when 'd' then 'default'
        when 'f' then 'full'
        when 'i' then 'index'
        else 'nothing'
      end,
      'parents', (
        select coalesce(jsonb_agg(jsonb_build_object('schema', a.schema_name, 'table', a.table_name)), '[]')
        from tidemark.ancestors(c.oid) a
      ),
      'columns', tidemark.describe_columns(c.oid)
    )
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    left join tidemark.captured_table t on t.relation = c.oid
    where c.oid = describe_table.relation
      and c.relkind = 'r'
      and c.relpersistence <> 't'
  );
end
$$;
