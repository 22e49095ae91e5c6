-- What applications call to say who changes rows in a transaction, and why.

-- For applications: called in a transaction, tells the target who changes rows in it and why. One record in the log, no
-- table is written. tidemark.history shows it with each change of the transaction.
create or replace function tidemark.audit(why text default null, who text default session_user, details jsonb default null)
returns void
language plpgsql
as $$
begin
  -- Bytes, since Postgres does not convert a message as it does all other texts. SQL_ASCII does not say what a text is.
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
