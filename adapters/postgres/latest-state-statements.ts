import pg from 'pg'
import { quoteElement } from '#core/column-codec.ts'
import type { RowWrite } from '#core/row-write.ts'
import type { AppliedTable } from '#core/table-register.ts'

/** One statement and its values. */
export type Statement = { readonly text: string; readonly values: readonly string[] }

const bookkeeping = ['tidemark$epoch', 'tidemark$phase', 'tidemark$live', 'tidemark$lsn'].map(pg.escapeIdentifier)
const [epoch, phase, live, lsn] = bookkeeping as [string, string, string, string]
const order = [epoch, phase, lsn, live]
const incomingIsNewer = `(${order.map((c) => `stored.${c}`)}) < (${order.map((c) => `excluded.${c}`)})`

/**
 * The statements that write a table's rows, one per kind: live rows, delete markers, overrides. Column and table
 * names and types come from the contract, values are bound as arrays.
 */
export function writeStatements(table: AppliedTable, writes: Iterable<RowWrite>): Statement[] {
  const upserts: RowWrite[] = []
  const deletes: RowWrite[] = []
  const overrides: RowWrite[] = []
  for (const write of writes) (write.mode === 'override' ? overrides : write.live ? upserts : deletes).push(write)
  const texts = statementTexts(table)
  const statements: Statement[] = []
  if (overrides.length > 0) statements.push(bind(table, texts.override, overrides, allPlaces(table)))
  if (upserts.length > 0) statements.push(bind(table, texts.upsert, upserts, allPlaces(table)))
  if (deletes.length > 0) statements.push(bind(table, texts.remove, deletes, table.keyPlaces))
  return statements
}

const allPlaces = (table: AppliedTable): number[] => table.columns.map((_, place) => place)

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
  const everything = allPlaces(table)
  const data = everything.map((place) => pg.escapeIdentifier(table.columns[place]!.name))
  const assign = [...data, ...bookkeeping].map((c) => `${c} = excluded.${c}`)
  const newest = [epoch, phase, lsn].map(
    (c) => `${c} = case when ${incomingIsNewer} then excluded.${c} else stored.${c} end`,
  )
  return {
    upsert: `${insert(table, everything, 'true')}
do update set ${assign.join(', ')}
where ${incomingIsNewer}`,
    remove: `${insert(table, table.keyPlaces, 'false')}
do update set ${bookkeeping.map((c) => `${c} = excluded.${c}`).join(', ')}
where ${incomingIsNewer}`,
    override: `${insert(table, everything, 'true')}
do update set ${[...data.map((c) => `${c} = excluded.${c}`), `${live} = true`, ...newest].join(', ')}`,
  }
}

function insert(table: AppliedTable, places: readonly number[], isLive: 'true' | 'false'): string {
  const columns = places.map((place) => table.columns[place]!)
  const names = columns.map((column) => pg.escapeIdentifier(column.name))
  const keys = table.keyPlaces.map((place) => pg.escapeIdentifier(table.columns[place]!.name))
  const isArray = (type: string) => type.endsWith('[]')
  // unnest would flatten an array of arrays: these travel as text.
  const parameters = columns.map(({ type }, i) => `$${i + 4}::${isArray(type) ? 'text' : type}[]`)
  const selected = columns.map(({ type }, i) => (isArray(type) ? `c${i}::${type}` : `c${i}`))
  return `insert into tidemark_rows.t${table.contract.relation} as stored (${bookkeeping}, ${names})
select e, p, ${isLive}, l, ${selected}
from unnest($1::integer[], $2::smallint[], $3::bigint[], ${parameters}) as incoming (e, p, l, ${columns.map((_, i) => `c${i}`)})
on conflict (${keys})`
}

function bind(table: AppliedTable, text: string, writes: readonly RowWrite[], places: readonly number[]): Statement {
  const positions = [
    writes.map((write) => write.position.epoch),
    writes.map((write) => write.position.phase),
    writes.map((write) => write.position.lsn),
  ].map((numbers) => `{${numbers.join(',')}}`)
  return { text, values: [...positions, ...places.map((place) => columnLiteral(table, writes, place))] }
}

function columnLiteral(table: AppliedTable, writes: readonly RowWrite[], place: number): string {
  const { plain } = table.columns[place]!.codec
  let literal = '{'
  for (let i = 0; i < writes.length; i++) {
    const text = writes[i]!.values[place]
    if (i > 0) literal += ','
    literal += text == null ? 'NULL' : plain ? text : quoteElement(text)
  }
  return `${literal}}`
}
