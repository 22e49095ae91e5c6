-- The truncates of earlier generations. Capture may send changes from before a truncate again after the next generation has begun.
alter table tidemark.generation add column truncated_earlier boolean not null default false;
comment on column tidemark.generation.truncated_earlier is 'the truncate was of an earlier generation: it concerns streamed changes alone, since the snapshot of this one came later';
-- It is made again with one more column.
drop function if exists tidemark.hold_generations(bigint[], integer[], boolean[]);
