import { ValueError } from './column-codec.ts'
import type { TableContract } from './contract.ts'
import { type Beacon, EnvelopeError, type Incoming, type RowChange, readRecord } from './envelope.ts'
import { latest, type Position } from './position.ts'
import { type RowWrite, replaces, writeOf } from './row-write.ts'
import { type AppliedTable, type TableRegister, tableName } from './table-register.ts'

/** A record of the topic `changes`; an absent value is a tombstone. */
export type ChangeRecord = { readonly offset: number; readonly value: string | undefined }

/** A table whose changes are quarantined from here on; relation 0 where no contract names it. */
export type TableStop = {
  readonly relation: number
  readonly schema: string
  readonly table: string
  readonly reason: string
}

/** A record that is kept instead of applied. */
export type QuarantinedRecord = { readonly offset: number; readonly tableName: string | null; readonly reason: string }

/** The writes of one table, by row. */
export type TableWrites = { readonly table: AppliedTable; readonly rows: Map<string, RowWrite> }

/** A contract and the place from which it is in force. */
export type KeptContract = {
  readonly offset: number
  readonly position: Position
  readonly contract: TableContract
}

/** What the records of one topic partition do to the target, in this order. */
export type BatchPlan = {
  readonly contracts: KeptContract[]
  readonly creates: TableContract[]
  /** Sets of writes to run one after the other; inside one, each row occurs once. */
  readonly segments: Map<number, TableWrites>[]
  readonly drops: TableContract[]
  readonly stops: TableStop[]
  readonly quarantined: QuarantinedRecord[]
  /** The newest streamed beacon. */
  beacon: Beacon | undefined
  /** Attempts of the initial snapshot whose reads are in the batch. */
  readonly initialReads: Position[]
  /** Commit times of the streamed changes that are applied, in ms since 1970. */
  readonly committedAtMs: number[]
  /** Changes of rows, reads included. */
  changes: number
  /** A table waits to be added to the publication. */
  awaitsCapture: boolean
}

/** Knows whether a table's changes are quarantined. */
export type StoppedTables = { has(relation: number, tableName: string): boolean }

/**
 * Reduces records in offset order to one write per row (apply.md §2). The register is moved to the end of the batch.
 * Anything that cannot be applied exactly stops its table, never the others, and never passes in silence.
 */
export function planBatch(
  records: readonly ChangeRecord[],
  register: TableRegister,
  alreadyStopped: StoppedTables,
): BatchPlan {
  const planner = new BatchPlanner(register, alreadyStopped)
  for (const record of records) planner.take(record)
  return planner.plan
}

class BatchPlanner {
  readonly plan: BatchPlan = {
    contracts: [],
    creates: [],
    segments: [new Map()],
    drops: [],
    stops: [],
    quarantined: [],
    beacon: undefined,
    initialReads: [],
    committedAtMs: [],
    changes: 0,
    awaitsCapture: false,
  }
  readonly #register: TableRegister
  readonly #alreadyStopped: StoppedTables
  readonly #stopped = new Map<string, string>()

  constructor(register: TableRegister, alreadyStopped: StoppedTables) {
    this.#register = register
    this.#alreadyStopped = alreadyStopped
  }

  take(record: ChangeRecord): void {
    if (record.value === undefined) return
    const incoming = this.#read(record.offset, record.value)
    switch (incoming?.kind) {
      case 'row':
        this.#takeRow(record.offset, incoming.change)
        break
      case 'contract':
        this.#takeContract(record.offset, incoming.position, incoming.contract)
        break
      case 'truncate':
        this.#takeTruncate(record.offset, incoming)
        break
      case 'unreadable':
        this.#takeUnreadable(record.offset, incoming)
        break
      case 'beacon':
        this.#takeBeacon(incoming.position, incoming.beacon)
        break
    }
  }

