-- Runs after the files of functions/, whenever one of them has run: it gives every function the settings that it relies on,
-- and sets the owners of all objects and the rights on them.

-- What texts mean and how values are written depends on settings, and these may be anything: they can be set for the database,
-- for a role, or by the session that calls a function. A function with settings of its own depends on none of them.
-- A function whose body is parsed when it is made, and which has no setting, is left as it is: it may be inlined, and calls
-- nothing that depends on settings. json_value has those that it depends on, since all of them would double its time.
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

-- A function that is security definer runs with the rights of its owner, tidemark_owner, so that role owns every table that
-- such a function changes. Tables that only the applying role, the archive or commands write stay with the administrator.
-- Only objects of another owner are altered, since that takes a lock that waits for readers.
do $$
declare
  ours record;
begin
  for ours in
    select case when c.relkind = 'v' then 'view' else 'table' end as kind, c.oid::regclass::text as name
    from pg_class c
    where c.relkind in ('r', 'p', 'v')
      and c.relowner <> 'tidemark_owner'::regrole
      and (
        c.oid in ('tidemark_rows.change'::regclass, 'tidemark_rows.user_state'::regclass)
        or c.relnamespace = 'tidemark'::regnamespace
          and c.relname !~ '^archive_'
          and c.relname not in ('migration', 'progress', 'stop', 'record_part', 'capture_health')
      )
    union all
    select 'function', p.oid::regprocedure::text
    from pg_proc p
    where p.pronamespace = 'tidemark'::regnamespace
      and p.proowner <> 'tidemark_owner'::regrole
      and p.proname not in ('finish_archive_commit', 'prune_archive_commits')
  loop
    execute format('alter %s %s owner to tidemark_owner', ours.kind, ours.name);
  end loop;
end
$$;

-- These are all the rights that there are: those of an earlier version are taken away first. The role of a user reads the views
-- that are granted to it, and cannot read the bookkeeping in the schema tidemark: that has values of every captured table, such
-- as records in quarantine, also of tables that the role must not read. tidemark_read reads all of it.
revoke all on all functions in schema tidemark from public, tidemark_apply, tidemark_archive, tidemark_windows, tidemark_read,
  tidemark_console_read, tidemark_console_act;
revoke all on all tables in schema tidemark from public, tidemark_apply, tidemark_archive, tidemark_windows, tidemark_read,
  tidemark_console_read, tidemark_console_act;

grant select, update on tidemark.progress to tidemark_owner;
grant select, delete on tidemark.stop to tidemark_owner;

-- Applying.
grant select, insert, update on
  tidemark.progress, tidemark.capture_health, tidemark.initial_read, tidemark.epoch, tidemark.unkeyed_progress
  to tidemark_apply;
grant select, insert, update, delete on
  tidemark.stop, tidemark.quarantine, tidemark.stopped_table, tidemark.unkeyed_transaction
  to tidemark_apply;
grant select, insert, delete on tidemark.record_part to tidemark_apply;
grant select, insert on
  tidemark.contract, tidemark.user_event_log, tidemark.audit_message, tidemark_rows.change
  to tidemark_apply;
grant select, insert, update on tidemark_rows.user_state to tidemark_apply;
grant select on tidemark.table_marker, tidemark.history_setting, tidemark.not_captured to tidemark_apply;
grant select, update on tidemark.generation to tidemark_apply;
-- The function that sets the consumer groups back ends a renewal.
grant select, delete on tidemark.archive_renewal, tidemark.archive_problem to tidemark_apply;
grant execute on function
  tidemark.begin_initial_read(integer, integer, bigint),
  tidemark.finish_initial_read(integer, integer, integer),
  tidemark.newest_generation(),
  tidemark.order_epoch(integer, text, boolean),
  tidemark.rebase(text, text, integer, bigint),
  tidemark.shape_latest_state(integer, jsonb),
  tidemark.settle_latest_state(text, bigint),
  tidemark.drop_latest_state(bigint),
  tidemark.forget_relation(bigint),
  tidemark.await_name(bigint),
  tidemark.stop_table(bigint, integer, text, text, text, text, boolean),
  tidemark.missing_rows(),
  tidemark.missing_views(),
  tidemark.restore_view(text, text),
  tidemark.key_hash(bigint, text[]),
  tidemark.ensure_change_days(date, date),
  tidemark.hold_generations(bigint[], integer[], boolean[]),
  tidemark.made_indexes(bigint, integer),
  tidemark.suspend_indexes(text[], text),
  tidemark.maintain()
  to tidemark_apply;

-- Archiving.
grant select, insert, update on tidemark.progress to tidemark_archive;
grant select, insert, delete on tidemark.archive_stream to tidemark_archive;
grant select, insert, update, delete on
  tidemark.stop, tidemark.archive_table, tidemark.archive_problem, tidemark.archive_lost, tidemark.archive_renewal,
  tidemark.archive_commit, tidemark.archive_range, tidemark.archive_file
  to tidemark_archive;
