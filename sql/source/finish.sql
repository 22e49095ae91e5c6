-- Runs after the files of functions/, whenever one of them has run: it gives every function the settings that it relies on,
-- sets the rights on all objects, and makes the publication where it is missing.

-- What texts mean and how values are written depends on settings, and these may be anything: they can be set for the database,
-- for a role, or by the session that calls a function. A function with settings of its own depends on none of them.
-- A function whose body is parsed when it is made, and which has no setting, is left as it is: it may be inlined, and calls
-- nothing that depends on settings.
do $$
declare
  ours regprocedure;
begin
  for ours in
    select p.oid
    from pg_proc p
    where p.pronamespace = 'tidemark'::regnamespace
      and p.prokind = 'f'
      and (p.prosqlbody is null or p.proconfig is not null)
  loop
    execute format('alter function %s
      set search_path = pg_catalog, pg_temp
      set array_nulls = on
      set bytea_output = hex
      set datestyle = ''ISO, YMD''
      set default_table_access_method = heap
      set extra_float_digits = 1
      set intervalstyle = postgres
      set lc_monetary = ''C''
      set plpgsql.extra_errors = none
      set quote_all_identifiers = off
      set standard_conforming_strings = on
      set timezone = ''UTC''
      set xmloption = content', ours);
  end loop;
end
$$;

-- These are all the rights that there are: those of an earlier version are taken away first. No role but tidemark_capture and
-- those of the console gets a right on the bookkeeping in the schema tidemark, so an application can neither read nor change
-- what decides about capture.
revoke all on all functions in schema tidemark from public, tidemark_capture, tidemark_console_read, tidemark_console_act;
revoke all on all tables in schema tidemark from public, tidemark_capture, tidemark_console_read, tidemark_console_act;

grant select on tidemark.table_contract, tidemark.beacon to tidemark_capture;
grant select, insert on tidemark.signal to tidemark_capture;
grant execute on function tidemark.emit_beacon(), tidemark.reading_ends(text) to tidemark_capture;
grant execute on function tidemark.audit(text, text, jsonb) to public;

-- The console sees how far capture is. tidemark_console_act can also have the rows of a table read again.
grant select on
  tidemark.captured_table, tidemark.uncaptured, tidemark.beacon, tidemark.setting, tidemark.table_contract
  to tidemark_console_read;
-- The view of what is not captured calls it with the rights of its reader.
grant execute on function tidemark.is_listening() to tidemark_console_read;
grant execute on function tidemark.resync(text) to tidemark_console_act;

-- A publication that somebody has altered is not restored here but by tidemark.catch_up, which then has all tables read again.
select tidemark.restore_publication()
where not exists (select from pg_publication p where p.pubname = 'tidemark');
