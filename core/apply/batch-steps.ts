// Which steps can a batch have, and in which order are they executed?

import type { TableContract } from '../contract.ts'
import type { LedgerChanges } from '../keyless/keyless-ledger.ts'
import { generationOf, type KeylessWrites } from '../keyless/keyless-writes.ts'
import type { Position } from '../position.ts'
import type { AppliedTable } from '../tables/table-register.ts'
import type { AuditMessage, Beacon, RowChange, Truncate } from '../wire/change.ts'
import type { Segment, TableWrites } from './row-changes.ts'

/** A table whose changes are quarantined from here on; relation is 0 when no contract names it. */
export type TableStop = {
  readonly relation: number
  readonly generation: number
  readonly schema: string
  readonly table: string
  readonly reason: string
  /**
   * `resync`: its rows have to be read again. `accept`: its changes can be applied once the cause in the target is
   * gone.
   */
  readonly repair: 'resync' | 'accept'
  /** Whether the table is read again at once, without a user asking for it, because that resolves the cause. */
  readonly automatic: boolean
}

/** A record that is quarantined instead of applied. */
export type QuarantinedRecord = {
  readonly offset: number
  readonly relation: number
  readonly generation: number
  readonly tableName: string | null
  readonly reason: string
}

/** A contract and the position from which it is in force. */
export type KeptContract = {
  readonly offset: number
  readonly position: Position
  readonly contract: TableContract
}

/** A truncate, and whether history keeps it. */
export type AppliedTruncate = {
  readonly table: AppliedTable
  readonly truncate: Truncate
  readonly offset: number
  readonly logged: boolean
}

/** A generation whose rows are written. `unlogged`: some of the writes are of changes that history does not keep. */
export type HeldGeneration = { readonly contract: TableContract; readonly unlogged: boolean }

/** One thing that a batch does to the target. */
export type Step =
  /**
   * Creates history's table partitions for these UTC days where they do not exist. Days are counted from 1970-01-01.
   */
  | { readonly kind: 'ensure days'; readonly days: readonly number[] }
  /** Creates or alters the table, its columns and its view as the contract says. */
  | { readonly kind: 'shape'; readonly kept: KeptContract }
  /**
   * Makes truncates by other topic partitions wait, and reads which ones they have applied, so that rows from before a
   * truncate are not written again.
   */
  | { readonly kind: 'hold generations'; readonly generations: readonly HeldGeneration[] }
  /** Writes rows of tables with a key, and the history of their changes. In one step each row occurs once. */
  | { readonly kind: 'write rows'; readonly tables: readonly TableWrites[] }
  | { readonly kind: 'truncate'; readonly truncated: AppliedTruncate }
  /** Counts rows of a keyless table, and writes the history of their changes. */
  | { readonly kind: 'count rows'; readonly writes: KeylessWrites }
  | { readonly kind: 'keep audits'; readonly messages: readonly AuditMessage[] }
  /** The relation was dropped in the source. */
  | { readonly kind: 'drop'; readonly relation: number }
  /** Stops the table while another table still has its name. */
  | { readonly kind: 'await name'; readonly relation: number }
  | { readonly kind: 'keep contracts'; readonly contracts: readonly KeptContract[] }
  /** Shows the generation, or removes what was dropped, once the contract has come in every topic partition. */
  | { readonly kind: 'finalize'; readonly contract: TableContract }
  | { readonly kind: 'stop table'; readonly stop: TableStop }
  /** An attempt of the initial snapshot has begun. */
  | { readonly kind: 'begin initial read'; readonly position: Position }
  /** The first streamed beacon shows that the initial snapshot has ended; later beacons change nothing. */
  | { readonly kind: 'finish initial read'; readonly beacon: Beacon }
  | { readonly kind: 'keep ledger'; readonly ledger: LedgerChanges }
  | { readonly kind: 'quarantine'; readonly records: readonly QuarantinedRecord[] }

/** The steps of a kind. */
export const stepsOf = <K extends Step['kind']>(steps: readonly Step[], kind: K): Extract<Step, { kind: K }>[] =>
  steps.filter((step): step is Extract<Step, { kind: K }> => step.kind === kind)

/** What the records of a batch add up to, before the steps are put in order. */
export type Collected = {
  readonly contracts: KeptContract[]
  /** Contracts whose tables and views have to be created or altered. */
  readonly shapes: KeptContract[]
  /** Truncates, each with the earlier writes of its table that history keeps. */
  readonly truncates: { readonly truncated: AppliedTruncate; readonly preceding: readonly Segment[] }[]
  readonly segments: readonly Segment[]
  /** They are executed in this order. */
  readonly keyless: KeylessWrites[]
  readonly drops: TableContract[]
  /** Contracts which say that the rows are complete, or that the relation was dropped. */
  readonly finalizations: TableContract[]
  readonly audits: AuditMessage[]
  readonly stops: TableStop[]
  readonly quarantined: QuarantinedRecord[]
  /** Positions of the attempts of the initial snapshot that records of the batch belong to. */
  readonly initialReads: Position[]
}

