-- The roles that the console logs in with. tidemark_console_read sees how far capture is, and tidemark_console_act can also ask
-- for a resync. Neither can read the captured tables.
do $$
begin
  if not exists (select from pg_roles where rolname = 'tidemark_console_read') then
    create role tidemark_console_read login;
  end if;
  if not exists (select from pg_roles where rolname = 'tidemark_console_act') then
    create role tidemark_console_act login;
  end if;
  if not pg_has_role('tidemark_console_act', 'tidemark_console_read', 'member') then
    grant tidemark_console_read to tidemark_console_act;
  end if;
  execute format('grant connect on database %I to tidemark_console_read, tidemark_console_act', current_database());
end
$$;

-- The settings are those that the roles of the same name have in the target.
alter role tidemark_console_read set default_transaction_read_only = on;
alter role tidemark_console_read set statement_timeout = '10s';
alter role tidemark_console_read set lock_timeout = '5s';
alter role tidemark_console_read set idle_in_transaction_session_timeout = '30s';
alter role tidemark_console_read set jit = off;
alter role tidemark_console_read set work_mem = '16MB';
alter role tidemark_console_act set statement_timeout = '10s';
alter role tidemark_console_act set lock_timeout = '5s';
alter role tidemark_console_act set idle_in_transaction_session_timeout = '30s';
