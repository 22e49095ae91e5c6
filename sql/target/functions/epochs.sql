-- What the target does when an epoch of the source begins.

-- Lets topic partitions continue whose progress cannot: the next delivery is taken, whatever its offset, and records of
-- earlier epochs are skipped, since the new epoch reads every table again. This is for each topic partition of the topic
-- that is stopped or, if the topic was created again, for all of them.
create or replace function tidemark.order_epoch(new_epoch integer, why text, topic_is_new boolean) returns void
language plpgsql security definer
as $$
begin
  insert into tidemark.epoch as e (epoch, reason, ordered_at)
  values (new_epoch, why, clock_timestamp())
  on conflict (epoch) do update
  set reason = excluded.reason,
    ordered_at = excluded.ordered_at;
  update tidemark.progress p
  set skips_before_epoch = new_epoch,
    rebased = true
  where p.consumer in ('tidemark-latest-state', 'tidemark-windows')
    and p.topic = 'changes'
    and (
      topic_is_new
      or exists (
        select from tidemark.stop s where (s.consumer, s.topic, s.topic_partition) = (p.consumer, p.topic, p.topic_partition)
      )
    );
end
$$;

-- Lets a topic partition continue at an offset, before or after what was applied. Records before that offset are applied or
-- lost: if they are delivered again, nothing is done with them.
create or replace function tidemark.rebase(of_consumer text, of_topic text, of_partition integer, at_offset bigint) returns void
language sql security definer
as $$
  update tidemark.progress p
  set next_offset = at_offset,
    last_digest = null,
    newest_timestamp = null,
    rebased = false
  where (p.consumer, p.topic, p.topic_partition) = (of_consumer, of_topic, of_partition);
  delete from tidemark.stop s where (s.consumer, s.topic, s.topic_partition) = (of_consumer, of_topic, of_partition)
$$;

-- The greatest generation that is known of any table. A source that begins an epoch uses greater ones.
create or replace function tidemark.newest_generation() returns integer
language sql stable
as $$
  select greatest(
    (select coalesce(max((c.contract ->> 'generation')::integer), 0) from tidemark.contract c),
    (select coalesce(max(g.generation), 0) from tidemark.generation g)
  )
$$;
