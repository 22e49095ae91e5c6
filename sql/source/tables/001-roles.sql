-- The roles that log in to the source, and the schema of Tidemark's own objects. tidemark_capture is Debezium, which reads the
-- log and the captured tables and nothing else. tidemark_producer writes the tables that it makes for itself in the schema
-- public. migrate-schema sets their passwords from secrets.
do $$
begin
  if not exists (select from pg_roles where rolname = 'tidemark_capture') then
    create role tidemark_capture login;
  end if;
  if not exists (select from pg_roles where rolname = 'tidemark_producer') then
    create role tidemark_producer login;
  end if;
  -- RDS grants replication through a role of its own; elsewhere it is an attribute of the role.
  if exists (select from pg_roles where rolname = 'rds_replication') then
    grant rds_replication to tidemark_capture;
  elsif not exists (select from pg_roles where rolname = 'tidemark_capture' and rolreplication) then
    alter role tidemark_capture replication;
  end if;
  -- A role that adds a table to the publication must have the rights of the table's owner.
  if not pg_has_role(current_user, 'tidemark_producer', 'usage') then
    execute format('grant tidemark_producer to %I', current_user);
  end if;
  execute format('grant connect on database %I to tidemark_capture, tidemark_producer', current_database());
end
$$;

-- A timeout that is set for the whole database would end the snapshot of a large table again and again.
alter role tidemark_capture set statement_timeout = 0;
alter role tidemark_capture set lock_timeout = 0;
alter role tidemark_capture set idle_in_transaction_session_timeout = 0;
do $$
begin
  -- This setting exists since Postgres 17.
  if exists (select from pg_settings where name = 'transaction_timeout') then
    alter role tidemark_capture set transaction_timeout = 0;
  end if;
end
$$;
alter role tidemark_producer set statement_timeout = '30s';
alter role tidemark_producer set lock_timeout = '10s';
alter role tidemark_producer set idle_in_transaction_session_timeout = '30s';

create schema if not exists tidemark;
grant usage on schema tidemark to tidemark_capture;
-- Applications call tidemark.audit. Other functions are closed one by one, and the tables are open to nobody.
grant usage on schema tidemark to public;
grant usage, create on schema public to tidemark_producer;
