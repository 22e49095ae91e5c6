import pg from 'pg'
import { groupsTable, imageTable, interval, origin } from '#adapters/postgres/windows/window-columns.ts'
import { type BuiltDefinition, imageColumns } from './built-definitions.ts'

const quoted = pg.escapeIdentifier
const text = pg.escapeLiteral

/** Rows that are in no window, or not in those that close until a time, as JSON: `[{"row": …, "until": …}, …]`. */
export function setAsideRows(version: BuiltDefinition): string {
  return `select coalesce(jsonb_agg(jsonb_build_object(
    'row', ${rowAsJson(imageColumns(version).map(({ name, stored }) => [name, `i.${stored}`]))},
    'until', case when i.standing = 'future' then 'infinity' else i.excluded_until end)), '[]')::text as rows
from ${imageTable(version)} i
where i.standing = 'future' or i.excluded_until is not null`
}

/**
 * The groups that a definition keeps and shows, one line each: a hash of window and keys, the keys, then the results, all
 * as texts and in the order of the hash. A group that waits to be emitted is one of them.
 */
export function keptGroups(version: BuiltDefinition): string {
  const { plan } = version
  return lines(
    version,
    `select g.window_start as "tidemark$start"${plan.keyTypes.map((_, i) => `, g.g${i + 1}`).join('')}${plan.resultTypes
      .map((_, i) => `, g.r${i + 1}`)
      .join('')}
  from ${groupsTable(version)} g
  where g.visible`,
  )
}

/**
 * The same lines, computed from the rows of a table in one pass. `setAside` is what `setAsideRows` returned. The table is
 * the source's, or the target's view.
 */
export function batchGroups(version: BuiltDefinition, setAside: string): string {
  const { definition, plan } = version
  const { window, source, eventTime, keys, aggregates, where, having, allowedLatenessMicros } = definition
  const column = `${quoted(source.table)}.${quoted(eventTime)}`
  const moment = plan.event.type.endsWith('with time zone') ? `${column} at time zone 'UTC'` : `${column}::timestamp`
  const count = (window.sizeMicros + window.slideMicros - 1n) / window.slideMicros
  const start = '"tidemark$window"."tidemark$start"'
  const closesAt = `${start} + ${interval(window.sizeMicros + allowedLatenessMicros)}`
  const isExact = setAside === '[]'
  return lines(
    version,
    `select ${start}${[...keys, ...aggregates].map(({ sql }) => `, (${sql})`).join('')}
  from ${isExact ? `${quoted(source.schema)}.${quoted(source.table)} as ${quoted(source.table)}` : withoutSetAside(version, setAside)}
  cross join lateral (
    select date_bin(${interval(window.slideMicros)}, case when isfinite(${column}) then ${moment} end, ${origin})
      - n * ${interval(window.slideMicros)}
    from generate_series(0, ${count - 1n}) as "tidemark$numbers" (n)
  ) as "tidemark$window" ("tidemark$start")
  where ${start} + ${interval(window.sizeMicros)} > ${moment}${where === undefined ? '' : ` and (${where})`}${
    isExact ? '' : ` and ("tidemark$aside"."tidemark$until" is null or "tidemark$aside"."tidemark$until" < ${closesAt})`
  }
  group by ${[start, ...keys.map(({ sql }) => `(${sql})`)].join(', ')}${having === undefined ? '' : `\n  having (${having})`}`,
  )
}

/** Equal rows are numbered, so that each row that was set aside leaves out one of them. */
function withoutSetAside(version: BuiltDefinition, setAside: string): string {
  const { schema, table } = version.definition.source
  const content = rowAsJson(imageColumns(version).map(({ name }) => [name, `r.${quoted(name)}`]))
  return `(
    select r.*, ${content} as "tidemark$row",
      row_number() over (partition by ${content}) as "tidemark$n"
    from ${quoted(schema)}.${quoted(table)} r
  ) as ${quoted(table)}
  left join (
    select a -> 'row', row_number() over (partition by a -> 'row'), (a ->> 'until')::timestamp
    from jsonb_array_elements(${text(setAside)}::jsonb) a
  ) as "tidemark$aside" ("tidemark$row", "tidemark$n", "tidemark$until")
    on "tidemark$aside"."tidemark$row" = ${quoted(table)}."tidemark$row"
    and "tidemark$aside"."tidemark$n" = ${quoted(table)}."tidemark$n"`
}

const rowAsJson = (columns: readonly (readonly [name: string, expression: string])[]): string =>
  `jsonb_build_object(${columns.map(([name, expression]) => `${text(name)}, ${expression}`).join(', ')})`

/** Both sides give equal keys one text: numerics that differ in zeros at their end are one group. */
function lines({ plan }: BuiltDefinition, query: string): string {
  const names = ['start', ...plan.keyTypes.map((_, i) => `g${i + 1}`), ...plan.resultTypes.map((_, i) => `r${i + 1}`)]
  const keys = ['c.start::text', ...plan.keyTypes.map((type, i) => textOf(`c.g${i + 1}`, type))]
  const results = plan.resultTypes.map((type, i) => textOf(`c.r${i + 1}`, type))
  return `select md5(row(${keys.join(', ')})::text), ${[...keys, ...results].join(', ')}
from (
  ${query}
) as c (${names.join(', ')})
order by 1`
}

const textOf = (column: string, type: string): string =>
  type.startsWith('numeric') ? `trim_scale(${column})::text` : `${column}::text`
