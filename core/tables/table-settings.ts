// Is a table stopped or accepted, and does it keep history?

import type { TableContract } from '../contract.ts'
import { tableName } from './table-register.ts'

/** A stopped table, and whether a user accepted its changes. Relation is 0 when no contract names it. */
export type StoppedTable = {
  readonly relation: number
  readonly generation: number
  readonly name: string
  /** Whether its quarantined changes are to be applied. */
  readonly accepted: boolean
}

/** Whether history keeps the changes of tables with this name. `*.*` is every table that has no other setting. */
export type HistorySetting = {
  readonly schema: string
  readonly table: string
  readonly enabled: boolean
  /** Relations that had the name when the setting was made. */
  readonly relations: readonly number[]
}

/** Whether a table's changes are quarantined. */
export type StopRule = (relation: number, generation: number, name: string) => boolean

/** Whether a table's changes are kept in history. */
export type HistoryRule = (contract: TableContract) => boolean

/** A setting of the relation takes precedence over one of its name, and that over the one of every table. */
export function historyRule(settings: readonly HistorySetting[]): HistoryRule {
  const byRelation = new Map(
    settings.flatMap(({ relations, enabled }) => relations.map((relation) => [relation, enabled])),
  )
  const byName = new Map(settings.map((setting) => [tableName(setting), setting.enabled]))
  const byDefault = byName.get('*.*') ?? false
  return (contract) => byRelation.get(contract.relation) ?? byName.get(tableName(contract)) ?? byDefault
}

/** Whether a stop applies to the changes of a generation, or to those of a table that no contract names. */
export function stopRule(stopped: readonly StoppedTable[]): StopRule {
  const upTo = new Map(stopped.filter(({ relation }) => relation !== 0).map((s) => [s.relation, s.generation]))
  const unnamed = new Set(stopped.filter(({ relation }) => relation === 0).map(({ name }) => name))
  return (relation, generation, name) =>
    relation === 0 ? unnamed.has(name) : generation <= (upTo.get(relation) ?? Number.NEGATIVE_INFINITY)
}
