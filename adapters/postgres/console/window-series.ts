import pg from 'pg'
import type { WindowSeries } from '#core/console/archive.ts'
import { type StoredDefinition, storedDefinition } from '#core/windows/stored-definition.ts'
import { inTransaction } from '../session/transaction.ts'

/** What is drawn of a definition. Times are compared with the begins of windows. */
export type SeriesRequest = {
  readonly name: string
  /** A column of the result; null for the first that can be drawn. */
  readonly measure: string | null
  /** The names of groups as a series has them; empty for the sum of all and the largest ones. */
  readonly groups: readonly string[]
  readonly from: string | null
  readonly to: string | null
}

/** Undefined if no definition of this name is shown; `unknown measure` with those that can be drawn. */
export type SeriesResult = WindowSeries | { readonly unknownMeasure: string; readonly measures: readonly string[] }

const MOST_WINDOWS = 500n
const MOST_ROWS = 200
const LARGEST = 10
const MOST_TEXT = 1_000
/** The line of the sums over all groups. */
const ALL_GROUPS = 'all groups'

/**
 * Reads a series of the newest windows from the view of a definition, as a role that may read it. A user's view may have
 * left out columns of the result; what it has left out cannot be drawn.
 */
export async function readWindowSeries(target: pg.Pool, request: SeriesRequest): Promise<SeriesResult | undefined> {
  const client = await target.connect()
  try {
    return await inTransaction(client, async () => {
      await client.query(`set transaction read only; set local statement_timeout = '10s'`)
      const view = await readView(client, request.name)
      if (view === undefined) return undefined
      const measure = request.measure ?? view.measures[0] ?? null
      if (measure !== null && !view.measures.includes(measure)) {
        return { unknownMeasure: measure, measures: view.measures }
      }
      return { ...(await readSeries(client, view, { ...request, measure })), name: request.name }
    })
  } finally {
    client.release()
  }
}

type View = {
  readonly from: string
  readonly columns: readonly string[]
  readonly measures: readonly string[]
  readonly groupedBy: readonly string[]
  readonly slideMicros: bigint
}

const quoted = pg.escapeIdentifier

const readDefinition = `
select d.definition,
  (
    select json_agg(json_build_object('name', a.attname, 'isNumber', a.atttypid in (
        'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype, 'float4'::regtype, 'float8'::regtype
      )) order by a.attnum)
    from pg_attribute a
    where a.attrelid = to_regclass(format('tidemark_windows.%I', d.name))
      and a.attnum > 0
      and not a.attisdropped
  ) as columns
from tidemark.window_definition d
where d.name = $1
  and d.was_shown`

async function readView(client: pg.ClientBase, name: string): Promise<View | undefined> {
  type Row = { definition: StoredDefinition; columns: { name: string; isNumber: boolean }[] | null }
  const found = (await client.query<Row>(readDefinition, [name])).rows[0]
  if (found?.columns == null) return undefined
  const { columns } = found
  const { keys, aggregates, window } = storedDefinition(found.definition)
  const isShown = (column: string) => columns.some((each) => each.name === column)
  const isNumber = (column: string) => columns.some((each) => each.name === column && each.isNumber)
  return {
    from: `tidemark_windows.${quoted(name)}`,
    columns: columns.map((column) => column.name),
    measures: [...aggregates.map(({ alias }) => alias), 'late_rows'].filter(isNumber),
    groupedBy: keys.map(({ alias }) => alias).filter(isShown),
    slideMicros: window.slideMicros,
  }
}

type Chosen = SeriesRequest & { readonly measure: string | null }

async function readSeries(client: pg.ClientBase, view: View, request: Chosen): Promise<Omit<WindowSeries, 'name'>> {
  const { measures, groupedBy } = view
  const range = await readRange(client, view, request)
  const groups = request.groups.length === 0 || groupedBy.length === 0 ? null : request.groups
  const newest = await readNewest(client, view, range, groups)
  if (range === null || request.measure === null) return { measures, groupedBy, starts: [], lines: [], newest }
  const figures = await readFigures(client, view, { measure: request.measure, range, groups })
  const starts = [...new Set(figures.map(({ start }) => start))]
  const lines = [...Map.groupBy(figures, ({ name }) => name)].map(([group, own]) => {
    const values = new Map(own.map(({ start, value }) => [start, value]))
    return { group, values: starts.map((start) => values.get(start) ?? null) }
  })
  return { measures, groupedBy, starts, lines, newest }
}