  #read(offset: number, value: string): Incoming | undefined {
    try {
      return readRecord(value)
    } catch (error) {
      if (!(error instanceof EnvelopeError || error instanceof SyntaxError)) throw error
      this.plan.quarantined.push({ offset, tableName: null, reason: error.message })
      return undefined
    }
  }

  #takeRow(offset: number, change: RowChange): void {
    const name = tableName(change)
    const found = this.#register.find(name, change.position)
    if (found.kind === 'former') return
    if (found.kind === 'refused') {
      this.#stop(offset, change, found.relation, found.reason)
      return
    }
    const { relation } = found.table.contract
    if (this.#isStopped(relation, name)) {
      this.#quarantine(offset, name, this.#stopped.get(name) ?? 'the table is stopped')
      return
    }
    try {
      const { key, write } = writeOf(found.table, change)
      this.#add(found.table, key, write)
    } catch (error) {
      if (!(error instanceof ValueError)) throw error
      this.#stop(offset, change, relation, error.message)
      return
    }
    this.plan.changes++
    if (change.position.phase === 1) this.plan.committedAtMs.push(change.committedAtMs)
  }

  #takeUnreadable(offset: number, { schema, table, reason }: { schema: string; table: string; reason: string }): void {
    const found = this.#register.find(tableName({ schema, table }), latest)
    const relation =
      found.kind === 'applied' ? found.table.contract.relation : found.kind === 'refused' ? found.relation : 0
    this.#stop(offset, { schema, table }, relation, reason)
  }

  #takeBeacon(position: Position, beacon: Beacon): void {
    // Rows read by the initial snapshot follow the beacon that it reads: only a streamed one is a watermark.
    if (position.phase === 0) this.#noteInitialRead(position)
    else if (beacon.number > (this.plan.beacon?.number ?? 0)) this.plan.beacon = beacon
  }

  #noteInitialRead(position: Position): void {
    if (position.lsn > (this.plan.initialReads.at(-1)?.lsn ?? 0)) this.plan.initialReads.push(position)
  }

  #takeTruncate(offset: number, truncate: { schema: string; table: string; position: Position }): void {
    const found = this.#register.find(tableName(truncate), truncate.position)
    if (found.kind === 'former') return
    const relation = found.kind === 'applied' ? found.table.contract.relation : found.relation
    this.#stop(offset, truncate, relation, 'the source truncated it, which is not carried yet')
  }

  #add(table: AppliedTable, key: string, write: RowWrite): void {
    const { rows } = this.#writesOf(table)
    const earlier = rows.get(key)
    if (earlier === undefined) rows.set(key, write)
    else if (earlier.mode === write.mode) {
      if (replaces(earlier, write)) rows.set(key, write)
    } else {
      // Which of the two wins depends on the stored row: they are run one after the other.
      this.plan.segments.push(new Map())
      this.#writesOf(table).rows.set(key, write)
    }
  }

  #writesOf(table: AppliedTable): TableWrites {
    const segment = this.plan.segments.at(-1)!
    const { relation } = table.contract
    const writes = segment.get(relation) ?? { table, rows: new Map() }
    segment.set(relation, writes)
    return writes
  }

  #takeContract(offset: number, position: Position, contract: TableContract): void {
    if (position.phase === 0) this.#noteInitialRead(position)
    this.plan.contracts.push({ offset, position, contract })
    const effect = this.#register.enter(contract, position)
    if (effect.kind === 'create' && !this.#isStopped(contract.relation, tableName(contract)))
      this.plan.creates.push(contract)
    if (effect.kind === 'drop') this.#takeDrop(contract)
    if (effect.kind === 'stop') this.#markStopped(contract, contract.relation, effect.reason)
    if (!contract.published && contract.refusal === null && !contract.dropped) this.plan.awaitsCapture = true
  }

  #takeDrop(contract: TableContract): void {
    this.plan.drops.push(contract)
    this.#stopped.delete(tableName(contract))
  }

  #stop(offset: number, table: { schema: string; table: string }, relation: number, reason: string): void {
    this.#markStopped(table, relation, reason)
    this.#quarantine(offset, tableName(table), reason)
  }

  #quarantine(offset: number, name: string, reason: string): void {
    this.plan.quarantined.push({ offset, tableName: name, reason })
  }

  #isStopped(relation: number, name: string): boolean {
    return this.#stopped.has(name) || this.#alreadyStopped.has(relation, name)
  }

  #markStopped(table: { schema: string; table: string }, relation: number, reason: string): void {
    if (this.#isStopped(relation, tableName(table))) return
    this.#stopped.set(tableName(table), reason)
    this.plan.stops.push({ relation, schema: table.schema, table: table.table, reason })
  }
}
