-- Why a table cannot be captured: the list of the rules.

-- The reasons why a table cannot be captured, and for each the SQL that changes it, or a comment where that SQL would harm
-- somebody else or destroy something. No row means that the table can be captured. Each rule is a function that has its
-- explanation with it; it returns the columns that it refuses, or attnum 0.
create or replace function tidemark.table_refusals(relation oid, excluded_columns text[], administrator name)
returns table (reason text, fix text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  -- Where nothing is in the log, other reasons do not matter.
  return query select r.reason, r.fix from tidemark.refused_unlogged(relation) r;
  if found then
    return;
  end if;
  return query
  with refused (place, attnum, reason, fix) as (
    select 1, r.* from tidemark.refused_replica_identity(relation) r
    union all
    select 2, r.* from tidemark.refused_row_security(relation) r
    union all
    select 3, r.* from tidemark.refused_forced_row_security(relation, administrator) r
    union all
    select 4, r.* from tidemark.refused_owner(relation, administrator) r
    union all
    select 5, r.* from tidemark.refused_schema_access(relation, administrator) r
    union all
    select 6, r.* from tidemark.refused_columns_alike(relation) r
    union all
    select 7, r.* from tidemark.refused_column_names(relation) r
    union all
    select 8, r.* from tidemark.refused_excluded_key(relation, excluded_columns) r
    union all
    select 9, r.* from tidemark.refused_generated_key(relation, excluded_columns) r
    union all
    select 10, r.* from tidemark.refused_missing_in_target(relation, excluded_columns) r
    union all
    select 11, r.* from tidemark.refused_computed_from_other(relation, excluded_columns) r
    union all
    select 12, r.* from tidemark.refused_types(relation, excluded_columns) r
    union all
    select 13, r.* from tidemark.refused_key_types(relation, excluded_columns) r
    union all
    select 14, r.* from tidemark.refused_key_collations(relation, excluded_columns) r
    union all
    select 15, r.* from tidemark.refused_owner_writes(relation, excluded_columns) r
    union all
    -- These come last, since the statements before them use the names as they are.
    select 16, r.* from tidemark.refused_long_column_names(relation, excluded_columns) r
    union all
    select 17, r.* from tidemark.refused_table_name(relation) r
    union all
    select 18, r.* from tidemark.refused_schema_name(relation) r
  )
  -- A comment ends with its line, and a name or an expression in it may have several.
  select refused.reason, case when refused.fix like '--%' then regexp_replace(refused.fix, '[\r\n]+', ' ', 'g') else refused.fix end
  from refused
  order by refused.place, refused.attnum;
end
$$;
