-- Audit messages: an application says in a transaction who changes rows, and why.

-- Applications call it in a transaction to record who changes rows in it and why. It writes one message to the log and
-- no table. tidemark.history shows it with each change of the transaction.
create or replace function tidemark.audit(why text default null, who text default session_user, details jsonb default null)
returns void
language plpgsql
as $$
begin
  -- The message is converted here, since Postgres does not convert it as it does all other texts. In a database in SQL_ASCII
  -- the encoding of a text is not known.
  perform pg_logical_emit_message(true, 'audit', convert_to(jsonb_build_object(
    'who', who,
    'why', why,
    'application', current_setting('application_name'),
    'address', host(inet_client_addr()),
    'process', pg_backend_pid(),
    'details', details
  )::text, case getdatabaseencoding() when 'SQL_ASCII' then 'SQL_ASCII' else 'UTF8' end));
end
$$;
