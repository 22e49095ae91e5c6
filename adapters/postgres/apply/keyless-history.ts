import type { AppliedTruncate } from '#core/apply/batch-steps.ts'
import type { KeylessChange, KeylessWrites } from '#core/keyless/keyless-writes.ts'
import type { Statement } from '../session/statement.ts'
import { letters, target } from './history-table.ts'
import { allPlaces, literal, storedName } from './latest-state-statements.ts'

/** A statement that stores the changes of a keyless table. Their images are complete, and none was delivered before. */
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
  // The texts are those that Postgres writes, because rows are found by their values.
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

/** A statement that stores a truncate. For a table with a key it may have been delivered before, so it is looked up. */
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

/** Array literals, one for each column, of texts that need no quoting. */
const columnsOf = (rows: readonly (readonly string[])[]): string[] =>
  rows[0]!.map((_, i) => `{${rows.map((row) => row[i]).join(',')}}`)
