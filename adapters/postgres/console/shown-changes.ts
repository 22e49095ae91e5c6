// What is shown of a change? The columns by their names, the row before and after it, and who made it.

import type pg from 'pg'
import type { FiledChange } from '#core/console/change-file.ts'
import type { ChangeOp, ColumnChange, ShownChange } from '#core/console/changes.ts'
import type { KeyCells } from '#core/console/values.ts'
import { prepared } from '../session/statement.ts'
import { opNames } from './change-conditions.ts'
import { type ChangePlace, formatPlace, isoOfUs, parsePlace } from './change-place.ts'
import { cellOf, type SentValue } from './shown-cells.ts'

/** How much of a change is shown: the first columns and characters, or the whole row within a number of characters. */
export type Detail = { readonly columns: number; readonly characters: number } | { readonly allCharacters: number }

/** In lists. */
export const IN_LISTS: Detail = { columns: 24, characters: 2_000 }
/** Of one change: an answer has at most some megabytes, and a character may become six bytes of JSON. */
export const WHOLE: Detail = { allCharacters: 800_000 }

type Row = {
  at: string
  epoch: number
  lsn: string
  op: string
  txid: string | null
  relation: string
  table: string | null
  names: string[] | null
  types: string[] | null
  keyNames: string[] | null
  key: (string | null)[] | null
  isBeforeKnown: boolean
  columns: [place: number, before: SentValue, after: SentValue, isChanged: boolean][]
  changed: number
  who: string | null
  application: string | null
  why: string | null
  details: string | null
  n: number
}

const isoOf = (time: string) => `to_char(${time} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

/** What transactions have said about themselves, as tidemark.described_change reads it. */
const audit = `
left join lateral (
  select (array_agg(a.who order by a.lsn desc) filter (where a.who is not null))[1] as who,
    (array_agg(a.application order by a.lsn desc) filter (where a.application is not null))[1] as application,
    (array_agg(a.why order by a.lsn desc) filter (where a.why is not null))[1] as why,
    (array_agg(a.details order by a.lsn desc) filter (where a.details is not null))[1] as details
  from tidemark.audit_message a
  where a.epoch = f.epoch
    and a.txid = f.txid
    and a.committed_at between f.committed_at - interval '1 day' and f.committed_at + interval '1 day'
) m on true`

/**
 * SQL of the changes at the places that `placeColumns` gives, as `found`. Each is looked up by itself, so that the
 * planner cannot choose to read a day instead.
 */
const found = `found as materialized (
  select w.n, c.committed_at, c.relation, c.key_hash, c.ordinal, c.lsn, c.txid, c.epoch, c.version, c.op, c.key,
    c.row_before, c.after
  from unnest($1::timestamptz[], $2::integer[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])
    with ordinality as w (committed_at, epoch, lsn, op, ordinal, relation, key_hash, n)
  cross join lateral (
    select l.*
    from tidemark.linked_change l
    where l.committed_at = w.committed_at
      and l.key_hash = w.key_hash
      and l.ordinal = w.ordinal
      and (l.relation, l.epoch, l.lsn, l.op::text) = (w.relation, w.epoch, w.lsn, w.op)
    limit 1
  ) c
)`

/** The contract of each version is read once, however many changes have it. */
const shapes = `shape as materialized (
  select v.relation, v.epoch, v.version, k.contract ->> 'schema' as schema_name, k.contract ->> 'table' as table_name,
    s.types as carried, s.key_names, s.key_types, n.names, n.types
  from (select distinct f.relation, f.epoch, f.version from found f) v
  cross join lateral (
    select of.contract
    from tidemark.contract of
    where of.relation = v.relation
      and of.version = v.version
    order by of.epoch = v.epoch desc
    limit 1
  ) k
  cross join tidemark.image_shape(k.contract) s
  cross join tidemark.shown_shape(k.contract) n
)`

const placeColumns = (places: readonly ChangePlace[]): (object | number | null)[] => [
  places.map(({ atUs }) => isoOfUs(atUs)),
  places.map(({ epoch }) => epoch),
  places.map(({ lsn }) => lsn),
  places.map(({ op }) => op),
  places.map(({ ordinal }) => ordinal),
  places.map(({ relation }) => relation),
  places.map(({ keyHash }) => keyHash),
]

const describe = `with ${found},
${shapes}
select f.n::integer, ${isoOf('f.committed_at')} as at, f.epoch, ('0/0'::pg_lsn + f.lsn)::text as lsn, f.op::text,
  f.txid::text, f.relation::text, s.schema_name || '.' || s.table_name as "table", s.names, s.types,
  s.key_names as "keyNames", f.key, f.row_before is not null as "isBeforeKnown", d.columns, d.changed, m.who,
  m.application, m.why, m.details::text as details
