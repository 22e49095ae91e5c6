import type { AppliedTruncate, BatchPlan } from '#core/batch-plan.ts'
import type { RowChange } from '#core/envelope.ts'
import type { KeylessChange, KeylessWrites } from '#core/keyless-writes.ts'
import type { LoggedChange, TableWrites } from '#core/row-changes.ts'
import type { AppliedTable } from '#core/table-register.ts'
import { allPlaces, literal, rowsTable, type Statement, storedName } from './latest-state-statements.ts'

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
export function logStatement({ table, log }: TableWrites): Statement {
  const places = allPlaces(table)
  const columns = places.map((place) => storedName(table, place))
  const facts = ['e', 'l', 'op', 'txid', 'at', 'prior', 'lacks']
  const types = ['integer', 'bigint', '"char"', 'bigint', 'float8', 'integer', 'text']
  const parameters = [
    ...types.map((type, i) => `$${i + 1}::${type}[]`),
    ...places.map((_, i) => `$${i + types.length + 1}::text[]`),
  ]
  const typed = places.map((place, i) => `raw.${columns[i]}::${table.columns[place]!.carried} as ${columns[i]}`)
  const same = table.keyPlaces
    .map((place) => storedName(table, place))
    .map((name) => `s.${name} = i.${name}`)
    .join(' and ')
  const text = `with incoming as materialized (
  select ${facts}, ord, ${typed}
  from unnest(${parameters}) with ordinality as raw (${facts}, ${columns}, ord)
),
imaged as materialized (
  select i.*, ${keyTexts(table)} as key,
    case when s."tidemark$live" then ${image(table, 's')} end as stored,
    case when i.op <> 'd' then ${image(table, 'i')} end as image
  from incoming i
  left join ${rowsTable(table)} s on ${same} and (i.lacks is not null or i.prior is null and i.op in ('u', 'd'))
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
)
${target}
select to_timestamp(i.at / 1000), ${table.contract.relation}, hash_array_extended(i.key, 0), i.l, i.txid, i.e,
  case i.op when 'd' then 0 else 1 end, ${table.contract.version}, i.op, i.key,
  case when i.op in ('u', 'd') then coalesce(p.after, i.stored) end, i.after
from whole i
left join whole p on p.ord = i.prior
on conflict do nothing`
  return {
    text,
    values: [
      ...columnsOf(log.map(factsOf)),
      ...places.map((place) =>
        literal(
          log.map(({ values }) => values[place]!),
          false,
        ),
      ),
    ],
  }
}

/** Array literals of rows of texts that need no quoting, one per column. */
const columnsOf = (rows: readonly (readonly string[])[]): string[] =>
  rows[0]!.map((_, i) => `{${rows.map((row) => row[i]).join(',')}}`)

const factsOf = ({ change, prior, lacking }: LoggedChange): string[] => [
  `${change.position.epoch}`,
  `${change.position.lsn}`,
  letters[change.op],
  `${change.txId ?? 'NULL'}`,
  `${change.committedAtMs}`,
  prior === undefined ? 'NULL' : `${prior + 1}`,
  lacking.length === 0 ? 'NULL' : `"{${lacking.map((place) => place + 1).join(',')}}"`,
]

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
