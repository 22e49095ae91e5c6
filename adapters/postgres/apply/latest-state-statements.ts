// When does a change win over the stored row, and which statements write rows? Only a change with a newer position wins.

import pg from 'pg'
import { quoteElement } from '#core/column-codec.ts'
import type { RowValue, RowWrite } from '#core/tables/row-write.ts'
import type { AppliedTable } from '#core/tables/table-register.ts'
import type { Statement } from '../session/statement.ts'

/**
 * A statement that returns a CompletedWrite for each write that it could not complete. `incomplete` stores the writes
 * with only the values that were sent.
 */
export type CompletingStatement = Statement & { readonly incomplete: Statement }

/** A CompletingStatement that returns a MovedWrite for each of its writes. */
export type MovingStatement = CompletingStatement & { readonly moves: readonly RowWrite[] }

/** A write and the key of its row as texts. `unfinished` if a value that it needs is missing. */
export type CompletedWrite = { readonly key: readonly string[]; readonly unfinished: boolean }

/**
 * The result of a move. `place` is its place among the statement's moves; `is_new` says whether it is newer than the
 * stored row, or is null if there was no such row, or one from a snapshot, which does not show it.
 */
export type MovedWrite = CompletedWrite & { readonly place: number; readonly is_new: boolean | null }

const bookkeeping = ['epoch', 'phase', 'live', 'whole', 'lsn'].map((name) => pg.escapeIdentifier(`tidemark$${name}`))
const [epoch, phase, live, whole, lsn] = bookkeeping as [string, string, string, string, string]
const order = [epoch, phase, lsn, live]
// A deleted row stays as a delete marker with the position of its delete. A late insert has a lower position, so that it
// does not revive the deleted row.
const incomingIsNewer = `(${order.map((c) => `stored.${c}`)}) < (${order.map((c) => `excluded.${c}`)})`

/** The statements that write a segment's rows of one table, in the order in which they run. */
export type WriteStatements = {
  /** Rows whose key changed. The missing values are those of the row under the former key, which must exist. */
  readonly moves: MovingStatement[]
  readonly writes: Statement[]
  /** Updates that leave values of the stored row unchanged. The stored row must exist and be whole. */
  readonly updates: CompletingStatement[]
}

/**
 * The statements that write a table's rows, one for each kind of write. Names and types come from the contract, and
 * values are bound as arrays.
 */
export function writeStatements(table: AppliedTable, rows: Iterable<RowWrite>): WriteStatements {
  const kinds = { upsert: [] as RowWrite[], remove: [] as RowWrite[], override: [] as RowWrite[] }
  const moved = new Map<string, RowWrite[]>()
  const lacking = new Map<string, RowWrite[]>()
  for (const write of rows) {
    if (write.lacking.length > 0) append(write.movedFrom === undefined ? lacking : moved, write.lacking.join(), write)
    else kinds[write.mode === 'override' ? 'override' : write.live ? 'upsert' : 'remove'].push(write)
  }
  const everything = allPlaces(table)
  const texts = statementTexts(table)
  const writes: Statement[] = []
  if (kinds.remove.length > 0) writes.push(bind(table, texts.remove, kinds.remove, table.keyPlaces))
  if (kinds.override.length > 0) writes.push(bind(table, texts.override, kinds.override, everything))
  if (kinds.upsert.length > 0) writes.push(bind(table, texts.upsert, kinds.upsert, everything))
  return {
    moves: [...moved.values()].map((group) => moveStatement(table, group)),
    writes,
    updates: [...lacking.values()].map((group) => updateStatement(table, group)),
  }
}

function append<K, V>(groups: Map<K, V[]>, key: K, value: V): void {
  const group = groups.get(key)
  if (group === undefined) groups.set(key, [value])
  else group.push(value)
}

/** The table in the target with the rows of the contract's generation. */
export const rowsTable = ({ contract }: AppliedTable): string =>
  `tidemark_rows.t${contract.relation}_${contract.generation}`

/** The name of a column in the target. */
export const storedName = (table: AppliedTable, place: number): string => `c${table.columns[place]!.number}`

/** The places of all columns of the table. */
export const allPlaces = (table: AppliedTable): number[] => table.columns.map((_, place) => place)

const names = (table: AppliedTable, places: readonly number[]): string[] =>
  places.map((place) => storedName(table, place))

type Texts = { readonly upsert: string; readonly remove: string; readonly override: string }
const cache = new WeakMap<AppliedTable, Texts>()

function statementTexts(table: AppliedTable): Texts {
  const known = cache.get(table)
  if (known !== undefined) return known
  const texts = makeTexts(table)
  cache.set(table, texts)
  return texts
}

