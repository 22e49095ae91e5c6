import type { AppliedTruncate, BatchPlan } from '#core/batch-plan.ts'
import type { RowChange } from '#core/envelope.ts'
import type { KeylessChange, KeylessWrites } from '#core/keyless-writes.ts'
import type { TableWrites } from '#core/row-changes.ts'
import type { AppliedTable } from '#core/table-register.ts'
import { allPlaces, insertRows, literal, onConflict, rowsTable, storedName } from './latest-state-statements.ts'
import type { Statement } from './statement.ts'

/** How the columns op and place of `tidemark_rows.change` say what a change was. */
const letters = { create: 'c', update: 'u', delete: 'd', 'initial read': 'r', 'later read': 'r' } as const

/** The UTC days of the changes that the plan keeps, as days since 1970: their table partitions have to be there. */
export function daysOf(plan: BatchPlan): number[] {
  const days = new Set<number>()
  for (const segment of plan.segments) {
    for (const { log } of segment.values()) for (const { change } of log) days.add(dayOf(change))
  }
  for (const { changes, logged } of plan.keyless) if (logged) for (const { change } of changes) days.add(dayOf(change))
  for (const { truncate, logged } of plan.truncates) if (logged) days.add(dayOf(truncate))
  return [...days].sort((a, b) => a - b)
}

const dayOf = ({ committedAtMs }: Pick<RowChange, 'committedAtMs'>): number => Math.floor(committedAtMs / 86_400_000)

const target = `insert into tidemark_rows.change
  (committed_at, relation, key_hash, lsn, txid, epoch, place, version, op, key, before, after)`

/**
 * Keeps the changes of a segment of a table with a key. It runs before the segment's rows are written, but after those
 * that moved: the image before a change is that of the change before it, or the row as stored.
 */
export function logStatement(writes: TableWrites): Statement {
  const { facts, values } = factsOf(writes)
  return { text: `${imagesOf(writes.table, facts)}\n${keepImages(writes.table)}`, values }
}

/**
 * Keeps the changes of a segment and writes its rows by one statement, which reads what it is sent once. Undefined where
 * some rows are not written whole, in order: those take several.
 */
export function logAndWriteStatement(writes: TableWrites): Statement | undefined {
  const { table, rows, log, lastLogged } = writes
  for (const { mode, lacking } of rows.values()) if (mode !== 'ordered' || lacking.length > 0) return undefined
  const written = new Array<string>(log.length).fill('f')
  for (const [key, place] of lastLogged) if (rows.has(key)) written[place] = 't'
  const { facts, values } = factsOf(writes, {
    phase: ['smallint', log.map(({ change }) => `${change.position.phase}`)],
    written: ['boolean', written],
  })
  const position = { epoch: 'i.e', phase: 'i.phase', lsn: 'i.l' }
  const text = `${imagesOf(table, facts)},
kept as (
  ${keepImages(table)}
),
removed as (
  ${insertRows(table, table.keyPlaces, 'remove', position)}
  from incoming i
  where i.written and i.op = 'd'
  ${onConflict(table, 'remove')}
)
${insertRows(table, allPlaces(table), 'upsert', position)}
from incoming i
where i.written and i.op <> 'd'
${onConflict(table, 'upsert')}`
  return { text, values }
}

type Facts = Readonly<Record<string, readonly [type: string, texts: readonly string[]]>>

/** What a segment's log says of each change besides its values, and all of it as parameters. */
function factsOf({ table, log }: TableWrites, more: Facts = {}): { facts: Facts; values: string[] } {
  const facts: Facts = {
    e: ['integer', log.map(({ change }) => `${change.position.epoch}`)],
    l: ['bigint', log.map(({ change }) => `${change.position.lsn}`)],
    op: ['"char"', log.map(({ change }) => letters[change.op])],
    txid: ['bigint', log.map(({ change }) => `${change.txId ?? 'NULL'}`)],
    at: ['float8', log.map(({ change }) => `${change.committedAtMs}`)],
    prior: ['integer', log.map(({ prior }) => (prior === undefined ? 'NULL' : `${prior + 1}`))],
    lacks: ['text', log.map(({ lacking }) => (lacking.length === 0 ? 'NULL' : `"{${lacking.map((p) => p + 1)}}"`))],
    ...more,
  }
  const columns = allPlaces(table).map((place) =>
    literal(
      log.map(({ values }) => values[place]!),
      table.columns[place]!.codec.plain,
    ),
  )
  return { facts, values: [...Object.values(facts).map(([, texts]) => `{${texts.join(',')}}`), ...columns] }
}

