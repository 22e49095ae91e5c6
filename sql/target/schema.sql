-- What the files of this side make, written by the test of schema-dump. It is for reading and never runs.

role tidemark_apply login
  set idle_in_transaction_session_timeout=60s
  set lock_timeout=10s
  set statement_timeout=5min
  set transaction_timeout=0
  set work_mem=32MB

role tidemark_archive login
  set idle_in_transaction_session_timeout=60s
  set lock_timeout=2min
  set statement_timeout=5min
  set transaction_timeout=0

role tidemark_console_act login
  set idle_in_transaction_session_timeout=30s
  set lock_timeout=5s
  set statement_timeout=10s

role tidemark_console_read login
  set default_transaction_read_only=on
  set idle_in_transaction_session_timeout=30s
  set jit=off
  set lock_timeout=5s
  set statement_timeout=10s
  set work_mem=16MB

role tidemark_owner nologin

role tidemark_read login
  set default_transaction_read_only=on
  set search_path=public, tidemark

role tidemark_windows login
  set idle_in_transaction_session_timeout=60s
  set lock_timeout=10s
  set statement_timeout=5min
  set transaction_timeout=0
  set work_mem=32MB

schema public
-- everyone may usage
-- tidemark_owner may create, usage
-- tidemark_read may usage

schema tidemark
-- tidemark_apply may usage
-- tidemark_archive may usage
-- tidemark_console_act may usage
-- tidemark_console_read may usage
-- tidemark_owner may create, usage
-- tidemark_read may usage
-- tidemark_windows may usage

schema tidemark_rows
-- tidemark_apply may usage
-- tidemark_console_act may usage
-- tidemark_console_read may usage
-- tidemark_owner may create, usage
-- tidemark_windows may usage

schema tidemark_window_rows
-- tidemark_owner may create, usage
-- tidemark_windows may usage

schema tidemark_windows
-- tidemark_owner may create, usage
-- tidemark_read may usage

table tidemark.archive_commit (
  number bigint not null
  snapshot_id bigint not null
  records bigint not null
  offsets jsonb not null -- topic → topic partition → first offset that is not in the table after this commit
  prepared_at timestamp with time zone not null default clock_timestamp()
  committed_at timestamp with time zone
  constraint archive_commit_pkey PRIMARY KEY (number)
  constraint archive_commit_snapshot_id_key UNIQUE (snapshot_id)
  CREATE UNIQUE INDEX archive_commit_prepared ON tidemark.archive_commit USING btree ((true)) WHERE (committed_at IS NULL)
  CREATE UNIQUE INDEX archive_commit_snapshot_id_key ON tidemark.archive_commit USING btree (snapshot_id)
)
-- tidemark_archive may delete, insert, select, update
-- tidemark_read may select

table tidemark.archive_file (
  path text not null
  day date not null
  records bigint not null
  bytes bigint not null
  metrics jsonb not null -- counts, sizes and bounds of its columns by field id
  range bigint
  commit_number bigint
  constraint archive_file_check CHECK (((range IS NOT NULL) OR (commit_number IS NOT NULL)))
  constraint archive_file_commit_number_fkey FOREIGN KEY (commit_number) REFERENCES tidemark.archive_commit(number)
  constraint archive_file_pkey PRIMARY KEY (path)
  constraint archive_file_range_fkey FOREIGN KEY (range) REFERENCES tidemark.archive_range(range) ON DELETE CASCADE
  CREATE INDEX archive_file_by_commit ON tidemark.archive_file USING btree (commit_number)
  CREATE INDEX archive_file_by_range ON tidemark.archive_file USING btree (range)
)
-- tidemark_archive may delete, insert, select, update
-- tidemark_read may select

table tidemark.archive_lost (
  stream integer not null
  offsets int8multirange not null
  noted_at timestamp with time zone not null default clock_timestamp()
  constraint archive_lost_pkey PRIMARY KEY (stream)
  constraint archive_lost_stream_fkey FOREIGN KEY (stream) REFERENCES tidemark.archive_stream(stream)
)
-- tidemark_archive may delete, insert, select, update
-- tidemark_read may select

table tidemark.archive_problem (
  kind text not null
  reason text not null
  command text not null
  since timestamp with time zone not null default clock_timestamp()
  constraint archive_problem_kind_check CHECK ((kind = ANY (ARRAY['table'::text, 'waiting files'::text, 'data files'::text, 'renewal'::text])))
  constraint archive_problem_pkey PRIMARY KEY (kind)
)
-- tidemark_apply may delete, select
-- tidemark_archive may delete, insert, select, update
-- tidemark_read may select

table tidemark.archive_range (
  range bigint not null
  stream integer not null
  offsets int8range not null -- all offsets of the topic partition from where the range before ended, also those without a record
  records bigint not null
  commit_number bigint -- null while it waits; ranges of one topic partition are one once they are committed
  written_at timestamp with time zone not null default clock_timestamp()
  constraint archive_range_commit_number_fkey FOREIGN KEY (commit_number) REFERENCES tidemark.archive_commit(number)
  constraint archive_range_offsets_check CHECK (((NOT isempty(offsets)) AND (NOT lower_inf(offsets)) AND (NOT upper_inf(offsets))))
  constraint archive_range_once EXCLUDE USING gist (int4range(stream, stream, '[]'::text) WITH &&, offsets WITH &&)
  constraint archive_range_pkey PRIMARY KEY (range)
  constraint archive_range_stream_fkey FOREIGN KEY (stream) REFERENCES tidemark.archive_stream(stream)
  CREATE INDEX archive_range_by_commit ON tidemark.archive_range USING btree (commit_number, range)
  CREATE INDEX archive_range_once ON tidemark.archive_range USING gist (int4range(stream, stream, '[]'::text), offsets)
)
-- tidemark_archive may delete, insert, select, update
-- tidemark_read may select

table tidemark.archive_renewal (
  former_name text not null -- name that the former table gets, in its namespace
  began_at timestamp with time zone not null default clock_timestamp()
  is_ledger_new boolean not null default false -- the ledger is that of the new table; the consumer groups go back to the beginning of their topics next
  constraint archive_renewal_pkey PRIMARY KEY (former_name)
  CREATE UNIQUE INDEX archive_renewal_once ON tidemark.archive_renewal USING btree ((true))
)
-- tidemark_apply may delete, select
-- tidemark_archive may delete, insert, select, update
-- tidemark_read may select

table tidemark.archive_stream (
  stream integer not null
  topic text not null
  topic_partition integer not null
  constraint archive_stream_pkey PRIMARY KEY (stream)
  constraint archive_stream_topic_topic_partition_key UNIQUE (topic, topic_partition)
  CREATE UNIQUE INDEX archive_stream_topic_topic_partition_key ON tidemark.archive_stream USING btree (topic, topic_partition)
)
-- tidemark_archive may delete, insert, select
-- tidemark_read may select

table tidemark.archive_table (
  name text not null
  table_uuid uuid not null
  location text
  constraint archive_table_pkey PRIMARY KEY (name)
  CREATE UNIQUE INDEX archive_table_once ON tidemark.archive_table USING btree ((true))
)
-- tidemark_archive may delete, insert, select, update
-- tidemark_read may select

table tidemark.audit_message (
  epoch integer not null
  txid bigint not null
  lsn bigint not null
  committed_at timestamp with time zone not null
  who text
  application text
  why text
  details jsonb -- the other members of the message, or its text where it is no JSON object
  constraint audit_message_pkey PRIMARY KEY (epoch, txid, lsn)
  CREATE INDEX audit_message_by_time ON tidemark.audit_message USING brin (committed_at)
)
-- tidemark_apply may insert, select
-- tidemark_read may select

table tidemark.capture_health (
  only_row boolean not null default true
  state text not null -- running, starting (needs nothing but time), or down (needs the command)
  cause text
  follows text
  command text
  since timestamp with time zone not null -- when the state was first seen
  checked_at timestamp with time zone not null
  restarts integer not null default 0 -- times the failed task was started again without running for long since
  restarted_at timestamp with time zone
  constraint capture_health_only_row_check CHECK (only_row)
  constraint capture_health_pkey PRIMARY KEY (only_row)
  constraint capture_health_state_check CHECK ((state = ANY (ARRAY['running'::text, 'starting'::text, 'down'::text])))
)
-- tidemark_apply may insert, select, update
-- tidemark_read may select

table tidemark.console_action (
  id bigint not null
  at timestamp with time zone not null default clock_timestamp()
  who text not null
  action text not null
  target text not null
  reason text
  app_version text not null
  outcome text not null default 'running'::text -- running: it goes on, or the console ended before it did
  result text
  executed_at timestamp with time zone -- when the database executed it: no action is executed twice
  finished_at timestamp with time zone
  constraint console_action_action_check CHECK ((action ~ '^[a-z]+\.[a-z]+$'::text))
  constraint console_action_check CHECK (((outcome = 'running'::text) = (finished_at IS NULL)))
  constraint console_action_outcome_check CHECK ((outcome = ANY (ARRAY['running'::text, 'done'::text, 'refused'::text, 'failed'::text])))
  constraint console_action_pkey PRIMARY KEY (id)
  constraint console_action_who_check CHECK ((who <> ''::text))
)
-- tidemark_read may select

table tidemark.contract (
  topic text not null
  topic_partition integer not null
  epoch integer not null
  relation bigint not null
  version integer not null
  at_offset bigint not null
  phase smallint not null
  lsn bigint not null
  contract jsonb not null
  constraint contract_pkey PRIMARY KEY (topic, topic_partition, epoch, relation, version)
  CREATE INDEX contract_by_name ON tidemark.contract USING btree (((((contract ->> 'schema'::text) || '.'::text) || (contract ->> 'table'::text))))
  CREATE INDEX contract_by_quoted_name ON tidemark.contract USING btree ((((quote_ident((contract ->> 'schema'::text)) || '.'::text) || quote_ident((contract ->> 'table'::text)))))
  CREATE INDEX contract_by_relation ON tidemark.contract USING btree (relation, version)
)
-- tidemark_apply may insert, select
-- tidemark_read may select
-- tidemark_windows may select

table tidemark.ending_day (
  day date not null
  next_block bigint not null default 0 -- the first block of the table partition whose changes were not looked at
  constraint ending_day_pkey PRIMARY KEY (day)
)

table tidemark.epoch (
  epoch integer not null
  reason text -- why it was ordered; null for one that a deployment began
  ordered_at timestamp with time zone
  began_at timestamp with time zone -- when its first record was applied
  known_at timestamp with time zone -- when every topic partition had the contracts of all tables of the epoch
  constraint epoch_pkey PRIMARY KEY (epoch)
)
-- tidemark_apply may insert, select, update
-- tidemark_read may select

table tidemark.generation (
  relation bigint not null
  generation integer not null
  contract jsonb not null -- the newest one of the generation: what the view of its rows is made from
  keyless boolean not null
  shown boolean not null default false -- whether the view shows its rows; another generation waits to be complete
  truncated_epoch integer not null default 0
  truncated_lsn bigint not null default 0 -- rows and changes from before it are gone
  gap_epoch integer not null default 0 -- changes up to (gap_epoch, gap_lsn) may be missing in history: those that follow keep the row before them; 0: none
  gap_lsn bigint not null default 0
  read_snapshot text -- of a table without a key: the snapshot its rows were read in, as pg_snapshot writes it
  whole boolean not null default false -- every row was found to have all its values when the generation was complete
  truncated_earlier boolean not null default false -- the truncate was of an earlier generation: it concerns streamed changes alone, since the snapshot of this one came later
  constraint generation_pkey PRIMARY KEY (relation, generation)
)
-- tidemark_apply may select, update
-- tidemark_read may select
-- tidemark_windows may select

table tidemark.history_setting (
  schema_name text not null
  table_name text not null
  enabled boolean not null default true
  retention interval -- null: that of the row *; infinity: for ever
  relations bigint[] not null default '{}'::bigint[] -- relations that had the name: the setting follows a rename
  constraint history_setting_pkey PRIMARY KEY (schema_name, table_name)
  constraint history_setting_retention_check CHECK ((retention > '00:00:00'::interval))
)
-- tidemark_apply may select
-- tidemark_read may select

table tidemark.initial_read (
  epoch integer not null
  topic_partition integer not null
  lsn bigint not null
  attempts integer not null default 1
  finished boolean not null default false
  constraint initial_read_pkey PRIMARY KEY (epoch, topic_partition)
)
-- tidemark_apply may insert, select, update
-- tidemark_read may select

table tidemark.migration (
  file text not null
  sha256 text not null
  applied_at timestamp with time zone not null default now()
  constraint migration_pkey PRIMARY KEY (file)
)

table tidemark.progress with fillfactor=50 (
  consumer text not null
  topic text not null
  topic_partition integer not null
  next_offset bigint not null default 0 -- offset of the first record that is not applied
  last_digest text -- digest of the record before next_offset: another one there means another topic
  newest_timestamp timestamp with time zone -- greatest record timestamp applied: an older offset with a newer one means another topic
  beacon_number bigint -- everything committed in the source before this beacon is visible, of this topic partition
  beacon_lsn pg_lsn
  beacon_at timestamp with time zone
  beacon_epoch integer -- epoch of the newest beacon applied, to which its lsns belong
  skips_before_epoch integer not null default 0 -- records of earlier epochs are skipped: this one reads every table again
  rebased boolean not null default false -- what is delivered next is taken, whatever its offset: what was applied before is given up or gone
  confirmed_lsn pg_lsn -- the slot had confirmed everything before it when that beacon was emitted
  system_identifier text -- the source cluster whose beacons were applied
  committed_at timestamp with time zone -- source commit time of the newest change applied
  fence jsonb -- the furthest place of the streamed changes applied: what is behind it was never delivered before; and how far times were set back
  applied_at timestamp with time zone not null default now()
  began_at timestamp with time zone not null default now() -- when the first record was delivered
  constraint progress_pkey PRIMARY KEY (consumer, topic, topic_partition)
)
-- tidemark_apply may insert, select, update
-- tidemark_archive may insert, select, update
-- tidemark_owner may select, update
-- tidemark_read may select
-- tidemark_windows may insert, select, update

table tidemark.pruned_history (
  relation bigint not null
  ended timestamp with time zone not null default '-infinity'::timestamp with time zone -- changes from before it may be missing: the generations' gaps say so
  pruned timestamp with time zone not null default '-infinity'::timestamp with time zone -- changes from before it are deleted
  constraint pruned_history_pkey PRIMARY KEY (relation)
)

table tidemark.quarantine (
  topic text not null
  topic_partition integer not null
  record_offset bigint not null
  relation bigint not null default 0
  generation integer not null default 0
  table_name text
  record_key text
  record_value text
  record_headers jsonb
  reason text not null
  key_bytes bytea
  value_bytes bytea -- the value as it came, where record_value cannot hold all of it: NUL, or bytes that are no UTF-8
  retry_at timestamp with time zone -- when somebody said to apply it again
  quarantined_at timestamp with time zone not null default now()
  constraint quarantine_pkey PRIMARY KEY (topic, topic_partition, record_offset)
  CREATE INDEX quarantine_by_relation ON tidemark.quarantine USING btree (relation, topic, topic_partition, record_offset)
)
-- tidemark_apply may delete, insert, select, update
-- tidemark_read may select

table tidemark.record_part (
  topic text not null
  topic_partition integer not null
  record_id uuid not null
  part_index integer not null
  part_count integer not null
  record_key bytea
  record_offset bigint not null
  part_text text not null
  constraint record_part_pkey PRIMARY KEY (topic, topic_partition, record_id, part_index)
)
-- tidemark_apply may delete, insert, select
-- tidemark_windows may delete, insert, select

table tidemark.relation_index (
  id bigint not null
  index_id bigint not null
  relation bigint not null
  declared_as text not null -- the definition that was compared with the columns of the relation
  keys text -- the definition for the table of the rows, without its predicate; null where it does not fit the columns of the relation
  predicate text
  numbers integer[] -- the columns that it uses
  names text[] -- the names that these columns had when the definition was last written with names
  problem text -- why it does not fit, or why it was not made or was dropped
  constraint relation_index_index_id_fkey FOREIGN KEY (index_id) REFERENCES tidemark.user_index(id) ON DELETE CASCADE
  constraint relation_index_index_id_relation_key UNIQUE (index_id, relation)
  constraint relation_index_pkey PRIMARY KEY (id)
  CREATE INDEX relation_index_by_relation ON tidemark.relation_index USING btree (relation)
  CREATE UNIQUE INDEX relation_index_index_id_relation_key ON tidemark.relation_index USING btree (index_id, relation)
)

table tidemark.shown_view (
  schema_name text not null
  table_name text not null
  view regclass not null
  empty_of text[] -- schema and table of a view without rows: the source has none of that name any more, and objects of users depend on the view
  constraint shown_view_pkey PRIMARY KEY (schema_name, table_name)
)

table tidemark.stop (
  consumer text not null
  topic text not null
  topic_partition integer not null
  at_offset bigint not null
  reason text not null
  first_seen_at timestamp with time zone not null default now()
  last_seen_at timestamp with time zone not null default now()
  deliveries bigint not null default 1
  constraint stop_pkey PRIMARY KEY (consumer, topic, topic_partition)
)
-- tidemark_apply may delete, insert, select, update
-- tidemark_archive may delete, insert, select, update
-- tidemark_owner may delete, select
-- tidemark_read may select
-- tidemark_windows may delete, insert, select, update

table tidemark.stopped_table (
  relation bigint not null
  generation integer not null default 0
  schema_name text not null
  table_name text not null
  reason text not null
  repair text not null default 'resync'::text -- accept: its cause is in the target, once that is gone its changes can be applied; resync: its rows have to be read again
  automatic boolean not null default false -- the resync is asked for without anybody's word
  requested_at timestamp with time zone -- when a resync was last asked for
  accepted_at timestamp with time zone -- when somebody said to apply what was kept
  stopped_at timestamp with time zone not null default now()
  not_kept_since timestamp with time zone -- since when its changes are not kept in quarantine: it has as many as it takes of a table, and the rows have to be read again
  constraint stopped_table_pkey PRIMARY KEY (relation, schema_name, table_name)
  constraint stopped_table_repair_check CHECK ((repair = ANY (ARRAY['accept'::text, 'resync'::text])))
)
-- tidemark_apply may delete, insert, select, update
-- tidemark_read may select

table tidemark.table_marker (
  relation bigint not null
  schema_name text not null
  table_name text not null
  epoch integer not null
  version integer not null -- the newest contract that any topic partition has met
  dropped_at timestamp with time zone
  named_at timestamp with time zone not null default clock_timestamp() -- when it took its name: of two relations of one name the view is that of the earlier
  constraint table_marker_pkey PRIMARY KEY (relation)
)
-- tidemark_apply may select
-- tidemark_read may select
-- tidemark_windows may select

table tidemark.unkeyed_progress with fillfactor=50 (
  consumer text not null
  topic text not null
  topic_partition integer not null
  state jsonb not null
  constraint unkeyed_progress_pkey PRIMARY KEY (consumer, topic, topic_partition)
)
-- tidemark_apply may insert, select, update

table tidemark.unkeyed_transaction (
  consumer text not null
  topic text not null
  topic_partition integer not null
  txid bigint not null
  beacon bigint not null
  constraint unkeyed_transaction_pkey PRIMARY KEY (consumer, topic, topic_partition, txid)
)
-- tidemark_apply may delete, insert, select, update

table tidemark.user_event_log (
  topic_partition integer not null
  record_offset bigint not null
  run bigint not null
  event_order bigint not null
  id bigint not null
  op text not null
  name text
  age integer
  more jsonb -- what the event says of the user besides id, name and age
  ts timestamp with time zone
  logged_at timestamp with time zone not null default now()
  constraint user_event_log_pkey PRIMARY KEY (topic_partition, record_offset)
  CREATE INDEX user_event_log_by_id ON tidemark.user_event_log USING btree (id, run DESC, event_order DESC)
  CREATE INDEX user_event_log_by_order ON tidemark.user_event_log USING btree (run DESC, event_order DESC)
)
-- tidemark_apply may insert, select
-- tidemark_read may select

table tidemark.user_index (
  id bigint not null
  schema_name text not null
  table_name text not null -- as the source calls it now; the index of a parent is made on the rows of each table below it
  index_name text not null
  definition text not null -- what follows the name of the table in create index, with the names that the columns have in the source now
  declared_at timestamp with time zone not null default now()
  constraint user_index_pkey PRIMARY KEY (id)
  CREATE INDEX user_index_by_table ON tidemark.user_index USING btree (schema_name, table_name)
)

table tidemark.window_definition (
  id bigint not null
  name text not null
  text text not null
  definition jsonb not null
  state text not null default 'awaiting table'::text
  reason text -- why it is stopped, or what it waits for
  relation bigint -- the relation and the generation whose rows the image has
  generation integer
  plan jsonb -- the columns and types that its tables were made with
  phase text -- what is being reconciled: first the image of the rows, then, of a definition that is not shown yet, the groups; null: nothing
  phase_after text[] -- the key after which the phase continues
  rows_done bigint not null default 0
  rows_total bigint
  covers_mark bigint not null default 0 -- the marks that the reconciliation under way covers, or the last one covered
  was_shown boolean not null default false -- whether the view of the name shows this version
  emitted_until timestamp without time zone -- of a definition that emits on close: the watermark up to which windows were emitted
  created_at timestamp with time zone not null default clock_timestamp()
  checked_at timestamp with time zone not null default clock_timestamp() -- when its table was last compared with the definition
  shown_at timestamp with time zone
  stopped_at timestamp with time zone
  constraint window_definition_name_check CHECK ((name ~ '^[a-z][a-z0-9_]{0,47}$'::text))
  constraint window_definition_phase_check CHECK ((phase = ANY (ARRAY['rows'::text, 'groups'::text])))
  constraint window_definition_pkey PRIMARY KEY (id)
  constraint window_definition_state_check CHECK ((state = ANY (ARRAY['awaiting table'::text, 'backfilling'::text, 'shown'::text, 'stopped'::text])))
  CREATE UNIQUE INDEX window_definition_name_idx ON tidemark.window_definition USING btree (name) WHERE was_shown
)
-- tidemark_read may select
-- tidemark_windows may select, update

table tidemark.window_mark (
  mark bigint not null
  relation bigint not null
  reason text not null
  marked_at timestamp with time zone not null default clock_timestamp()
  constraint window_mark_pkey PRIMARY KEY (mark)
  CREATE INDEX window_mark_relation_mark_idx ON tidemark.window_mark USING btree (relation, mark)
)
-- tidemark_read may select
-- tidemark_windows may select

table tidemark.window_outbox with autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000 (
  seq bigint not null
  definition text not null -- the name: a tombstone of a definition that is gone is published, too
  topic text not null
  record_key text not null
  record_value text -- null: a tombstone, since the group is not in the result any more
  refused_at timestamp with time zone
  refused text -- why the topic does not take the value
  constraint window_outbox_pkey PRIMARY KEY (seq)
  CREATE INDEX window_outbox_refused ON tidemark.window_outbox USING btree (topic, record_key) WHERE (refused_at IS NOT NULL)
  CREATE INDEX window_outbox_waiting ON tidemark.window_outbox USING btree (topic, seq) WHERE (refused_at IS NULL)
)
-- tidemark_read may select
-- tidemark_windows may delete, insert, select, update