function makeTexts(table: AppliedTable): Texts {
  const text = (kind: Kind, places: readonly number[]) =>
    `${insertRows(table, places, kind, sentPosition)}\nfrom ${incoming(table, places)}\n${onConflict(table, kind)}`
  const everything = allPlaces(table)
  return {
    upsert: text('upsert', everything),
    remove: text('remove', table.keyPlaces),
    override: text('override', everything),
  }
}

type Kind = 'upsert' | 'remove' | 'override' | 'incomplete'

const sentPosition = { epoch: 'i.e', phase: 'i.p', lsn: 'i.l' }

/**
 * The beginning of a statement that writes rows selected from `i`. The expressions of `position` give the position, and
 * `value` returns the expression of a column.
 */
export function insertRows(
  table: AppliedTable,
  places: readonly number[],
  kind: Kind,
  position: { readonly epoch: string; readonly phase: string; readonly lsn: string },
  value = (place: number): string => `i.${storedName(table, place)}`,
): string {
  const columns = names(table, places)
  const isLive = kind !== 'remove'
  const isWhole = kind === 'upsert' || kind === 'override'
  return `insert into ${rowsTable(table)} as stored (${bookkeeping}, ${columns})
select ${position.epoch}, ${position.phase}, ${isLive}, ${isWhole}, ${position.lsn}, ${places.map(value)}`
}

/** The clause for a row that is stored already. `sent` are the columns that an incomplete write has. */
export function onConflict(table: AppliedTable, kind: Kind, sent: readonly number[] = allPlaces(table)): string {
  const data = names(table, sent)
  const on = `on conflict (${names(table, table.keyPlaces)}) do update set`
  switch (kind) {
    case 'upsert':
    case 'incomplete':
      return `${on} ${assign([...data, ...bookkeeping])}\nwhere ${incomingIsNewer}`
    case 'remove':
      // The row keeps its last values, if it has any, because a delete does not send them.
      return `${on} ${assign([epoch, phase, live, lsn])}\nwhere ${incomingIsNewer}`
    case 'override': {
      const newest = [epoch, phase, lsn].map(
        (c) => `${c} = case when ${incomingIsNewer} then excluded.${c} else stored.${c} end`,
      )
      return `${on} ${[assign(data), `${live} = true`, `${whole} = true`, ...newest].join(', ')}`
    }
  }
}

const assign = (columns: readonly string[]): string => columns.map((c) => `${c} = excluded.${c}`).join(', ')

/** Positions and values as `i (e, p, l, c1, …)`. */
function incoming(table: AppliedTable, places: readonly number[], more: readonly string[] = []): string {
  const parameters = places.map((place, i) => parameter(table, place, i + 4))
  const extra = more.map((_, i) => `$${places.length + 4 + i}::text[]`)
  const raw = ['e', 'p', 'l', ...places.map((place) => storedName(table, place)), ...more]
  const unnested = `unnest(${['$1::integer[]', '$2::smallint[]', '$3::bigint[]', ...parameters, ...extra]}) as i (${raw})`
  const arrays = places.filter((place) => isArray(table, place))
  if (arrays.length === 0) return unnested
  const selected = [
    'e',
    'p',
    'l',
    ...places.map((place) => {
      const name = storedName(table, place)
      return isArray(table, place) ? `${name}::${table.columns[place]!.carried} as ${name}` : name
    }),
    ...more,
  ]
  return `(select ${selected} from ${unnested}) as i`
}

/**
 * These types are sent as text, because `unnest` would flatten an array of arrays, and elements of a box array are
 * separated by semicolons.
 */
const isArray = (table: AppliedTable, place: number): boolean => /(\[\]|^box)$/.test(table.columns[place]!.carried)

const parameter = (table: AppliedTable, place: number, number: number): string =>
  `$${number}::${isArray(table, place) ? 'text' : table.columns[place]!.carried}[]`

/**
 * Updates stored rows with writes that all lack the same columns. Writes that are older than the stored row change
 * nothing. Returns a row for each newer write whose stored row is missing or not whole.
 */
function updateStatement(table: AppliedTable, group: readonly RowWrite[]): CompletingStatement {
  const sent = sentPlaces(table, group[0]!)
  const key = names(table, table.keyPlaces)
  const same = key.map((name) => `stored.${name} = incoming.${name}`).join(' and ')
  const set = names(table, sent).map((name) => `${name} = incoming.${name}`)
  const text = `with incoming as materialized (select i.*, true as live from ${incoming(table, sent)}),
updated as (
  update ${rowsTable(table)} as stored
  set ${[...set, `${epoch} = incoming.e`, `${phase} = incoming.p`, `${lsn} = incoming.l`, `${live} = true`]}
  from incoming
  where ${same}
    and (stored.${epoch}, stored.${phase}, stored.${lsn}, stored.${live}) < (incoming.e, incoming.p, incoming.l, incoming.live)
)
select array[${key.map((name) => `incoming.${name}::text`)}] as key, true as unfinished
from incoming
left join ${rowsTable(table)} as stored on ${same}
where stored.${whole} is not true
  and (stored.${epoch}, stored.${phase}, stored.${lsn}, stored.${live}) >= (incoming.e, incoming.p, incoming.l, incoming.live) is not true`
  return { ...bind(table, text, group, sent), incomplete: incompleteStatement(table, group, sent) }
}

