import { UNAVAILABLE_PLACEHOLDER } from '#core/codecs/unavailable.ts'
import type { ColumnContract } from '#core/contract.ts'
import type { Choice } from '../histories/choice.ts'
import { columnContract, ordersContract } from './change-log.ts'
import type { HistoryRow } from './lived-change.ts'

/** Values by the number of their column. */
export type Row = ReadonlyMap<number, string | number | null>

const keys = {
  bigint: { wire: (id: number) => id },
  // One value has several texts that are equal.
  'numeric(12,2)': { wire: (id: number) => id.toFixed(2) },
  numeric: { wire: (id: number, way: number) => id.toFixed(way) },
  citext: { wire: (id: number, way: number) => (way % 2 === 0 ? `k${id}` : `K${id}`) },
  'double precision': { wire: (id: number) => id },
} as const

export type KeyType = keyof typeof keys

export const keyTypes = Object.keys(keys) as KeyType[]

/** The columns and rows of a table that a seed makes, and how capture and history write them. */
export class LivedTable {
  columns: ColumnContract[]
  readonly #choice: Choice
  readonly #key: KeyType
  readonly #rows = new Map<number, Row>()
  /** Which text of its key a row has. */
  readonly #ways = new Map<number, number>()

  constructor(choice: Choice, key: KeyType) {
    this.#choice = choice
    this.#key = key
    this.columns = ordersContract().columns.map((column) =>
      column.number === 1 ? { ...column, type: key, carried: key } : column,
    )
  }

  current(): HistoryRow[] {
    return [...this.#rows].sort(([a], [b]) => a - b).map(([, row]) => this.historyRow(row))
  }

  ids(): Iterable<number> {
    return this.#rows.keys()
  }

  get(id: number): Row | undefined {
    return this.#rows.get(id)
  }

  /** A row whose values are chosen. The table does not have it yet. */
  newRow(id: number): Map<number, string | number | null> {
    const { below, chance } = this.#choice
    return new Map(
      this.columns.map(({ number, carried }): [number, string | number | null] => {
        if (number === 1) return [1, id]
        if (chance(20)) return [number, null]
        if (carried.startsWith('numeric')) return [number, below(10_000) / 100]
        if (/int/.test(carried)) return [number, below(1000)]
        return [number, chance(2) ? `${below(10)}`.repeat(300) : `text ${below(1000)}`]
      }),
    )
  }

  /** Inserts a row with one of the texts of its key. */
  insert(id: number, row: Row): void {
    this.#ways.set(id, this.#choice.below(3))
    this.#rows.set(id, row)
  }

  update(id: number, row: Row): void {
    this.#rows.set(id, row)
  }

  delete(id: number): void {
    this.#rows.delete(id)
  }

  clear(): void {
    this.#rows.clear()
  }

  historyRow(row: Row): HistoryRow {
    return Object.fromEntries(this.columns.map(({ number, name }) => [name, row.get(number) ?? null]))
  }

  /** The row as a record has it. `leavesOut` its TOASTed value, which an update did not touch. */
  wire(id: number, row: Row, leavesOut = false): object {
    const way = this.#ways.get(id)!
    return Object.fromEntries(
      this.columns.map(({ number, name, carried }) => {
        const value = row.get(number) ?? null
        if (number === 1) return [name, keys[this.#key].wire(value as number, way)]
        if (number === 2 && leavesOut) return [name, UNAVAILABLE_PLACEHOLDER]
        return [name, typeof value === 'number' && carried.startsWith('numeric') ? value.toFixed(2) : value]
      }),
    )
  }

  wireKey(id: number): object {
    return { [this.columns[0]!.name]: keys[this.#key].wire(id, this.#ways.get(id)!) }
  }

  /** Adds, drops, renames or widens a column, as version `version` of the table. Returns whether it did. */
  alter(version: number): boolean {
    const former = this.columns
    const last = former.at(-1)!
    const what = this.#choice.below(4)
    if (what === 0 && former.length < 6) this.#addColumn(10 + version)
    else if (what === 1 && former.length > 3) this.columns = former.filter((column) => column !== last)
    else if (what === 2) this.#alterColumn(last, { name: `name ${version}` })
    else if (what === 3 && last.number > 3) this.#widen(last)
    return this.columns !== former
  }

  #addColumn(number: number): void {
    const [type, missing] = this.#choice.of([
      ['integer', '7'],
      ['text', 'none'],
      ['numeric(8,2)', '1.50'],
      ['text', null],
    ] as const)!
    this.columns = [...this.columns, columnContract(number, `column ${number}`, type, { missing })]
    const value = missing === null || type === 'text' ? missing : Number(missing)
    for (const [id, row] of this.#rows) this.#rows.set(id, new Map([...row, [number, value]]))
  }

  #widen(column: ColumnContract): void {
    const wider: Record<string, string> = { integer: 'bigint', 'numeric(8,2)': 'numeric(14,2)' }
    const type = wider[column.carried]
    if (type !== undefined) this.#alterColumn(column, { type, carried: type })
  }

  #alterColumn(altered: ColumnContract, change: Partial<ColumnContract>): void {
    this.columns = this.columns.map((column) => (column === altered ? { ...column, ...change } : column))
  }
}