table tidemark.window_topic (
  topic text not null
  topic_partitions integer -- how many it had when it was first published to
  problem text -- why it is not published to, or null
  noted_at timestamp with time zone -- since when there has been a problem
  retry_at timestamp with time zone -- when publishing is tried again
  constraint window_topic_pkey PRIMARY KEY (topic)
)
-- tidemark_read may select
-- tidemark_windows may insert, select, update

table tidemark.window_watermark with fillfactor=50 (
  definition_id bigint not null
  topic text not null
  topic_partition integer not null
  newest_event timestamp without time zone -- the newest event time of the topic partition
  last_row_at timestamp with time zone -- when the source committed the last row: tidemark.progress.beacon_at shows how long there has been none
  reached timestamp without time zone -- the greatest watermark of the definition that the topic partition has met, since a watermark never goes back
  constraint window_watermark_definition_id_fkey FOREIGN KEY (definition_id) REFERENCES tidemark.window_definition(id) ON DELETE CASCADE
  constraint window_watermark_pkey PRIMARY KEY (definition_id, topic, topic_partition)
)
-- tidemark_read may select
-- tidemark_windows may insert, select, update

table tidemark_rows.change (
  committed_at timestamp with time zone not null -- when the source committed: the same at each delivery
  relation bigint not null
  key_hash bigint not null -- tidemark.key_hash(relation, key)
  ordinal bigint not null -- grows with the changes of a row in an epoch: twice the offset of the record, one more for the second half of a key change
  lsn bigint not null
  txid bigint
  epoch integer not null
  generation integer not null default 1 -- of the rows: the change before it is one of the same
  version integer -- version of the contract the change was read by
  op "char" not null -- c create, u update, d delete, r read by a snapshot, t truncate
  key text[] -- values of the key's columns in key order; those that are equal as one text: citext in lower case, numeric without scale trimmed
  before text[] -- null: what the change before it left; empty: not known
  after text[]
  CREATE INDEX change_by_row ON ONLY tidemark_rows.change USING btree (key_hash, ordinal)
  CREATE INDEX change_by_time ON ONLY tidemark_rows.change USING brin (committed_at) WITH (pages_per_range='32')
) partition by RANGE (committed_at)
-- tidemark_apply may insert, select
-- tidemark_console_read may select

table tidemark_rows.user_state with fillfactor=85 (
  id bigint not null
  name text
  age integer
  more jsonb
  ts timestamp with time zone
  run bigint not null
  event_order bigint not null
  topic_partition integer not null
  record_offset bigint not null
  live boolean not null
  constraint user_state_pkey PRIMARY KEY (id)
)
-- tidemark_apply may insert, select, update

view tidemark.archive_status as
 WITH ledger AS (
         SELECT s_1.topic,
            s_1.topic_partition,
            sum(r.records) FILTER (WHERE (c.committed_at IS NOT NULL)) AS committed_records,
            sum(r.records) FILTER (WHERE (c.committed_at IS NULL)) AS waiting_records,
            max(upper(r.offsets)) FILTER (WHERE (c.committed_at IS NOT NULL)) AS committed_to,
            max(upper(r.offsets)) AS archived_to,
            min(r.written_at) FILTER (WHERE (c.committed_at IS NULL)) AS waiting_since,
            max(c.committed_at) AS committed_at
           FROM ((tidemark.archive_stream s_1
             LEFT JOIN tidemark.archive_range r USING (stream))
             LEFT JOIN tidemark.archive_commit c ON ((c.number = r.commit_number)))
          GROUP BY s_1.topic, s_1.topic_partition
        ), seen AS (
         SELECT p.topic,
            p.topic_partition,
            GREATEST((max(p.next_offset) - COALESCE(max(p.next_offset) FILTER (WHERE (p.consumer = 'tidemark-archive'::text)), (0)::bigint)), (0)::bigint) AS records,
            COALESCE(max(p.applied_at) FILTER (WHERE (p.consumer = 'tidemark-archive'::text)), min(p.began_at)) AS since
           FROM tidemark.progress p
          GROUP BY p.topic, p.topic_partition
        ), failing AS (
         SELECT s_1.topic,
            s_1.topic_partition,
            s_1.first_seen_at AS since,
            s_1.reason
           FROM tidemark.stop s_1
          WHERE (s_1.consumer = 'tidemark-archive'::text)
        )
 SELECT topic,
    topic_partition,
    (COALESCE(l.committed_records, (0)::numeric))::bigint AS committed_records,
    (COALESCE(l.waiting_records, (0)::numeric))::bigint AS waiting_records,
    l.committed_to,
    l.archived_to,
    l.waiting_since,
    l.committed_at,
    COALESCE(s.records, (0)::bigint) AS not_taken_records,
    f.since AS failing_since,
    f.reason AS failure,
    LEAST(l.waiting_since, f.since,
        CASE
            WHEN (s.records > 0) THEN s.since
            ELSE NULL::timestamp with time zone
        END) AS uncommitted_since
   FROM ((ledger l
     FULL JOIN seen s USING (topic, topic_partition))
     FULL JOIN failing f USING (topic, topic_partition));
-- tidemark_archive may select
-- tidemark_read may select

view tidemark.change_log as
 SELECT schema_name,
    table_name,
    op,
    key,
    before,
    after,
    changed,
    transaction_id,
    lsn,
    epoch,
    committed_at,
    who,
    application,
    why,
    details,
    relation
   FROM tidemark.described_change;
-- tidemark_read may select

view tidemark.described_change as
 SELECT k.schema_name,
    k.table_name,
        CASE c.op
            WHEN 'c'::"char" THEN 'insert'::text
            WHEN 'u'::"char" THEN 'update'::text
            WHEN 'd'::"char" THEN 'delete'::text
            WHEN 'r'::"char" THEN 'read'::text
            WHEN 't'::"char" THEN 'truncate'::text
            ELSE NULL::text
        END AS op,
    tidemark.row_image(k.key_names, k.key_types, c.key) AS key,
    tidemark.row_image(k.names, k.types, tidemark.written_image(k.types, c.row_before)) AS before,
    tidemark.row_image(k.names, k.types, tidemark.written_image(k.types, c.after)) AS after,
        CASE
            WHEN (c.op = 'u'::"char") THEN tidemark.changed_columns(k.names, k.types, tidemark.written_image(k.types, c.row_before), tidemark.written_image(k.types, c.after))
            ELSE NULL::jsonb
        END AS changed,
    c.txid AS transaction_id,
    ('0/0'::pg_lsn + (c.lsn)::numeric) AS lsn,
    c.epoch,
    c.committed_at,
    m.who,
    m.application,
    m.why,
    m.details,
    c.relation,
    c.key_hash,
    c.ordinal,
    c.key AS key_values,
    c.before AS before_values,
    c.after AS after_values,
    k.numbers,
    k.types
   FROM ((tidemark.linked_change c
     LEFT JOIN LATERAL ( SELECT (n.contract ->> 'schema'::text) AS schema_name,
            (n.contract ->> 'table'::text) AS table_name,
            s.numbers,
            s.names,
            s.types,
            s.key_numbers,
            s.key_names,
            s.key_types
           FROM (( SELECT of.contract
                   FROM tidemark.contract of
                  WHERE ((of.relation = c.relation) AND (of.version = c.version))
                  ORDER BY (of.epoch = c.epoch) DESC
                 LIMIT 1) n
             CROSS JOIN LATERAL tidemark.image_shape(n.contract) s(numbers, names, types, key_numbers, key_names, key_types))) k ON (true))
     LEFT JOIN LATERAL ( SELECT (array_agg(a.who ORDER BY a.lsn DESC) FILTER (WHERE (a.who IS NOT NULL)))[1] AS who,
            (array_agg(a.application ORDER BY a.lsn DESC) FILTER (WHERE (a.application IS NOT NULL)))[1] AS application,
            (array_agg(a.why ORDER BY a.lsn DESC) FILTER (WHERE (a.why IS NOT NULL)))[1] AS why,
            (array_agg(a.details ORDER BY a.lsn DESC) FILTER (WHERE (a.details IS NOT NULL)))[1] AS details
           FROM tidemark.audit_message a
          WHERE ((a.epoch = c.epoch) AND (a.txid = c.txid) AND ((a.committed_at >= (c.committed_at - '1 day'::interval)) AND (a.committed_at <= (c.committed_at + '1 day'::interval))))) m ON (true));

