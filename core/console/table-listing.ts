import type { TableContract } from '../contract.ts'
import type { Status } from '../status/status.ts'
import { contractDifferences } from './contract-differences.ts'
import type { ContractVersion, ListedTable, TableCure, TableDetail } from './tables.ts'
import type { Time } from './values.ts'

/** What is known of tables besides the status. */
export type TableCounts = {
  /** Changes of the last day by table; null if they were not counted. */
  readonly changes: ReadonlyMap<string, NonNullable<ListedTable['changes']>> | null
  /** Tables of which no history is kept. */
  readonly unkept: ReadonlySet<string>
  readonly quarantined: ReadonlyMap<string, number>
}

/** All tables of a status in the order of their names: those of the source, and those that are no longer captured. */
export function listTables(status: Status, counts: TableCounts): ListedTable[] {
  const reasons = new Map([
    ...status.uncaptured.map(({ name, why }) => [name, why] as const),
    ...status.notCaptured.map(({ name, reason }) => [name, reason] as const),
    ...status.stopped.flatMap((part) => (part.kind === 'table' ? [[part.table, part.reason] as const] : [])),
  ])
  const known = new Set(status.tables.map(({ name }) => name))
  const gone = new Set(status.notCaptured.map(({ name }) => name))
  const shown = status.tables.map((table) => ({
    ...table,
    state: gone.has(table.name) && table.state !== 'stopped' ? ('not captured' as const) : table.state,
  }))
  const others = [...reasons.keys()].filter((name) => !known.has(name))
  const stopped = new Set(status.stopped.flatMap((part) => (part.kind === 'table' ? [part.table] : [])))
  return [...shown, ...others.map((name) => unknownTable(name, stopped.has(name)))]
    .map((table) => ({ ...table, ...countsOf(table.name, counts), reason: reasons.get(table.name) ?? null }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** A table that the source does not count, such as one that was refused. */
const unknownTable = (name: string, isStopped: boolean) => ({
  name,
  state: isStopped ? ('stopped' as const) : ('not captured' as const),
  source: { rows: 0, isEstimate: true },
  target: null,
  changedSecondsAgo: null,
})

const none = { inserts: 0, updates: 0, deletes: 0 }

const countsOf = (name: string, { changes, unkept, quarantined }: TableCounts) => ({
  changes: changes === null || unkept.has(name) ? null : (changes.get(name) ?? none),
  quarantined: quarantined.get(name) ?? 0,
})

/** When a version of a contract was written. */
export type ContractTime = {
  readonly epoch: number
  readonly relation: number
  readonly version: number
  readonly at: Time
}

/** The versions of a contract, newest first, with what each has changed. `contracts` are newest first. */
export function contractVersions(
  contracts: readonly { readonly epoch: number; readonly contract: TableContract }[],
  times: readonly ContractTime[] = [],
): ContractVersion[] {
  const nameOf = (epoch: number, relation: number, version: number) => `${epoch} ${relation} ${version}`
  const written = new Map(times.map(({ epoch, relation, version, at }) => [nameOf(epoch, relation, version), at]))
  return contracts.map(({ epoch, contract }, i) => {
    const before = contracts.slice(i + 1).find((earlier) => earlier.contract.relation === contract.relation)?.contract
    const isFirst = before === undefined
    const isReread = !isFirst && before.generation !== contract.generation
    return {
      version: contract.version,
      epoch,
      at: written.get(nameOf(epoch, contract.relation, contract.version)) ?? null,
      table: `${contract.schema}.${contract.table}`,
      columns: contract.columns.map(({ name, type, key, nullable }) => ({
        name,
        type,
        isKey: key !== null,
        isNullable: nullable,
      })),
      differences: isFirst ? [] : contractDifferences(before, contract),
      effect: isFirst ? 'first' : isReread ? 'new generation' : 'in place',
    }
  })
}

/** Ways to resolve what is wrong with a table. */
export function curesOf(status: Status, table: string): TableDetail['cures'] {
  const cures: TableCure[] = []
  for (const part of status.stopped) {
    if (part.kind === 'table' && part.table === table) cures.push(cureOfStop(part.reason, part.command, table))
  }
  const waiting = [
    ...status.notCaptured,
    ...status.uncaptured.map(({ name, why, fix }) => ({ name, reason: why, fix })),
  ]
  for (const { name, reason, fix } of waiting) {
    if (name === table) cures.push(cureInSource(reason, fix))
  }
  for (const { name, part } of status.missing) if (name === table) cures.push(cureOfMissing(table, part))
  for (const { table: of, reason, command } of status.indexProblems) {
    if (of === table)
      cures.push({
        reason,
        does: 'The index is made again, or its declaration is removed.',
        command,
        sql: null,
        action: null,
      })
  }
  return cures
}

function cureOfStop(reason: string, command: string | null, table: string): TableCure {
  const sql = null
  if (command === null) return { reason, does: 'It resolves by itself.', command, sql, action: null }
  if (command.startsWith('npm run accept')) {
    const does = 'Its changes in quarantine are applied in their order, and then the later ones.'
    return { reason, does, command, sql, action: { name: 'table.accept', target: table } }
  }
  if (command.startsWith('npm run resync')) {
    const does = 'Its rows are read again from the source, and its changes in quarantine are deleted.'
    return { reason, does, command, sql, action: { name: 'table.resync', target: table } }
  }
  const does = 'Its records in quarantine are deleted.'
  return { reason, does, command, sql, action: { name: 'quarantine.discard', target: table } }
}

const cureInSource = (reason: string, sql: string | null): TableCure => ({
  reason,
  does: sql === null ? 'It only has to wait.' : 'This SQL in the source lets it be captured.',
  command: null,
  sql,
  action: null,
})

const cureOfMissing = (table: string, part: 'rows' | 'view'): TableCure => ({
  reason: `its ${part === 'rows' ? 'rows were' : 'view was'} dropped by hand in the target`,
  does: part === 'rows' ? 'The rows are read again.' : 'The view is created again.',
  command: 'npm run recover',
  sql: null,
  action: part === 'rows' ? { name: 'table.resync', target: table } : { name: 'capture.recover', target: 'all' },
})
