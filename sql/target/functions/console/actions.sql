-- What is done through the console. Each action has its row in tidemark.console_action before anything is changed: what the
-- target does is executed by the number of that row alone.

-- Records that an action begins, and returns its number. The row has to be committed before the action is executed.
create or replace function tidemark.begin_action(
  who text, action text, target text, reason text, app_version text
) returns bigint
language sql security definer
set search_path = pg_catalog, pg_temp
begin atomic
  insert into tidemark.console_action (who, action, target, reason, app_version)
  values (begin_action.who, begin_action.action, begin_action.target, begin_action.reason, begin_action.app_version)
  returning id;
end;

-- Executes an action that the target executes itself, once, and returns what it has done. Where it is refused, the error says
-- why and nothing is changed.
create or replace function tidemark.execute_action(of_action bigint) returns text
language plpgsql security definer
as $$
declare
  begun tidemark.console_action;
  records bigint;
begin
  update tidemark.console_action a
  set executed_at = clock_timestamp()
  where a.id = of_action
    and a.outcome = 'running'
    and a.executed_at is null
  returning * into begun;
  if begun.id is null then
    raise exception 'action % is not recorded as one that is about to be executed', of_action
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  case begun.action
    when 'table.accept' then
      return tidemark.accept(begun.target);
    when 'quarantine.retry' then
      records := tidemark.retry(begun.target);
      return format('%s quarantined %s applied again', records, case records when 1 then 'record is' else 'records are' end);
    when 'quarantine.discard' then
      if coalesce(btrim(begun.reason), '') = '' then
        raise exception 'a record is discarded for a reason, and none is given'
          using errcode = 'null_value_not_allowed';
      end if;
      records := tidemark.discard(begun.target);
      return format('%s quarantined %s deleted', records, case records when 1 then 'record is' else 'records are' end);
    else
      raise exception 'the target does not execute %', begun.action
        using errcode = 'feature_not_supported';
  end case;
end
$$;

-- Records how an action ended. Returns whether it was running: an outcome is not changed afterwards.
create or replace function tidemark.finish_action(of_action bigint, outcome text, result text) returns boolean
language plpgsql security definer
as $$
begin
  update tidemark.console_action a
  set outcome = finish_action.outcome,
    result = finish_action.result,
    finished_at = clock_timestamp()
  where a.id = of_action
    and a.outcome = 'running';
  return found;
end
$$;
