-- The owner of a captured table can always write to it: a table whose rows he could not update or delete gets another replica
-- identity or leaves the publication, whatever made it so.

-- Whether a table is in our publication and its owner cannot update or delete rows, by the same rule as Postgres has, or
-- only a part of it is published. To observe such a table takes it out of the publication.
create or replace function tidemark.is_unwritable(relation oid) returns boolean
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return tidemark.is_published(relation) and (
    tidemark.is_published_in_part(relation)
    or exists (
      select
      from pg_class c
      where c.oid = relation
        and case
          when c.relreplident = 'f' then
            -- This is cheaper than to look for the obstacles, and without it there are none.
            (
              exists (select from pg_publication p where p.pubname <> 'tidemark')
              or exists (select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and a.attgenerated <> '')
            )
            and exists (select from tidemark.obstacles_to_images(c.oid))
          else not exists (
            select
            from pg_index i
            where i.indrelid = c.oid
              and i.indisvalid
              and case c.relreplident
                when 'd' then i.indisprimary and i.indimmediate
                when 'i' then i.indisreplident
              end
          )
        end
    )
  );
end
$$;

-- The captured tables that are unwritable.
create or replace function tidemark.unwritable_tables() returns setof oid
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select t.relation::oid
  from tidemark.captured_table t
  where tidemark.is_unwritable(t.relation::oid);
end
$$;

-- Gives a table that stays in the publication for now a replica identity by which its owner can write, where there is
-- one. The DDL that made this necessary already holds the lock that it needs. The next run of capture-tables takes the
-- table out of the publication if it does not belong there.
create or replace function tidemark.give_writable_identity(of_relation oid) returns void
language plpgsql
as $$
declare
  needs_default constant boolean := exists (select from tidemark.obstacles_to_images(of_relation));
begin
  if not tidemark.is_unwritable(of_relation) then
    return;
  end if;
  if needs_default
    and not exists (select from tidemark.captured_table t where t.relation = of_relation::bigint and t.identity_given) then
    return;
  end if;
  execute format(
    'alter table only %s replica identity %s',
    of_relation::regclass, case when needs_default then 'default' else 'full' end
  );
  update tidemark.captured_table t
  set identity_given = not needs_default
  where t.relation = of_relation::bigint;
exception when others then
  raise debug 'tidemark: %', sqlerrm;
end
$$;

-- Raises an error, which ends the DDL, where that DDL would leave a table that its owner cannot write to and that cannot
-- be taken out of the publication now. The DDL can be run again later, while writes of the application that fail are
-- lost.
create or replace function tidemark.refuse_unwritable(touched oid[]) returns void
language plpgsql
as $$
declare
  unwritable regclass;
begin
  begin
    select t into unwritable
    from unnest(touched) as t
    where tidemark.is_unwritable(t)
    limit 1;
  exception when others then
    raise debug 'tidemark: %', sqlerrm;
  end;
  if unwritable is not null then
    raise exception 'after this DDL, rows of % could not be updated or deleted while it is captured, and another transaction prevents '
      'its removal from publication tidemark', unwritable
      using errcode = 'lock_not_available',
        hint = 'Run the DDL again when that transaction has ended; select * from pg_locks where classid = ''pg_publication''::regclass '
          'shows its session.';
  end if;
end
$$;

-- Gives a table with a key back the replica identity that it had before it was captured, where the one that capture gave
-- it keeps its owner from writing because of another publication. If the lock is not available, the next run of
-- capture-tables tries again.
create or replace function tidemark.give_identity_back(of_relation oid) returns void
language plpgsql
as $$
begin
  if exists (select from tidemark.captured_table t where t.relation = of_relation::bigint and t.identity_given)
    and exists (select from tidemark.key_columns(of_relation))
    and exists (select from tidemark.obstacles_to_images(of_relation)) then
    execute format('alter table only %s replica identity default', of_relation::regclass);
    update tidemark.captured_table t
    set identity_given = false
    where t.relation = of_relation::bigint;
  end if;
exception when others then
  raise debug 'tidemark: %', sqlerrm;
end
$$;