/** Puts the steps of a batch in the order in which they are executed. */
export function inOrder(
  collected: Collected,
  beacon: Beacon | undefined,
  ledger: LedgerChanges | undefined,
): readonly Step[] {
  const { contracts, shapes, truncates, segments, keyless, drops, finalizations, audits, stops, quarantined } =
    collected
  const writes = [...truncates.flatMap(({ preceding }) => preceding), ...segments]
  const days = daysOf(collected, writes)
  const held = heldGenerations(writes)
  const steps: Step[] = []
  // Table partitions of days are locked before tables, here as everywhere, so that two topic partitions cannot
  // deadlock.
  if (days.length > 0) steps.push({ kind: 'ensure days', days })
  for (const kept of shapes) steps.push({ kind: 'shape', kept })
  if (held.length > 0) steps.push({ kind: 'hold generations', generations: held })
  // Of a truncated table, `segments` has only the writes that come after the truncate.
  for (const { preceding, truncated } of truncates) {
    // History may need values of rows that the truncate removes, so these writes come before it.
    steps.push(...writeSteps(preceding), { kind: 'truncate', truncated })
  }
  steps.push(...writeSteps(segments))
  for (const one of keyless) steps.push({ kind: 'count rows', writes: one })
  if (audits.length > 0) steps.push({ kind: 'keep audits', messages: audits })
  // A name is free only after the table that had it is dropped.
  for (const { relation } of drops) steps.push({ kind: 'drop', relation })
  for (const { contract } of shapes) steps.push({ kind: 'await name', relation: contract.relation })
  // Whether a generation is shown is decided from the stored contracts, so they are stored first.
  if (contracts.length > 0) steps.push({ kind: 'keep contracts', contracts })
  for (const contract of lastOfEach(finalizations)) steps.push({ kind: 'finalize', contract })
  for (const stop of stops) steps.push({ kind: 'stop table', stop })
  for (const position of collected.initialReads) steps.push({ kind: 'begin initial read', position })
  if (beacon !== undefined) steps.push({ kind: 'finish initial read', beacon })
  if (ledger !== undefined) steps.push({ kind: 'keep ledger', ledger })
  if (quarantined.length > 0) steps.push({ kind: 'quarantine', records: quarantined })
  return steps
}

const doneWhenDelivered: ReadonlySet<Step['kind']> = new Set([
  'keep contracts',
  'finalize',
  'stop table',
  'begin initial read',
  'finish initial read',
  'keep ledger',
  'quarantine',
] as const)

/**
 * The steps to execute for quarantined records that are applied later. The other steps were executed when the records
 * were delivered.
 */
export const stepsForQuarantined = (steps: readonly Step[]): readonly Step[] =>
  steps.filter(({ kind }) => !doneWhenDelivered.has(kind))

const writeSteps = (segments: readonly Segment[]): Step[] =>
  segments.filter(({ size }) => size > 0).map((segment) => ({ kind: 'write rows', tables: [...segment.values()] }))

const lastOfEach = (contracts: readonly TableContract[]): Iterable<TableContract> =>
  new Map(contracts.map((contract) => [contract.relation, contract])).values()

/**
 * The UTC days of the changes that history keeps. Their table partitions have to exist before the changes are written.
 */
function daysOf({ keyless, truncates }: Collected, writes: readonly Segment[]): number[] {
  const days = new Set<number>()
  for (const segment of writes) {
    for (const { log } of segment.values()) for (const { change } of log) days.add(dayOf(change))
  }
  for (const { changes, logged } of keyless) if (logged) for (const { change } of changes) days.add(dayOf(change))
  for (const { truncated } of truncates) if (truncated.logged) days.add(dayOf(truncated.truncate))
  return [...days].sort((a, b) => a - b)
}

const dayOf = ({ committedAtMs }: Pick<RowChange, 'committedAtMs'>): number => Math.floor(committedAtMs / 86_400_000)

function heldGenerations(writes: readonly Segment[]): HeldGeneration[] {
  const held = new Map<string, HeldGeneration>()
  for (const segment of writes) {
    for (const { table, rows, log } of segment.values()) {
      const generation = generationOf(table)
      const unlogged = held.get(generation)?.unlogged === true || (rows.size > 0 && log.length === 0)
      held.set(generation, { contract: table.contract, unlogged })
    }
  }
  return [...held.values()]
}
