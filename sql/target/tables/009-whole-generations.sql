-- Whether every row of a generation has all its values. It is checked once, when the generation is complete.
alter table tidemark.generation add column whole boolean not null default false;
comment on column tidemark.generation.whole is 'every row was found to have all its values when the generation was complete';
