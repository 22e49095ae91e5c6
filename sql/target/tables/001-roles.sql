-- The roles of the target, and the schemas of Tidemark's own objects. tidemark_owner owns what functions change and cannot log
-- in, tidemark_apply writes rows, tidemark_archive writes the ledger of the archive, tidemark_read reads. migrate-schema sets
-- their passwords from secrets.
do $$
begin
  if not exists (select from pg_roles where rolname = 'tidemark_owner') then
    create role tidemark_owner nologin;
  end if;
  if not exists (select from pg_roles where rolname = 'tidemark_apply') then
    create role tidemark_apply login;
  end if;
  if not exists (select from pg_roles where rolname = 'tidemark_archive') then
    create role tidemark_archive login;
  end if;
  if not exists (select from pg_roles where rolname = 'tidemark_read') then
    create role tidemark_read login;
  end if;
  if not pg_has_role(current_user, 'tidemark_owner', 'set') then
    execute format('grant tidemark_owner to %I with inherit true, set true', current_user);
  end if;
  execute format('grant create on database %I to tidemark_owner', current_database());
end
$$;

-- A function instance that is frozen in a transaction would hold its progress row: the server ends the session.
alter role tidemark_apply set idle_in_transaction_session_timeout = '60s';
alter role tidemark_apply set statement_timeout = '5min';
alter role tidemark_apply set lock_timeout = '10s';
-- This is the memory of one statement: a batch of changes is sorted in memory, not in temporary files.
alter role tidemark_apply set work_mem = '32MB';
alter role tidemark_archive set idle_in_transaction_session_timeout = '60s';
alter role tidemark_archive set statement_timeout = '5min';
alter role tidemark_archive set lock_timeout = '2min';
do $$
begin
  -- This setting exists since Postgres 17. One that is set for the whole database would end each large delivery again and again.
  if exists (select from pg_settings where name = 'transaction_timeout') then
    alter role tidemark_apply set transaction_timeout = 0;
    alter role tidemark_archive set transaction_timeout = 0;
  end if;
end
$$;
alter role tidemark_read set default_transaction_read_only = on;
-- The state and the log of user events are found without their schema where no captured table has the name.
alter role tidemark_read set search_path = public, tidemark;

create schema if not exists tidemark;
create schema if not exists tidemark_rows;
grant create, usage on schema public to tidemark_owner;
grant create, usage on schema tidemark, tidemark_rows to tidemark_owner;
grant usage on schema tidemark, tidemark_rows to tidemark_apply;
grant usage on schema tidemark to tidemark_archive;
grant usage on schema tidemark, public to tidemark_read;
