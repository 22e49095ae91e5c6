import type { TableContract } from '../contract.ts'
import { type Incoming, readRecord, tableOfRecord } from '../wire/change.ts'
import { type TableRegister, tableName } from './table-register.ts'

/**
 * The tables that must not go on without a record: the table of its change or contract, or the keyless tables whose
 * snapshot it begins. Never throws; empty when the record belongs to no known table.
 */
export function tablesWithout(value: string | undefined, register: TableRegister): TableContract[] {
  const incoming = value === undefined ? undefined : readOrNothing(value)
  if (incoming?.kind === 'contract') return [incoming.contract]
  if (incoming?.kind === 'start') return keylessTables(register)
  if (incoming?.kind === 'read beacon') {
    const { snapshotOf } = incoming.beacon
    if (snapshotOf === null) return keylessTables(register)
    const known = register.contractOf(snapshotOf.relation)
    return known === undefined ? [] : [known.contract]
  }
  const named = tableOfRecord(value)
  const known = named && register.named(tableName(named))
  return known === undefined ? [] : [known]
}

const keylessTables = (register: TableRegister): TableContract[] =>
  [...register.applied()].filter(({ keyPlaces }) => keyPlaces.length === 0).map(({ contract }) => contract)

function readOrNothing(value: string): Incoming | undefined {
  try {
    return readRecord(value)
  } catch (error) {
    if (error instanceof Error) return undefined
    throw error
  }
}
