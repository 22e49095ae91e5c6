-- Tables of which the quarantine has as many records as it takes.
alter table tidemark.stopped_table add column not_kept_since timestamptz;
comment on column tidemark.stopped_table.not_kept_since is 'since when its changes are not kept in quarantine: it has as many as it takes of a table, and the rows have to be read again';
