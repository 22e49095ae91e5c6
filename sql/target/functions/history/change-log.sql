-- The views of history: each change with the row before it, and with the names and types of its contract.
-- Runs after history/row-images.sql.

-- Whether no change has a commit time that is a day or more before that of an earlier change.
create or replace function tidemark.clocks_are_steady() returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select coalesce(max((p.fence ->> 'backMs')::float8), 0) < 86400000
  from tidemark.progress p;
end;

-- Every change with the row before it, which was kept with the change or is what the change before it left.
create or replace view tidemark.linked_change as
select c.*,
  case
    when c.op not in ('u', 'd') then null
    when c.before is not null then nullif(c.before, '{}')
    else (
      select tidemark.image_by_version(c.relation, c.epoch, p.version, c.version, p.after)
      from (
        -- In most cases it is near. Without clocks that were set back by a day, no change between the two is further away.
        (
          select 1 as turn, near.version, near.after
          from (
            select p.version, p.after, p.committed_at
            from tidemark_rows.change p
            where p.key_hash = c.key_hash
              and p.ordinal < c.ordinal
              and p.committed_at > c.committed_at - interval '2 days'
              and p.committed_at < c.committed_at + interval '1 day'
              and (p.relation, p.epoch, p.generation) = (c.relation, c.epoch, c.generation)
              and p.key = c.key
            order by p.ordinal desc
            limit 1
          ) near
          where near.committed_at > c.committed_at - interval '1 day'
            and (select tidemark.clocks_are_steady())
        )
        union all
        (
          select 2, p.version, p.after
          from tidemark_rows.change p
          where p.key_hash = c.key_hash
            and p.ordinal < c.ordinal
            and (p.relation, p.epoch, p.generation) = (c.relation, c.epoch, c.generation)
            and p.key = c.key
          order by p.ordinal desc
          limit 1
        )
      ) p
      limit 1
    )
  end as row_before
from tidemark_rows.change c;

-- Every change with the names that its table and columns had, and with the audit message of its transaction. Numbers of
-- transactions are used again after four thousand million others, so only messages of about the same day count.
create or replace view tidemark.described_change as
select k.schema_name, k.table_name,
  case c.op
    when 'c' then 'insert' when 'u' then 'update' when 'd' then 'delete' when 'r' then 'read' when 't' then 'truncate'
  end as op,
  tidemark.row_image(k.key_names, k.key_types, c.key) as key,
  tidemark.row_image(k.names, k.types, tidemark.written_image(k.types, c.row_before)) as before,
  tidemark.row_image(k.names, k.types, tidemark.written_image(k.types, c.after)) as after,
  case when c.op = 'u' then tidemark.changed_columns(k.names, k.types,
    tidemark.written_image(k.types, c.row_before), tidemark.written_image(k.types, c.after)) end as changed,
  c.txid as transaction_id,
  '0/0'::pg_lsn + c.lsn as lsn,
  c.epoch, c.committed_at, m.who, m.application, m.why, m.details, c.relation,
  c.key_hash, c.ordinal, c.key as key_values, c.before as before_values, c.after as after_values, k.numbers, k.types
from tidemark.linked_change c
left join lateral (
  select n.contract ->> 'schema' as schema_name, n.contract ->> 'table' as table_name, s.*
  from (
    select of.contract
    from tidemark.contract of
    where of.relation = c.relation
      and of.version = c.version
    order by of.epoch = c.epoch desc
    limit 1
  ) n
  cross join tidemark.image_shape(n.contract) s
) k on true
left join lateral (
  select (array_agg(a.who order by a.lsn desc) filter (where a.who is not null))[1] as who,
    (array_agg(a.application order by a.lsn desc) filter (where a.application is not null))[1] as application,
    (array_agg(a.why order by a.lsn desc) filter (where a.why is not null))[1] as why,
    (array_agg(a.details order by a.lsn desc) filter (where a.details is not null))[1] as details
  from tidemark.audit_message a
  where a.epoch = c.epoch
    and a.txid = c.txid
    and a.committed_at between c.committed_at - interval '1 day' and c.committed_at + interval '1 day'
) m on true;

-- Every change, as tidemark.history shows it.
create or replace view tidemark.change_log as
select schema_name, table_name, op, key, before, after, changed, transaction_id, lsn, epoch, committed_at,
  who, application, why, details, relation
from tidemark.described_change;
