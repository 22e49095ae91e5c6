import type { AppliedTruncate } from '#core/apply/batch-steps.ts'
import type { TableWrites } from '#core/apply/row-changes.ts'
import type { KeylessChange, KeylessWrites } from '#core/keyless/keyless-writes.ts'
import type { RowWrite } from '#core/tables/row-write.ts'
import type { AppliedTable } from '#core/tables/table-register.ts'
import type { Statement } from '../session/statement.ts'
import { isOneText, keyText } from './key-text.ts'
import { allPlaces, insertRows, literal, onConflict, rowsTable, storedName } from './latest-state-statements.ts'

/** How the columns op and place of `tidemark_rows.change` say what a change was. */
const letters = { create: 'c', update: 'u', delete: 'd', 'initial read': 'r', 'later read': 'r' } as const

const target = `insert into tidemark_rows.change
  (committed_at, relation, key_hash, ordinal, lsn, txid, epoch, generation, version, op, key, before, after)`

/** Up to where changes of a generation may be missing in history. */
export type HistoryGap = { readonly epoch: number; readonly lsn: string }

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

/** What has to be looked up in the row as stored; mostly nothing. */
type Needs = {
  /** Whether a change was kept before. */
  readonly repeated: boolean
  /** Values that changes left as they were. */
  readonly lacking: boolean
  /** Rows that changes are about may be gone by a truncate: the change before has what they were. */
  readonly hasTruncated: boolean
  /** The image before a change: reading finds it in the change before, which may be missing up to here. */
  readonly gap: HistoryGap | undefined
  /**
   * Equal keys may be written differently, and then come on different topic partitions: reading cannot tell which change is
   * the one before, so each change keeps the row before it.
   */
  readonly scattered: boolean
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

const keepsBefore = ({ gap, scattered }: Needs): boolean => gap !== undefined || scattered

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

/**
 * The changes as `looked`, with the row `after`; with `is_new` and the row before them where these are needed. Rows are
 * looked up one by one: the planner would read a small table whole in each batch.
 */
function lookedUp(table: AppliedTable, needs: Needs, sent: string, parameters: number): string {
  const { repeated, lacking, hasTruncated, gap, scattered } = needs
  const same = table.keyPlaces.map((place) => `stored.${storedName(table, place)} = ${typed(table, place)}`)
  const when = [
    ...(repeated ? ['i.known is null'] : []),
    ...(lacking ? ['i.lacks is not null'] : []),
    ...(keepsBefore(needs) ? [`${repeated ? '' : 'i.prior is null and '}i.op in ('u', 'd')`] : []),
  ]
  const columns = [
    'i.*',
    `${lacking ? completed(table, sent, hasTruncated ? imageLeft(table, gap && parameters) : 'null') : sent} as after`,
    ...(repeated ? [`${isNew(table)} as is_new`] : []),
    ...(keepsBefore(needs)
      ? [`${scattered ? storedAlways(table, gap !== undefined) : storedBefore(table, parameters)} as stored_before`]
      : []),
  ]
  return `looked as materialized (
  select ${columns.join(',\n    ')}
  from incoming i
  left join lateral (
    select *
    from ${rowsTable(table)} stored
    where (${when.join(' or ')})
      and ${same.join(' and ')}
    limit 1
  ) s on true
)`
}

/**
 * The row after a change, with values of the row as stored where it left them as they were. Another topic partition may have
 * truncated the table since and taken the row: then the change before has them.
 */
const completed = (table: AppliedTable, sent: string, left: string): string => `case
      when i.lacks is null then ${sent}
      else (
        select array_agg(case when n = any (i.lacks::integer[]) then kept.image[n] else value end order by n)
        from unnest(${image(table, 'i', false)}) with ordinality as listed (value, n)
        cross join (select case when s."tidemark$live" then ${image(table, 's', true)} else ${left} end as image) kept
      )
    end`

/** The row that the change before left, as history has it. That may be missing up to the gap, which comes after so many parameters. */
function imageLeft({ contract }: AppliedTable, gapAt: number | undefined): string {
  const { relation, generation, version } = contract
  const left = `tidemark.image_by_version(p.relation, p.epoch, p.version, ${version}, p.after)`
  const isKnown = `(p.epoch, p.lsn) > ($${(gapAt ?? 0) + 1}::integer, $${(gapAt ?? 0) + 2}::bigint)`
  return `(
          select ${gapAt === undefined ? left : `case when ${isKnown} then ${left} end`}
          from tidemark_rows.change p
          where p.key_hash = tidemark.key_hash(${relation}, i.key)
            and p.ordinal < i.ordinal
            and (p.relation, p.epoch, p.generation) = (${relation}, i.e, ${generation})
            and p.key = i.key
          order by p.ordinal desc
          limit 1)`
}

/**
 * Whether a change that may have been delivered before was not. One that is not behind the row as stored was. One that is
 * behind it need not be new: in a later generation, or once the row was taken away, the row begins anew with what comes
 * again. So history itself tells.
 */
const isNew = (table: AppliedTable): string => `coalesce(i.known,
      (s."tidemark$phase" = 1 and not i.moved and (s."tidemark$epoch", s."tidemark$lsn", s."tidemark$live") >= (i.e, i.l, i.op <> 'd')) is not true
      and not exists (
        select
        from tidemark_rows.change known
        where known.key_hash = tidemark.key_hash(${table.contract.relation}, i.key)
          and known.committed_at = to_timestamp(i.at / 1000)
          and (known.relation, known.epoch, known.lsn) = (${table.contract.relation}, i.e, i.l)
          and (known.op = 'd') = (i.op = 'd')
          and known.key = i.key
      ))`

/** The row as stored where its last change may be missing in history: empty where there is none. The gap comes after so many parameters. */
const storedBefore = (table: AppliedTable, gapAt: number): string => `case
      when (s."tidemark$epoch", s."tidemark$phase", s."tidemark$lsn") > ($${gapAt + 1}::integer, 1, $${gapAt + 2}::bigint)
        then null
      else coalesce(case when s."tidemark$live" then ${image(table, 's', true)} end, '{}')
    end`

/** The row as stored. One that another topic partition has truncated away is left to reading, unless changes may be missing. */
const storedAlways = (table: AppliedTable, hasGap: boolean): string => `case
      when s."tidemark$live" then ${image(table, 's', true)}
      ${hasGap ? '' : 'when s."tidemark$lsn" is null then null'}
      else '{}'
    end`

/** Array literals of rows of texts that need no quoting, one per column. */
const columnsOf = (rows: readonly (readonly string[])[]): string[] =>
  rows[0]!.map((_, i) => `{${rows.map((row) => row[i]).join(',')}}`)

/** The row as texts of its values: those that were sent, or those that Postgres writes. */
const image = (table: AppliedTable, alias: string, isTyped: boolean): string =>
  `array[${allPlaces(table).map((place) => `${alias}.${storedName(table, place)}${isTyped ? '::text' : ''}`)}]`

/** A value that was sent, as one of its column's type. */
const typed = (table: AppliedTable, place: number): string =>
  `i.${storedName(table, place)}::${table.columns[place]!.carried}`

/** The key's values as texts; those that are equal as one. */
const keyTexts = (table: AppliedTable): string => `array[${table.keyPlaces.map((place) => keyTextOf(table, place))}]`

const keyTextOf = (table: AppliedTable, place: number): string =>
  keyText(table.columns[place]!.carried, `i.${storedName(table, place)}`, `(${typed(table, place)})`)

/** Keeps the changes of a table without a key, whose images are complete; none was delivered before. */
export function logKeylessStatement({ table, changes }: KeylessWrites): Statement {
  const { relation, generation, version } = table.contract
  const places = allPlaces(table)
  const columns = places.map((place) => storedName(table, place))
  const facts = ['e', 'l', 'op', 'txid', 'at', 'ordinal']
  const types = ['integer', 'bigint', '"char"', 'bigint', 'float8', 'bigint']
  const sides = ['before', 'after'] as const
  const raw = sides.flatMap((side) => columns.map((name) => `${side}_${name}`))
  const parameters = [
    ...types.map((type, i) => `$${i + 1}::${type}[]`),
    ...raw.map((_, i) => `$${i + types.length + 1}::text[]`),
  ]
  // As Postgres writes them: rows are looked for by their values.
  const texts = (side: string) =>
    `array[${places.map((place, i) => `r.${side}_${columns[i]}::${table.columns[place]!.carried}::text`)}]`
  const text = `${target}
select to_timestamp(r.at / 1000), ${relation}, tidemark.key_hash(${relation}, null), r.ordinal, r.l, r.txid, r.e,
  ${generation}, ${version}, r.op, null,
  case when r.op in ('u', 'd') then ${texts('before')} end,
  case when r.op <> 'd' then ${texts('after')} end
from unnest(${parameters}) as r (${facts}, ${raw})`
  return {
    text,
    values: [
      ...columnsOf(changes.map(keylessFacts)),
      ...sides.flatMap((side) =>
        places.map((place) =>
          literal(
            changes.map((change) => change[side]?.[place] ?? null),
            false,
          ),
        ),
      ),
    ],
  }
}

const keylessFacts = ({ change, offset }: KeylessChange): string[] => [
  `${change.position.epoch}`,
  `${change.position.lsn}`,
  letters[change.op],
  `${change.txId ?? 'NULL'}`,
  `${change.committedAtMs}`,
  `${offset * 2}`,
]

/** Keeps a truncate. Of a table with a key it may have been delivered before. */
export function logTruncateStatement({ table, truncate, offset }: AppliedTruncate): Statement {
  const { relation, generation, version } = table.contract
  const { position, txId, committedAtMs } = truncate
  const isNew = `where not exists (
  select
  from tidemark_rows.change known
  where known.key_hash = tidemark.key_hash(${relation}, null)
    and known.committed_at = i.at
    and (known.relation, known.epoch, known.lsn, known.op) = (${relation}, i.e, i.l, 't')
)`
  return {
    text: `${target}
select i.at, ${relation}, tidemark.key_hash(${relation}, null), $5::bigint, i.l, $3::bigint, i.e, ${generation}, ${version}, 't', null, null, null
from (values (to_timestamp($1::float8 / 1000), $2::bigint, $4::integer)) i (at, l, e)
${table.keyPlaces.length === 0 ? '' : isNew}`,
    values: [committedAtMs, position.lsn, txId ?? 0, position.epoch, offset * 2],
  }
}
