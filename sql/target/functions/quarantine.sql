-- The records in quarantine: which there are, discarding them, and applying them again.

-- The records in quarantine that a word names: one by its place (changes-2@17), those of a table (public.orders), or
-- all. A stopped table may have been renamed, so its records are also found by the name that its stop has. The function is
-- inlined, so that asking for a few of them does not read all of them.
create or replace function tidemark.kept(what text) returns setof tidemark.quarantine
language sql stable
begin atomic
  select *
  from tidemark.quarantine q
  where what in ('all', q.table_name, format('%s-%s@%s', q.topic, q.topic_partition, q.record_offset))
    or q.relation = any (array(
      select s.relation
      from tidemark.stopped_table s
      where s.relation <> 0
        and s.schema_name || '.' || s.table_name = what
    ))
  order by q.topic, q.topic_partition, q.record_offset;
end;

-- Raises an error where the word names no record in quarantine.
create or replace function tidemark.require_kept(what text) returns void
language plpgsql stable
as $$
begin
  if not exists (select from tidemark.kept(what)) then
    raise exception 'no record in quarantine matches %', what
      using hint = 'npm run quarantine -- list shows the records; name one by its place, such as changes-2@17';
  end if;
end
$$;

-- Whether the records of a relation in quarantine are part of its rows: it has a contract, and is not known to be
-- dropped.
create or replace function tidemark.is_owed(of_relation bigint) returns boolean
language sql stable
as $$
  select exists (select from tidemark.contract c where c.relation = of_relation)
    and not exists (select from tidemark.table_marker m where m.relation = of_relation and m.dropped_at is not null)
$$;

-- Deletes records from quarantine, and returns how many. Those of a captured table are part of its rows and are not
-- deleted: they are removed when its rows are read again, or applied.
create or replace function tidemark.discard(what text) returns bigint
language plpgsql security definer
as $$
declare
  owed text;
  forgotten bigint;
begin
  perform tidemark.require_kept(what);
  select min(q.table_name) into owed from tidemark.kept(what) q where tidemark.is_owed(q.relation);
  if owed is not null and what <> 'all' then
    raise exception 'quarantined changes of % cannot be discarded: its rows would lack them', owed
      using hint = format('npm run resync -- %s reads its rows again and then deletes its quarantined changes', owed);
  end if;
  with gone as (
    delete from tidemark.quarantine q
    using tidemark.kept(what) k
    where (q.topic, q.topic_partition, q.record_offset) = (k.topic, k.topic_partition, k.record_offset)
      and not tidemark.is_owed(q.relation)
    returning q.relation, q.table_name
  ),
  released as (
    delete from tidemark.stopped_table s
    using gone g
    where s.relation = g.relation
      and (s.relation <> 0 or s.schema_name || '.' || s.table_name = g.table_name)
      -- The table stays stopped while records of it remain: these would otherwise be applied after later ones.
      and not exists (
        select from tidemark.quarantine q
        where q.relation = g.relation
          and (q.relation <> 0 or q.table_name = g.table_name)
          and (q.topic, q.topic_partition, q.record_offset) not in (
            select k.topic, k.topic_partition, k.record_offset from tidemark.kept(what) k
          )
      )
  )
  select count(*) into forgotten from gone;
  return forgotten;
end
$$;

-- Has records in quarantine applied again, and returns how many these are: those of a stopped table all together and in
-- order, as tidemark.accept does, or user events one by one.
create or replace function tidemark.retry(what text) returns bigint
language plpgsql security definer
as $$
declare
  refused tidemark.quarantine;
  accepted text;
  retried bigint;
begin
  perform tidemark.require_kept(what);
  if exists (select from tidemark.stopped_table s where s.schema_name || '.' || s.table_name = what and s.relation <> 0) then
    perform tidemark.accept(what);
    return (select count(*) from tidemark.kept(what));
  end if;
  select * into refused from tidemark.kept(what) q where q.topic <> 'user-events' limit 1;
  if refused.relation > 0 and what <> 'all' then
    raise exception '%-%@% is a change of %, whose quarantined changes can only be applied together and in order',
      refused.topic, refused.topic_partition, refused.record_offset, refused.table_name
      using hint = format('npm run quarantine -- retry %s', refused.table_name);
  elsif refused.topic is not null and what <> 'all' then
    raise exception '%-%@% cannot be applied later: it is not a change of a captured table',
      refused.topic, refused.topic_partition, refused.record_offset
      using hint = format('npm run quarantine -- discard %s', what);
  end if;
  for accepted in
    select s.schema_name || '.' || s.table_name
    from tidemark.stopped_table s
    where what = 'all' and s.repair = 'accept' and s.relation <> 0
  loop
    perform tidemark.accept(accepted);
  end loop;
  update tidemark.quarantine q
  set retry_at = now()
  from tidemark.kept(what) k
  where (q.topic, q.topic_partition, q.record_offset) = (k.topic, k.topic_partition, k.record_offset)
    and q.topic = 'user-events';
  get diagnostics retried = row_count;
  return retried + (
    select count(*)
    from tidemark.quarantine q
    join tidemark.stopped_table s on s.relation = q.relation and s.accepted_at is not null
    where q.relation <> 0
  );
end
$$;