/** Begins of windows, from the first on and before the last; texts that Postgres reads as times. */
type Range = { readonly first: string; readonly before: string }

/**
 * The range of the newest windows. The newest one is found by the index of the groups, so that windows of all times are
 * not read for it. Null if the view has no windows then, or not their begin.
 */
async function readRange(client: pg.ClientBase, view: View, { from, to }: Chosen): Promise<Range | null> {
  if (!view.columns.includes('window_start')) return null
  const { rows } = await client.query<Range>(
    `select greatest(newest.start - $3::bigint * interval '1 microsecond', coalesce($1::timestamp, '-infinity'))::text as first,
       (newest.start + interval '1 microsecond')::text as before
     from (
       select w.window_start::timestamp as start
       from ${view.from} w
       where $2::timestamp is null or w.window_start < $2::timestamp
       order by w.window_start desc
       limit 1
     ) as newest`,
    [from, to, String((MOST_WINDOWS - 1n) * view.slideMicros)],
  )
  return rows[0] ?? null
}

const within = 'w.window_start >= $1::timestamp and w.window_start < $2::timestamp'

/** The name of a row's group: the texts of its keys. */
const labelOf = ({ groupedBy }: View): string =>
  groupedBy.length === 0
    ? `'${ALL_GROUPS}'`
    : `concat_ws(' · ', ${groupedBy.map((name) => `coalesce(w.${quoted(name)}::text, 'null')`).join(', ')})`

type Figure = { readonly name: string; readonly start: string; readonly value: number | null }

/** Ordered by windows within a group; the sums of all groups come first, then the largest groups. */
async function readFigures(
  client: pg.ClientBase,
  view: View,
  { measure, range, groups }: { measure: string; range: Range; groups: readonly string[] | null },
): Promise<Figure[]> {
  const { rows } = await client.query<Figure>(
    `with figure as materialized (
       select ${labelOf(view)} as label, w.window_start as start, sum(w.${quoted(measure)}) as value
       from ${view.from} w
       where ${within}
       group by 1, 2
     ), line as (
       select 0 as place, '${ALL_GROUPS}' as name, start, sum(value) as value
       from figure
       where $3::text[] is null
       group by start
       union all
       select c.place, c.label, f.start, f.value
       from (
         select label, row_number() over (order by sum(value) desc nulls last, label) as place
         from figure
         where case when $3::text[] is null then label <> '${ALL_GROUPS}' else label = any ($3::text[]) end
         group by label
         order by 2
         limit ${LARGEST}
       ) as c
       join figure f using (label)
     )
     -- JSON has no infinite numbers, and a numeric may be larger than a double.
     select name, start::text as start, case when abs(value) <= 1e300 then value::float8 end as value
     from line
     order by start, place`,
    [range.first, range.before, groups],
  )
  return rows
}

/** The newest rows with all columns, as texts. */
async function readNewest(
  client: pg.ClientBase,
  view: View,
  range: Range | null,
  groups: readonly string[] | null,
): Promise<WindowSeries['newest']> {
  const columns = view.columns.map((name) => `left(w.${quoted(name)}::text, ${MOST_TEXT}) as ${quoted(name)}`)
  const listed = `select ${columns.join(', ')} from ${view.from} w`
  if (range === null) {
    return view.columns.includes('window_start') ? [] : (await client.query(`${listed} limit ${MOST_ROWS}`)).rows
  }
  const { rows } = await client.query(
    `${listed}
     where ${within}
       and ($3::text[] is null or ${labelOf(view)} = any ($3::text[]))
     order by w.window_start desc
     limit ${MOST_ROWS}`,
    [range.first, range.before, groups],
  )
  return rows
}
