-- Roles: tidemark_owner owns everything and cannot log in, tidemark_apply writes rows, tidemark_read reads them.
-- Passwords are set by migrate-schema, from secrets.
do $$
begin
  if not exists (select from pg_roles where rolname = 'tidemark_owner') then
    create role tidemark_owner nologin;
  end if;
  if not exists (select from pg_roles where rolname = 'tidemark_apply') then
    create role tidemark_apply login;
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

-- A frozen function must not hold its progress row for ever: the server ends it.
alter role tidemark_apply set idle_in_transaction_session_timeout = '60s';
alter role tidemark_apply set statement_timeout = '5min';
alter role tidemark_apply set lock_timeout = '10s';
-- Of one statement: a batch of changes is kept in memory, not in temporary files.
alter role tidemark_apply set work_mem = '32MB';
do $$
begin
  -- Since Postgres 17; the database's would end each large delivery again and again.
  if exists (select from pg_settings where name = 'transaction_timeout') then
    alter role tidemark_apply set transaction_timeout = 0;
  end if;
end
$$;
alter role tidemark_read set default_transaction_read_only = on;

create schema if not exists tidemark;
create schema if not exists tidemark_rows;
grant create, usage on schema public to tidemark_owner;
grant create, usage on schema tidemark, tidemark_rows to tidemark_owner;
grant usage on schema tidemark, tidemark_rows to tidemark_apply;
grant usage on schema tidemark, public to tidemark_read;