from found f
left join shape s on (s.relation, s.epoch, s.version) = (f.relation, f.epoch, f.version)
left join lateral tidemark.shown_columns(f.op, s.carried, f.row_before, f.after, $8::integer, $9::integer) d on true${audit}
order by f.n`

/** Describes changes in the order of their places. Those that retention has deleted meanwhile are left out. */
export async function describeChanges(
  database: pg.Pool | pg.ClientBase,
  texts: readonly string[],
  detail: Detail,
): Promise<ShownChange[]> {
  const places = texts.flatMap((text) => parsePlace(text) ?? [])
  if (places.length === 0) return []
  const [most, cut] = 'columns' in detail ? [detail.columns, detail.characters] : [null, detail.allCharacters]
  const { rows } = await database.query<Row>(prepared({ text: describe, values: [...placeColumns(places), most, cut] }))
  const unit = 'columns' in detail ? detail.characters : detail.allCharacters
  return rows.map((row) => shown(row, formatPlace(places[row.n - 1]!), unit))
}

function shown(row: Row, id: string, cut: number): ShownChange {
  const op = opNames[row.op]!
  const names = row.names ?? []
  return {
    id,
    table: row.table ?? `relation ${row.relation}`,
    op,
    key: keyCells(row, cut),
    committedAt: row.at,
    epoch: row.epoch,
    transaction: row.txid === '0' ? null : row.txid,
    lsn: row.lsn,
    who: row.who,
    application: row.application,
    why: row.why,
    details: row.details,
    columns: op === 'truncate' ? [] : row.columns.map((column) => columnChange(row, op, column, cut)),
    columnCount: names.length,
    changedCount: row.changed,
  }
}

const keyCells = ({ key, keyNames }: Row, cut: number): KeyCells | null =>
  key === null ? null : key.map((value, i) => ({ name: keyNames?.[i] ?? `${i + 1}`, cell: cellOf(value, cut) }))

function columnChange(row: Row, op: ChangeOp, column: Row['columns'][number], cut: number): ColumnChange {
  const [place, before, after, isChanged] = column
  const name = row.names?.[place - 1] ?? `${place}`
  const keyPlace = row.keyNames?.indexOf(name) ?? -1
  // A delete names its key also where the row before it is not known.
  const unknown =
    keyPlace >= 0 && row.key !== null ? cellOf(row.key[keyPlace]!, cut) : ({ kind: 'unavailable' } as const)
  return {
    name,
    type: row.types?.[place - 1] ?? 'text',
    ...((op === 'update' || op === 'delete') && { before: row.isBeforeKnown ? cellOf(before, cut) : unknown }),
    ...(op !== 'delete' && { after: cellOf(after, cut) }),
    isChanged,
  }
}

const exported = `with ${found},
${shapes}
select ${isoOf('f.committed_at')} as "committedAt", coalesce(s.schema_name || '.' || s.table_name, 'relation ' || f.relation) as "table",
  f.op::text, i.key::text, i.before::text, i.after::text,
  case when f.op = 'u' then tidemark.changed_columns(s.names, s.carried, w.before, w.after)::text end as changed,
  nullif(f.txid, 0)::text as transaction, ('0/0'::pg_lsn + f.lsn)::text as lsn, f.epoch, m.who, m.application, m.why,
  m.details::text as details
from found f
left join shape s on (s.relation, s.epoch, s.version) = (f.relation, f.epoch, f.version)
cross join lateral (
  select tidemark.written_image(s.carried, f.row_before) as before, tidemark.written_image(s.carried, f.after) as after
) w
cross join lateral (
  select tidemark.row_image(s.key_names, s.key_types, f.key) as key,
    tidemark.row_image(s.names, s.carried, w.before) as before,
    tidemark.row_image(s.names, s.carried, w.after) as after
) i${audit}
order by f.n`

/** The changes as they are exported, in the order of their places. */
export async function exportChanges(
  database: pg.Pool | pg.ClientBase,
  texts: readonly string[],
): Promise<FiledChange[]> {
  const places = texts.flatMap((text) => parsePlace(text) ?? [])
  if (places.length === 0) return []
  const { rows } = await database.query<FiledChange & { op: string }>(exported, placeColumns(places))
  return rows.map((row) => ({ ...row, op: opNames[row.op]! }))
}