grant select on tidemark.archive_status to tidemark_archive;
grant execute on function tidemark.finish_archive_commit(bigint), tidemark.prune_archive_commits(interval) to tidemark_archive;

-- Windows.
grant select, insert, update on tidemark.progress, tidemark.window_watermark to tidemark_windows;
grant select, insert, update, delete on tidemark.stop, tidemark.window_outbox to tidemark_windows;
grant select, insert, delete on tidemark.record_part to tidemark_windows;
grant select, update on tidemark.window_definition to tidemark_windows;
grant select on
  tidemark.contract, tidemark.window_mark, tidemark.table_marker, tidemark.generation, tidemark.unsettled_window
  to tidemark_windows;
-- A recovery of capture lets windows go on behind records that are gone.
grant execute on function tidemark.skip_window_gap(text, integer, bigint) to tidemark_apply;
grant execute on function
  tidemark.show_window(bigint),
  tidemark.carry_window(bigint),
  tidemark.lock_windows(),
  tidemark.fail_window(bigint, text),
  tidemark.settle_windows(),
  tidemark.mark_windows(bigint, text),
  tidemark.forget_window_marks(),
  tidemark.skip_window_gap(text, integer, bigint)
  to tidemark_windows;

-- Publishing windows.
grant select, insert, update on tidemark.window_topic to tidemark_windows;
grant execute on function
  tidemark.hold_window_topic(text),
  tidemark.release_window_topic(text),
  tidemark.publish_windows_again(text)
  to tidemark_windows;
grant select on tidemark.window_topic to tidemark_read;

-- Reading.
grant select on
  tidemark.progress, tidemark.stop, tidemark.quarantine, tidemark.capture_health, tidemark.contract, tidemark.table_marker,
  tidemark.generation, tidemark.stopped_table, tidemark.not_captured, tidemark.empty_view, tidemark.initial_read,
  tidemark.epoch, tidemark.latest_user_state, tidemark.user_event_log, tidemark.audit_message, tidemark.history_setting,
  tidemark.change_log, tidemark.user_index_state,
  tidemark.archive_table, tidemark.archive_problem, tidemark.archive_lost, tidemark.archive_renewal, tidemark.archive_stream,
  tidemark.archive_commit, tidemark.archive_range, tidemark.archive_file, tidemark.archive_status,
  tidemark.window_definition, tidemark.window_watermark, tidemark.window_mark, tidemark.window_outbox, tidemark.window_status,
  tidemark.late_event, tidemark.future_event
  to tidemark_read;
grant execute on function
  tidemark.history(text, jsonb, integer),
  tidemark.kept(text),
  tidemark.missing_rows(),
  tidemark.missing_views(),
  tidemark.window_rows_of(text),
  tidemark.window_states()
  to tidemark_read;

-- The console. It reads what tidemark_read reads, and every change by its indexes. It writes nothing itself: an action is
-- executed by the number under which it was recorded.
grant select on tidemark.console_action to tidemark_read;
grant select on tidemark_rows.change, tidemark.linked_change to tidemark_console_read;
grant execute on function
  tidemark.change_days(),
  tidemark.canonical_type(text),
  tidemark.key_hash(bigint, text[]),
  tidemark.history_setting_of(bigint, text, text),
  tidemark.utf16_length(text),
  tidemark.shown_value(text, integer),
  tidemark.shown_shape(jsonb),
  tidemark.shown_columns("char", text[], text[], text[], integer, integer)
  to tidemark_console_read;
grant execute on function
  tidemark.begin_action(text, text, text, text, text),
  tidemark.execute_action(bigint),
  tidemark.finish_action(bigint, text, text)
  to tidemark_console_act;

-- Everybody. A view checks the rights of its reader on the functions that it calls, and users read views made with these.
grant execute on function
  tidemark.rows_name(bigint, integer),
  tidemark.dependents(regclass),
  tidemark.json_value(text, text),
  tidemark.row_image(text[], text[], text[]),
  tidemark.changed_columns(text[], text[], text[], text[]),
  tidemark.image_shape(jsonb),
  tidemark.written_image(text[], text[]),
  tidemark.type_modifier(text),
  tidemark.image_by_version(bigint, integer, integer, integer, text[]),
  tidemark.contract_of(bigint, integer, integer),
  tidemark.clocks_are_steady(),
  tidemark.relations_named(text),
  tidemark.key_text(interval),
  tidemark.key_text(jsonb),
  tidemark.key_text(numrange),
  tidemark.key_text(nummultirange),
  tidemark.key_text_of(text, text),
  tidemark.key_texts(integer[], text[], jsonb),
  tidemark.wanted_changes(text, jsonb),
  tidemark.row_has(integer[], text[], text[], integer[], text[]),
  tidemark.last_changes_since(text, integer),
  tidemark.window_state(timestamp, interval, boolean, timestamp, bigint),
  tidemark.window_watermark(bigint)
  to public;
