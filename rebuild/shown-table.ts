import type { ColumnContract, TableContract } from '#core/contract.ts'
import { type ComparedTable, comparedTables } from '#verify/compared-table.ts'

/** Every table that a latest state shows, including the state of plain deltas. */
export function shownTables(contracts: TableContract[], only: readonly string[]): ComparedTable[] {
  const tables = [...comparedTables(contracts), userState]
  return only.length === 0 ? tables : tables.filter(({ name }) => only.includes(name))
}

const column = (number: number, name: string, type: string): ColumnContract => ({
  ...{ number, name, type, carried: type, wire: 'value', nullable: true, generated: false, expression: null },
  ...{ key: number === 1 ? 1 : null, missing: null, definition: null },
})

const userStateColumns = [
  column(1, 'id', 'bigint'),
  column(2, 'name', 'text'),
  column(3, 'age', 'integer'),
  column(4, 'event_order', 'bigint'),
  column(5, 'run', 'bigint'),
  column(6, 'ts', 'timestamp with time zone'),
  column(7, 'more', 'jsonb'),
]

/** The state of plain deltas. It has no contract, because no source has this table. */
export const userState: ComparedTable = {
  name: 'tidemark.latest_user_state',
  identifier: 'tidemark.latest_user_state',
  columns: userStateColumns,
  key: userStateColumns.slice(0, 1),
  relations: [],
  from: { source: 'tidemark.latest_user_state', target: 'tidemark.latest_user_state' },
  shape: 'latest_user_state',
}
