-- What texts mean and how values are written depends on settings, and these may be set to anything for the database, for a
-- role, or by the session that a function of ours runs in. So that none of them counts, each function has its own. A
-- migration that creates or replaces functions calls this again at its end.
-- A function whose body was parsed when it was made, and which may be inlined, calls nothing that depends on them; the one
-- that makes JSON of each value has what it depends on, since all of them would double its time.
create or replace function tidemark.fix_settings() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  ours regprocedure;
begin
  for ours in
    select p.oid
    from pg_proc p
    where p.pronamespace = 'tidemark'::regnamespace
      and p.prokind = 'f'
      and (p.prosqlbody is null or p.proconfig is not null)
      and p.proname <> 'json_value'
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

select tidemark.fix_settings();

alter function tidemark.fix_settings() owner to tidemark_owner;
revoke all on function tidemark.fix_settings() from public;