/** The changes as `incoming`, and as `whole` with the row's texts before (`stored`, or those of `prior`) and after. */
function imagesOf(table: AppliedTable, facts: Facts): string {
  const places = allPlaces(table)
  const columns = places.map((place) => storedName(table, place))
  const names = Object.keys(facts)
  const parameters = [
    ...Object.values(facts).map(([type], i) => `$${i + 1}::${type}[]`),
    ...places.map((_, i) => `$${i + names.length + 1}::text[]`),
  ]
  const typed = places.map((place, i) => `raw.${columns[i]}::${table.columns[place]!.carried} as ${columns[i]}`)
  const same = table.keyPlaces.map((place) => `stored.${storedName(table, place)} = i.${storedName(table, place)}`)
  // Looked up row by row: the planner would read a small table whole in each batch.
  return `with incoming as materialized (
  select ${names}, ord, ${typed}
  from unnest(${parameters}) with ordinality as raw (${names}, ${columns}, ord)
),
imaged as materialized (
  select i.*, ${keyTexts(table)} as key,
    case when s."tidemark$live" then ${image(table, 's')} end as stored,
    case when i.op <> 'd' then ${image(table, 'i')} end as image
  from incoming i
  left join lateral (
    select *
    from ${rowsTable(table)} stored
    where (i.lacks is not null or i.prior is null and i.op in ('u', 'd'))
      and ${same.join(' and ')}
    limit 1
  ) s on true
),
whole as materialized (
  select imaged.*,
    case
      when lacks is null then image
      else (
        select array_agg(case when n = any (lacks::integer[]) then stored[n] else value end order by n)
        from unnest(image) with ordinality as listed (value, n)
      )
    end as after
  from imaged
)`
}

const keepImages = (table: AppliedTable): string => `${target}
select to_timestamp(i.at / 1000), ${table.contract.relation}, hash_array_extended(i.key, 0), i.l, i.txid, i.e,
  case i.op when 'd' then 0 else 1 end, ${table.contract.version}, i.op, i.key,
  case when i.op in ('u', 'd') then coalesce(p.after, i.stored) end, i.after
from whole i
left join whole p on p.ord = i.prior
on conflict do nothing`

/** Array literals of rows of texts that need no quoting, one per column. */
const columnsOf = (rows: readonly (readonly string[])[]): string[] =>
  rows[0]!.map((_, i) => `{${rows.map((row) => row[i]).join(',')}}`)

/** The row as the texts of its values. */
const image = (table: AppliedTable, alias: string): string =>
  `array[${allPlaces(table).map((place) => `${alias}.${storedName(table, place)}::text`)}]`

/** The key's values as texts; those that are equal as one. */
const keyTexts = (table: AppliedTable): string =>
  `array[${table.keyPlaces.map((place) => keyText(`i.${storedName(table, place)}`, table.columns[place]!.carried))}]`

function keyText(value: string, type: string): string {
  if (/^numeric(?!.*\[)/.test(type)) return `trim_scale(${value})::text`
  if (/^(real|double precision)$/.test(type)) return `(${value} + 0)::text`
  return type.endsWith('citext') ? `lower(${value}::text)` : `${value}::text`
}

/** Keeps the changes of a table without a key, whose images are complete. */
export function logKeylessStatement({ table, changes }: KeylessWrites): Statement {
  const places = allPlaces(table)
  const columns = places.map((place) => storedName(table, place))
  const facts = ['e', 'l', 'op', 'txid', 'at', 'place']
  const types = ['integer', 'bigint', '"char"', 'bigint', 'float8', 'integer']
  const sides = ['before', 'after'] as const
  const raw = sides.flatMap((side) => columns.map((name) => `${side}_${name}`))
  const parameters = [
    ...types.map((type, i) => `$${i + 1}::${type}[]`),
    ...raw.map((_, i) => `$${i + types.length + 1}::text[]`),
  ]
  const texts = (side: string) =>
    `array[${places.map((place, i) => `r.${side}_${columns[i]}::${table.columns[place]!.carried}::text`)}]`
  const text = `${target}
select to_timestamp(r.at / 1000), ${table.contract.relation}, 0, r.l, r.txid, r.e, r.place, ${table.contract.version}, r.op, null,
  case when r.op in ('u', 'd') then ${texts('before')} end,
  case when r.op <> 'd' then ${texts('after')} end
from unnest(${parameters}) as r (${facts}, ${raw})
on conflict do nothing`
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

/** Rows that a snapshot read share an Lsn: their offset tells them apart. */
const keylessFacts = ({ change, place, offset }: KeylessChange): string[] => [
  `${change.position.epoch}`,
  `${change.position.lsn}`,
  letters[change.op],
  `${change.txId ?? 'NULL'}`,
  `${change.committedAtMs}`,
  `${place?.ordinal ?? offset % 2 ** 31}`,
]

/** Keeps a truncate. */
export function logTruncateStatement({ table, truncate }: AppliedTruncate): Statement {
  const { relation, version } = table.contract
  const { position, txId, committedAtMs } = truncate
  return {
    text: `${target}
select to_timestamp($1::float8 / 1000), ${relation}, 0, $2::bigint, $3::bigint, $4::integer, 0, ${version}, 't', null, null, null
on conflict do nothing`,
    values: [committedAtMs, position.lsn, txId ?? 0, position.epoch],
  }
}
