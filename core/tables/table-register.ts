// By which contract is a change read, and what happens to one that no contract names?

import { type ColumnCodec, columnCodec } from '../column-codec.ts'
import { type ColumnContract, changesShape, keyColumns, type TableContract } from '../contract.ts'
import { comparePositions, type Position } from '../position.ts'

/** A column with the codec of its values. */
export type CodedColumn = ColumnContract & { readonly codec: ColumnCodec }

/** A relation whose changes are applied: its stored columns in attribute order and the places of its key among them. */
export type AppliedTable = {
  readonly contract: TableContract
  readonly columns: readonly CodedColumn[]
  /** Generated columns. Reads have them; streamed changes may have them or not. */
  readonly generated: ReadonlySet<string>
  /** Empty for a keyless table. */
  readonly keyPlaces: readonly number[]
}

/** What a contract changes in the target. */
export type ContractEffect =
  | { readonly kind: 'shape' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'stop'; readonly reason: string }
  | { readonly kind: 'none' }

/** `public.orders`: how messages and lookups name a table. */
export const tableName = (table: { readonly schema: string; readonly table: string }): string =>
  `${table.schema}.${table.table}`

/** Which table a change belongs to. */
export type Lookup =
  | { readonly kind: 'applied'; readonly table: AppliedTable }
  | { readonly kind: 'refused'; readonly relation: number; readonly generation: number; readonly reason: string }
  /** The change is skipped. It was made before the table had its present shape, and was applied when it came first. */
  | { readonly kind: 'former' }

type Relation = {
  readonly epoch: number
  /** Position of the contract's own record. */
  readonly position: Position
  readonly contract: TableContract
  /** Whether rows may still come that were read for the generation before. */
  readonly meetsFormerReads: boolean
  /** The table, or the reason why it is not applied. */
  readonly table: AppliedTable | string
  /** Changes before this position have an earlier shape. */
  readonly shapedAt: Position
}

type Holder = { readonly since: Position; readonly relation: number }

/**
 * The contracts in force at one offset of one topic partition. A change is decoded only by the contract that precedes
 * it in its own topic partition. There always is one, since the source writes each contract to every topic partition,
 * in the transaction of the DDL.
 */
export class TableRegister {
  readonly #relations: Map<number, Relation>
  /** The relations that have had a name, in the order of time. */
  readonly #holders: Map<string, readonly Holder[]>

  /** An empty register, or a copy of another one. Neither of the two changes the other. */
  constructor(other?: TableRegister) {
    this.#relations = new Map(other === undefined ? [] : other.#relations)
    this.#holders = new Map(other === undefined ? [] : other.#holders)
  }

  /**
   * Puts a contract in force from here on, and returns what it changes in the target. `position` is that of the
   * contract's own record.
   */
  enter(contract: TableContract, position: Position): ContractEffect {
    const before = this.#relations.get(contract.relation)
    // Capture delivers records again after a restart; an older version must not come back into force.
    if (before !== undefined && before.epoch === position.epoch && before.contract.version >= contract.version) {
      return { kind: 'none' }
    }
    // A zombie worker, which Connect has given up but which still runs, may send records of an epoch that was replaced.
    if (before !== undefined && before.epoch > position.epoch) return { kind: 'none' }
    const table = contract.refusal ?? codeColumns(contract)
    const reshaped = before === undefined || before.epoch < position.epoch || changesShape(before.contract, contract)
    const shapedAt = reshaped ? position : before.shapedAt
    const meetsFormerReads = abandonsSnapshot(before, contract)
    const { epoch } = position
    this.#relations.set(contract.relation, { epoch, position, contract, table, shapedAt, meetsFormerReads })
    this.#hold(contract, before, position)
    return effectOf(contract, table, before)
  }

  /**
   * Why the source cannot have written the contract after those before it; undefined when it can. Versions of a
   * relation are written one after the other, and each comes in every topic partition. Only a version that begins a
   * later generation may come without the ones before it.
   */
  impossibleContract(contract: TableContract, position: Position): string | undefined {
    const before = this.#relations.get(contract.relation)
    if (before === undefined || before.epoch !== position.epoch) return undefined
    const { version, generation } = before.contract
    if (contract.version === version && !sameContract(contract, before.contract)) {
      return `another contract of version ${version} came before it`
    }
    if (contract.version <= version || position.phase === 0) return undefined
    if (contract.generation < generation) return `its generation ${contract.generation} is before ${generation}`
    if (comparePositions(position, before.position) < 0) return 'it was written before the version that precedes it'
    if (contract.version > version + 1 && (contract.generation === generation || contract.complete)) {
      return `versions ${version + 1} to ${contract.version - 1} of the contract are missing`
    }
    return undefined
  }

