// How does history store each change of a table with a key once?

import type { TableWrites } from '#core/apply/row-changes.ts'
import type { RowWrite } from '#core/tables/row-write.ts'
import type { AppliedTable } from '#core/tables/table-register.ts'
import type { Statement } from '../session/statement.ts'
import { type HistoryGap, keepsBefore, lookedUp, type Needs } from './change-lookup.ts'
import { image, keyTexts, letters, target, typed } from './history-table.ts'
import { isOneText } from './key-text.ts'
import { allPlaces, insertRows, literal, onConflict, storedName } from './latest-state-statements.ts'

/**
 * A statement that stores the changes of a segment of a table with a key. It runs before the segment's rows are
 * written, except for rows whose key changed. `areNew` has an entry for each of those: whether it was newer than the
 * stored row, or null if the stored row does not show that.
 */
export function logStatement(
  writes: TableWrites,
  gap: HistoryGap | undefined,
  areNew: ReadonlyMap<RowWrite, boolean | null>,
): Statement {
  const needs = needsOf(writes, gap)
  const { facts, values } = factsOf(writes, needs, repeatedFacts(writes, areNew))
  const [ctes, kept] = logTexts(writes.table, facts, needs)
  return { text: `with ${ctes}\n${kept}`, values }
}

/**
 * A statement that stores the changes of a segment and writes its rows, so that their values are sent only once.
 * Undefined if some rows are not written whole and in order, because those need several statements.
 */
export function logAndWriteStatement(writes: TableWrites, gap: HistoryGap | undefined): Statement | undefined {
  const { table, rows, log, lastLogged } = writes
  for (const { mode, lacking } of rows.values()) if (mode !== 'ordered' || lacking.length > 0) return undefined
  const written = new Array<string>(log.length).fill('f')
  for (const [key, place] of lastLogged) if (rows.has(key)) written[place] = 't'
  const needs = needsOf(writes, gap)
  const { facts, values } = factsOf(writes, needs, repeatedFacts(writes), {
    phase: ['smallint', log.map(({ change }) => `${change.position.phase}`)],
    written: ['boolean', written],
  })
  const [ctes, kept] = logTexts(table, facts, needs)
  const position = { epoch: 'i.e', phase: 'i.phase', lsn: 'i.l' }
  const value = (place: number) => typed(table, place)
  const text = `with ${ctes},
kept as (
  ${kept}
),
removed as (
  ${insertRows(table, table.keyPlaces, 'remove', position, value)}
  from incoming i
  where i.written and i.op = 'd'
  ${onConflict(table, 'remove')}
)
${insertRows(table, allPlaces(table), 'upsert', position, value)}
from incoming i
where i.written and i.op <> 'd'
${onConflict(table, 'upsert')}`
  return { text, values }
}

const needsOf = ({ table, log, lacksTruncated = false }: TableWrites, gap: HistoryGap | undefined): Needs => ({
  repeated: log.some(({ certain }) => !certain),
  lacking: log.some(({ lacking }) => lacking.length > 0),
  hasTruncated: lacksTruncated,
  gap,
  scattered: table.keyPlaces.some((place) => !isOneText(table.columns[place]!.carried)),
})

/** The gap as parameters, if the statement compares with it. */
const gapValues = ({ gap, scattered, lacking, hasTruncated }: Needs): Statement['values'] =>
  gap !== undefined && (!scattered || (lacking && hasTruncated)) ? [gap.epoch, gap.lsn] : []

type Facts = Readonly<Record<string, readonly [type: string, texts: readonly string[]]>>

