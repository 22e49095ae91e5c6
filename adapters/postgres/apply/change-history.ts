import type { TableWrites } from '#core/apply/row-changes.ts'
import type { RowWrite } from '#core/tables/row-write.ts'
import type { AppliedTable } from '#core/tables/table-register.ts'
import type { Statement } from '../session/statement.ts'
import { type HistoryGap, keepsBefore, lookedUp, type Needs } from './change-lookup.ts'
import { image, keyTexts, letters, target, typed } from './history-table.ts'
import { isOneText } from './key-text.ts'
import { allPlaces, insertRows, literal, onConflict, storedName } from './latest-state-statements.ts'

/**
 * Keeps the changes of a segment of a table with a key. It runs before the segment's rows are written, but after those
 * that moved: `areNew` has each of these, and whether it was newer than the row that was stored, where that could tell.
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
 * Keeps the changes of a segment and writes its rows by one statement, which reads what it is sent once. Undefined where
 * some rows are not written whole, in order: those take several.
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

/** The gap as parameters of the statement, where it is compared with. */
const gapValues = ({ gap, scattered, lacking, hasTruncated }: Needs): Statement['values'] =>
  gap !== undefined && (!scattered || (lacking && hasTruncated)) ? [gap.epoch, gap.lsn] : []

type Facts = Readonly<Record<string, readonly [type: string, texts: readonly string[]]>>

/** What a segment's log says of each change besides its values, and all of it as parameters. */
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

/** Which changes are known to be new or not to be, and for which others the row as stored is their own write. */
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

/** What comes before the statement that keeps changes, as parts of a `with`, and the statement. */
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
  // What precedes it in the batch is found when it is read, if it is kept; otherwise the row as stored is what precedes.
  const isFound = needs.repeated ? 'p.is_new' : 'p.ord is not null'
  const found = needs.scattered ? 'p.after' : 'null'
  const before = `case when i.op in ('u', 'd') then case when ${isFound} then ${found} else i.stored_before end end`
  return [ctes, `${keep('looked i\nleft join looked p on p.ord = i.prior', before, 'i.after')}${isNew}`]
}

/** The changes as `incoming`, their values as the texts that were sent. */
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
