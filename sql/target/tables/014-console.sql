-- The console: the roles that it logs in with, and the record of what was done through it.

-- tidemark_console_read reads what tidemark_read reads, and the changes by their indexes. tidemark_console_act can also have
-- the actions of the console executed. Each has the timeouts of a page that somebody waits for.
do $$
begin
  if not exists (select from pg_roles where rolname = 'tidemark_console_read') then
    create role tidemark_console_read login;
  end if;
  if not exists (select from pg_roles where rolname = 'tidemark_console_act') then
    create role tidemark_console_act login;
  end if;
  if not pg_has_role('tidemark_console_read', 'tidemark_read', 'member') then
    grant tidemark_read to tidemark_console_read;
  end if;
  if not pg_has_role('tidemark_console_act', 'tidemark_console_read', 'member') then
    grant tidemark_console_read to tidemark_console_act;
  end if;
end
$$;

alter role tidemark_console_read set default_transaction_read_only = on;
alter role tidemark_console_read set statement_timeout = '10s';
alter role tidemark_console_read set lock_timeout = '5s';
alter role tidemark_console_read set idle_in_transaction_session_timeout = '30s';
-- A short query over many table partitions looks expensive to the planner: to compile it would take longer than to run it.
alter role tidemark_console_read set jit = off;
-- Which changes of a period are the newest is sorted in memory, and not in temporary files.
alter role tidemark_console_read set work_mem = '16MB';
alter role tidemark_console_act set statement_timeout = '10s';
alter role tidemark_console_act set lock_timeout = '5s';
alter role tidemark_console_act set idle_in_transaction_session_timeout = '30s';

grant usage on schema tidemark, tidemark_rows to tidemark_console_read, tidemark_console_act;

-- One row per action. It is there before the action begins, so that one which is interrupted is known as well.
create table tidemark.console_action (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  who text not null check (who <> ''),
  action text not null check (action ~ '^[a-z]+\.[a-z]+$'),
  target text not null,
  reason text,
  app_version text not null,
  outcome text not null default 'running' check (outcome in ('running', 'done', 'refused', 'failed')),
  result text,
  executed_at timestamptz,
  finished_at timestamptz,
  check ((outcome = 'running') = (finished_at is null))
);
comment on table tidemark.console_action is 'what was done through the console, by whom and why';
comment on column tidemark.console_action.outcome is 'running: it goes on, or the console ended before it did';
comment on column tidemark.console_action.executed_at is 'when the database executed it: no action is executed twice';

-- The table of a name is found among thousands of contracts.
create index contract_by_name on tidemark.contract (((contract ->> 'schema') || '.' || (contract ->> 'table')));
create index contract_by_quoted_name
  on tidemark.contract ((quote_ident(contract ->> 'schema') || '.' || quote_ident(contract ->> 'table')));