/** The facts of each change besides its values, and facts and values together as parameters. */
function factsOf(
  { table, log }: TableWrites,
  needs: Needs,
  repeated: Facts,
  more: Facts = {},
): { facts: Facts; values: Statement['values'] } {
  const facts: Facts = {
    e: ['integer', log.map(({ change }) => `${change.position.epoch}`)],
    l: ['bigint', log.map(({ change }) => `${change.position.lsn}`)],
    op: ['"char"', log.map(({ change }) => letters[change.op])],
    txid: ['bigint', log.map(({ change }) => `${change.txId ?? 'NULL'}`)],
    at: ['float8', log.map(({ change }) => `${change.committedAtMs}`)],
    ordinal: ['bigint', log.map(({ ordinal }) => `${ordinal}`)],
    ...(needs.repeated && repeated),
    ...(needs.lacking && {
      lacks: ['text', log.map(({ lacking }) => (lacking.length === 0 ? 'NULL' : `"{${lacking.map((p) => p + 1)}}"`))],
    }),
    ...(keepsBefore(needs) && {
      prior: ['integer', log.map(({ prior }) => (prior === undefined ? 'NULL' : `${prior + 1}`))],
    }),
    ...more,
  }
  const columns = allPlaces(table).map((place) =>
    literal(
      log.map(({ values }) => values[place]!),
      table.columns[place]!.codec.plain,
    ),
  )
  const texts = Object.values(facts).map(([, each]) => `{${each.join(',')}}`)
  return { facts, values: [...texts, ...columns, ...gapValues(needs)] }
}

/**
 * Which changes are known to be new or not new, and which were written before this statement, so that the stored row
 * already is their own.
 */
const repeatedFacts = ({ log }: TableWrites, areNew: ReadonlyMap<RowWrite, boolean | null> = new Map()): Facts => ({
  known: [
    'boolean',
    log.map(({ certain, move }) => {
      if (certain) return 't'
      return move !== undefined && areNew.get(move) === false ? 'f' : 'NULL'
    }),
  ],
  moved: ['boolean', log.map(({ move }) => (move !== undefined && areNew.has(move) ? 't' : 'f'))],
})

/** The common table expressions of the statement that stores changes, and the statement itself. */
function logTexts(table: AppliedTable, facts: Facts, needs: Needs): [ctes: string, kept: string] {
  const { relation, generation, version } = table.contract
  const looks = needs.repeated || needs.lacking || keepsBefore(needs)
  const keep = (from: string, before: string, after: string) => `${target}
select to_timestamp(i.at / 1000), ${relation}, tidemark.key_hash(${relation}, i.key), i.ordinal, i.l, i.txid, i.e,
  ${generation}, ${version}, i.op, i.key, ${before}, ${after}
from ${from}`
  const incoming = incomingChanges(table, facts)
  const sent = `case when i.op <> 'd' then ${image(table, 'i', false)} end`
  if (!looks) return [incoming, keep('incoming i', 'null', sent)]
  const ctes = `${incoming},
${lookedUp(table, needs, sent, Object.keys(facts).length + table.columns.length)}`
  const isNew = needs.repeated ? '\nwhere i.is_new' : ''
  if (!keepsBefore(needs)) return [ctes, `${keep('looked i', 'null', 'i.after')}${isNew}`]
  // If the change before it is in the batch and is stored, readers find the image there, or it is copied from there.
  // Otherwise the image is the stored row.
  const isFound = needs.repeated ? 'p.is_new' : 'p.ord is not null'
  const found = needs.scattered ? 'p.after' : 'null'
  const before = `case when i.op in ('u', 'd') then case when ${isFound} then ${found} else i.stored_before end end`
  return [ctes, `${keep('looked i\nleft join looked p on p.ord = i.prior', before, 'i.after')}${isNew}`]
}

/** The changes as `incoming`, with their values as the texts that were sent. */
function incomingChanges(table: AppliedTable, facts: Facts): string {
  const places = allPlaces(table)
  const columns = places.map((place) => storedName(table, place))
  const names = Object.keys(facts)
  const parameters = [
    ...Object.values(facts).map(([type], i) => `$${i + 1}::${type}[]`),
    ...places.map((_, i) => `$${i + names.length + 1}::text[]`),
  ]
  return `incoming as materialized (
  select ${names}, ord, ${columns}, ${keyTexts(table)} as key
  from unnest(${parameters}) with ordinality as i (${names}, ${columns}, ord)
)`
}
