-- Rows that change without a record of each: the definitions of their table are marked, and compare all of its rows.

-- Marks the definitions of a relation: rows have changed without a record of each.
create or replace function tidemark.mark_windows(of_relation bigint, why text) returns void
language sql security definer
as $$
  insert into tidemark.window_mark (relation, reason)
  select of_relation, why
  where exists (select from tidemark.window_definition d where d.relation = of_relation)
$$;

-- Removes the marks that every definition of their relation has covered.
create or replace function tidemark.forget_window_marks() returns void
language sql security definer
as $$
  delete from tidemark.window_mark m
  where not exists (
    select
    from tidemark.window_definition d
    where d.relation = m.relation
      and d.state <> 'stopped'
      and (d.covers_mark < m.mark or d.phase is not null)
  )
$$;

create or replace function tidemark.mark_released_windows() returns trigger
language plpgsql security definer
as $$
begin
  perform tidemark.mark_windows(old.relation, 'changes that were kept while the table was stopped have been applied');
  return null;
end
$$;

create or replace trigger mark_windows after delete on tidemark.stopped_table
for each row execute function tidemark.mark_released_windows();

create or replace function tidemark.mark_windows_of_epoch() returns trigger
language plpgsql security definer
as $$
begin
  perform tidemark.mark_windows(d.relation, format('epoch %s is known in every topic partition', new.epoch))
  from (select distinct w.relation from tidemark.window_definition w where w.relation is not null) as d;
  return null;
end
$$;

create or replace trigger mark_windows after update of known_at on tidemark.epoch
for each row when (new.known_at is distinct from old.known_at) execute function tidemark.mark_windows_of_epoch();

-- Lets a topic partition of windows go on behind records that are gone: the rows have what they did, and are compared.
create or replace function tidemark.skip_window_gap(of_topic text, of_partition integer, at_offset bigint) returns void
language sql security definer
as $$
  select tidemark.rebase('tidemark-windows', of_topic, of_partition, at_offset);
  select tidemark.mark_windows(d.relation, format('records before offset %s of %s-%s are gone', at_offset, of_topic, of_partition))
  from (select distinct w.relation from tidemark.window_definition w where w.relation is not null) as d
$$;
