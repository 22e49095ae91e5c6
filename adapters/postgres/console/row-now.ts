// What is the row in the target now, and how long are its changes kept?

import pg from 'pg'
import type { KeyValue } from '#core/console/archive-sql.ts'
import type { RowLife } from '#core/console/changes.ts'
import type { NamedRelation, WantedKey } from './change-conditions.ts'
import { cellOf, type SentValue } from './shown-cells.ts'

/** How long changes of a table are kept, such as `30 days`, and whether they are; retention is null if it is for ever. */
export async function readRetention(
  database: pg.Pool,
  relations: readonly NamedRelation[],
): Promise<{ isKept: boolean; retention: string | null }> {
  const { rows } = await database.query<{ isKept: boolean; retention: string | null }>(
    `select s.enabled as "isKept", case when s.retention <> interval 'infinity' then s.retention::text end as retention
     from (
       select k.relation, k.contract ->> 'schema' as schema_name, k.contract ->> 'table' as table_name
       from tidemark.contract k
       where k.relation = any ($1)
       order by k.epoch desc, k.version desc
       limit 1
     ) n
     cross join lateral tidemark.history_setting_of(n.relation, n.schema_name, n.table_name) s`,
    [relations.map(({ relation }) => relation)],
  )
  return rows[0] ?? { isKept: false, retention: null }
}

type Shown = { schema: string; table: string; names: string[]; keyNames: string[]; keyTypes: string[] }

/** The table that shows the rows of a relation, with the columns that its view has; undefined if it shows none. */
async function readShown(database: pg.Pool, relation: string): Promise<Shown | undefined> {
  const { rows } = await database.query<Shown>(
    `select m.schema_name as schema, m.table_name as table, s.key_names as "keyNames", s.key_types as "keyTypes",
       array(
         select a.attname::text
         from pg_attribute a
         where a.attrelid = v.view
           and a.attnum > 0
           and not a.attisdropped
         order by a.attnum
       ) as names
     from tidemark.table_marker m
     join tidemark.generation g on g.relation = m.relation and g.shown
     cross join tidemark.image_shape(g.contract) s
     cross join lateral (select to_regclass(format('%I.%I', m.schema_name, m.table_name)) as view) v
     where m.relation = $1
       and m.dropped_at is null
       and s.key_names is not null
       and v.view is not null
       and has_table_privilege(v.view, 'select')`,
    [relation],
  )
  return rows[0]
}

/** The longest value that is shown whole, in characters. */
const mostCharacters = 2_000

/** The row of a key as it is in the target now, and the columns of its key; null if there is no such row. */
export async function readRowNow(
  database: pg.Pool,
  wanted: readonly WantedKey[],
): Promise<{ now: RowLife['now']; key: KeyValue[] }> {
  const newest = wanted.filter(({ key }) => key !== null).sort((a, b) => b.epoch - a.epoch)[0]
  const shown = newest && (await readShown(database, newest.relation))
  const texts = newest?.key
  if (shown === undefined || texts == null || texts.length !== shown.keyNames.length || texts.includes(null)) {
    return { now: null, key: [] }
  }
  const key = shown.keyNames.map((name, i) => ({ name, type: shown.keyTypes[i]!, text: texts[i]! }))
  const { rows } = await database.query<{ name: string; value: SentValue }>(
    `select n.name, tidemark.shown_value(n.value, $1) as value
     from (
       select array[${shown.names.map((name) => `r.${pg.escapeIdentifier(name)}::text`)}]::text[] as texts
       from ${pg.escapeIdentifier(shown.schema)}.${pg.escapeIdentifier(shown.table)} r
       where ${key.map(({ name, type }, i) => `r.${pg.escapeIdentifier(name)} = $${i + 3}::text::${type}`).join(' and ')}
       limit 1
     ) r
     cross join lateral unnest($2::text[], r.texts) with ordinality as n (name, value, place)
     order by n.place`,
    [mostCharacters, shown.names, ...key.map(({ text }) => text)],
  )
  return {
    now: rows.length === 0 ? null : rows.map(({ name, value }) => ({ name, cell: cellOf(value, mostCharacters) })),
    key,
  }
}
