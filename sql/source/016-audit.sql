-- For applications: called in a transaction, tells the target who changes rows in it and why. One record in the log, no
-- table is written. tidemark.history shows it with each change of the transaction.
create or replace function tidemark.audit(why text default null, who text default session_user, details jsonb default null)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_logical_emit_message(true, 'audit', jsonb_build_object(
    'who', who,
    'why', why,
    'application', current_setting('application_name'),
    'address', host(inet_client_addr()),
    'process', pg_backend_pid(),
    'details', details
  )::text);
end
$$;

-- The functions of this schema are closed one by one; its tables are open to nobody.
grant usage on schema tidemark to public;
grant execute on function tidemark.audit(text, text, jsonb) to public;