/**
 * Writes rows whose key changed, with the lacking values of the row under the former key, in the state in which the
 * change found it. A newer write is unfinished if the former row is not there in that state.
 */
function moveStatement(table: AppliedTable, group: readonly RowWrite[]): MovingStatement {
  const { lacking } = group[0]!
  const sent = sentPlaces(table, group[0]!)
  const former = table.keyPlaces.map((_, i) => `former${i}`)
  const key = names(table, table.keyPlaces)
  const wasAt = table.keyPlaces
    .map((place, i) => `former.${storedName(table, place)} = incoming.former${i}::${table.columns[place]!.carried}`)
    .join(' and ')
  const left = `${rowsTable(table)} as former on ${wasAt} and former.${lsn} = incoming.at::bigint and not former.${live} and former.${whole}`
  const columns = [...names(table, sent), ...names(table, lacking)]
  const values = [
    ...names(table, sent).map((name) => `incoming.${name}`),
    ...names(table, lacking).map((name) => `former.${name}`),
  ]
  const text = `with incoming as materialized (select * from ${incoming(table, sent, [...former, 'at', 'place'])}),
moved as (
  insert into ${rowsTable(table)} as stored (${bookkeeping}, ${columns})
  select incoming.e, incoming.p, true, true, incoming.l, ${values}
  from incoming
  join ${left}
  on conflict (${key})
  do update set ${assign([...columns, ...bookkeeping])}
  where ${incomingIsNewer}
)
select incoming.place::integer, array[${key.map((name) => `incoming.${name}::text`)}] as key,
  case when stored.${phase} = 1 and stored.${epoch} >= incoming.e
    then (stored.${epoch}, stored.${lsn}, stored.${live}) < (incoming.e, incoming.l, true)
  end as is_new,
  former.${lsn} is null
    and (stored.${epoch}, stored.${phase}, stored.${lsn}, stored.${live}) >= (incoming.e, incoming.p, incoming.l, true) is not true
    as unfinished
from incoming
left join ${left}
left join ${rowsTable(table)} as stored on ${key.map((name) => `stored.${name} = incoming.${name}`).join(' and ')}`
  const bound = bind(table, text, group, sent)
  const formerKeys = former.map((_, i) =>
    literal(
      group.map(({ movedFrom }) => movedFrom!.key[i]!),
      false,
    ),
  )
  const leftAt = literal(
    group.map(({ movedFrom }) => `${movedFrom!.lsn}`),
    true,
  )
  return {
    text,
    values: [...bound.values, ...formerKeys, leftAt, `{${[...group.keys()].join(',')}}`],
    incomplete: incompleteStatement(table, group, sent),
    moves: group,
  }
}

/** Stores only the values that were sent, and marks the rows as not whole. */
function incompleteStatement(table: AppliedTable, group: readonly RowWrite[], sent: readonly number[]): Statement {
  const text = `${insertRows(table, sent, 'incomplete', sentPosition)}
from ${incoming(table, sent)}
${onConflict(table, 'incomplete', sent)}`
  return bind(table, text, group, sent)
}

const sentPlaces = (table: AppliedTable, { lacking }: RowWrite): number[] =>
  allPlaces(table).filter((place) => !lacking.includes(place))

function bind(table: AppliedTable, text: string, writes: readonly RowWrite[], places: readonly number[]): Statement {
  const positions = [
    writes.map((write) => write.position.epoch),
    writes.map((write) => write.position.phase),
    writes.map((write) => write.position.lsn),
  ].map((numbers) => `{${numbers.join(',')}}`)
  const columns = places.map((place) =>
    literal(
      writes.map(({ values }) => values[place]!),
      table.columns[place]!.codec.plain,
    ),
  )
  return { text, values: [...positions, ...columns] }
}

/** An array literal of texts. If `plain`, they need no quoting. Values that a write lacks are null. */
export function literal(texts: readonly RowValue[], plain: boolean): string {
  let joined = '{'
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i]
    if (i > 0) joined += ','
    joined += typeof text !== 'string' ? 'NULL' : plain ? text : quoteElement(text)
  }
  return `${joined}}`
}