  /**
   * The table that a change names at its position. If no contract in this topic partition names it, the change is
   * refused with relation 0: the table is stopped by its name, the record is quarantined, and the first contract of the
   * table deletes the stop (`tidemark.shape_latest_state`).
   */
  find(name: string, position: Position): Lookup {
    const holders = this.#holders.get(name)
    if (holders === undefined) {
      return {
        kind: 'refused',
        relation: 0,
        generation: 0,
        reason: 'no contract precedes the change in its topic partition',
      }
    }
    const holder =
      position.phase === 0 ? holders.at(-1) : holders.findLast(({ since }) => comparePositions(since, position) <= 0)
    const known = holder && this.#relations.get(holder.relation)
    if (known === undefined || (position.phase === 1 && comparePositions(position, known.shapedAt) < 0)) {
      return { kind: 'former' }
    }
    const { relation, generation } = known.contract
    if (known.contract.dropped)
      return { kind: 'refused', relation, generation, reason: 'a change follows the drop of the table' }
    if (typeof known.table === 'string') return { kind: 'refused', relation, generation, reason: known.table }
    // The table had left the publication while these changes were on their way. Its rows will be read again.
    if (!known.contract.published) return { kind: 'former' }
    return { kind: 'applied', table: known.table }
  }

  /** The contract in force of the relation that now has the name, such as `public.orders`. */
  named(name: string): TableContract | undefined {
    const holder = this.#holders.get(name)?.at(-1)
    return holder && this.#relations.get(holder.relation)?.contract
  }

  /** Whether rows may come that were read for the generation before, whose snapshot did not end. */
  meetsFormerReads(relation: number): boolean {
    return this.#relations.get(relation)?.meetsFormerReads ?? false
  }

  /** The contract of a relation that is in force, with its epoch. */
  contractOf(relation: number): { readonly epoch: number; readonly contract: TableContract } | undefined {
    return this.#relations.get(relation)
  }

  /** The tables that are applied. */
  *applied(): Iterable<AppliedTable> {
    for (const { table, contract } of this.#relations.values()) {
      if (typeof table !== 'string' && contract.published && !contract.dropped) yield table
    }
  }

  #hold(contract: TableContract, before: Relation | undefined, since: Position): void {
    const name = tableName(contract)
    if (before !== undefined && !before.contract.dropped && tableName(before.contract) === name) return
    const holders = this.#holders.get(name) ?? []
    // The contract of a drop names what was dropped. If another relation took the name before that, it keeps the name.
    if (contract.dropped && holders.length > 0) return
    this.#holders.set(name, [...holders, { since, relation: contract.relation }])
  }
}

const sameContract = (a: TableContract, b: TableContract): boolean => JSON.stringify(a) === JSON.stringify(b)

function abandonsSnapshot(before: Relation | undefined, { generation, complete }: TableContract): boolean {
  if (before === undefined || complete) return false
  return generation > before.contract.generation ? !before.contract.complete : before.meetsFormerReads
}

function effectOf(contract: TableContract, table: Relation['table'], before: Relation | undefined): ContractEffect {
  const applied = before !== undefined && typeof before.table !== 'string' && !before.contract.dropped
  if (contract.dropped) return { kind: applied || before !== undefined ? 'drop' : 'none' }
  // Until a table is published no changes come for it, so its contract may change in any way.
  if (typeof table !== 'string') return { kind: contract.published ? 'shape' : 'none' }
  const unexpected = applied || contract.refusal === null
  return unexpected ? { kind: 'stop', reason: `it cannot be captured any more: ${table}` } : { kind: 'none' }
}

/** The contract's columns with their codecs, or why the table cannot be applied. */
function codeColumns(contract: TableContract): AppliedTable | string {
  const columns: CodedColumn[] = []
  for (const column of contract.columns) {
    if (column.generated) continue
    const codec = columnCodec(column)
    if (codec === undefined) return `column ${column.name} has type ${column.type}, which is not carried exactly`
    columns.push({ ...column, codec })
  }
  const generated = new Set(contract.columns.filter((column) => column.generated).map((column) => column.name))
  const keyPlaces = keyColumns(contract).map((key) => columns.findIndex((column) => column.number === key.number))
  return { contract, columns, generated, keyPlaces }
}
