import { type ColumnCodec, columnCodec } from './column-codec.ts'
import { type ColumnContract, keyColumns, shapeDifference, type TableContract } from './contract.ts'
import { comparePositions, type Position } from './position.ts'

/** A column together with the way its values travel. */
export type CodedColumn = ColumnContract & { readonly codec: ColumnCodec }

/** A relation whose changes are applied: its columns in attribute order and the places of its key among them. */
export type AppliedTable = {
  readonly contract: TableContract
  readonly columns: readonly CodedColumn[]
  readonly keyPlaces: readonly number[]
}

/** What a contract does to the register of its topic partition. */
export type ContractEffect =
  | { readonly kind: 'create'; readonly contract: TableContract }
  | { readonly kind: 'drop'; readonly contract: TableContract }
  | { readonly kind: 'stop'; readonly contract: TableContract; readonly reason: string }
  | { readonly kind: 'none' }

/** `public.orders`: how messages and lookups name a table. */
export const tableName = (table: { readonly schema: string; readonly table: string }): string =>
  `${table.schema}.${table.table}`

/** Which table a change is about. */
export type Lookup =
  | { readonly kind: 'applied'; readonly table: AppliedTable }
  | { readonly kind: 'refused'; readonly relation: number; readonly reason: string }
  /** The change is older than the relation that has the name now: it was delivered again, its relation is gone. */
  | { readonly kind: 'former' }

type Entry = {
  readonly since: Position
  readonly contract: TableContract
  readonly table: AppliedTable | string | undefined
}

/**
 * The contracts in force at one place of one topic partition: a change is decoded by the contract that precedes it
 * in its own topic partition, never by another one (capture.md §5).
 */
export class TableRegister {
  readonly #versions = new Map<number, TableContract>()
  readonly #byName = new Map<string, Entry>()

  /**
   * Puts a contract in force from here on and says what follows for the target. `position` is that of the contract's
   * own record.
   */
  enter(contract: TableContract, position: Position): ContractEffect {
    const before = this.#versions.get(contract.relation)
    // Capture delivers records again after a restart; an older version must not come back into force.
    if (before !== undefined && before.version >= contract.version) return { kind: 'none' }
    this.#versions.set(contract.relation, contract)
    const own = before === undefined ? undefined : this.#entryOf(before)
    if (own !== undefined) this.#byName.delete(tableName(own.contract))
    const table = contract.dropped ? undefined : (contract.refusal ?? codeColumns(contract))
    // A table that has the name of one dropped before it keeps it.
    if (!contract.dropped || !this.#byName.has(tableName(contract))) {
      const since = contract.dropped ? position : (own?.since ?? position)
      this.#byName.set(tableName(contract), { since, contract, table })
    }
    return effectOf(contract, table, own)
  }

  /** The table that the change of a row at a position names. */
  find(name: string, position: Position): Lookup {
    const entry = this.#byName.get(name)
    if (entry === undefined) return refused(0, 'no contract precedes the change in its topic partition')
    if (position.phase === 1 && comparePositions(position, entry.since) < 0) return { kind: 'former' }
    if (entry.table === undefined) return refused(entry.contract.relation, 'a change follows the drop of the table')
    if (typeof entry.table === 'string') return refused(entry.contract.relation, entry.table)
    return { kind: 'applied', table: entry.table }
  }

  /** The entry under the contract's name, if it is of the same relation. */
  #entryOf(contract: TableContract): Entry | undefined {
    const entry = this.#byName.get(tableName(contract))
    return entry?.contract.relation === contract.relation ? entry : undefined
  }
}

const refused = (relation: number, reason: string): Lookup => ({ kind: 'refused', relation, reason })

function effectOf(contract: TableContract, table: Entry['table'], before: Entry | undefined): ContractEffect {
  const applied = typeof before?.table === 'object' ? before.table : undefined
  if (table === undefined) return applied === undefined ? { kind: 'none' } : { kind: 'drop', contract }
  if (typeof table === 'string') {
    const known = applied === undefined && contract.refusal !== null
    return known ? { kind: 'none' } : { kind: 'stop', contract, reason: `it cannot be captured any more: ${table}` }
  }
  if (applied === undefined) return { kind: 'create', contract }
  const difference = shapeDifference(applied.contract, contract)
  return difference === undefined ? { kind: 'none' } : { kind: 'stop', contract, reason: difference }
}

/** The contract's columns with their codecs, or why the table cannot be applied. */
function codeColumns(contract: TableContract): AppliedTable | string {
  const columns: CodedColumn[] = []
  for (const column of contract.columns) {
    const codec = columnCodec(column.type)
    if (codec === undefined) return `column ${column.name} has type ${column.type}, which is not carried exactly`
    columns.push({ ...column, codec })
  }
  const keys = keyColumns(contract)
  if (keys.length === 0) return 'it has no primary key'
  return { contract, columns, keyPlaces: keys.map((key) => contract.columns.indexOf(key)) }
}
