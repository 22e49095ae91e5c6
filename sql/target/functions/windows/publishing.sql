-- Publishing windows: one publisher for each topic.

-- Takes the topic for this session, which then is the only one that reads and deletes the topic's rows of the outbox. False
-- if another session has it. Two topics with the same hash take turns.
create or replace function tidemark.hold_window_topic(topic text) returns boolean
language sql
return pg_try_advisory_lock(730511006, hashtext(topic));

create or replace function tidemark.release_window_topic(topic text) returns boolean
language sql
return pg_advisory_unlock(730511006, hashtext(topic));

-- Puts all values of a topic that was deleted into the outbox again, and forgets what is known of it.
create or replace function tidemark.publish_windows_again(of_topic text) returns void
language plpgsql security definer
as $$
declare
  known tidemark.window_definition;
begin
  perform tidemark.lock_windows();
  for known in
    select *
    from tidemark.window_definition d
    where d.was_shown
      and d.definition ->> 'publish' = of_topic
    order by d.id
  loop
    -- A change that is under way would come before the value that it replaces.
    perform pg_advisory_xact_lock(730511005, known.id::integer);
    execute format('insert into tidemark.window_outbox (definition, topic, record_key, record_value) '
      'select %L, %L, p.record_key, p.record_value from (%s) as p', known.name, of_topic, tidemark.window_published(known));
  end loop;
  delete from tidemark.window_topic k where k.topic = of_topic;
end
$$;