view tidemark.empty_view as
 SELECT s.empty_of[1] AS schema_name,
    s.empty_of[2] AS table_name,
    s.view,
    string_agg(d.object, ' and '::text ORDER BY d.place) AS dependents,
    string_agg(COALESCE(d.dropped_by, ('-- drop '::text || d.object)), '
'::text ORDER BY d.place DESC) AS dropped_by
   FROM (tidemark.shown_view s
     CROSS JOIN LATERAL tidemark.dependents(s.view) d(object, dropped_by, place))
  WHERE (s.empty_of IS NOT NULL)
  GROUP BY s.empty_of, s.view;
-- tidemark_read may select

view tidemark.future_event as
 SELECT definition,
    window_start,
    event_time,
    "row"
   FROM tidemark.window_rows_of('future'::text) window_rows_of(definition, window_start, event_time, watermark, counted, "row");
-- tidemark_read may select

view tidemark.late_event as
 SELECT definition,
    window_start,
    event_time,
    watermark,
    counted,
    "row"
   FROM tidemark.window_rows_of('late'::text) window_rows_of(definition, window_start, event_time, watermark, counted, "row");
-- tidemark_read may select

view tidemark.latest_user_state as
 SELECT id,
    name,
    age,
    event_order,
    run,
    ts,
    more
   FROM tidemark_rows.user_state
  WHERE live;
-- tidemark_read may select

view tidemark.linked_change as
 SELECT committed_at,
    relation,
    key_hash,
    ordinal,
    lsn,
    txid,
    epoch,
    generation,
    version,
    op,
    key,
    before,
    after,
        CASE
            WHEN (op <> ALL (ARRAY['u'::"char", 'd'::"char"])) THEN NULL::text[]
            WHEN (before IS NOT NULL) THEN NULLIF(before, '{}'::text[])
            ELSE ( SELECT tidemark.image_by_version(c.relation, c.epoch, p.version, c.version, p.after) AS image_by_version
               FROM ( SELECT 1 AS turn,
                        near.version,
                        near.after
                       FROM ( SELECT p_1.version,
                                p_1.after,
                                p_1.committed_at
                               FROM tidemark_rows.change p_1
                              WHERE ((p_1.key_hash = c.key_hash) AND (p_1.ordinal < c.ordinal) AND (p_1.committed_at > (c.committed_at - '2 days'::interval)) AND (p_1.committed_at < (c.committed_at + '1 day'::interval)) AND ((p_1.relation = c.relation) AND (p_1.epoch = c.epoch) AND (p_1.generation = c.generation)) AND (p_1.key = c.key))
                              ORDER BY p_1.ordinal DESC
                             LIMIT 1) near
                      WHERE ((near.committed_at > (c.committed_at - '1 day'::interval)) AND ( SELECT tidemark.clocks_are_steady() AS clocks_are_steady))
                    UNION ALL
                    ( SELECT 2,
                        p_1.version,
                        p_1.after
                       FROM tidemark_rows.change p_1
                      WHERE ((p_1.key_hash = c.key_hash) AND (p_1.ordinal < c.ordinal) AND ((p_1.relation = c.relation) AND (p_1.epoch = c.epoch) AND (p_1.generation = c.generation)) AND (p_1.key = c.key))
                      ORDER BY p_1.ordinal DESC
                     LIMIT 1)) p
             LIMIT 1)
        END AS row_before
   FROM tidemark_rows.change c;
-- tidemark_console_read may select

view tidemark.not_captured as
 SELECT m.relation,
    m.schema_name,
    m.table_name,
    COALESCE(newest.refusal, ('it has left the publication of the source, and its changes are not applied until a new snapshot of '::text || 'its rows: tidemark.uncaptured in the source says what that waits for'::text)) AS reason,
    (EXISTS ( SELECT
           FROM tidemark.stopped_table s
          WHERE (s.relation = m.relation))) AS stopped
   FROM (( SELECT DISTINCT ON (c.relation) c.relation,
            ((c.contract ->> 'published'::text))::boolean AS published,
            (c.contract ->> 'refusal'::text) AS refusal
           FROM tidemark.contract c
          WHERE (c.topic_partition = 0)
          ORDER BY c.relation, c.epoch DESC, c.version DESC) newest
     JOIN tidemark.table_marker m ON (((m.relation = newest.relation) AND (m.dropped_at IS NULL))))
  WHERE ((NOT newest.published) AND (EXISTS ( SELECT
           FROM tidemark.generation g
          WHERE ((g.relation = m.relation) AND g.shown))));
-- tidemark_apply may select
-- tidemark_read may select

view tidemark.undeclared_index as
 SELECT relname AS made_as
   FROM pg_class c
  WHERE ((relnamespace = ('tidemark_rows'::regnamespace)::oid) AND (relkind = 'i'::"char") AND (relname ~ '^t\d+_\d+_i\d+$'::text) AND (NOT (EXISTS ( SELECT
           FROM tidemark.relation_index f
          WHERE ((f.id = ("substring"((c.relname)::text, '_i(\d+)$'::text))::bigint) AND (f.keys IS NOT NULL))))));

view tidemark.unsettled_window as
 SELECT d.id
   FROM ((tidemark.window_definition d
     LEFT JOIN tidemark.table_marker m ON (((m.relation = d.relation) AND (m.dropped_at IS NULL) AND (m.version = ((d.plan ->> 'version'::text))::integer) AND ((m.schema_name = ((d.definition -> 'source'::text) ->> 'schema'::text)) AND (m.table_name = ((d.definition -> 'source'::text) ->> 'table'::text))))))
     LEFT JOIN tidemark.generation g ON ((((g.relation = m.relation) AND (g.generation = d.generation)) AND g.shown)))
  WHERE ((d.state = ANY (ARRAY['backfilling'::text, 'shown'::text])) AND (g.relation IS NULL) AND (NOT (EXISTS ( SELECT
           FROM tidemark.window_definition o
          WHERE ((o.name = d.name) AND (o.id > d.id))))))
UNION ALL
 SELECT d.id
   FROM ((tidemark.window_definition d
     JOIN tidemark.table_marker m ON ((((m.schema_name = ((d.definition -> 'source'::text) ->> 'schema'::text)) AND (m.table_name = ((d.definition -> 'source'::text) ->> 'table'::text))) AND (m.dropped_at IS NULL) AND ((m.named_at > d.checked_at) OR (clock_timestamp() > (d.checked_at + '00:00:05'::interval))))))
     JOIN tidemark.generation g ON (((g.relation = m.relation) AND g.shown)))
  WHERE (d.state = 'awaiting table'::text);
-- tidemark_windows may select

view tidemark.user_index_state as
 SELECT u.id AS index_id,
    u.schema_name,
    u.table_name,
    u.index_name,
    u.definition,
    f.id AS relation_index,
    f.relation,
    g.generation,
    g.shown,
    r.relname AS rows_name,
    named.index_name AS made_as,
        CASE
            WHEN (f.id IS NULL) THEN 'no table'::text
            WHEN (f.keys IS NULL) THEN 'does not fit'::text
            WHEN i.indisvalid THEN 'made'::text
            WHEN (EXISTS ( SELECT
               FROM (pg_locks l
                 JOIN pg_database d ON (((d.oid = l.database) AND (d.datname = current_database()))))
              WHERE ((l.locktype = 'advisory'::text) AND ((l.classid = (730511004)::oid) AND (l.objid = (((hashtext(named.index_name))::bigint & '4294967295'::bigint))::oid) AND (l.objsubid = 2)) AND l.granted))) THEN 'being made'::text
            WHEN (x.oid IS NULL) THEN 'missing'::text
            ELSE 'unfinished'::text
        END AS state,
        CASE
            WHEN i.indisvalid THEN NULL::text
            ELSE f.problem
        END AS problem,
        CASE
            WHEN (f.keys IS NOT NULL) THEN format('%I on tidemark_rows.%I %s%s'::text, named.index_name, r.relname, f.keys, COALESCE((' where '::text || NULLIF(concat_ws(' and '::text,
            CASE
                WHEN (NOT g.keyless) THEN '"tidemark$live"'::text
                ELSE NULL::text
            END, (('('::text || f.predicate) || ')'::text)), ''::text)), ''::text))
            ELSE NULL::text
        END AS made_by,
    pg_table_size((r.oid)::regclass) AS rows_bytes
   FROM ((((tidemark.user_index u
     LEFT JOIN ((tidemark.relation_index f
     JOIN tidemark.generation g ON ((g.relation = f.relation)))
     JOIN pg_class r ON (((r.relnamespace = ('tidemark_rows'::regnamespace)::oid) AND (r.relname = tidemark.rows_name(g.relation, g.generation))))) ON ((f.index_id = u.id)))
     LEFT JOIN LATERAL ( SELECT format('%s_i%s'::text, r.relname, f.id) AS index_name) named ON (true))
     LEFT JOIN pg_class x ON (((x.relnamespace = ('tidemark_rows'::regnamespace)::oid) AND (x.relname = named.index_name) AND (x.relkind = 'i'::"char"))))
     LEFT JOIN pg_index i ON ((i.indexrelid = x.oid)));
-- tidemark_read may select

view tidemark.window_status as
 SELECT name,
    id,
    state,
    reason,
    source,
    emit,
    publish,
    open,
    final,
    revised,
    closed,
    visible,
    late,
    future,
    null_times,
    watermark,
    newest_event,
    committed_at,
    phase,
    rows_done,
    rows_total,
    since
   FROM tidemark.window_states() window_states(name, id, state, reason, source, emit, publish, open, final, revised, closed, visible, late, future, null_times, watermark, newest_event, committed_at, phase, rows_done, rows_total, since);
-- tidemark_read may select

CREATE OR REPLACE FUNCTION tidemark.accept(table_name text)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  stopped tidemark.stopped_table;
  kept bigint;
begin
  update tidemark.stopped_table s
  set accepted_at = now()
  where s.schema_name || '.' || s.table_name = accept.table_name
  returning * into stopped;
  if stopped.repair = 'resync' then
    raise exception '% cannot be accepted, because its rows have to be read again: %', table_name, stopped.reason
      using hint = format('npm run resync -- %s', table_name);
  end if;
  if stopped is null then
    raise exception '% is not stopped', table_name
      using hint = coalesce('these tables are stopped: ' || (
        select string_agg(s.schema_name || '.' || s.table_name, ', ') from tidemark.stopped_table s
      ), 'no table is stopped');
  end if;
  select count(*) into kept from tidemark.quarantine q where q.relation = stopped.relation;
  return format('%s quarantined changes of %s are applied now; it was stopped: %s', kept, table_name, stopped.reason);
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.add_missing_columns(contract jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  rows_table regclass := to_regclass(format('tidemark_rows.%I',
    tidemark.rows_name((contract ->> 'relation')::bigint, (contract ->> 'generation')::integer)));
  lacking record;
begin
  for lacking in
    select c.name, c.missing, c.type
    from tidemark.stored_columns(contract) c
    where rows_table is not null
      and not exists (select from pg_attribute a where a.attrelid = rows_table and a.attname = c.name)
    order by c.number
  loop
    execute format('alter table %s add column %I %s%s', rows_table, lacking.name, tidemark.canonical_type(lacking.type),
      coalesce(format(' default %L', lacking.missing), ''));
  end loop;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.await_name(of_relation bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform tidemark.stop_table(m.relation, g.generation, m.schema_name, m.table_name,
    format('relation %s has the name of relation %s, which is still captured: the view shows the rows of relation %2$s. This table '
      'goes on by itself once relation %2$s is renamed or dropped in the source', m.relation, owner),
    'accept', false)
  from tidemark.table_marker m
  cross join tidemark.owner_of(m.schema_name, m.table_name) as owner
  cross join lateral (select max(g.generation) as generation from tidemark.generation g where g.relation = m.relation) as g
  where m.relation = of_relation
    and m.dropped_at is null
    and owner <> m.relation
    and not exists (select from tidemark.predecessors(m.relation) p where p = owner);
end
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.begin_action(who text, action text, target text, reason text, app_version text)
 RETURNS bigint
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 INSERT INTO tidemark.console_action (who, action, target, reason, app_version)
   VALUES (begin_action.who, begin_action.action, begin_action.target, begin_action.reason, begin_action.app_version)
   RETURNING console_action.id;
END
-- owned by tidemark_owner
-- tidemark_console_act may execute

CREATE OR REPLACE FUNCTION tidemark.begin_initial_read(read_epoch integer, read_partition integer, read_lsn bigint)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  insert into tidemark.epoch as e (epoch, began_at)
  values (read_epoch, clock_timestamp())
  on conflict (epoch) do update set began_at = excluded.began_at where e.began_at is null;
  insert into tidemark.initial_read as known (epoch, topic_partition, lsn)
  values (read_epoch, read_partition, read_lsn)
  on conflict (epoch, topic_partition) do update
  set lsn = excluded.lsn,
    attempts = known.attempts + 1,
    finished = false
  where known.lsn < excluded.lsn
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.begin_window(of_name text, of_text text, definition jsonb, is_waiting boolean DEFAULT false)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  source record;
  plan jsonb;
  new_id bigint;
  former bigint;
begin
  select * into source
  from tidemark.window_source(definition -> 'source' ->> 'schema', definition -> 'source' ->> 'table');
  if source.problem is not null then
    raise exception '%', source.problem using errcode = 'feature_not_supported';
  end if;
  if source.relation is not null then
    plan := tidemark.check_window(definition, source.contract, source.keyless);
    plan := plan || jsonb_build_object('version', source.version,
      'recordKey', tidemark.window_record(definition, plan, false), 'recordValue', tidemark.window_record(definition, plan, true));
  end if;
  for former in
    select d.id from tidemark.window_definition d where d.name = of_name and not d.was_shown order by d.id desc
  loop
    perform tidemark.discard_window(former);
  end loop;
  insert into tidemark.window_definition (name, text, definition, state, reason, relation, generation, plan, phase, covers_mark)
  select of_name, of_text, definition,
    case when plan is null then 'awaiting table' else 'backfilling' end,
    case when plan is null then format('the target has no table %s.%s yet', definition -> 'source' ->> 'schema', definition -> 'source' ->> 'table') end,
    source.relation, source.generation, plan,
    case when plan is not null then 'rows' end,
    (select coalesce(max(m.mark), 0) from tidemark.window_mark m)
  returning id into new_id;
  if plan is not null then
    perform tidemark.create_window_tables(new_id, definition, plan);
  end if;
  return new_id;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.canonical_type(type_name text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  extension text := case
    when type_name ~ '^(citext|hstore|ltree)([[(]|$)' then substring(type_name from '^[a-z]+')
    when type_name ~ '^(lquery|ltxtquery)([[(]|$)' then 'ltree'
  end;
  known text := type_name;
begin
  if to_regtype(known) is null and to_regtype('public.' || type_name) is null
    and exists (select from pg_available_extensions e where e.name = extension and e.installed_version is null) then
    execute format('create extension if not exists %I with schema public', extension);
  end if;
  if to_regtype(known) is null then
    known := 'public.' || type_name;
  end if;
  if to_regtype(known) is null then
    raise exception 'type % does not exist in the target', type_name
      using errcode = 'undefined_object', hint = 'create the type, then npm run accept for the table';
  end if;
  return format_type(to_regtype(known)::oid, to_regtypemod(known));
end
$function$
-- owned by tidemark_owner
-- tidemark_console_read may execute

CREATE OR REPLACE FUNCTION tidemark.carry_emitted_windows(new tidemark.window_definition, former tidemark.window_definition)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if new.definition ->> 'emit' = 'on close' and tidemark.window_predecessor(new) = former.id then
    execute format('delete from tidemark_window_rows.w%s_groups g '
      'where g.window_start <= $1 - interval ''%s microseconds'' - interval ''%s microseconds''',
      new.id, new.definition -> 'window' ->> 'sizeMicros', new.definition ->> 'allowedLatenessMicros')
      using former.emitted_until;
    execute format('insert into tidemark_window_rows.w%s_groups '
      'select * from tidemark_window_rows.w%s_groups g where g.emitted_at is not null', new.id, former.id);
    update tidemark.window_definition d set emitted_until = former.emitted_until where d.id = new.id;
  end if;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.carry_window(of_definition bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  new tidemark.window_definition;
  former bigint;
  same_row text;
begin
  select * into new from tidemark.window_definition d where d.id = of_definition;
  former := tidemark.window_predecessor(new);
  if former is null then
    return;
  end if;
  select string_agg(format('o.%I = n.%1$I', c), ' and ') into same_row
  from unnest(
    case
      when jsonb_array_length(new.plan -> 'key') = 0 then array['image', 'n']
      else array(select 'k' || i from generate_series(1, jsonb_array_length(new.plan -> 'key')) as i)
    end
  ) as c;
  execute format(
    'update tidemark_window_rows.w%s_rows n set late_from = o.late_from, excluded_until = o.excluded_until, standing = o.standing '
    'from tidemark_window_rows.w%s_rows o where %s and o.event_time = n.event_time and n.late_from is null '
    'and (o.late_from is not null or o.standing = ''future'')', new.id, former, same_row);
end
$function$
-- owned by tidemark_owner
-- tidemark_windows may execute

CREATE OR REPLACE FUNCTION tidemark.change_day_name(day date)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN ('change_'::text || to_char((day)::timestamp with time zone, 'YYYYMMDD'::text))
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.change_days()
 RETURNS TABLE(day date, partition text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT to_date("substring"((c.relname)::text, '\d+$'::text), 'YYYYMMDD'::text) AS day,
     (c.relname)::text AS relname
    FROM (pg_inherits i
      JOIN pg_class c ON ((c.oid = i.inhrelid)))
   WHERE ((i.inhparent = ('tidemark_rows.change'::regclass)::oid) AND (c.relname ~ '^change_\d{8}$'::text))
   ORDER BY (to_date("substring"((c.relname)::text, '\d+$'::text), 'YYYYMMDD'::text));
END
-- owned by tidemark_owner
-- tidemark_console_read may execute

CREATE OR REPLACE FUNCTION tidemark.changed_columns(names text[], types text[], before text[], after text[])
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN ((before IS NOT NULL) AND (after IS NOT NULL) AND (names IS NOT NULL)) THEN (SELECT COALESCE(jsonb_object_agg(u.n, jsonb_build_array(tidemark."json_value"(u.t, u.b), tidemark."json_value"(u.t, u.a))), '{}'::jsonb) AS "coalesce" FROM UNNEST(changed_columns.names, changed_columns.types, changed_columns.before, changed_columns.after) u(n, t, b, a) WHERE ((u.b IS DISTINCT FROM u.a) AND (u.n IS NOT NULL))) ELSE NULL::jsonb END
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.check_expressions(contract jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  probe text := 'probe_' || (contract ->> 'relation');
  columns text;
begin
  if not contract @? '$.columns[*] ? (@.generated == true)' then
    return;
  end if;
  select string_agg(
    case
      when not (c ->> 'generated')::boolean then format('%I %s', c ->> 'name', tidemark.canonical_type(c ->> 'carried'))
      when tidemark.is_one_expression(c ->> 'expression') then format('%I %s generated always as ((%s)::%2$s) stored',
        c ->> 'name', tidemark.canonical_type(c ->> 'carried'), c ->> 'expression')
    end, ', ' order by n)
  into columns
  from jsonb_array_elements(contract -> 'columns') with ordinality as listed (c, n)
  having bool_and(not (c ->> 'generated')::boolean or coalesce(tidemark.is_one_expression(c ->> 'expression'), false));
  if columns is null then
    raise exception 'a generated column of %.% has an expression that is not one single SQL expression',
      contract ->> 'schema', contract ->> 'table'
      using errcode = 'invalid_parameter_value';
  end if;
  execute format('create table tidemark_rows.%I (%s)', probe, columns);
  execute format('drop table tidemark_rows.%I', probe);
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.check_names(contract jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  named record;
begin
  for named in
    select contract ->> 'schema' as schema, contract ->> 'table' as table, 'a latest-state table' as part
    union all
    select p ->> 'schema', p ->> 'table', 'the parent of a latest-state table'
    from jsonb_array_elements(contract -> 'parents') p
  loop
    if named.schema in ('tidemark', 'tidemark_rows', 'information_schema') or starts_with(named.schema, 'pg_') then
      raise exception '%.% cannot be %: the name of its schema is reserved', named.schema, named.table, named.part;
    end if;
  end loop;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.check_window(definition jsonb, contract jsonb, keyless boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  source text := format('%I.%I', contract ->> 'schema', contract ->> 'table');
  probe text := 'probe_' || pg_backend_pid();
  result text := 'result_' || pg_backend_pid();
  event jsonb;
  rule oid;
  action text;
  problem text;
  used integer[];
  types text[];
  plan jsonb;
  keys integer := jsonb_array_length(definition -> 'keys');
  one_type text;
begin
  select c into event
  from jsonb_array_elements(contract -> 'columns') c
  where c ->> 'name' = definition ->> 'eventTime';
  if event is null then
    raise exception '% has no column %, which has to be the event time', source, definition ->> 'eventTime'
      using errcode = 'undefined_column';
  elsif event ->> 'carried' !~ '^(date|timestamp(\(\d\))? with(out)? time zone)$' then
    raise exception 'the event time % has type %: a timestamp, a timestamp with time zone or a date is needed',
      definition ->> 'eventTime', event ->> 'type'
      using errcode = 'datatype_mismatch';
  end if;
  begin
    -- Types and functions of extensions are in public, as they are for the sessions that compute the windows.
    perform set_config('search_path', 'pg_catalog, public, pg_temp', true);
    execute format('create table tidemark_window_rows.%I (%s)', probe, (
      select string_agg(format('%I %s', c ->> 'name', tidemark.canonical_type(c ->> 'carried')), ', ' order by n)
      from jsonb_array_elements(contract -> 'columns') with ordinality as listed (c, n)
    ));
    execute format('create view tidemark_window_rows.%I as select %s from tidemark_window_rows.%I as %I%s group by %s%s',
      result,
      concat_ws(', ', nullif(tidemark.window_items(definition -> 'keys', 'g'), ''), tidemark.window_items(definition -> 'aggregates', 'r')),
      probe, contract ->> 'table',
      coalesce(' where (' || (definition ->> 'where') || ')', ''),
      coalesce((select string_agg(format('(%s)', k ->> 'sql'), ', ') from jsonb_array_elements(definition -> 'keys') k), '()'),
      coalesce(' having (' || (definition ->> 'having') || ')', ''));
    perform set_config('search_path', 'pg_catalog, pg_temp', true);
    select r.oid, r.ev_action::text into rule, action
    from pg_rewrite r
    where r.ev_class = format('tidemark_window_rows.%I', result)::regclass;
    problem := tidemark.window_problem(action, rule, format('tidemark_window_rows.%I', probe)::regclass);
    if problem is not null then
      raise exception '%', problem using errcode = 'feature_not_supported';
    end if;
    select array_agg(distinct c.number order by c.number) into used
    from (
      select (listed.c ->> 'number')::integer as number, (listed.c ->> 'generated')::boolean as generated, listed.c ->> 'name' as name
      from pg_depend d
      join jsonb_array_elements(contract -> 'columns') with ordinality as listed (c, n) on listed.n = d.refobjsubid
      where (d.classid, d.objid, d.refclassid, d.refobjid)
        = ('pg_rewrite'::regclass, rule, 'pg_class'::regclass, format('tidemark_window_rows.%I', probe)::regclass::oid)
      union all
      select (event ->> 'number')::integer, (event ->> 'generated')::boolean, event ->> 'name'
    ) as c;
    if exists (
      select
      from jsonb_array_elements(contract -> 'columns') c
      where (c ->> 'number')::integer = any (used) and (c ->> 'generated')::boolean
    ) then
      raise exception 'a column of % that it uses is generated, and the target stores no generated columns: use its expression', source
        using errcode = 'feature_not_supported';
    end if;
    select array_agg(format_type(a.atttypid, a.atttypmod) order by a.attnum) into types
    from pg_attribute a
    where a.attrelid = format('tidemark_window_rows.%I', result)::regclass
      and a.attnum > 0;
    for one_type in select t from unnest(types[1:keys]) t loop
      -- Rows of a group are found by the hash of its keys.
      execute format('select hash_record_extended(row(null::%s), 0)', one_type);
    end loop;
    plan := jsonb_build_object(
      'event', jsonb_build_object('number', (event ->> 'number')::integer, 'type', event ->> 'carried'),
      'columns', (
        select jsonb_agg(jsonb_build_object('number', (c ->> 'number')::integer, 'name', c ->> 'name',
          'type', tidemark.canonical_type(c ->> 'carried')) order by (c ->> 'number')::integer)
        from jsonb_array_elements(contract -> 'columns') c
        where (c ->> 'number')::integer = any (used)
      ),
      'key', (
        select coalesce(jsonb_agg(jsonb_build_object('number', (c ->> 'number')::integer, 'name', c ->> 'name',
          'type', tidemark.canonical_type(c ->> 'carried')) order by (c ->> 'key')::integer), '[]')
        from jsonb_array_elements(contract -> 'columns') c
        where not keyless and c ->> 'key' is not null
      ),
      'keyTypes', to_jsonb(coalesce(types[1:keys], '{}')),
      'resultTypes', to_jsonb(types[keys + 1:])
    );
    perform set_config('search_path', 'pg_catalog, public, pg_temp', true);
    execute format('create view tidemark_window_rows.%I as %s', 'shown_' || pg_backend_pid(),
      tidemark.window_view(definition, (
        select format('select %s', string_agg(format('null::%s as %I', c.type, c.name), ', ' order by c.place))
        from tidemark.window_columns(definition, plan) c
      )));
    raise exception using errcode = 'TM001', message = plan::text;
  exception
    when sqlstate 'TM001' then
      return sqlerrm::jsonb;
  end;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.clocks_are_steady()
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT (COALESCE(max(((p.fence ->> 'backMs'::text))::double precision), (0)::double precision) < (86400000)::double precision)
    FROM tidemark.progress p;
END
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.confirmed_everywhere()
 RETURNS TABLE(epoch integer, lsn bigint)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT min(p.beacon_epoch) AS min,
     (min((p.confirmed_lsn - '0/0'::pg_lsn)))::bigint AS min
    FROM tidemark.progress p
   WHERE (p.consumer = 'tidemark-latest-state'::text)
   GROUP BY p.topic
  HAVING ((count(p.confirmed_lsn) >= ( SELECT max(((k.contract ->> 'topicPartitions'::text))::integer) AS max
            FROM tidemark.contract k
           WHERE (k.topic = p.topic))) AND (count(*) = count(p.confirmed_lsn)) AND (min(p.beacon_epoch) = max(p.beacon_epoch)));
END
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.contract_of(relation bigint, epoch integer, version integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE PARALLEL SAFE
BEGIN ATOMIC
 SELECT k.contract
    FROM tidemark.contract k
   WHERE ((k.relation = contract_of.relation) AND (k.version = contract_of.version))
   ORDER BY (k.epoch = contract_of.epoch) DESC
  LIMIT 1;
END
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.create_rows(contract jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  rows_name text := tidemark.rows_name((contract ->> 'relation')::bigint, (contract ->> 'generation')::integer);
  columns text;
  key_names text;
  bookkeeping text := '"tidemark$epoch" integer not null, "tidemark$phase" smallint not null, '
    '"tidemark$live" boolean not null, "tidemark$whole" boolean not null default true, "tidemark$lsn" bigint not null';
begin
  select string_agg(format(', %I %s', c.name, tidemark.canonical_type(c.type)), '' order by c.number),
    string_agg(format('%I', c.name), ', ' order by c.key) filter (where c.key is not null)
  into columns, key_names
  from tidemark.stored_columns(contract) c;
  if key_names is null then
    key_names := '"tidemark$image"';
    bookkeeping := '"tidemark$image" uuid not null, "tidemark$count" bigint not null';
  end if;
  execute format('create table tidemark_rows.%I (%s%s, primary key (%s)) with (fillfactor = 85)',
    rows_name, bookkeeping, columns, key_names);
  if key_names <> '"tidemark$image"' then
    -- Maintenance uses this index to find delete markers that are not needed any more.
    execute format('create index on tidemark_rows.%I ("tidemark$epoch") where not "tidemark$live"', rows_name);
  end if;
  execute format('comment on table tidemark_rows.%I is %L',
    rows_name, format('rows of %s.%s', contract ->> 'schema', contract ->> 'table'));
  execute format('grant select, insert, update, delete on tidemark_rows.%I to tidemark_apply', rows_name);
  execute format('grant select on tidemark_rows.%I to tidemark_windows', rows_name);
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.create_window_tables(of_definition bigint, definition jsonb, plan jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  rows_table text := format('tidemark_window_rows.w%s_rows', of_definition);
  groups_table text := format('tidemark_window_rows.w%s_groups', of_definition);
  group_columns text := (
    select string_agg(format(', g%s %s', n, t), '' order by n)
    from jsonb_array_elements_text(plan -> 'keyTypes') with ordinality as listed (t, n)
  );
  results text := (
    select string_agg(format(', r%s %s', n, t), '' order by n)
    from jsonb_array_elements_text(plan -> 'resultTypes') with ordinality as listed (t, n)
  );
  group_names text := (
    select string_agg(format(', g%s', n), '' order by n)
    from jsonb_array_elements(plan -> 'keyTypes') with ordinality as listed (t, n)
  );
  keyless boolean := jsonb_array_length(plan -> 'key') = 0;
begin
  execute format(
    'create table %s (event_time timestamp, late_from timestamp, excluded_until timestamp, standing text not null, '
    'epoch integer, phase smallint, lsn bigint, g_hash bigint not null%s%s, primary key (%s)) with (fillfactor = 85)',
    rows_table, group_columns,
    (select string_agg(format(', %I %s', c.stored, c.type), '' order by c.number) from tidemark.window_image_columns(plan) c),
    case
      when keyless then 'image, n'
      else (
        select string_agg('k' || n, ', ' order by n)
        from jsonb_array_elements(plan -> 'key') with ordinality as listed (k, n)
      )
    end);
  -- The rows of a group are found by this index.
  execute format('create index on %s (g_hash, event_time)', rows_table);
  execute format('create index on %s (standing) where standing <> ''counted''', rows_table);
  execute format(
    'create table %s (window_start timestamp not null, g_hash bigint not null%s%s, rows bigint not null default 0, '
    'late_rows bigint not null default 0, visible boolean not null default false, emitted_at timestamptz) with (fillfactor = 70)',
    groups_table, group_columns, results);
  execute format('create unique index on %s (window_start, g_hash%s) nulls not distinct', groups_table, group_names);
  if definition ->> 'emit' = 'on close' then
    execute format('create index on %s (window_start) where emitted_at is null', groups_table);
  end if;
  execute format('comment on table %s is %L', rows_table, format('image of the rows of the windows %s', definition ->> 'name'));
  execute format('comment on table %s is %L', groups_table, format('groups of the windows %s', definition ->> 'name'));
  execute format('grant select, insert, update, delete on %s, %s to tidemark_windows', rows_table, groups_table);
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.declare_index(of_table text, definition text, named text DEFAULT NULL::text)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  target record;
  fitted record;
  shown_as text;
  place integer := 0;
  known tidemark.user_index;
begin
  named := nullif(named, '');
  -- No generation begins that does not see the index.
  perform pg_advisory_xact_lock(hashtextextended('tidemark.user_index', 0));
  for target in select * from tidemark.indexable_tables() t where t.schema_name || '.' || t.table_name = of_table loop
    select * into fitted from tidemark.fit_definition(target.contract, declare_index.definition);
    shown_as := coalesce(shown_as, tidemark.named_definition(target.contract, fitted.keys, fitted.predicate));
  end loop;
  if shown_as is null then
    raise exception 'no captured table is called %', of_table
      using errcode = 'undefined_table', hint = 'Write it with its schema, as in public.orders.';
  end if;
  -- Without a name it gets the one that Postgres would give it, as the first of this name that is free or the same index.
  loop
    known := null;
    select * into known
    from tidemark.user_index u
    where (u.schema_name, u.table_name) = (target.schema_name, target.table_name)
      and u.index_name = coalesce(named, fitted.usual_name || nullif(place, 0), fitted.usual_name);
    exit when known.id is null or known.definition = shown_as;
    if named is not null then
      raise exception '%.% has an index % already: %', target.schema_name, target.table_name, named, known.definition
        using errcode = 'duplicate_object', hint = 'Remove it first, or give the new one another name.';
    end if;
    place := place + 1;
  end loop;
  if known.id is null then
    insert into tidemark.user_index (schema_name, table_name, index_name, definition)
    values (target.schema_name, target.table_name,
      coalesce(named, fitted.usual_name || nullif(place, 0), fitted.usual_name), shown_as)
    returning * into known;
    perform tidemark.fit_index(known.id, t.contract)
    from tidemark.indexable_tables() t
    where (t.schema_name, t.table_name) = (known.schema_name, known.table_name);
  end if;
  return known.id;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.dependents(of_view regclass)
 RETURNS TABLE(object text, dropped_by text, place bigint)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with recursive dependent (class, oid, part, depth) as (
    select 'pg_class'::regclass::oid, of_view::oid, 0, 0
    union
    select next.class, next.oid, next.part, b.depth + 1
    from dependent b
    join pg_depend d on d.deptype = 'n' and b.part = 0 and (
      (d.refclassid, d.refobjid) = (b.class, b.oid)
      -- The rows of a view have a type, and arrays of them have another one.
      or b.class = 'pg_class'::regclass and d.refclassid = 'pg_type'::regclass and d.refobjid in (
        select t.oid from pg_type t where t.typrelid = b.oid
        union all
        select t.typarray from pg_type t where t.typrelid = b.oid
      )
    )
    left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
    cross join lateral (
      -- The rule of a view stands for the view.
      select case when r.oid is null then d.classid else 'pg_class'::regclass::oid end as class,
        coalesce(r.ev_class, d.objid) as oid, case when r.oid is null then d.objsubid else 0 end as part
    ) as next
    where (next.class, next.oid) <> (b.class, b.oid)
  )
  select pg_describe_object(l.class, l.oid, l.part),
    case when i.type in ('view', 'materialized view', 'function', 'procedure', 'policy') then
      format('drop %s %s;', i.type, i.identity)
    end,
    row_number() over (order by l.depth, i.identity)
  from (
    select d.class, d.oid, d.part, max(d.depth) as depth
    from dependent d
    where d.depth > 0
    group by d.class, d.oid, d.part
  ) as l
  cross join lateral pg_identify_object(l.class, l.oid, l.part) i
$function$
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.discard(what text)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  owed text;
  forgotten bigint;
begin
  perform tidemark.require_kept(what);
  select min(q.table_name) into owed from tidemark.kept(what) q where tidemark.is_owed(q.relation);
  if owed is not null and what <> 'all' then
    raise exception 'quarantined changes of % cannot be discarded: its rows would lack them', owed
      using hint = format('npm run resync -- %s reads its rows again and then deletes its quarantined changes', owed);
  end if;
  with gone as (
    delete from tidemark.quarantine q
    using tidemark.kept(what) k
    where (q.topic, q.topic_partition, q.record_offset) = (k.topic, k.topic_partition, k.record_offset)
      and not tidemark.is_owed(q.relation)
    returning q.relation, q.table_name
  ),
  released as (
    delete from tidemark.stopped_table s
    using gone g
    where s.relation = g.relation
      and (s.relation <> 0 or s.schema_name || '.' || s.table_name = g.table_name)
      -- The table stays stopped while records of it remain: these would otherwise be applied after later ones.
      and not exists (
        select from tidemark.quarantine q
        where q.relation = g.relation
          and (q.relation <> 0 or q.table_name = g.table_name)
          and (q.topic, q.topic_partition, q.record_offset) not in (
            select k.topic, k.topic_partition, k.record_offset from tidemark.kept(what) k
          )
      )
  )
  select count(*) into forgotten from gone;
  return forgotten;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.discard_window(of_definition bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform pg_advisory_xact_lock(730511005, of_definition::integer);
  execute format('drop table if exists tidemark_window_rows.w%s_rows, tidemark_window_rows.w%1$s_groups', of_definition);
  delete from tidemark.window_definition d where d.id = of_definition;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.drop_empty_views()
 RETURNS void
 LANGUAGE plpgsql
 SET lock_timeout TO '200ms'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  empty tidemark.shown_view;
begin
  for empty in select * from tidemark.shown_view s where s.empty_of is not null loop
    if pg_try_advisory_xact_lock(tidemark.lock_of_view(empty.schema_name, empty.table_name)) then
      begin
        perform tidemark.drop_view(empty.schema_name, empty.table_name);
      exception when dependent_objects_still_exist or lock_not_available then
        continue;
      end;
    end if;
  end loop;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.drop_latest_state(of_relation bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update tidemark.table_marker m
  set dropped_at = now()
  where m.relation = of_relation
    and m.dropped_at is null;
  if found then
    perform tidemark.show_views(of_relation, or_leave => true);
    perform tidemark.free_name(m.schema_name, m.table_name) from tidemark.table_marker m where m.relation = of_relation;
    delete from tidemark.stopped_table s where s.relation = of_relation;
  end if;
end
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.drop_rows(of_relation bigint, of_generation integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  execute format('drop table if exists tidemark_rows.%I', tidemark.rows_name(of_relation, of_generation));
  delete from tidemark.generation g where (g.relation, g.generation) = (of_relation, of_generation);
  delete from tidemark.relation_index f
  where f.relation = of_relation
    and not exists (select from tidemark.generation g where g.relation = of_relation);
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.drop_view(of_schema text, of_table text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  view constant regclass := tidemark.own_view(of_schema, of_table);
  found record;
begin
  if view is not null then
    execute format('drop view %s', view);
  end if;
  delete from tidemark.shown_view s where (s.schema_name, s.table_name) = (of_schema, of_table);
exception when dependent_objects_still_exist then
  select string_agg(d.object, ' and ' order by d.place) as objects, count(*) = 1 as one,
    string_agg(coalesce(d.dropped_by, '-- drop ' || d.object), ' ' order by d.place desc) as dropped_by
  into found
  from tidemark.dependents(view) d;
  raise exception '% % on the view %.%, which has to be created again because columns of the table have changed',
    found.objects, case when found.one then 'depends' else 'depend' end, of_schema, of_table
    using errcode = 'dependent_objects_still_exist',
      hint = format('save %s (pg_get_viewdef), run %s then npm run accept -- %s.%s, and create %s again',
        case when found.one then 'its definition' else 'their definitions' end, found.dropped_by, of_schema, of_table,
        case when found.one then 'it' else 'them' end);
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.end_change_day(OUT dropped text, OUT stepped boolean)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET lock_timeout TO '200ms'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  blocks_of_a_step constant bigint := 500;
  oldest record;
  reached bigint;
  places jsonb;
  going tid[];
begin
  stepped := false;
  for oldest in
    select d.day, d.partition
    from tidemark.change_days() d
    where (d.day + 1)::timestamp at time zone 'UTC' <= now() - tidemark.longest_retention()
    order by d.day
  loop
    -- A transaction that is about to write to the day has the lock, and makes the steps begin again (ensure_change_days).
    continue when not pg_try_advisory_xact_lock(730511002, oldest.day - date '2000-01-01');
    stepped := true;
    select e.next_block into reached from tidemark.ending_day e where e.day = oldest.day;
    if reached is null then
      execute format($query$
        select jsonb_agg(p)
        from (
          select distinct on (relation, generation) relation, generation, epoch,
            coalesce(max(lsn) filter (where op <> 'r'), 0) as lsn
          from tidemark_rows.%I
          where key is not null
          group by relation, generation, epoch
          order by relation, generation, epoch desc
        ) p
      $query$, oldest.partition) into places;
      perform tidemark.raise_gaps(places);
      insert into tidemark.ending_day (day) values (oldest.day);
    elsif reached * current_setting('block_size')::bigint
        < pg_relation_size(format('tidemark_rows.%I', oldest.partition)::regclass) then
      execute format('select array_agg(ctid) from tidemark_rows.%I where ctid >= $1 and ctid < $2', oldest.partition)
        into going
        using format('(%s,0)', reached)::tid, format('(%s,0)', reached + blocks_of_a_step)::tid;
      perform tidemark.keep_rows_before(oldest.partition, going, true);
      update tidemark.ending_day e set next_block = reached + blocks_of_a_step where e.day = oldest.day;
    else
      execute format('drop table tidemark_rows.%I', oldest.partition);
      delete from tidemark.ending_day e where e.day = oldest.day;
      dropped := oldest.partition;
    end if;
    return;
  end loop;
exception
  when lock_not_available then
    dropped := null;
    stepped := false;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.end_changes()
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET lock_timeout TO '200ms'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  due jsonb;
  places jsonb;
begin
  insert into tidemark.pruned_history (relation)
  select k.relation
  from tidemark.kept_relations() k
  where k.retention < tidemark.longest_retention()
  on conflict do nothing;
  select jsonb_agg(p)
  into due
  from (
    select p.relation, p.ended as since, date_trunc('hour', now() - k.retention) as until
    from tidemark.pruned_history p
    join tidemark.kept_relations() k using (relation)
    where k.retention < tidemark.longest_retention()
      and p.ended < date_trunc('hour', now() - k.retention)
  ) p;
  if due is null then
    return false;
  end if;
  select jsonb_agg(p)
  into places
  from (
    select distinct on (c.relation, c.generation) c.relation, c.generation, c.epoch,
      coalesce(max(c.lsn) filter (where c.op <> 'r'), 0) as lsn
    from tidemark_rows.change c
    join jsonb_to_recordset(due) as d (relation bigint, since timestamptz, until timestamptz)
      on d.relation = c.relation
      and c.committed_at >= d.since
      and c.committed_at < d.until
    where c.key is not null
      and c.committed_at >= (select min(w.since) from jsonb_to_recordset(due) as w (since timestamptz))
      and c.committed_at < (select max(w.until) from jsonb_to_recordset(due) as w (until timestamptz))
    group by c.relation, c.generation, c.epoch
    order by c.relation, c.generation, c.epoch desc
  ) p;
  perform tidemark.raise_gaps(places);
  update tidemark.pruned_history p
  set ended = d.until
  from jsonb_to_recordset(due) as d (relation bigint, until timestamptz)
  where p.relation = d.relation;
  return places is not null;
exception
  when lock_not_available then
    return false;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.ensure_change_days(first_day date, last_day date)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  day date := first_day;
  name text;
  made boolean;
  attached boolean;
begin
  while day <= last_day loop
    name := tidemark.change_day_name(day);
    -- Maintenance takes the same lock before it drops a day, and leaves the day where it does not get the lock.
    perform pg_advisory_xact_lock_shared(730511002, day - date '2000-01-01');
    select true, c.relispartition into made, attached
    from pg_class c
    where c.relnamespace = 'tidemark_rows'::regnamespace and c.relname = name;
    if attached is not true then
      perform pg_advisory_xact_lock(730511003, 0);
      -- This is queried again, since to wait for an advisory lock does not renew what the session has cached of names.
      select true, c.relispartition into made, attached
      from pg_class c
      where c.relnamespace = 'tidemark_rows'::regnamespace and c.relname = name;
      if made is not true then
        execute format('create table tidemark_rows.%I (like tidemark_rows.change including all excluding indexes)', name);
      end if;
      if attached is not true then
        execute format('alter table tidemark_rows.change attach partition tidemark_rows.%I for values from (%L) to (%L)', name,
          to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00');
      end if;
    end if;
    if day < (now() at time zone 'UTC')::date then
      -- The step of maintenance has not looked at what is about to be written, so it begins again.
      delete from tidemark.ending_day e where tidemark.change_day_name(e.day) = name;
    end if;
    day := day + 1;
  end loop;
end
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.ensure_schema(of_schema text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if not exists (select from pg_namespace n where n.nspname = of_schema) then
    execute format('create schema %I', of_schema);
    execute format('grant usage on schema %I to tidemark_read', of_schema);
  end if;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.execute_action(of_action bigint)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  begun tidemark.console_action;
  records bigint;
begin
  update tidemark.console_action a
  set executed_at = clock_timestamp()
  where a.id = of_action
    and a.outcome = 'running'
    and a.executed_at is null
  returning * into begun;
  if begun.id is null then
    raise exception 'action % is not recorded as one that is about to be executed', of_action
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  case begun.action
    when 'table.accept' then
      return tidemark.accept(begun.target);
    when 'quarantine.retry' then
      records := tidemark.retry(begun.target);
      return format('%s quarantined %s applied again', records, case records when 1 then 'record is' else 'records are' end);
    when 'quarantine.discard' then
      if coalesce(btrim(begun.reason), '') = '' then
        raise exception 'a record is discarded for a reason, and none is given'
          using errcode = 'null_value_not_allowed';
      end if;
      records := tidemark.discard(begun.target);
      return format('%s quarantined %s deleted', records, case records when 1 then 'record is' else 'records are' end);
    else
      raise exception 'the target does not execute %', begun.action
        using errcode = 'feature_not_supported';
  end case;
end
$function$
-- owned by tidemark_owner
-- tidemark_console_act may execute

CREATE OR REPLACE FUNCTION tidemark.fail_window(of_definition bigint, why text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if exists (select from tidemark.unsettled_window u where u.id = of_definition) then
    perform tidemark.settle_windows();
  else
    perform tidemark.stop_window(of_definition, why);
  end if;
end
$function$
-- owned by tidemark_owner
-- tidemark_windows may execute

CREATE OR REPLACE FUNCTION tidemark.finish_action(of_action bigint, outcome text, result text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update tidemark.console_action a
  set outcome = finish_action.outcome,
    result = finish_action.result,
    finished_at = clock_timestamp()
  where a.id = of_action
    and a.outcome = 'running';
  return found;
end
$function$
-- owned by tidemark_owner
-- tidemark_console_act may execute

CREATE OR REPLACE FUNCTION tidemark.finish_archive_commit(finished bigint)
 RETURNS SETOF text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  stream_id integer;
  whole record;
begin
  update tidemark.archive_commit c
  set committed_at = clock_timestamp()
  where c.number = finished
    and c.committed_at is null;
  if not found then
    return;
  end if;
  return query
    delete from tidemark.archive_file f
    using tidemark.archive_range r
    where r.range = f.range
      and r.commit_number = finished
      and f.commit_number is null
    returning f.path;
  delete from tidemark.archive_file f where f.commit_number = finished;
  for stream_id in
    select distinct r.stream from tidemark.archive_range r where r.commit_number = finished order by r.stream
  loop
    select range_merge(range_agg(r.offsets)) as offsets, sum(r.records) as records, max(r.range) as newest
    into whole
    from tidemark.archive_range r
    where r.stream = stream_id
      and r.commit_number <= finished;
    delete from tidemark.archive_range r
    where r.stream = stream_id
      and r.commit_number <= finished
      and r.range <> whole.newest;
    update tidemark.archive_range r
    set offsets = whole.offsets,
      records = whole.records
    where r.range = whole.newest;
  end loop;
end
$function$
-- owned by postgres
-- tidemark_archive may execute

CREATE OR REPLACE FUNCTION tidemark.finish_initial_read(read_epoch integer, read_partition integer, topic_partitions integer)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  swept bigint := 0;
  changed bigint;
  attempt record;
  rows_of record;
begin
  update tidemark.initial_read r
  set finished = true
  where r.epoch = read_epoch
    and r.topic_partition = read_partition
    and not r.finished;
  if not found then
    return 0;
  end if;
  -- Topic partitions take turns here, so that the last one to finish sees all of them.
  perform from tidemark.initial_read r where r.epoch = read_epoch order by r.topic_partition for update;
  select count(*) filter (where r.finished and r.lsn = last.lsn) as finished, max(r.attempts) as attempts, last.lsn
    into attempt
    from tidemark.initial_read r
    cross join (select max(l.lsn) as lsn from tidemark.initial_read l where l.epoch = read_epoch) as last
    where r.epoch = read_epoch
    group by last.lsn;
  if attempt.finished < topic_partitions then
    return 0;
  end if;
  update tidemark.epoch e set known_at = clock_timestamp() where e.epoch = read_epoch;
  perform tidemark.forget_relation(m.relation)
  from tidemark.table_marker m
  where m.epoch < read_epoch
    and not exists (select from tidemark.contract c where (c.relation, c.epoch) = (m.relation, read_epoch))
    -- It stays where another relation has its name now, whose rows are not complete yet.
    and not exists (
      select
      from tidemark.table_marker s
      where (s.schema_name, s.table_name) = (m.schema_name, m.table_name)
        and s.epoch > m.epoch
        and s.dropped_at is null
    );
  if attempt.attempts = 1 then
    return 0;
  end if;
  for rows_of in select g.relation, g.generation from tidemark.generation g where not g.keyless loop
    execute format(
      'update tidemark_rows.%I set "tidemark$live" = false '
      'where "tidemark$live" and "tidemark$epoch" = $1 and "tidemark$phase" = 0 and "tidemark$lsn" between 1 and $2 - 1',
      tidemark.rows_name(rows_of.relation, rows_of.generation)) using read_epoch, attempt.lsn;
    get diagnostics changed = row_count;
    swept := swept + changed;
  end loop;
  return swept;
end
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.fit_definition(contract jsonb, definition text, OUT keys text, OUT predicate text, OUT numbers integer[], OUT names text[], OUT usual_name text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  computed record;
  used integer[];
begin
  select r.keys, r.predicate, r.used, format('%s_%s_idx', contract ->> 'table', array_to_string(r.parts, '_'))
  into keys, predicate, used, usual_name
  from (
    select array_agg(c ->> 'name' order by n) as names, array_agg(tidemark.canonical_type(c ->> 'carried') order by n) as types,
      array_agg('c' || (c ->> 'number') order by n) as new_names
    from jsonb_array_elements(contract -> 'columns') with ordinality as listed (c, n)
  ) as source
  cross join lateral tidemark.renamed_definition(
    (contract ->> 'relation')::bigint, source.names, source.types, source.new_names, definition) r;
  select c ->> 'name' as name, format('((%s)::%s)', c ->> 'expression', tidemark.canonical_type(c ->> 'carried')) as expression
  into computed
  from jsonb_array_elements(contract -> 'columns') with ordinality as listed (c, n)
  where (c ->> 'generated')::boolean
    and n = any (used)
  limit 1;
  if found then
    raise exception 'column "%" is generated, so the view computes it and the rows do not have it', computed.name
      using errcode = 'feature_not_supported', hint = format('Write its expression instead: %s', computed.expression);
  end if;
  select array_agg((c ->> 'number')::integer order by n), array_agg(c ->> 'name' order by n)
  into numbers, names
  from jsonb_array_elements(contract -> 'columns') with ordinality as listed (c, n)
  where n = any (used);
  numbers := coalesce(numbers, '{}');
  names := coalesce(names, '{}');
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.fit_index(declared bigint, contract jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  of_relation constant bigint := contract ->> 'relation';
  wanted constant text := (select u.definition from tidemark.user_index u where u.id = declared);
  why text;
begin
  delete from tidemark.relation_index f where (f.index_id, f.relation) = (declared, of_relation);
  begin
    insert into tidemark.relation_index (index_id, relation, declared_as, keys, predicate, numbers, names)
    select declared, of_relation, wanted, d.keys, d.predicate, d.numbers, d.names
    from tidemark.fit_definition(contract, wanted) d
    -- Another transaction may have compared them at the same time.
    on conflict do nothing;
  exception
    when others then
      if tidemark.is_of_other_sessions(sqlstate, sqlerrm) then
        raise;
      end if;
      get stacked diagnostics why = pg_exception_hint;
      insert into tidemark.relation_index (index_id, relation, declared_as, problem)
      values (declared, of_relation, wanted, concat_ws('. ', tidemark.why_not_fitting(contract, sqlerrm), nullif(why, '')))
      on conflict do nothing;
  end;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.follow_contract(earlier jsonb, contract jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  of_relation constant bigint := contract ->> 'relation';
  declared record;
begin
  if not exists (select from tidemark.user_index) then
    return;
  end if;
  -- Indexes of a table that was renamed belong to the new name. A parent has no contract of its own: it was renamed where the
  -- contracts of the tables below it have a parent that is new to all of them in the place of a former one.
  update tidemark.user_index u
  set schema_name = renamed.to_schema,
    table_name = renamed.to_table
  from (
    select earlier ->> 'schema' as schema, earlier ->> 'table' as "table",
      contract ->> 'schema' as to_schema, contract ->> 'table' as to_table
    union all
    select former.p ->> 'schema', former.p ->> 'table', present.p ->> 'schema', present.p ->> 'table'
    from jsonb_array_elements(earlier -> 'parents') as former (p)
    join jsonb_array_elements(contract -> 'parents') as present (p)
      on former.p ->> 'table' = present.p ->> 'table'
      or jsonb_array_length(earlier -> 'parents') = jsonb_array_length(contract -> 'parents')
        and (select count(*) from jsonb_array_elements(earlier -> 'parents') f where not contract -> 'parents' @> jsonb_build_array(f)) = 1
    where not contract -> 'parents' @> jsonb_build_array(former.p)
      and not earlier -> 'parents' @> jsonb_build_array(present.p)
      and not exists (
        select
        from tidemark.generation g
        where g.relation <> of_relation
          and g.contract -> 'parents' @> jsonb_build_array(present.p)
      )
  ) as renamed
  where (u.schema_name, u.table_name) = (renamed.schema, renamed.table)
    and (renamed.schema, renamed.table) <> (renamed.to_schema, renamed.to_table)
    and exists (select from tidemark.relation_index f where (f.index_id, f.relation) = (u.id, of_relation));
  delete from tidemark.relation_index f
  using tidemark.user_index u
  where f.relation = of_relation
    and u.id = f.index_id
    and (u.schema_name, u.table_name) not in (select n.schema_name, n.table_name from tidemark.names_of_rows(of_relation) n);
  for declared in
    select u.id, f.keys, f.numbers, f.names, tidemark.names_of_columns(contract, f.numbers) as new_names
    from tidemark.user_index u
    left join tidemark.relation_index f on (f.index_id, f.relation) = (u.id, of_relation)
    where f.id is not null
      or u.id in (select w.index_id from tidemark.wanting_indexes(of_relation) w)
    order by u.id
  loop
    if declared.keys is null or cardinality(declared.new_names) < cardinality(declared.numbers) then
      perform tidemark.fit_index(declared.id, contract);
    elsif declared.new_names <> declared.names then
      perform tidemark.rename_in_index(declared.id, contract, declared.new_names);
    end if;
  end loop;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.foreign_object(of_schema text, of_table text)
 RETURNS TABLE(object text, renamed_by text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with found as (
    select 'pg_class'::regclass as class, c.oid, c.relkind = 'c' as is_type
    from pg_class c
    where c.relname = of_table
      and c.relnamespace = (select n.oid from pg_namespace n where n.nspname = of_schema)
      and c.oid is distinct from tidemark.own_view(of_schema, of_table)
    union all
    -- A view is also a type. A type of an array is renamed by Postgres itself.
    select 'pg_type'::regclass, t.oid, true
    from pg_type t
    where t.typname = of_table
      and t.typnamespace = (select n.oid from pg_namespace n where n.nspname = of_schema)
      and t.typrelid = 0
      and t.typcategory <> 'A'
  )
  select pg_describe_object(f.class, f.oid, 0),
    format('alter %s %I.%I rename to %I', case when f.is_type then 'type' else 'table' end, of_schema, of_table,
      left(of_table, 54) || '_renamed')
  from found f
  limit 1
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.forget_index(of_table text, named text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform pg_advisory_xact_lock(hashtextextended('tidemark.user_index', 0));
  delete from tidemark.user_index u where u.schema_name || '.' || u.table_name = of_table and u.index_name = named;
  if not found then
    raise exception '% has no declared index %', of_table, named
      using errcode = 'undefined_object',
        hint = coalesce('It has ' || (
          select string_agg(u.index_name, ', ' order by u.index_name)
          from tidemark.user_index u
          where u.schema_name || '.' || u.table_name = of_table
        ) || '.', 'It has none.');
  end if;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.forget_relation(of_relation bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform tidemark.drop_latest_state(of_relation);
  perform tidemark.drop_rows(g.relation, g.generation) from tidemark.generation g where g.relation = of_relation;
  delete from tidemark.stopped_table s where s.relation = of_relation;
  delete from tidemark.quarantine q where q.relation = of_relation;
end
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.forget_window_marks()
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  delete from tidemark.window_mark m
  where not exists (
    select
    from tidemark.window_definition d
    where d.relation = m.relation
      and d.state <> 'stopped'
      and (d.covers_mark < m.mark or d.phase is not null)
  )
$function$
-- owned by tidemark_owner
-- tidemark_windows may execute

CREATE OR REPLACE FUNCTION tidemark.free_name(of_schema text, of_table text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update tidemark.stopped_table s
  set accepted_at = now()
  where s.relation = tidemark.owner_of(of_schema, of_table)
    and s.repair = 'accept'
    and s.accepted_at is null;
  perform tidemark.take_indexes(of_schema, of_table);
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.free_view_name(of_schema text, of_table text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  view constant regclass := tidemark.own_view(of_schema, of_table);
  aside constant text := 'former_' || view::oid;
begin
  perform tidemark.drop_view(of_schema, of_table);
exception when dependent_objects_still_exist then
  update tidemark.shown_view s
  set schema_name = 'tidemark_rows', table_name = aside
  where (s.schema_name, s.table_name) = (of_schema, of_table)
    and s.empty_of is not null;
  if not found then
    raise;
  end if;
  execute format('alter view %s rename to %I', view, aside);
  execute format('alter view %I.%I set schema tidemark_rows', of_schema, aside);
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.history(table_name text, key jsonb DEFAULT NULL::jsonb, limit_rows integer DEFAULT 100)
 RETURNS SETOF tidemark.change_log
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  since timestamptz;
begin
  if key is null then
    since := tidemark.last_changes_since(table_name, limit_rows);
    return query
      select d.schema_name, d.table_name, d.op, d.key, d.before, d.after, d.changed, d.transaction_id, d.lsn, d.epoch,
        d.committed_at, d.who, d.application, d.why, d.details, d.relation
      from (
        select c.committed_at, c.relation, c.key_hash, c.epoch, c.lsn, c.ordinal
        from tidemark_rows.change c
        where c.relation in (select r.relation from tidemark.relations_named(history.table_name) r)
          and c.committed_at >= since
        order by c.committed_at desc, c.epoch desc, c.lsn desc, c.ordinal desc
        limit limit_rows
      ) c
      join tidemark.described_change d using (committed_at, relation, key_hash, epoch, ordinal)
      order by d.committed_at desc, d.epoch desc, d.lsn desc, d.ordinal desc
      limit limit_rows;
    return;
  end if;
  return query
    select l.schema_name, l.table_name, l.op, l.key, l.before, l.after, l.changed, l.transaction_id, l.lsn, l.epoch,
      l.committed_at, l.who, l.application, l.why, l.details, l.relation
    from (
      select distinct tidemark.key_hash(w.relation, w.key_values) as key_hash, w.*
      from tidemark.wanted_changes(history.table_name, history.key) w
    ) w
    cross join lateral (
      select d.*
      from tidemark.described_change d
      where d.relation = w.relation
        and d.key_hash = w.key_hash
        and d.epoch = w.epoch
        and d.key_values is not distinct from w.key_values
        and (w.op is null or d.op = 'truncate')
        and (w.numbers is null or d.op = 'truncate'
          or tidemark.row_has(d.numbers, d.types, d.before_values, w.numbers, w.row_values)
          or tidemark.row_has(d.numbers, d.types, d.after_values, w.numbers, w.row_values))
      order by d.ordinal desc
      limit limit_rows
    ) l
    order by l.committed_at desc, l.epoch desc, l.lsn desc, l.ordinal desc
    limit limit_rows;
end
$function$
-- owned by tidemark_owner
-- tidemark_read may execute

CREATE OR REPLACE FUNCTION tidemark.history_enabled(relation bigint, schema_name text, table_name text)
 RETURNS boolean
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN (SELECT s.enabled FROM tidemark.history_setting_of(history_enabled.relation, history_enabled.schema_name, history_enabled.table_name) s(enabled, retention))
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.history_setting_of(relation bigint, schema_name text, table_name text)
 RETURNS TABLE(enabled boolean, retention interval)
 LANGUAGE sql
 STABLE PARALLEL SAFE
BEGIN ATOMIC
 SELECT s.enabled,
     COALESCE(s.retention, ( SELECT d.retention
            FROM tidemark.history_setting d
           WHERE (d.schema_name = '*'::text)), 'infinity'::interval) AS "coalesce"
    FROM tidemark.history_setting s
   WHERE ((s.relations @> ARRAY[history_setting_of.relation]) OR ((s.schema_name = history_setting_of.schema_name) AND (s.table_name = history_setting_of.table_name)) OR (s.schema_name = '*'::text))
   ORDER BY (s.relations @> ARRAY[history_setting_of.relation]) DESC, (s.schema_name = '*'::text)
  LIMIT 1;
END
-- owned by tidemark_owner
-- tidemark_console_read may execute

CREATE OR REPLACE FUNCTION tidemark.hold_generations(relations bigint[], generations integer[], unlogged boolean[])
 RETURNS TABLE(relation bigint, generation integer, truncated_epoch integer, truncated_lsn bigint, truncated_earlier boolean, gap_epoch integer, gap_lsn bigint)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  nothing_kept constant integer := 2147483647;
begin
  if true = any (unlogged) then
    perform
    from tidemark.generation g
    where (g.relation, g.generation) in (
        select u.relation, u.generation
        from unnest(relations, generations, unlogged) u (relation, generation, unlogged)
        where u.unlogged
      )
      and g.gap_epoch < nothing_kept
    order by g.relation, g.generation
    for no key update;
    if found then
      update tidemark.generation g
      set gap_epoch = nothing_kept,
        gap_lsn = 9223372036854775807
      where (g.relation, g.generation) in (
          select u.relation, u.generation
          from unnest(relations, generations, unlogged) u (relation, generation, unlogged)
          where u.unlogged
        )
        and g.gap_epoch < nothing_kept;
    end if;
  end if;
  return query
    select g.relation, g.generation, g.truncated_epoch, g.truncated_lsn, g.truncated_earlier, g.gap_epoch, g.gap_lsn
    from tidemark.generation g
    where (g.relation, g.generation) in (select * from unnest(relations, generations))
    order by g.relation, g.generation
    for share;
end
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.hold_window_topic(topic text)
 RETURNS boolean
 LANGUAGE sql
RETURN pg_try_advisory_lock(730511006, hashtext(topic))
-- owned by tidemark_owner
-- tidemark_windows may execute

CREATE OR REPLACE FUNCTION tidemark.image_by_version(relation bigint, epoch integer, from_version integer, to_version integer, image text[])
 RETURNS text[]
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  former record;
  present record;
  written text[];
  mapped text[] := '{}';
  at integer;
begin
  if from_version = to_version or image is null then
    return image;
  end if;
  select s.* into former from tidemark.contract_of(relation, epoch, from_version) k cross join tidemark.image_shape(k) s;
  select s.* into present from tidemark.contract_of(relation, epoch, to_version) k cross join tidemark.image_shape(k) s;
  written := tidemark.written_image(former.types, image);
  for i in 1 .. coalesce(cardinality(present.numbers), 0) loop
    at := array_position(former.numbers, present.numbers[i]);
    mapped[i] := case
      when at is not null then written[at]
      else (
        select c ->> 'missing'
        from tidemark.contract k
        cross join jsonb_array_elements(k.contract -> 'columns') c
        where k.relation = image_by_version.relation
          and k.epoch = image_by_version.epoch
          and k.version > from_version
          and k.version <= to_version
          and (c ->> 'number')::integer = present.numbers[i]
        order by k.version
        limit 1
      )
    end;
  end loop;
  return mapped;
end
$function$
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.image_shape(contract jsonb)
 RETURNS TABLE(numbers integer[], names text[], types text[], key_numbers integer[], key_names text[], key_types text[])
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
 SELECT array_agg(((listed.c ->> 'number'::text))::integer ORDER BY listed.n) AS array_agg,
     array_agg((listed.c ->> 'name'::text) ORDER BY listed.n) AS array_agg,
     array_agg((listed.c ->> 'carried'::text) ORDER BY listed.n) AS array_agg,
     array_agg(((listed.c ->> 'number'::text))::integer ORDER BY ((listed.c ->> 'key'::text))::integer) FILTER (WHERE ((listed.c ->> 'key'::text) IS NOT NULL)) AS array_agg,
     array_agg((listed.c ->> 'name'::text) ORDER BY ((listed.c ->> 'key'::text))::integer) FILTER (WHERE ((listed.c ->> 'key'::text) IS NOT NULL)) AS array_agg,
     array_agg((listed.c ->> 'carried'::text) ORDER BY ((listed.c ->> 'key'::text))::integer) FILTER (WHERE ((listed.c ->> 'key'::text) IS NOT NULL)) AS array_agg
    FROM jsonb_array_elements((image_shape.contract -> 'columns'::text)) WITH ORDINALITY listed(c, n)
   WHERE (NOT ((listed.c ->> 'generated'::text))::boolean);
END
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.indexable_tables()
 RETURNS TABLE(schema_name text, table_name text, relation bigint, contract jsonb)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select n.schema_name, n.table_name, m.relation, newest.contract
  from tidemark.table_marker m
  cross join lateral tidemark.names_of_rows(m.relation) n
  cross join lateral tidemark.newest_contract(m.relation) as newest (contract)
  where newest.contract is not null
  order by m.relation
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.is_of_other_sessions(state text, message text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
RETURN ((state = ANY (ARRAY['55P03'::text, '40P01'::text])) OR ((state = 'XX000'::text) AND (message = ANY (ARRAY['tuple concurrently updated'::text, 'tuple concurrently deleted'::text]))))
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.is_one_expression(expression text)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  -- Only strings of the form B'…' and X'…' may have a letter before the quote.
  signs text := regexp_replace(expression, '("[^"]*")|((^|[^A-Za-z0-9_$&])[BbXx]?''([^'']|'''')*'')', ' x ', 'g');
  sign text;
  depth integer := 0;
begin
  if signs !~ '[^ ]' or signs ~ '[''";$]' or strpos(signs, '--') > 0 or strpos(signs, '/*') > 0 or strpos(signs, chr(92)) > 0 then
    return false;
  end if;
  foreach sign in array regexp_split_to_array(signs, '') loop
    depth := depth + case sign when '(' then 1 when ')' then -1 else 0 end;
    if depth < 0 then
      return false;
    end if;
  end loop;
  return depth = 0;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.is_owed(of_relation bigint)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select exists (select from tidemark.contract c where c.relation = of_relation)
    and not exists (select from tidemark.table_marker m where m.relation = of_relation and m.dropped_at is not null)
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark."json_value"(type text, value text)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if value is null then
    return 'null';
  elsif type like '%[]' and type not like 'box%' then
    return case
      when type ~ '^(smallint|integer|bigint|numeric)' then to_jsonb(value::numeric[])
      when type ~ '^(real|double precision)' then to_jsonb(value::float8[])
      when type ~ '^boolean' then to_jsonb(value::boolean[])
      when type ~ '^jsonb' then to_jsonb(value::jsonb[])
      else to_jsonb(value::text[])
    end;
  elsif type ~ '^(smallint|integer|bigint|numeric|real|double precision)' and value !~ '^-?[NI]' then
    return value::jsonb;
  elsif type = 'boolean' then
    return to_jsonb(value::boolean);
  elsif type = 'jsonb' then
    return value::jsonb;
  end if;
  return to_jsonb(value);
end
$function$
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.keep_rows_before(partition text, going tid[], whole boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  day timestamptz := to_date(substring(partition from '\d+$'), 'YYYYMMDD')::timestamp at time zone 'UTC';
begin
  -- The next change is first looked for in the days beside this one, where most are.
  execute format($query$
    with next as (
      select coalesce(near.table_of, far.table_of) as table_of, coalesce(near.place, far.place) as place,
        coalesce(near.committed_at, far.committed_at) as committed_at,
        tidemark.image_by_version(c.relation, c.epoch, c.version, coalesce(near.version, far.version), c.after) as before
      from tidemark_rows.%1$I c
      left join lateral (
        select *
        from (
          select n.tableoid as table_of, n.ctid as place, n.committed_at, n.version, n.op, n.before
          from tidemark_rows.change n
          where n.key_hash = c.key_hash
            and n.ordinal > c.ordinal
            and n.committed_at >= $3 - interval '1 day'
            and n.committed_at < $3 + interval '3 days'
            and (select tidemark.clocks_are_steady())
            and (n.relation, n.epoch, n.generation) = (c.relation, c.epoch, c.generation)
            and n.key = c.key
          order by n.ordinal
          limit 1
        ) nearest
        where nearest.committed_at < $3 + interval '2 days'
      ) near on true
      left join lateral (
        select n.tableoid as table_of, n.ctid as place, n.committed_at, n.version, n.op, n.before
        from tidemark_rows.change n
        where near.table_of is null
          and n.key_hash = c.key_hash
          and n.ordinal > c.ordinal
          and (n.relation, n.epoch, n.generation) = (c.relation, c.epoch, c.generation)
          and n.key = c.key
        order by n.ordinal
        limit 1
      ) far on true
      where c.ctid = any ($1)
        and c.key is not null
        and c.after is not null
        and coalesce(near.op, far.op) in ('u', 'd')
        and coalesce(near.before, far.before) is null
    )
    update tidemark_rows.change c
    set before = next.before
    from next
    where c.committed_at = next.committed_at
      and c.tableoid = next.table_of
      and c.ctid = next.place
      and (c.tableoid <> 'tidemark_rows.%1$I'::regclass or not ($2 or c.ctid = any ($1)))
  $query$, partition) using going, whole, day;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.kept(what text)
 RETURNS SETOF tidemark.quarantine
 LANGUAGE sql
 STABLE
BEGIN ATOMIC
 SELECT q.topic,
     q.topic_partition,
     q.record_offset,
     q.relation,
     q.generation,
     q.table_name,
     q.record_key,
     q.record_value,
     q.record_headers,
     q.reason,
     q.key_bytes,
     q.value_bytes,
     q.retry_at,
     q.quarantined_at
    FROM tidemark.quarantine q
   WHERE ((((kept.what = 'all'::text) OR (kept.what = q.table_name)) OR (kept.what = format('%s-%s@%s'::text, q.topic, q.topic_partition, q.record_offset))) OR (q.relation = ANY (ARRAY( SELECT s.relation
            FROM tidemark.stopped_table s
           WHERE ((s.relation <> 0) AND (((s.schema_name || '.'::text) || s.table_name) = kept.what))))))
   ORDER BY q.topic, q.topic_partition, q.record_offset;
END
-- owned by tidemark_owner
-- tidemark_read may execute

CREATE OR REPLACE FUNCTION tidemark.kept_relations()
 RETURNS TABLE(relation bigint, retention interval)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT n.relation,
     s.retention
    FROM (( SELECT DISTINCT ON (k.relation) k.relation,
             (k.contract ->> 'schema'::text) AS schema_name,
             (k.contract ->> 'table'::text) AS table_name
            FROM tidemark.contract k
           ORDER BY k.relation, k.epoch DESC, k.version DESC) n
      CROSS JOIN LATERAL tidemark.history_setting_of(n.relation, n.schema_name, n.table_name) s(enabled, retention));
END
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.key_hash(relation bigint, key text[])
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN COALESCE(hash_array_extended(key, relation), relation)
-- owned by tidemark_owner
-- tidemark_apply may execute
-- tidemark_console_read may execute

CREATE OR REPLACE FUNCTION tidemark.key_text(value interval)
 RETURNS text
 LANGUAGE sql
 STABLE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case
    when length.seconds is null then value::text
    when abs(length.seconds) < 1e15 then justify_interval(value)::text
    else length.seconds || ' seconds'
  end
  from (
    select ((extract(year from value) * 12 + extract(month from value)) * 30 + extract(day from value)) * 86400
      + extract(hour from value) * 3600 + extract(minute from value) * 60 + extract(second from value) as seconds
  ) length
$function$
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.key_text(value jsonb)
 RETURNS text
 LANGUAGE sql
 STABLE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select string_agg(case when t[1] ~ '^-?\d' then trim_scale(t[1]::numeric)::text else t[1] end, '' order by n)
  from regexp_matches(value::text, '("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|[^"\d-]+)', 'g') with ordinality as token (t, n)
$function$
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.key_text(value nummultirange)
 RETURNS text
 LANGUAGE sql
 STABLE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(range_agg(tidemark.key_text(r)::numrange), '{}')::text
  from unnest(value) as r
$function$
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.key_text(value numrange)
 RETURNS text
 LANGUAGE sql
 STABLE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case
    when isempty(value) then 'empty'
    else numrange(trim_scale(lower(value)), trim_scale(upper(value)),
      case when lower_inc(value) then '[' else '(' end || case when upper_inc(value) then ']' else ')' end)::text
  end
$function$
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.key_text_of(type text, value text)
 RETURNS text
 LANGUAGE sql
 STABLE
RETURN CASE WHEN (type ~ '\[\]$'::text) THEN value WHEN (type ~ '(^|\.)citext$'::text) THEN lower(value) WHEN (type ~ '^numeric'::text) THEN (trim_scale((value)::numeric))::text WHEN (type = 'real'::text) THEN (((value)::real + (0)::double precision))::text WHEN (type = 'double precision'::text) THEN (((value)::double precision + (0)::double precision))::text WHEN (type ~ '^interval'::text) THEN tidemark.key_text((value)::interval) WHEN (type = 'jsonb'::text) THEN NULLIF(tidemark.key_text((value)::jsonb), 'null'::text) WHEN (type = 'numrange'::text) THEN tidemark.key_text((value)::numrange) WHEN (type = 'nummultirange'::text) THEN tidemark.key_text((value)::nummultirange) ELSE value END
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.key_texts(numbers integer[], types text[], given jsonb)
 RETURNS text[]
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  texts text;
  columns text;
  found_texts text[];
begin
  select string_agg(format(
      case
        when t ~ '(^|\.)citext$' then 'lower(x.%I::text)'
        when t ~ '^(numeric|decimal)[^\[]*$' then 'trim_scale(x.%I)::text'
        when t ~ '^(real|double precision)$' then '(x.%I + 0)::text'
        when t = 'jsonb' then 'tidemark.key_text($1 -> %L)'
        when t ~ '^(interval|numrange|nummultirange)[^\[]*$' then 'tidemark.key_text(x.%I)'
        else 'x.%I::text'
      end, 'c' || n), ', ' order by o),
    string_agg(format('%I %s', 'c' || n, tidemark.canonical_type(t)), ', ' order by o)
  into texts, columns
  from unnest(numbers, types) with ordinality as u (n, t, o);
  execute format('select array[%s] from jsonb_to_record($1) as x (%s)', texts, columns)
    into found_texts
    using (select jsonb_object_agg('c' || k, v) from jsonb_each(given) as g (k, v));
  return found_texts;
end
$function$
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.last_changes_since(table_name text, limit_rows integer)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  relations bigint[] := array(select r.relation from tidemark.relations_named(table_name) r);
  newest timestamptz := coalesce((select max(p.committed_at) from tidemark.progress p), now());
  span interval;
  met bigint;
begin
  if relations = '{}' then
    raise exception 'no captured table is or was called %', table_name
      using errcode = 'undefined_table', hint = 'Write it with its schema, as in public.orders.';
  end if;
  foreach span in array '{1 second,1 minute,30 minutes,12 hours,10 days}'::interval[] loop
    select count(*)
    into met
    from (
      select
      from tidemark_rows.change c
      where c.relation = any (relations)
        and c.committed_at >= newest - span
      limit limit_rows
    ) recent;
    if met >= limit_rows then
      return newest - span;
    end if;
  end loop;
  return '-infinity';
end
$function$
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.lock_of_view(of_schema text, of_table text)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select hashtextextended(format('tidemark.show_view %I.%I', of_schema, of_table), 0)
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.lock_windows()
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select pg_advisory_xact_lock(hashtextextended('tidemark.window_definition', 0))
$function$
-- owned by tidemark_owner
-- tidemark_windows may execute

CREATE OR REPLACE FUNCTION tidemark.longest_retention()
 RETURNS interval
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT COALESCE(max(s.retention), 'infinity'::interval) AS "coalesce"
    FROM tidemark.history_setting s;
END
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.made_indexes(of_relation bigint, of_generation integer)
 RETURNS text[]
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(array_agg(s.made_as order by s.made_as), '{}')
  from tidemark.user_index_state s
  where (s.relation, s.generation) = (of_relation, of_generation)
    and s.state <> 'missing'
    and s.made_by is not null
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.maintain()
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  batch constant integer := 10000;
  today constant date := (now() at time zone 'UTC')::date;
  ending record;
  changes bigint := 0;
  messages bigint := 0;
  markers bigint := 0;
begin
  perform tidemark.ensure_change_days(today, today + 7);
  -- What these record has to be committed, and their locks released, before anything is deleted: a transaction that writes
  -- a row whose delete marker is being deleted waits until the round ends, and any change waits for a day that is dropped.
  select * into ending from tidemark.end_change_day();
  if ending.stepped or tidemark.end_changes() then
    return jsonb_build_object('dropped', ending.dropped, 'changes', 0, 'auditMessages', 0, 'markers', 0, 'more', true);
  end if;
  if tidemark.maintain_indexes() then
    return jsonb_build_object('dropped', null, 'changes', 0, 'auditMessages', 0, 'markers', 0, 'more', true);
  end if;
  changes := tidemark.prune_changes(batch);
  messages := tidemark.prune_audit_messages(batch);
  markers := tidemark.prune_markers(batch);
  perform tidemark.drop_empty_views();
  return jsonb_build_object('dropped', null, 'changes', changes, 'auditMessages', messages, 'markers', markers,
    'more', greatest(changes, messages, markers) >= batch);
end
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.maintain_indexes()
 RETURNS boolean
 LANGUAGE plpgsql
 SET lock_timeout TO '200ms'
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  due record;
  changed boolean := false;
begin
  for due in
    select f.index_id, newest.contract
    from tidemark.relation_index f
    join tidemark.user_index u on u.id = f.index_id and u.definition <> f.declared_as
    cross join lateral tidemark.newest_contract(f.relation) as newest (contract)
    where f.keys is null
      and newest.contract is not null
  loop
    begin
      perform tidemark.fit_index(due.index_id, due.contract);
      changed := true;
    exception when lock_not_available then
      continue;
    end;
  end loop;
  for due in select distinct s.relation from tidemark.user_index_state s where s.state in ('missing', 'unfinished') loop
    continue when not pg_try_advisory_xact_lock(hashtextextended('tidemark.table_marker', due.relation));
    begin
      changed := tidemark.make_indexes(due.relation, again => true) or changed;
    exception when lock_not_available then
      continue;
    end;
  end loop;
  for due in select u.made_as from tidemark.undeclared_index u loop
    begin
      execute format('drop index tidemark_rows.%I', due.made_as);
      changed := true;
    exception when lock_not_available then
      continue;
    end;
  end loop;
  return changed;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.make_indexes(of_relation bigint, afresh integer DEFAULT NULL::integer, again boolean DEFAULT false)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  few constant bigint := 8 * 1024 * 1024;
  missing record;
  made boolean := false;
begin
  if not exists (select from tidemark.relation_index f where f.relation = of_relation) then
    return false;
  end if;
  for missing in
    select *
    from tidemark.user_index_state s
    where s.relation = of_relation
      and s.state in ('missing', 'unfinished')
      and s.rows_bytes <= few
      and (again or s.problem is null or s.generation = afresh)
    order by s.index_id, s.generation
  loop
    -- A command may be making it.
    continue when not pg_try_advisory_xact_lock(730511004, hashtext(missing.made_as));
    begin
      if missing.state = 'unfinished' then
        execute format('drop index tidemark_rows.%I', missing.made_as);
      end if;
      execute 'create index ' || missing.made_by;
      update tidemark.relation_index f set problem = null where f.id = missing.relation_index;
      made := true;
    exception
      when others then
        if tidemark.is_of_other_sessions(sqlstate, sqlerrm) then
          raise;
        end if;
        perform tidemark.note_index_problem(missing.relation_index, sqlerrm);
    end;
  end loop;
  return made;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.mark_released_windows()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform tidemark.mark_windows(old.relation, 'changes that were kept while the table was stopped have been applied');
  return null;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.mark_windows(of_relation bigint, why text)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  insert into tidemark.window_mark (relation, reason)
  select of_relation, why
  where exists (select from tidemark.window_definition d where d.relation = of_relation)
$function$
-- owned by tidemark_owner
-- tidemark_windows may execute

CREATE OR REPLACE FUNCTION tidemark.mark_windows_of_epoch()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform tidemark.mark_windows(d.relation, format('epoch %s is known in every topic partition', new.epoch))
  from (select distinct w.relation from tidemark.window_definition w where w.relation is not null) as d;
  return null;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.members(of_schema text, of_table text)
 RETURNS TABLE(relation bigint, own boolean, contract jsonb)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select m.relation, m.relation = tidemark.owner_of(of_schema, of_table), g.contract
  from tidemark.table_marker m
  join tidemark.generation g on g.relation = m.relation and g.shown
  where m.dropped_at is null
    and (
      m.relation = tidemark.owner_of(of_schema, of_table)
      or g.contract -> 'parents' @> jsonb_build_array(jsonb_build_object('schema', of_schema, 'table', of_table))
    )
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.missing_rows()
 RETURNS TABLE(relation bigint, schema_name text, table_name text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select m.relation, m.schema_name, m.table_name
  from tidemark.table_marker m
  join tidemark.generation g on g.relation = m.relation and g.shown
  where m.dropped_at is null
    and not exists (
      select
      from pg_class c
      where c.relnamespace = 'tidemark_rows'::regnamespace
        and c.relname = tidemark.rows_name(g.relation, g.generation)
    )
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute
-- tidemark_read may execute

CREATE OR REPLACE FUNCTION tidemark.missing_views()
 RETURNS TABLE(schema_name text, table_name text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select s.schema_name, s.table_name
  from tidemark.shown_view s
  where not exists (select from pg_class c where c.oid = s.view)
    and s.empty_of is null
    and tidemark.view_query(s.schema_name, s.table_name) is not null
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute
-- tidemark_read may execute

CREATE OR REPLACE FUNCTION tidemark.named_definition(contract jsonb, keys text, predicate text)
 RETURNS text
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select r.keys || coalesce(' WHERE ' || r.predicate, '')
  from (
    select array_agg(s.name order by s.number) as names, array_agg(tidemark.canonical_type(s.type) order by s.number) as types,
      array_agg(c ->> 'name' order by s.number) as new_names
    from tidemark.stored_columns(contract) s
    join jsonb_array_elements(contract -> 'columns') c on (c ->> 'number')::integer = s.number
  ) as stored
  cross join lateral tidemark.renamed_definition((contract ->> 'relation')::bigint, stored.names, stored.types, stored.new_names,
    named_definition.keys || coalesce(' where ' || named_definition.predicate, '')) r
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.names_of_columns(contract jsonb, numbers integer[])
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(array_agg(c ->> 'name' order by wanted.place), '{}')
  from unnest(numbers) with ordinality as wanted (number, place)
  join jsonb_array_elements(contract -> 'columns') c
    on (c ->> 'number')::integer = wanted.number and not (c ->> 'generated')::boolean
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.names_of_rows(of_relation bigint)
 RETURNS TABLE(schema_name text, table_name text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select m.schema_name, m.table_name
  from tidemark.table_marker m
  where m.relation = of_relation
    and m.dropped_at is null
  union
  select p ->> 'schema', p ->> 'table'
  from tidemark.table_marker m
  cross join jsonb_array_elements(tidemark.newest_contract(m.relation) -> 'parents') p
  where m.relation = of_relation
    and m.dropped_at is null
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.newest_contract(of_relation bigint)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select g.contract from tidemark.generation g where g.relation = of_relation order by g.generation desc limit 1
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.newest_generation()
 RETURNS integer
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select greatest(
    (select coalesce(max((c.contract ->> 'generation')::integer), 0) from tidemark.contract c),
    (select coalesce(max(g.generation), 0) from tidemark.generation g)
  )
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.note_index_problem(of_relation_index bigint, why text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  update tidemark.relation_index f
  set problem = why
  where f.id = of_relation_index
    and f.problem is distinct from why
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.order_epoch(new_epoch integer, why text, topic_is_new boolean)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  insert into tidemark.epoch as e (epoch, reason, ordered_at)
  values (new_epoch, why, clock_timestamp())
  on conflict (epoch) do update
  set reason = excluded.reason,
    ordered_at = excluded.ordered_at;
  update tidemark.progress p
  set skips_before_epoch = new_epoch,
    rebased = true
  where p.consumer in ('tidemark-latest-state', 'tidemark-windows')
    and p.topic = 'changes'
    and (
      topic_is_new
      or exists (
        select from tidemark.stop s where (s.consumer, s.topic, s.topic_partition) = (p.consumer, p.topic, p.topic_partition)
      )
    );
end
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.own_query(of_relation bigint)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  shown tidemark.generation;
  stored text;
  visible text;
  rows_of text;
begin
  select * into shown from tidemark.generation g where g.relation = of_relation and g.shown;
  if not found then
    return null;
  end if;
  select
    string_agg(format('r.%I as %I', 'c' || (c ->> 'number'), c ->> 'name'), ', ' order by n)
      filter (where not (c ->> 'generated')::boolean),
    string_agg(
      case
        when (c ->> 'generated')::boolean
          then format('(%s)::%s as %I', c ->> 'expression', tidemark.canonical_type(c ->> 'carried'), c ->> 'name')
        else format('%I', c ->> 'name')
      end, ', ' order by n)
  into stored, visible
  from jsonb_array_elements(shown.contract -> 'columns') with ordinality as listed (c, n);
  rows_of := format('tidemark_rows.%I r', tidemark.rows_name(of_relation, shown.generation))
    || case when shown.keyless then ', generate_series(1, r."tidemark$count")' else ' where r."tidemark$live"' end;
  if shown.contract @? '$.columns[*] ? (@.generated == true)' then
    return format('select %s from (select %s from %s) as stored', visible, stored, rows_of);
  end if;
  return format('select %s from %s', stored, rows_of);
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.own_view(of_schema text, of_table text)
 RETURNS regclass
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select s.view
  from tidemark.shown_view s
  join pg_class c on c.oid = s.view and c.relkind = 'v' and c.relname = s.table_name
  join pg_namespace n on n.oid = c.relnamespace and n.nspname = s.schema_name
  where (s.schema_name, s.table_name) = (of_schema, of_table)
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.owner_of(of_schema text, of_table text)
 RETURNS bigint
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select m.relation
  from tidemark.table_marker m
  where (m.schema_name, m.table_name) = (of_schema, of_table)
    and m.dropped_at is null
  order by exists (select from tidemark.generation g where g.relation = m.relation and g.shown) desc,
    m.epoch desc, m.named_at, m.relation
  limit 1
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.predecessors(of_relation bigint)
 RETURNS SETOF bigint
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select m.relation
  from tidemark.table_marker self
  join tidemark.table_marker m using (schema_name, table_name)
  where self.relation = of_relation
    and m.relation <> of_relation
    and m.epoch < self.epoch
    and m.dropped_at is null
    and exists (select from tidemark.generation g where g.relation = m.relation and g.shown)
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.prune_archive_commits(retention interval)
 RETURNS bigint
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 WITH deleted AS (
          DELETE FROM tidemark.archive_commit c
           WHERE ((c.committed_at < (now() - prune_archive_commits.retention)) AND (c.number < ( SELECT max(newest.number) AS max
                    FROM tidemark.archive_commit newest)) AND (NOT (EXISTS ( SELECT
                    FROM tidemark.archive_range r
                   WHERE (r.commit_number = c.number)))))
           RETURNING 1 AS "?column?"
         )
  SELECT count(*) AS count
    FROM deleted;
END
-- owned by postgres
-- tidemark_archive may execute

CREATE OR REPLACE FUNCTION tidemark.prune_audit_messages(limit_rows integer DEFAULT 10000)
 RETURNS bigint
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 WITH deleted AS (
          DELETE FROM tidemark.audit_message
           WHERE (audit_message.ctid = ANY (ARRAY( SELECT a.ctid
                    FROM tidemark.audit_message a
                   WHERE (a.committed_at < (now() - tidemark.longest_retention()))
                  LIMIT prune_audit_messages.limit_rows)))
           RETURNING 1 AS "?column?"
         )
  SELECT count(*) AS count
    FROM deleted;
END
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.prune_changes(limit_rows integer DEFAULT 10000)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  pruned record;
  day record;
  going tid[];
  deleted bigint := 0;
begin
  for pruned in
    select p.*
    from tidemark.pruned_history p
    where p.pruned < p.ended
    order by p.relation
  loop
    for day in
      select d.partition
      from tidemark.change_days() d
      where d.day::timestamp at time zone 'UTC' < pruned.ended
        and (d.day + 1)::timestamp at time zone 'UTC' > pruned.pruned
      order by d.day
    loop
      execute format('select array_agg(ctid) from (select p.ctid from tidemark_rows.%I p '
        'where relation = $1 and committed_at >= $2 and committed_at < $3 '
        'and not exists (select from tidemark.generation g where (g.relation, g.generation) = (p.relation, p.generation) '
        'and (g.gap_epoch, g.gap_lsn) < (p.epoch, case when p.op = ''r'' then 0 else p.lsn end) and p.key is not null) '
        'limit $4) c', day.partition)
        into going
        using pruned.relation, pruned.pruned, pruned.ended, limit_rows - deleted;
      continue when going is null;
      perform tidemark.keep_rows_before(day.partition, going, false);
      execute format('delete from tidemark_rows.%I where ctid = any ($1)', day.partition) using going;
      deleted := deleted + cardinality(going);
      if deleted >= limit_rows then
        return deleted;
      end if;
    end loop;
    update tidemark.pruned_history p set pruned = pruned.ended where p.relation = pruned.relation;
  end loop;
  return deleted;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.prune_markers(limit_rows integer DEFAULT 10000)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  confirmed record;
  rows_name text;
  deleted bigint := 0;
  round bigint;
begin
  select * into confirmed from tidemark.confirmed_everywhere();
  if confirmed.lsn is null then
    return 0;
  end if;
  for rows_name in
    select c.relname
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'tidemark$live'
    where c.relnamespace = 'tidemark_rows'::regnamespace
      and c.relkind = 'r'
      and c.relname ~ '^t\d+_\d+$'
      -- Changes of a stopped table that are in quarantine may be applied at any later time.
      and not exists (
        select from tidemark.stopped_table s where s.relation = substring(c.relname from '^t(\d+)_')::bigint)
    order by 1
  loop
    execute format('delete from tidemark_rows.%I where ctid = any (array(select ctid from tidemark_rows.%1$I '
      'where not "tidemark$live" and ("tidemark$epoch", "tidemark$lsn") < ($1, $2) '
      'limit $3 for update skip locked))', rows_name)
      using confirmed.epoch, confirmed.lsn, limit_rows - deleted;
    get diagnostics round = row_count;
    deleted := deleted + round;
    exit when deleted >= limit_rows;
  end loop;
  return deleted;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.publish_windows_again(of_topic text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  known tidemark.window_definition;
begin
  perform tidemark.lock_windows();
  for known in
    select *
    from tidemark.window_definition d
    where d.was_shown
      and d.definition ->> 'publish' = of_topic
    order by d.id
  loop
    -- A change that is under way would come before the value that it replaces.
    perform pg_advisory_xact_lock(730511005, known.id::integer);
    execute format('insert into tidemark.window_outbox (definition, topic, record_key, record_value) '
      'select %L, %L, p.record_key, p.record_value from (%s) as p', known.name, of_topic, tidemark.window_published(known));
  end loop;
  delete from tidemark.window_topic k where k.topic = of_topic;
end
$function$
-- owned by tidemark_owner
-- tidemark_windows may execute

CREATE OR REPLACE FUNCTION tidemark.put_window(of_name text, of_text text, definition jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  known tidemark.window_definition;
  outcome text := 'new';
  new_id bigint;
begin
  if of_name !~ '^[a-z][a-z0-9_]{0,47}$' or definition ->> 'name' is distinct from of_name then
    raise exception '% is no name of windows: at most 48 lower-case letters, digits and _, of which the first is a letter', of_name
      using errcode = 'invalid_name';
  end if;
  perform tidemark.lock_windows();
  select * into known from tidemark.window_definition d where d.name = of_name order by d.id desc limit 1;
  if found then
    outcome := 'changed';
    if known.definition = definition and known.state <> 'stopped' then
      update tidemark.window_definition d set text = of_text where d.id = known.id;
      return jsonb_build_object('outcome', 'unchanged', 'id', known.id, 'state', known.state, 'reason', known.reason);
    end if;
  end if;
  new_id := tidemark.begin_window(of_name, of_text, definition);
  return (
    select jsonb_build_object('outcome', outcome, 'id', d.id, 'state', d.state, 'reason', d.reason)
    from tidemark.window_definition d
    where d.id = new_id
  );
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.raise_gaps(places jsonb)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 WITH held AS (
          SELECT g_1.relation,
             g_1.generation,
             p.epoch,
             p.lsn
            FROM (tidemark.generation g_1
              JOIN jsonb_to_recordset(raise_gaps.places) p(relation bigint, generation integer, epoch integer, lsn bigint) USING (relation, generation))
           WHERE (ROW(g_1.gap_epoch, g_1.gap_lsn) < ROW(p.epoch, p.lsn))
           ORDER BY g_1.relation, g_1.generation
          FOR NO KEY UPDATE OF g_1
         )
  UPDATE tidemark.generation g SET gap_epoch = held.epoch, gap_lsn = held.lsn
    FROM held
   WHERE ((g.relation = held.relation) AND (g.generation = held.generation));
END
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.rebase(of_consumer text, of_topic text, of_partition integer, at_offset bigint)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  update tidemark.progress p
  set next_offset = at_offset,
    last_digest = null,
    newest_timestamp = null,
    rebased = false
  where (p.consumer, p.topic, p.topic_partition) = (of_consumer, of_topic, of_partition);
  delete from tidemark.stop s where (s.consumer, s.topic, s.topic_partition) = (of_consumer, of_topic, of_partition)
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.rebuild_window(of_name text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  known tidemark.window_definition;
  new_id bigint;
begin
  perform tidemark.lock_windows();
  select * into known from tidemark.window_definition d where d.name = of_name order by d.id desc limit 1;
  if not found then
    raise exception 'there are no windows %', of_name
      using errcode = 'undefined_object',
        hint = coalesce('there are: ' || (select string_agg(distinct d.name, ', ') from tidemark.window_definition d), 'there are none');
  end if;
  new_id := tidemark.begin_window(of_name, known.text, known.definition);
  return (
    select jsonb_build_object('outcome', 'rebuilt', 'id', d.id, 'state', d.state, 'reason', d.reason)
    from tidemark.window_definition d
    where d.id = new_id
  );
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.relations_named(wanted text)
 RETURNS TABLE(epoch integer, relation bigint)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 WITH candidate AS (
          SELECT DISTINCT k.epoch,
             k.relation
            FROM tidemark.contract k
           WHERE (((((k.contract ->> 'schema'::text) || '.'::text) || (k.contract ->> 'table'::text)) = relations_named.wanted) OR (((quote_ident((k.contract ->> 'schema'::text)) || '.'::text) || quote_ident((k.contract ->> 'table'::text))) = relations_named.wanted))
         ), named AS (
          SELECT c.epoch,
             c.relation,
             newest.matches AS has_it
            FROM (candidate c
              CROSS JOIN LATERAL ( SELECT ((relations_named.wanted = (((k.contract ->> 'schema'::text) || '.'::text) || (k.contract ->> 'table'::text))) OR (relations_named.wanted = ((quote_ident((k.contract ->> 'schema'::text)) || '.'::text) || quote_ident((k.contract ->> 'table'::text))))) AS matches
                    FROM tidemark.contract k
                   WHERE ((k.relation = c.relation) AND (k.epoch = c.epoch))
                   ORDER BY k.version DESC, k.topic_partition
                  LIMIT 1) newest)
         )
  SELECT n.epoch,
     n.relation
    FROM named n
   WHERE (n.has_it OR (NOT (EXISTS ( SELECT
            FROM named other
           WHERE other.has_it))));
END
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.release_former(of_relation bigint, before_generation integer)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  delete from tidemark.stopped_table s where s.relation = of_relation and s.generation < before_generation;
  delete from tidemark.quarantine q where q.relation = of_relation and q.generation < before_generation;
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.release_window_topic(topic text)
 RETURNS boolean
 LANGUAGE sql
RETURN pg_advisory_unlock(730511006, hashtext(topic))
-- owned by tidemark_owner
-- tidemark_windows may execute

CREATE OR REPLACE FUNCTION tidemark.remove_window(of_name text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  known tidemark.window_definition;
begin
  perform tidemark.lock_windows();
  for known in select * from tidemark.window_definition d where d.name = of_name order by d.id desc loop
    if known.was_shown then
      perform pg_advisory_xact_lock(730511005, known.id::integer);
      perform tidemark.retract_window(known);
      execute format('drop view if exists tidemark_windows.%I', of_name);
    end if;
    perform tidemark.discard_window(known.id);
  end loop;
  return known.id is not null;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.rename_columns(of_table text, names text[], new_names text[], places integer[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  renamed record;
begin
  for renamed in
    select *
    from (
      select 1 as step, names[p] as name, 'tidemark$renamed' || p as new_name from unnest(places) p
      union all
      select 2, c.name, 'tidemark$aside' || c.place
      from unnest(names) with ordinality as c (name, place)
      where c.place <> all (places)
        and c.name in (select new_names[p] from unnest(places) p)
      union all
      select 3, 'tidemark$renamed' || p, new_names[p] from unnest(places) p
    ) steps
    order by step
  loop
    execute format('alter table tidemark_rows.%I rename column %I to %I', of_table, renamed.name, renamed.new_name);
  end loop;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.rename_in_index(declared bigint, contract jsonb, new_names text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  fitted tidemark.relation_index;
  renamed text;
begin
  select * into fitted
  from tidemark.relation_index f
  where (f.index_id, f.relation) = (declared, (contract ->> 'relation')::bigint);
  begin
    renamed := tidemark.named_definition(contract, fitted.keys, fitted.predicate);
  exception
    when others then
      if tidemark.is_of_other_sessions(sqlstate, sqlerrm) then
        raise;
      end if;
      -- The types have changed as well, so that the expressions mean nothing any more.
      update tidemark.relation_index f
      set keys = null,
        problem = tidemark.why_not_fitting(contract, sqlerrm)
      where f.id = fitted.id;
      return;
  end;
  update tidemark.relation_index f set names = new_names where f.id = fitted.id;
  update tidemark.user_index u set definition = renamed where u.id = declared and u.definition <> renamed;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.rename_view(of_schema text, of_table text, to_schema text, to_table text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform pg_advisory_xact_lock(tidemark.lock_of_view(of_schema, of_table));
  perform pg_advisory_xact_lock(tidemark.lock_of_view(to_schema, to_table));
  if tidemark.own_view(of_schema, of_table) is null
    or tidemark.own_view(to_schema, to_table) is not null
    or exists (select from tidemark.members(of_schema, of_table))
    or exists (select from tidemark.foreign_object(to_schema, to_table)) then
    return;
  end if;
  perform tidemark.ensure_schema(to_schema);
  -- In either schema another object may have the other name.
  if of_schema <> to_schema then
    execute format('alter view %I.%I rename to %I', of_schema, of_table, 'tidemark$renamed');
    execute format('alter view %I.%I set schema %I', of_schema, 'tidemark$renamed', to_schema);
    execute format('alter view %I.%I rename to %I', to_schema, 'tidemark$renamed', to_table);
  else
    execute format('alter view %I.%I rename to %I', of_schema, of_table, to_table);
  end if;
  delete from tidemark.shown_view s where (s.schema_name, s.table_name) = (to_schema, to_table);
  update tidemark.shown_view s
  set schema_name = to_schema, table_name = to_table
  where (s.schema_name, s.table_name) = (of_schema, of_table);
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.renamed_definition(of_relation bigint, names text[], types text[], new_names text[], definition text, OUT keys text, OUT predicate text, OUT used integer[], OUT parts text[])
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  probe constant text := 'probe_index_' || of_relation;
  beginning constant text := format('CREATE INDEX %s_i ON tidemark_rows.%1$s ', probe);
  ending text;
  made oid;
  forbidden regprocedure;
begin
  -- Several statements could be hidden in a text that is not closed.
  if not coalesce(tidemark.is_one_expression(definition), false) then
    raise exception 'it is not the definition of one index: %', definition
      using errcode = 'syntax_error',
        hint = 'Write what follows the name of the table in create index, for example (lower(name), id) where id > 7, without '
          'comments, semicolons and backslashes outside of strings.';
  end if;
  execute format('create table tidemark_rows.%I (%s)', probe,
    (select string_agg(format('%I %s', c.name, c.type), ', ' order by c.place)
    from unnest(names, types) with ordinality as c (name, type, place)));
  perform set_config('search_path', 'pg_catalog, public, pg_temp', true);
  execute format('create index %I on tidemark_rows.%I %s', probe || '_i', probe, definition);
  perform set_config('search_path', 'pg_catalog, pg_temp', true);
  made := format('tidemark_rows.%I', probe || '_i')::regclass;
  if exists (select from pg_class c where c.oid = made and c.reltablespace <> 0) then
    raise exception 'an index of a captured table has no tablespace of its own' using errcode = 'feature_not_supported';
  end if;
  -- The rows are written by tidemark_apply, which runs the functions of the index then.
  select d.refobjid into forbidden
  from pg_depend d
  where (d.classid, d.objid, d.refclassid) = ('pg_class'::regclass, made, 'pg_proc'::regclass)
    and not has_function_privilege('tidemark_apply', d.refobjid, 'execute')
  limit 1;
  if found then
    raise exception 'tidemark_apply, which writes the rows, may not execute the function %', forbidden
      using errcode = 'insufficient_privilege', hint = format('grant execute on function %s to tidemark_apply', forbidden);
  end if;
  used := array(
    select distinct d.refobjsubid
    from pg_depend d
    join pg_index i on i.indexrelid = made and i.indrelid = d.refobjid
    where (d.classid, d.objid, d.refclassid) = ('pg_class'::regclass, made, 'pg_class'::regclass)
      and d.refobjsubid > 0
    order by 1
  );
  parts := array(select a.attname from pg_attribute a where a.attrelid = made order by a.attnum);
  perform tidemark.rename_columns(probe, names, new_names, used);
  select pg_get_indexdef(i.indexrelid), pg_get_expr(i.indpred, i.indrelid) into keys, predicate
  from pg_index i
  where i.indexrelid = made;
  ending := coalesce(' WHERE ' || predicate, '');
  if not starts_with(keys, beginning) or right(keys, length(ending)) <> ending or strpos(keys, probe || '.') > length(beginning) then
    raise exception 'it uses the whole row, not its columns: %', definition using errcode = 'feature_not_supported';
  end if;
  keys := substr(left(keys, length(keys) - length(ending)), length(beginning) + 1);
  execute format('drop table tidemark_rows.%I', probe);
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.require_kept(what text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if not exists (select from tidemark.kept(what)) then
    raise exception 'no record in quarantine matches %', what
      using hint = 'npm run quarantine -- list shows the records; name one by its place, such as changes-2@17';
  end if;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.restore_view(of_schema text, of_table text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if exists (
    select from tidemark.missing_views() lost where (lost.schema_name, lost.table_name) = (of_schema, of_table)
  ) then
    perform tidemark.show_view(of_schema, of_table);
  end if;
end
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.retire_view(of_schema text, of_table text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform tidemark.drop_view(of_schema, of_table);
exception when dependent_objects_still_exist then
  execute (
    select format('create or replace view %I.%I as select %s where false', of_schema, of_table,
      string_agg(format('null::%s%s as %I', format_type(a.atttypid, a.atttypmod),
        case when a.attcollation <> t.typcollation then ' collate ' || a.attcollation::regcollation end, a.attname),
        ', ' order by a.attnum))
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    where a.attrelid = tidemark.own_view(of_schema, of_table)
      and a.attnum > 0
      and not a.attisdropped
  );
  update tidemark.shown_view s
  set empty_of = array[of_schema, of_table]
  where (s.schema_name, s.table_name) = (of_schema, of_table)
    and s.empty_of is null;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.retract_window(known tidemark.window_definition, other tidemark.window_definition DEFAULT NULL::tidemark.window_definition)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if known.definition ->> 'publish' is null or known.plan is null then
    return;
  end if;
  execute format('insert into tidemark.window_outbox (definition, topic, record_key) select %L, %L, p.record_key from (%s) as p%s',
    known.name, known.definition ->> 'publish', tidemark.window_published(known),
    case
      when other.definition ->> 'publish' = known.definition ->> 'publish'
        then format(' where p.record_key not in (select o.record_key from (%s) as o)', tidemark.window_published(other))
      else ''
    end);
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.retry(what text)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  refused tidemark.quarantine;
  accepted text;
  retried bigint;
begin
  perform tidemark.require_kept(what);
  if exists (select from tidemark.stopped_table s where s.schema_name || '.' || s.table_name = what and s.relation <> 0) then
    perform tidemark.accept(what);
    return (select count(*) from tidemark.kept(what));
  end if;
  select * into refused from tidemark.kept(what) q where q.topic <> 'user-events' limit 1;
  if refused.relation > 0 and what <> 'all' then
    raise exception '%-%@% is a change of %, whose quarantined changes can only be applied together and in order',
      refused.topic, refused.topic_partition, refused.record_offset, refused.table_name
      using hint = format('npm run quarantine -- retry %s', refused.table_name);
  elsif refused.topic is not null and what <> 'all' then
    raise exception '%-%@% cannot be applied later: it is not a change of a captured table',
      refused.topic, refused.topic_partition, refused.record_offset
      using hint = format('npm run quarantine -- discard %s', what);
  end if;
  for accepted in
    select s.schema_name || '.' || s.table_name
    from tidemark.stopped_table s
    where what = 'all' and s.repair = 'accept' and s.relation <> 0
  loop
    perform tidemark.accept(accepted);
  end loop;
  update tidemark.quarantine q
  set retry_at = now()
  from tidemark.kept(what) k
  where (q.topic, q.topic_partition, q.record_offset) = (k.topic, k.topic_partition, k.record_offset)
    and q.topic = 'user-events';
  get diagnostics retried = row_count;
  return retried + (
    select count(*)
    from tidemark.quarantine q
    join tidemark.stopped_table s on s.relation = q.relation and s.accepted_at is not null
    where q.relation <> 0
  );
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.row_has(numbers integer[], types text[], image text[], wanted integer[], texts text[])
 RETURNS boolean
 LANGUAGE sql
 STABLE
RETURN ((image IS NOT NULL) AND (SELECT COALESCE(bool_and(((NOT (r.value IS DISTINCT FROM w.t)) OR (NOT (tidemark.key_text_of(r.type, r.value) IS DISTINCT FROM w.t)))), false) AS "coalesce" FROM (UNNEST(row_has.wanted, row_has.texts) w(n, t) CROSS JOIN LATERAL (SELECT (row_has.image)[array_position(row_has.numbers, w.n)] AS value, (row_has.types)[array_position(row_has.numbers, w.n)] AS type) r)))
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.row_image(names text[], types text[], image text[])
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (image IS NULL) THEN NULL::jsonb WHEN (names IS NULL) THEN to_jsonb(image) ELSE (SELECT jsonb_object_agg(u.n, tidemark."json_value"(u.t, u.v)) AS jsonb_object_agg FROM UNNEST(row_image.names, row_image.types, row_image.image) u(n, t, v) WHERE (u.n IS NOT NULL)) END
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.rows_name(of_relation bigint, of_generation integer)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
RETURN ((('t'::text || of_relation) || '_'::text) || of_generation)
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.set_history(table_name text, enabled boolean DEFAULT true, retention interval DEFAULT NULL::interval)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  of_relations bigint[] := array(select distinct r.relation from tidemark.relations_named(table_name) r order by 1);
  named record;
begin
  if table_name = '*' then
    update tidemark.history_setting s
    set enabled = set_history.enabled,
      retention = coalesce(set_history.retention, s.retention)
    where s.schema_name = '*';
    return;
  end if;
  select k.contract ->> 'schema' as schema_name, k.contract ->> 'table' as table_name
  into named
  from tidemark.contract k
  where k.relation = any (of_relations)
  order by k.epoch desc, k.version desc
  limit 1;
  if not found then
    raise exception 'no captured table is or was called %', table_name
      using errcode = 'undefined_table', hint = 'Write it with its schema, as in public.orders; * stands for every table.';
  end if;
  update tidemark.history_setting s
  set relations = array(select r from unnest(s.relations) r where r <> all (of_relations));
  insert into tidemark.history_setting as s (schema_name, table_name, enabled, retention, relations)
  values (named.schema_name, named.table_name, set_history.enabled, set_history.retention, of_relations)
  on conflict on constraint history_setting_pkey do update
  set enabled = excluded.enabled,
    retention = coalesce(excluded.retention, s.retention),
    relations = excluded.relations;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.settle_latest_state(of_topic text, of_relation bigint)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  newest record;
  complete tidemark.generation;
  former integer;
  replaced bigint[];
  has_gaps boolean;
begin
  perform pg_advisory_xact_lock(hashtextextended('tidemark.table_marker', of_relation));
  select c.contract ->> 'generation' as generation, (c.contract ->> 'dropped')::boolean as dropped,
    count(distinct c.topic_partition) >= (c.contract ->> 'topicPartitions')::integer as everywhere
  into newest
  from tidemark.contract c
  where c.topic = of_topic
    and c.relation = of_relation
    and ((c.contract ->> 'complete')::boolean or (c.contract ->> 'dropped')::boolean)
  group by c.epoch, c.contract ->> 'generation', (c.contract ->> 'dropped')::boolean, c.contract ->> 'topicPartitions'
  order by c.epoch desc, (c.contract ->> 'dropped')::boolean desc, (c.contract ->> 'generation')::integer desc
  limit 1;
  if not coalesce(newest.everywhere, false) then
    return null;
  end if;
  if newest.dropped then
    perform tidemark.drop_rows(g.relation, g.generation)
    from tidemark.generation g
    join tidemark.table_marker m on m.relation = g.relation and m.dropped_at is not null
    where g.relation = of_relation;
    return null;
  end if;
  select * into complete
  from tidemark.generation g
  where (g.relation, g.generation) = (of_relation, newest.generation::integer);
  if not found then
    return null;
  end if;
  -- No snapshot will bring the values that a row lacks now. A generation that is shown from its beginning is checked, too.
  if not (complete.keyless or complete.whole) then
    execute format('select exists (select from tidemark_rows.%I where "tidemark$live" and not "tidemark$whole")',
      tidemark.rows_name(of_relation, complete.generation)) into has_gaps;
    if has_gaps then
      return 'an update during its snapshot left out a TOASTed value that the snapshot did not bring';
    end if;
    update tidemark.generation g
    set whole = true
    where (g.relation, g.generation) = (of_relation, complete.generation);
  end if;
  -- The first generation that has rows is shown from its beginning, also after earlier ones that could have none.
  if complete.shown then
    perform tidemark.release_former(of_relation, complete.generation);
    return null;
  end if;
  replaced := array(select tidemark.predecessors(of_relation));
  update tidemark.generation g
  set shown = g.generation = complete.generation
  where g.relation = of_relation;
  -- The relations that had the name in an earlier epoch leave it without a moment in which no relation has the name.
  update tidemark.table_marker m set dropped_at = now() where m.relation = any (replaced);
  perform tidemark.show_views(of_relation);
  perform tidemark.forget_relation(r) from unnest(replaced) as r;
  for former in
    select g.generation from tidemark.generation g where g.relation = of_relation and g.generation < complete.generation
  loop
    perform tidemark.drop_rows(of_relation, former);
  end loop;
  perform tidemark.release_former(of_relation, complete.generation);
  return null;
end
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.settle_window(known tidemark.window_definition)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  schema_name text := known.definition -> 'source' ->> 'schema';
  table_name text := known.definition -> 'source' ->> 'table';
  source record;
  now_called text;
begin
  update tidemark.window_definition d set checked_at = clock_timestamp() where d.id = known.id;
  select * into source from tidemark.window_source(schema_name, table_name);
  if not found then
    if known.state = 'awaiting table' then
      return;
    end if;
    select format('%s.%s', m.schema_name, m.table_name) into now_called
    from tidemark.table_marker m
    where m.relation = known.relation and m.dropped_at is null;
    perform tidemark.stop_window(known.id, case
      when now_called is null then format('%s.%s was dropped in the source: remove the definition', schema_name, table_name)
      else format('%s.%s is called %s now: change the source of the definition', schema_name, table_name, now_called)
    end);
    return;
  end if;
  begin
    -- A later version of the contract may be about columns that the definition does not use.
    if (source.relation, source.generation) = (known.relation, known.generation) then
      if tidemark.check_window(known.definition, source.contract, source.keyless)
        = known.plan - 'version' - 'recordKey' - 'recordValue' then
        update tidemark.window_definition d
        set plan = d.plan || jsonb_build_object('version', source.version)
        where d.id = known.id;
        return;
      end if;
    end if;
    perform tidemark.begin_window(known.name, known.text, known.definition);
  exception
    when undefined_table then
      -- A table that its view reads may come later than its own.
      if known.state = 'awaiting table' then
        update tidemark.window_definition d set reason = sqlerrm where d.id = known.id;
      else
        perform tidemark.stop_window(known.id, sqlerrm);
      end if;
    when others then
      if tidemark.is_of_other_sessions(sqlstate, sqlerrm) then
        raise;
      end if;
      perform tidemark.stop_window(known.id, format('%s: change the definition, or npm run windows -- rebuild %s', sqlerrm, known.name));
  end;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.settle_windows()
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  known tidemark.window_definition;
begin
  perform tidemark.lock_windows();
  for known in
    select *
    from tidemark.window_definition d
    where d.id in (select u.id from tidemark.unsettled_window u)
    order by d.id desc
  loop
    perform tidemark.settle_window(known);
  end loop;
end
$function$
-- owned by tidemark_owner
-- tidemark_windows may execute

CREATE OR REPLACE FUNCTION tidemark.shape_latest_state(of_epoch integer, contract jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  of_relation bigint := (contract ->> 'relation')::bigint;
  of_generation integer := (contract ->> 'generation')::integer;
  of_version integer := (contract ->> 'version')::integer;
  before tidemark.table_marker;
  known tidemark.generation;
  earlier jsonb;
  truncated tidemark.generation;
begin
  perform pg_advisory_xact_lock(hashtextextended('tidemark.table_marker', of_relation));
  select * into before from tidemark.table_marker m where m.relation = of_relation for update;
  if (before.epoch, before.version) >= (of_epoch, of_version) then
    perform tidemark.add_missing_columns(contract);
    return;
  end if;
  perform tidemark.check_names(contract);
  -- The initial snapshot of an epoch reads every version that the source has kept, also those of earlier generations.
  if exists (select from tidemark.generation g where g.relation = of_relation and g.generation > of_generation) then
    return;
  end if;
  perform tidemark.check_expressions(contract);
  -- Another source, or one that was restored from a backup, may have given the number of a relation to another table.
  if before.epoch < of_epoch
    and before.dropped_at is null
    and (before.schema_name, before.table_name) <> (contract ->> 'schema', contract ->> 'table') then
    perform tidemark.forget_relation(of_relation);
    before.dropped_at := clock_timestamp();
  end if;
  insert into tidemark.table_marker as m (relation, schema_name, table_name, epoch, version)
  values (of_relation, contract ->> 'schema', contract ->> 'table', of_epoch, of_version)
  on conflict (relation) do update
  set schema_name = excluded.schema_name,
    table_name = excluded.table_name,
    epoch = excluded.epoch,
    version = excluded.version,
    named_at = case
      when m.dropped_at is null and (m.schema_name, m.table_name) = (excluded.schema_name, excluded.table_name) then m.named_at
      else clock_timestamp()
    end,
    dropped_at = null;

  -- An index that is declared meanwhile waits, so that it sees this generation.
  perform pg_advisory_xact_lock_shared(hashtextextended('tidemark.user_index', 0));
  earlier := tidemark.newest_contract(of_relation);
  select * into known from tidemark.generation g where (g.relation, g.generation) = (of_relation, of_generation) for update;
  if not found then
    perform tidemark.create_rows(contract);
    select * into truncated
    from tidemark.generation g
    where g.relation = of_relation
    order by g.truncated_epoch desc, g.truncated_lsn desc
    limit 1;
    insert into tidemark.generation (
      relation, generation, contract, keyless, shown, truncated_epoch, truncated_lsn, truncated_earlier
    )
    select of_relation, of_generation, contract,
      not exists (select from tidemark.stored_columns(contract) c where c.key is not null),
      not exists (select from tidemark.generation g where g.relation = of_relation and g.shown)
        and not exists (select from tidemark.predecessors(of_relation)),
      coalesce(truncated.truncated_epoch, 0), coalesce(truncated.truncated_lsn, 0), coalesce(truncated.truncated_lsn, 0) > 0;
  else
    perform tidemark.widen_rows(contract);
    update tidemark.generation g
    set contract = shape_latest_state.contract
    where (g.relation, g.generation) = (of_relation, of_generation);
  end if;
  perform tidemark.follow_contract(earlier, contract);
  perform tidemark.make_indexes(of_relation, afresh => case when known.relation is null then of_generation end);

  if before.dropped_at is null and (before.schema_name, before.table_name) <> (contract ->> 'schema', contract ->> 'table') then
    perform tidemark.rename_view(before.schema_name, before.table_name, contract ->> 'schema', contract ->> 'table');
    perform tidemark.show_view(before.schema_name, before.table_name, or_leave => true);
    perform tidemark.free_name(before.schema_name, before.table_name);
  end if;
  perform tidemark.show_views(of_relation, known.contract);
  -- The table may have been stopped because it had no contract.
  delete from tidemark.stopped_table s
  where s.relation = 0
    and (s.schema_name, s.table_name) = (contract ->> 'schema', contract ->> 'table');
end
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.show_view(of_schema text, of_table text, or_leave boolean DEFAULT false)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  query text;
  taken record;
  grants text[];
begin
  -- Another transaction may be replacing the rows of a relation that this view shows.
  perform pg_advisory_xact_lock(tidemark.lock_of_view(of_schema, of_table));
  query := tidemark.view_query(of_schema, of_table);
  if query is null then
    perform tidemark.retire_view(of_schema, of_table);
    return;
  end if;
  perform tidemark.ensure_schema(of_schema);
  select * into taken from tidemark.foreign_object(of_schema, of_table);
  if found and or_leave then
    return;
  elsif found then
    raise exception '% is in the target and was not created by Tidemark, so the view of this name cannot be created', taken.object
      using errcode = 'duplicate_table',
        hint = format('rename it with %s, then run npm run accept -- %s.%s', taken.renamed_by, of_schema, of_table);
  end if;
  begin
    execute format('create or replace view %I.%I as %s', of_schema, of_table, query);
  exception when invalid_table_definition then
    select coalesce(array_agg(format('grant %s on %I.%I to %s', acl.privilege_type, of_schema, of_table,
      case when acl.grantee = 0 then 'public' else quote_ident(acl.grantee::regrole::text) end)), '{}')
    into grants
    from pg_class c
    cross join aclexplode(c.relacl) acl
    where c.oid = format('%I.%I', of_schema, of_table)::regclass
      and acl.grantee <> c.relowner;
    perform tidemark.free_view_name(of_schema, of_table);
    execute format('create view %I.%I as %s', of_schema, of_table, query);
    foreach query in array grants loop
      execute query;
    end loop;
  end;
  execute format('grant select on %I.%I to tidemark_read', of_schema, of_table);
  insert into tidemark.shown_view as s (schema_name, table_name, view)
  values (of_schema, of_table, format('%I.%I', of_schema, of_table)::regclass)
  on conflict (schema_name, table_name) do update set view = excluded.view, empty_of = null
  where s.view <> excluded.view or s.empty_of is not null;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.show_views(of_relation bigint, earlier jsonb DEFAULT NULL::jsonb, or_leave boolean DEFAULT false)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  name record;
begin
  for name in
    select m.schema_name as schema, m.table_name as table
    from tidemark.table_marker m
    where m.relation = of_relation
    union
    select p ->> 'schema', p ->> 'table'
    from tidemark.generation g
    cross join jsonb_array_elements(g.contract -> 'parents') p
    where g.relation = of_relation
    union
    select p ->> 'schema', p ->> 'table'
    from jsonb_array_elements(earlier -> 'parents') p
  loop
    perform tidemark.show_view(name.schema, name.table, or_leave);
  end loop;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.show_window(of_definition bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  new tidemark.window_definition;
  former tidemark.window_definition;
begin
  perform tidemark.lock_windows();
  select * into new from tidemark.window_definition d where d.id = of_definition for update;
  if not found or new.was_shown then
    return;
  end if;
  perform pg_advisory_xact_lock(730511005, of_definition::integer);
  select * into former from tidemark.window_definition d where d.name = new.name and d.was_shown;
  if found then
    perform pg_advisory_xact_lock(730511005, former.id::integer);
    -- A watermark never goes back, also when its definition is computed again.
    insert into tidemark.window_watermark as w (definition_id, topic, topic_partition, newest_event, last_row_at, reached)
    select new.id, f.topic, f.topic_partition, f.newest_event, f.last_row_at, f.reached
    from tidemark.window_watermark f
    where f.definition_id = former.id
      and former.definition = new.definition
    on conflict (definition_id, topic, topic_partition) do update
    set newest_event = greatest(w.newest_event, excluded.newest_event),
      last_row_at = greatest(w.last_row_at, excluded.last_row_at),
      reached = greatest(w.reached, excluded.reached);
    perform tidemark.carry_emitted_windows(new, former);
    perform tidemark.retract_window(former, new);
    update tidemark.window_definition d set was_shown = false where d.id = former.id;
  end if;
  perform tidemark.show_window_view(new.id, new.definition, new.plan);
  update tidemark.window_definition d
  set was_shown = true, state = 'shown', reason = null, phase = null, phase_after = null, shown_at = clock_timestamp()
  where d.id = of_definition;
  if new.definition ->> 'publish' is not null then
    execute format('insert into tidemark.window_outbox (definition, topic, record_key, record_value) '
      'select %L, %L, p.record_key, p.record_value from (%s) as p',
      new.name, new.definition ->> 'publish', tidemark.window_published(new));
  end if;
  if former.id is not null then
    perform tidemark.discard_window(former.id);
  end if;
  perform pg_notify('tidemark_windows', new.name);
end
$function$
-- owned by tidemark_owner
-- tidemark_windows may execute

CREATE OR REPLACE FUNCTION tidemark.show_window_view(of_definition bigint, definition jsonb, plan jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  name text := definition ->> 'name';
  query text := tidemark.window_view(definition, tidemark.window_groups(of_definition, definition, plan));
begin
  perform set_config('search_path', 'pg_catalog, public, pg_temp', true);
  begin
    execute format('create or replace view tidemark_windows.%I as %s', name, query);
  exception when invalid_table_definition then
    execute format('drop view tidemark_windows.%I', name);
    execute format('create view tidemark_windows.%I as %s', name, query);
  end;
  execute format('grant select on tidemark_windows.%I to tidemark_read', name);
  execute format('comment on view tidemark_windows.%I is %L', name,
    format('windows of %s.%s', definition -> 'source' ->> 'schema', definition -> 'source' ->> 'table'));
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.shown_columns(op "char", types text[], row_before text[], row_after text[], most integer, cut integer, OUT columns jsonb, OUT changed integer)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  is_compared constant boolean := op = 'u' and row_before is not null and row_after is not null;
  places integer[];
  shown_types text[];
  befores text[];
  afters text[];
  characters bigint;
begin
  changed := 0;
  if is_compared then
    select array_agg(u.n::integer order by u.n), array_agg(u.type order by u.n), array_agg(u.b order by u.n),
      array_agg(u.a order by u.n)
    into places, shown_types, befores, afters
    from unnest(types, row_before, row_after) with ordinality as u (type, b, a, n)
    where u.b is distinct from u.a;
    befores := tidemark.written_image(shown_types, befores);
    afters := tidemark.written_image(shown_types, afters);
    select array_agg(u.n order by u.n), array_agg(u.b order by u.n), array_agg(u.a order by u.n), count(*)::integer
    into places, befores, afters, changed
    from unnest(places, befores, afters) as u (n, b, a)
    where u.b is distinct from u.a;
  end if;
  if most is null or changed = 0 then
    select array_agg(u.n::integer order by u.n), array_agg(u.type order by u.n), array_agg(u.b order by u.n),
      array_agg(u.a order by u.n)
    into places, shown_types, befores, afters
    from unnest(types, row_before, row_after) with ordinality as u (type, b, a, n)
    where most is null or u.n <= most;
    befores := tidemark.written_image(shown_types, befores);
    afters := tidemark.written_image(shown_types, afters);
  end if;
  if most is null then
    -- The whole row has to be one answer, which is limited: where it is too large, each value gets its share.
    select coalesce(sum(length(v)), 0) into characters from unnest(befores || afters) as v;
    cut := case when characters <= cut then cut else greatest(cut / (2 * greatest(cardinality(places), 1)), 100) end;
  end if;
  select jsonb_agg(jsonb_build_array(u.n, tidemark.shown_value(u.b, cut), tidemark.shown_value(u.a, cut),
    is_compared and u.b is distinct from u.a) order by u.n)
  into columns
  from unnest(places, befores, afters) with ordinality as u (n, b, a, turn)
  where most is null or u.turn <= most;
  columns := coalesce(columns, '[]');
end
$function$
-- owned by tidemark_owner
-- tidemark_console_read may execute

CREATE OR REPLACE FUNCTION tidemark.shown_shape(contract jsonb, OUT names text[], OUT types text[])
 RETURNS record
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT array_agg((listed.c ->> 'name'::text) ORDER BY listed.n) AS array_agg,
     array_agg(COALESCE((listed.c ->> 'type'::text), (listed.c ->> 'carried'::text)) ORDER BY listed.n) AS array_agg
    FROM jsonb_array_elements((shown_shape.contract -> 'columns'::text)) WITH ORDINALITY listed(c, n)
   WHERE (NOT ((listed.c ->> 'generated'::text))::boolean);
END
-- owned by tidemark_owner
-- tidemark_console_read may execute

CREATE OR REPLACE FUNCTION tidemark.shown_value(value text, cut integer)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (value IS NULL) THEN 'null'::jsonb WHEN ((octet_length(value) <= cut) OR (length(value) <= cut)) THEN to_jsonb(value) ELSE jsonb_build_array("left"(value, cut), tidemark.utf16_length(value)) END
-- owned by tidemark_owner
-- tidemark_console_read may execute

CREATE OR REPLACE FUNCTION tidemark.skip_window_gap(of_topic text, of_partition integer, at_offset bigint)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select tidemark.rebase('tidemark-windows', of_topic, of_partition, at_offset);
  select tidemark.mark_windows(d.relation, format('records before offset %s of %s-%s are gone', at_offset, of_topic, of_partition))
  from (select distinct w.relation from tidemark.window_definition w where w.relation is not null) as d
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute
-- tidemark_windows may execute

CREATE OR REPLACE FUNCTION tidemark.stop_table(of_relation bigint, of_generation integer, of_schema text, of_table text, why text, repaired_by text, by_itself boolean)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  -- A relation has only one stop, and may have been renamed since.
  update tidemark.stopped_table s
  set schema_name = of_schema,
    table_name = of_table
  where of_relation <> 0
    and s.relation = of_relation
    and (s.schema_name, s.table_name) <> (of_schema, of_table);
  insert into tidemark.stopped_table as s (relation, generation, schema_name, table_name, reason, repair, automatic)
  values (of_relation, of_generation, of_schema, of_table, why, repaired_by, by_itself)
  on conflict (relation, schema_name, table_name) do update
  set generation = greatest(s.generation, excluded.generation),
    reason = case when s.generation = excluded.generation and s.accepted_at is null then s.reason else excluded.reason end,
    repair = case when s.not_kept_since is null then excluded.repair else 'resync' end,
    automatic = excluded.automatic,
    requested_at = null,
    accepted_at = null
  where s.generation < excluded.generation
    or s.accepted_at is not null
    or (s.generation = excluded.generation and s.repair = 'accept' and excluded.repair = 'resync')
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.stop_window(of_definition bigint, why text)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  update tidemark.window_definition d
  set state = 'stopped', reason = why, phase = null, phase_after = null, stopped_at = clock_timestamp()
  where d.id = of_definition
    and d.state <> 'stopped'
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.stored_columns(contract jsonb)
 RETURNS TABLE(name text, number integer, type text, key integer, missing text)
 LANGUAGE sql
 IMMUTABLE
BEGIN ATOMIC
 SELECT ('c'::text || (c.value ->> 'number'::text)),
     ((c.value ->> 'number'::text))::integer AS int4,
     (c.value ->> 'carried'::text),
     ((c.value ->> 'key'::text))::integer AS int4,
     (c.value ->> 'missing'::text)
    FROM jsonb_array_elements((stored_columns.contract -> 'columns'::text)) c(value)
   WHERE (NOT ((c.value ->> 'generated'::text))::boolean);
END
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.suspend_indexes(named text[], why text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  suspended record;
begin
  for suspended in select * from tidemark.user_index_state s where s.made_as = any (named) order by s.made_as loop
    execute format('drop index if exists tidemark_rows.%I', suspended.made_as);
    perform tidemark.note_index_problem(suspended.relation_index, 'it was dropped, because rows could not be written with it: ' || why);
  end loop;
end
$function$
-- owned by tidemark_owner
-- tidemark_apply may execute

CREATE OR REPLACE FUNCTION tidemark.take_indexes(of_schema text, of_table text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  taking record;
begin
  for taking in
    select t.relation, t.contract
    from tidemark.indexable_tables() t
    where t.relation = tidemark.owner_of(of_schema, of_table)
      and (t.schema_name, t.table_name) = (of_schema, of_table)
      and exists (select from tidemark.wanting_indexes(t.relation))
  loop
    perform tidemark.follow_contract(taking.contract, taking.contract);
    perform tidemark.make_indexes(taking.relation);
  end loop;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.type_modifier(type text)
 RETURNS integer
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN CASE WHEN (type ~~ '%(%'::text) THEN COALESCE(to_regtypemod(type), to_regtypemod(('public.'::text || type)), '-1'::integer) ELSE '-1'::integer END
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.utf16_length(value text)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
RETURN (length(value) + CASE WHEN (octet_length(value) = length(value)) THEN 0 ELSE regexp_count(value, '[\U00010000-\U0010ffff]'::text) END)
-- owned by tidemark_owner
-- tidemark_console_read may execute

CREATE OR REPLACE FUNCTION tidemark.view_query(of_schema text, of_table text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  only_member bigint;
begin
  -- Rows that were dropped here are read again. Until then the view of a parent would have fewer rows than its table.
  if exists (select from tidemark.members(of_schema, of_table) m join tidemark.missing_rows() lost using (relation)) then
    return null;
  end if;
  select min(m.relation) into only_member
  from tidemark.members(of_schema, of_table) m
  having count(*) = 1 and bool_and(m.own);
  if only_member is not null then
    return tidemark.own_query(only_member);
  end if;
  -- A parent with rows of its own is shown with its own columns, and what an inheriting table lacks is null. Otherwise it is
  -- shown with the columns that all leaves have, since DDL on a partitioned table alters one leaf after the other. Where
  -- types differ, the column is text.
  return (
    with member as (
      select *
      from tidemark.members(of_schema, of_table)
    ),
    named as (
      select m.relation, m.own, c ->> 'name' as name, c ->> 'carried' as type, n
      from member m
      cross join jsonb_array_elements(m.contract -> 'columns') with ordinality as listed (c, n)
    ),
    shared as (
      select n.name, count(distinct n.type) = 1 as alike
      from named n
      group by n.name
      having bool_or(n.own) or count(*) = (select count(*) from member)
    ),
    shown as (
      select s.name, s.alike, first.n
      from named first
      join shared s using (name)
      where first.relation = (select m.relation from member m order by m.own desc, m.relation limit 1)
    ),
    selected as (
      select m.relation, m.own,
        string_agg(format(case when n.name is null then 'null as %1$I' when s.alike then '%1$I' else '%1$I::text as %1$I' end,
          s.name), ', ' order by s.n) as names
      from member m
      left join shown s on true
      left join named n on n.relation = m.relation and n.name = s.name
      group by m.relation, m.own
    )
    select string_agg(format('select %s from (%s) as m%s', s.names, tidemark.own_query(s.relation), s.relation), ' union all '
      order by s.own desc, s.relation)
    from selected s
  );
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.wanted_changes(table_name text, key jsonb)
 RETURNS TABLE(epoch integer, relation bigint, op "char", key_values text[], numbers integer[], row_values text[])
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  shape record;
  given jsonb;
  unknown text;
  keys text[];
  is_found boolean := false;
begin
  for shape in
    select distinct r.epoch, r.relation, s.key_numbers, s.key_types, array_to_string(s.key_names, ', ') as key_names,
      case when s.key_numbers is null then s.numbers end as numbers, case when s.key_numbers is null then s.types end as types
    from tidemark.relations_named(table_name) r
    cross join lateral (
      select distinct on (k.version) k.contract
      from tidemark.contract k
      where k.relation = r.relation
        and k.epoch = r.epoch
      order by k.version, k.topic_partition
    ) k
    cross join tidemark.image_shape(k.contract) s
  loop
    select jsonb_object_agg(n.number, e.value) filter (where n.number is not null), min(e.key) filter (where n.number is null)
    into given, unknown
    from jsonb_each(wanted_changes.key) e
    left join lateral (
      select s.numbers[array_position(s.names, e.key)] as number
      from tidemark.contract k
      cross join tidemark.image_shape(k.contract) s
      where k.relation = shape.relation
        and k.epoch = shape.epoch
        and e.key = any (s.names)
      order by k.version desc
      limit 1
    ) n on true;
    keys := array_append(keys, coalesce(shape.key_names, 'no key'));
    if unknown is not null or given is null then
      continue;
    end if;
    epoch := shape.epoch;
    relation := shape.relation;
    if shape.key_numbers is null then
      numbers := array(select n from unnest(shape.numbers) n where given ? n::text order by n);
      op := null;
      key_values := null;
      row_values := array(
        select case when jsonb_typeof(given -> n::text) <> 'null' then t end
        from unnest(numbers, tidemark.key_texts(numbers,
          array(select shape.types[array_position(shape.numbers, n)] from unnest(numbers) n order by n), given)) as k (n, t)
        order by n
      );
      is_found := true;
      return next;
    elsif array(select n::text from unnest(shape.key_numbers) n order by 1) = array(select jsonb_object_keys(given) order by 1) then
      key_values := tidemark.key_texts(shape.key_numbers, shape.key_types, given);
      op := null;
      numbers := null;
      row_values := null;
      is_found := true;
      return next;
      key_values := null;
      op := 't';
      return next;
    end if;
  end loop;
  if keys is null then
    raise exception 'no captured table is or was called %', table_name
      using errcode = 'undefined_table', hint = 'Write it with its schema, as in public.orders.';
  elsif not is_found then
    raise exception 'the key of % is (%), not (%)', table_name,
      (select string_agg(distinct k, ') or (') from unnest(keys) k),
      (select string_agg(k, ', ') from jsonb_object_keys(wanted_changes.key) k)
      using errcode = 'undefined_column';
  end if;
end
$function$
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.wanting_indexes(of_relation bigint)
 RETURNS TABLE(index_id bigint)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select u.id
  from tidemark.user_index u
  join tidemark.names_of_rows(of_relation) n using (schema_name, table_name)
  join tidemark.table_marker m on m.relation = of_relation
  where not exists (select from tidemark.relation_index f where (f.index_id, f.relation) = (u.id, of_relation))
    and (
      (n.schema_name, n.table_name) <> (m.schema_name, m.table_name)
      or tidemark.owner_of(n.schema_name, n.table_name) = of_relation
      or tidemark.owner_of(n.schema_name, n.table_name) in (select tidemark.predecessors(of_relation))
    )
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.why_not_fitting(contract jsonb, why text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
RETURN format('it does not fit the columns of %s.%s: %s'::text, (contract ->> 'schema'::text), (contract ->> 'table'::text), why)
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.widen_rows(contract jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  rows_name text := tidemark.rows_name((contract ->> 'relation')::bigint, (contract ->> 'generation')::integer);
  stored record;
  retyped boolean := false;
begin
  for stored in
    select c.name, c.missing, tidemark.canonical_type(c.type) as type, format_type(a.atttypid, a.atttypmod) as old_type
    from tidemark.stored_columns(contract) c
    left join pg_attribute a on a.attrelid = format('tidemark_rows.%I', rows_name)::regclass and a.attname = c.name
    order by c.number
  loop
    if stored.old_type is null then
      execute format('alter table tidemark_rows.%I add column %I %s%s', rows_name, stored.name, stored.type,
        coalesce(format(' default %L', stored.missing), ''));
    elsif stored.old_type <> stored.type then
      -- A column that a view uses cannot be altered, so the views are dropped and created again afterwards.
      perform tidemark.drop_view(contract ->> 'schema', contract ->> 'table');
      perform tidemark.drop_view(p ->> 'schema', p ->> 'table') from jsonb_array_elements(contract -> 'parents') p;
      execute format('alter table tidemark_rows.%I alter column %I type %s', rows_name, stored.name, stored.type);
      retyped := true;
    end if;
  end loop;
  return retyped;
end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.window_columns(definition jsonb, plan jsonb)
 RETURNS TABLE(place integer, name text, type text, stored text)
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with moment as (
    select case when plan -> 'event' ->> 'type' like '%with time zone' then 'timestamp with time zone' else 'timestamp' end as type,
      case when plan -> 'event' ->> 'type' like '%with time zone' then ' at time zone ''UTC''' else '' end as zone
  )
  select 1, 'window_start', m.type, format('g.window_start%s', m.zone) from moment m
  union all
  select 2, 'window_end', m.type,
    format('(g.window_start + interval ''%s microseconds'')%s', definition -> 'window' ->> 'sizeMicros', m.zone)
  from moment m
  union all
  select 2 + n::integer, k ->> 'alias', plan -> 'keyTypes' ->> (n::integer - 1), 'g.g' || n
  from jsonb_array_elements(definition -> 'keys') with ordinality as listed (k, n)
  union all
  select 1002 + n::integer, a ->> 'alias', plan -> 'resultTypes' ->> (n::integer - 1), 'g.r' || n
  from jsonb_array_elements(definition -> 'aggregates') with ordinality as listed (a, n)
  union all
  select 3002, 'state', 'text', format('tidemark.window_state(g.window_start + interval ''%s microseconds'', interval ''%s microseconds'', %L, m.watermark, g.late_rows)',
    definition -> 'window' ->> 'sizeMicros', definition ->> 'allowedLatenessMicros',
    definition ->> 'emit' = 'on close' or definition ->> 'lateRows' = 'set aside')
  union all
  select 3003, 'late_rows', 'bigint', 'g.late_rows'
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.window_groups(of_definition bigint, definition jsonb, plan jsonb)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select format('select %s from tidemark_window_rows.w%s_groups g cross join (select tidemark.window_watermark(%2$s) as watermark offset 0) m where g.visible%s',
    string_agg(format('%s as %I', c.stored, c.name), ', ' order by c.place), of_definition,
    case when definition ->> 'emit' = 'on close' then ' and g.emitted_at is not null' else '' end)
  from tidemark.window_columns(definition, plan) c
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.window_image_columns(plan jsonb)
 RETURNS TABLE(number integer, name text, stored text, type text)
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select n::integer - 1000, case when not exists (
      select from jsonb_array_elements(plan -> 'columns') c where c -> 'number' = k -> 'number'
    ) then k ->> 'name' end, 'k' || n, k ->> 'type'
  from jsonb_array_elements(plan -> 'key') with ordinality as listed (k, n)
  union all
  select 0, null, v.stored, v.type
  from (values ('image', 'uuid'), ('n', 'integer')) as v (stored, type)
  where jsonb_array_length(plan -> 'key') = 0
  union all
  select (c ->> 'number')::integer, c ->> 'name', 'c' || (c ->> 'number'), c ->> 'type'
  from jsonb_array_elements(plan -> 'columns') c
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.window_items(items jsonb, prefix text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(string_agg(format('(%s) as "tidemark$%s%s"', i ->> 'sql', prefix, n), ', ' order by n), '')
  from jsonb_array_elements(items) with ordinality as listed (i, n)
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.window_predecessor(new tidemark.window_definition)
 RETURNS bigint
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select d.id
  from tidemark.window_definition d
  where d.name = new.name
    and d.was_shown
    and d.id <> new.id
    and d.definition = new.definition
    and (d.plan - 'version' - 'columns') = (new.plan - 'version' - 'columns')
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.window_problem(action text, of_rule oid, of_table regclass)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with called as (
    select distinct p.oid::regprocedure::text as signature, p.proname as name, p.provolatile as volatility,
      p.pronargs as arguments, p.pronamespace = 'pg_catalog'::regnamespace as own
    from (
      select f[1]::oid as oid from regexp_matches(action, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') as f
      union
      select r.oprcode::oid
      from regexp_matches(action, ':opno (\d+)', 'g') as o
      join pg_operator r on r.oid = o[1]::oid
    ) as used
    join pg_proc p on p.oid = used.oid
  )
  select case
    when action ~ ':hasSubLinks true' then 'it has a subquery: windows have rows of one table'
    when action ~ ':hasWindowFuncs true' then 'it has a window function: a group is computed from its own rows'
    when action ~ ':hasTargetSRFs true' then 'it has a function that returns several rows'
    when action ~ ':varattno 0 ' then 'it uses the whole row: name the columns'
    when action ~ 'SQLVALUEFUNCTION' then 'it depends on the time or the role of the session, such as current_date'
    else coalesce(
      (
        select format('%s is volatile: it gives another result each time', c.signature)
        from called c
        where c.volatility = 'v'
        order by 1
        limit 1
      ),
      (
        select format('%s depends on more than its arguments: the time, the session or other tables', c.signature)
        from called c
        where c.volatility = 's'
          and (
            not c.own
            or c.arguments = 0
            or (c.name, c.arguments) = ('age', 1)
            or c.name ~ '^(pg_|has_|txid_|current_|inet_|to_reg|obj_|col_|shobj_|query_to|table_to|schema_to|database_to|cursor_to)'
          )
        order by 1
        limit 1
      ),
      (
        select format('it reads %s: windows have rows of one table', d.refobjid::regclass)
        from pg_depend d
        where (d.classid, d.objid, d.refclassid) = ('pg_rewrite'::regclass, of_rule, 'pg_class'::regclass)
          and d.deptype = 'n'
          and d.refobjid <> of_table
        order by 1
        limit 1
      )
    )
  end
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.window_published(known tidemark.window_definition)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select format('select %s as record_key, %s as record_value from tidemark_window_rows.w%s_groups g where g.visible%s',
    known.plan ->> 'recordKey', known.plan ->> 'recordValue', known.id,
    case when known.definition ->> 'emit' = 'on close' then ' and g.emitted_at is not null' else '' end)
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.window_record(definition jsonb, plan jsonb, whole boolean)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select format('jsonb_build_object(%s)::text', string_agg(format('%L, %s', c.name, c.stored), ', ' order by c.place))
  from tidemark.window_columns(definition, plan) c
  where c.name <> 'state'
    and (whole or c.name = 'window_start' or c.place between 3 and 1002)
    and (c.place <> 2 or whole)
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.window_rows_of(of_standing text)
 RETURNS TABLE(definition text, window_start timestamp without time zone, event_time timestamp without time zone, watermark timestamp without time zone, counted boolean, "row" jsonb)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  shown tidemark.window_definition;
begin
  for shown in select * from tidemark.window_definition d where d.was_shown order by d.name loop
    return query execute format(
      'select %L, date_bin(interval ''%s microseconds'', i.event_time, timestamp ''1970-01-01''), i.event_time, i.late_from,
         i.standing = ''late'' and %L, jsonb_build_object(%s)
       from tidemark_window_rows.w%s_rows i
       where i.standing = $1 and i.standing <> ''counted''',
      shown.name, shown.definition -> 'window' ->> 'slideMicros',
      shown.definition ->> 'lateRows' = 'count' and shown.definition ->> 'emit' = 'on update',
      (
        select string_agg(format('%L, i.%I', c.name, c.stored), ', ' order by c.number)
        from tidemark.window_image_columns(shown.plan) c
        where c.name is not null
      ),
      shown.id) using of_standing;
  end loop;
end
$function$
-- owned by tidemark_owner
-- tidemark_read may execute

CREATE OR REPLACE FUNCTION tidemark.window_source(of_schema text, of_table text)
 RETURNS TABLE(relation bigint, generation integer, version integer, keyless boolean, contract jsonb, problem text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select g.relation, g.generation, m.version, g.keyless, g.contract,
    case
      when (select count(*) from tidemark.members(of_schema, of_table)) > 1
        then format('%I.%I has rows of other captured tables, its partitions or tables that inherit from it: name one of these',
          of_schema, of_table)
    end
  from tidemark.table_marker m
  join tidemark.generation g on g.relation = m.relation and g.shown
  where m.relation = tidemark.owner_of(of_schema, of_table)
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.window_state(window_end timestamp without time zone, allowed_lateness interval, closes boolean, watermark timestamp without time zone, late_rows bigint)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
BEGIN ATOMIC
 SELECT
         CASE
             WHEN ((watermark IS NULL) OR (watermark < window_end)) THEN 'open'::text
             WHEN (closes AND (watermark >= (window_end + allowed_lateness))) THEN 'closed'::text
             WHEN (late_rows > 0) THEN 'revised'::text
             ELSE 'final'::text
         END AS "case";
END
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.window_states()
 RETURNS TABLE(name text, id bigint, state text, reason text, source text, emit text, publish text, open bigint, final bigint, revised bigint, closed bigint, visible bigint, late bigint, future bigint, null_times bigint, watermark timestamp without time zone, newest_event timestamp without time zone, committed_at timestamp with time zone, phase text, rows_done bigint, rows_total bigint, since timestamp with time zone)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  d tidemark.window_definition;
begin
  for d in select * from tidemark.window_definition w order by w.name, w.id loop
    name := d.name; id := d.id; state := d.state; reason := d.reason;
    source := format('%s.%s', d.definition -> 'source' ->> 'schema', d.definition -> 'source' ->> 'table');
    emit := d.definition ->> 'emit'; publish := d.definition ->> 'publish';
    phase := d.phase; rows_done := d.rows_done; rows_total := d.rows_total;
    since := coalesce(d.stopped_at, d.shown_at, d.created_at);
    watermark := tidemark.window_watermark(d.id);
    select max(w.newest_event), max(w.last_row_at) into newest_event, committed_at
    from tidemark.window_watermark w
    where w.definition_id = d.id;
    open := null; final := null; revised := null; closed := null; visible := null; late := null; future := null; null_times := null;
    if to_regclass(format('tidemark_window_rows.w%s_groups', d.id)) is not null then
      execute format(
        'select count(*) filter (where s = ''open''), count(*) filter (where s = ''final''),
           count(*) filter (where s = ''revised''), count(*) filter (where s = ''closed''), count(*) filter (where visible)
         from (
           select g.visible, tidemark.window_state(g.window_start + interval ''%s microseconds'', interval ''%s microseconds'', %L, $1, g.late_rows) as s
           from tidemark_window_rows.w%s_groups g
           where g.rows > 0
         ) as counted',
        d.definition -> 'window' ->> 'sizeMicros', d.definition ->> 'allowedLatenessMicros',
        d.definition ->> 'emit' = 'on close' or d.definition ->> 'lateRows' = 'set aside', d.id)
        into open, final, revised, closed, visible using watermark;
      execute format(
        'select count(*) filter (where standing = ''late''), count(*) filter (where standing = ''future''),
           count(*) filter (where standing = ''no time'')
         from tidemark_window_rows.w%s_rows
         where standing <> ''counted''', d.id) into late, future, null_times;
    end if;
    return next;
  end loop;
end
$function$
-- owned by tidemark_owner
-- tidemark_read may execute

CREATE OR REPLACE FUNCTION tidemark.window_view(definition jsonb, windows text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select format(E'with windows as (%s)\nselect * from (\n%s\n) as shown', windows,
    coalesce(definition ->> 'view', 'select * from windows'))
$function$
-- owned by tidemark_owner

CREATE OR REPLACE FUNCTION tidemark.window_watermark(of_definition bigint)
 RETURNS timestamp without time zone
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select greatest(max(w.reached), max(d.emitted_until),
    coalesce(
      min(w.newest_event) filter (where not coalesce(p.beacon_at - w.last_row_at >= t.idle_after, false)),
      max(w.newest_event)
    ) - max(t.bound))
  from tidemark.window_definition d
  cross join lateral (
    select (d.definition ->> 'boundMicros')::double precision * interval '1 microsecond' as bound,
      (d.definition ->> 'idleAfterMicros')::double precision * interval '1 microsecond' as idle_after
  ) t
  left join tidemark.window_watermark w on w.definition_id = d.id
  left join tidemark.progress p
    on (p.consumer, p.topic, p.topic_partition) = ('tidemark-windows', w.topic, w.topic_partition)
  where d.id = of_definition
$function$
-- owned by tidemark_owner
-- everyone may execute

CREATE OR REPLACE FUNCTION tidemark.written_image(types text[], image text[])
 RETURNS text[]
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  written text[] := image;
  value text;
  type text;
  type_id oid;
begin
  for i in 1 .. coalesce(cardinality(image), 0) loop
    value := image[i];
    type := types[i];
    if value is null or type in ('text', 'smallint', 'integer', 'bigint') or type ~ '^character varying(\(\d+\))?$' then
      continue;
    elsif type = 'boolean' then
      written[i] := value::boolean::text;
    elsif type = 'timestamp with time zone' then
      written[i] := value::timestamptz::text;
    elsif type = 'timestamp without time zone' then
      written[i] := value::timestamp::text;
    elsif type = 'date' then
      written[i] := value::date::text;
    elsif type = 'jsonb' then
      written[i] := value::jsonb::text;
    elsif type = 'numeric' then
      written[i] := value::numeric::text;
    elsif type = 'inet' then
      written[i] := value::inet::text;
    elsif type ~ '^character(\(\d+\))?$' then
      written[i] := rtrim(value, ' ');
    elsif type ~ '\[\]$' then
      type_id := (select t.typelem from pg_type t where t.oid = coalesce(to_regtype(type), to_regtype('public.' || type)));
      continue when type_id is null;
      written[i] := array_out(array_in(textout(value), type_id, tidemark.type_modifier(type)));
    else
      type_id := coalesce(to_regtype(type), to_regtype('public.' || type));
      continue when type_id is null;
      -- For a type that is known only at run time there is no cast, but an array of it can be read.
      written[i] := array_to_string(array_in(
        textout('{"' || replace(replace(value, '\', '\\'), '"', '\"') || '"}'), type_id, tidemark.type_modifier(type)), '');
    end if;
  end loop;
  return written;
end
$function$
-- owned by tidemark_owner
-- everyone may execute
