import { ValueError } from '../column-codec.ts'
import type { TableContract } from '../contract.ts'
import {
  type AuditMessage,
  type Beacon,
  EnvelopeError,
  epochOfRecord,
  type Incoming,
  type KeyHeaders,
  type ReadBeacon,
  type RowChange,
  readRecord,
  type Truncate,
  type Unreadable,
} from '../envelope.ts'
import { comparePositions, latest, type Position } from '../position.ts'
import { WireError } from '../wire-json.ts'
import type { ChangeFence } from './change-fence.ts'
import {
  generationOf,
  type KeylessProgress,
  type KeylessWrites,
  keylessChange,
  noteReading,
  tablesRead,
} from './keyless-writes.ts'
import { RowChanges, type Segment } from './row-changes.ts'
import { type AppliedTable, type Lookup, type TableRegister, tableName } from './table-register.ts'
import type { HistoryRule, StopRule } from './table-settings.ts'

/** A record of the topic `changes`; an absent value is a tombstone. */
export type ChangeRecord = {
  readonly offset: number
  readonly value: string | undefined
  readonly headers?: KeyHeaders | undefined
}

/** A table whose changes are quarantined from here on; relation 0 where no contract names it. */
export type TableStop = {
  readonly relation: number
  readonly generation: number
  readonly schema: string
  readonly table: string
  readonly reason: string
  /** Whether its rows have to be read again, or its changes can be applied once a cause in the target is gone. */
  readonly repair: 'resync' | 'accept'
  /** Reading its rows again helps and is asked for at once. */
  readonly automatic: boolean
}

/** A record that is kept instead of applied. */
export type QuarantinedRecord = {
  readonly offset: number
  readonly relation: number
  readonly generation: number
  readonly tableName: string | null
  readonly reason: string
}

/** A contract and the place from which it is in force. */
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
  /** Writes of the table from before it, which history keeps. */
  readonly preceding: readonly Segment[]
}

/** What the records of one topic partition do to the target, in this order. */
export type BatchPlan = {
  readonly contracts: KeptContract[]
  /** Contracts whose tables and views have to be as they say. */
  readonly shapes: KeptContract[]
  readonly truncates: AppliedTruncate[]
  readonly segments: readonly Segment[]
  /** To be run in this order. */
  readonly keyless: KeylessWrites[]
  readonly drops: TableContract[]
  /** Contracts that say that rows are complete, or gone. */
  readonly settles: TableContract[]
  readonly audits: AuditMessage[]
  readonly stops: TableStop[]
  readonly quarantined: QuarantinedRecord[]
  /** The newest streamed beacon. */
  beacon: Beacon | undefined
  /** Why nothing of the batch may be applied, and the record that says so. */
  refused: { readonly offset: number; readonly reason: string } | undefined
  /** Attempts of the initial snapshot whose reads are in the batch. */
  readonly initialReads: Position[]
  /** Commit times of the streamed changes that are applied, in ms since 1970. */
  readonly committedAtMs: number[]
  /** Changes of rows, reads included. */
  changes: number
  /** A table waits to be added to the publication, or for a contract that could not be written. */
  awaitsCapture: boolean
}

/** What is known before the records. */
export type BatchContext = {
  /** Number of the topic partition, which is the slot of its contracts and beacons. */
  readonly topicPartition: number
  /** Moved to the end of the batch. */
  readonly register: TableRegister
  /** Moved to the end of the batch. */
  readonly keyless: KeylessProgress
  /** Moved to the end of the batch. Without one, no streamed change is new for certain: history looks each up. */
  readonly fence?: ChangeFence | undefined
  /** Records of earlier epochs are skipped. */
  readonly skipsBeforeEpoch?: number | undefined
  /** Whether a table's changes are quarantined. */
  readonly isStopped: StopRule
  /** Whether a table's changes are kept in history. */
  readonly isLogged: HistoryRule
}

/** What is written of tables with a key, before truncates and after. */
export const segmentsOf = ({ truncates, segments }: Pick<BatchPlan, 'truncates' | 'segments'>): Segment[] => [
  ...truncates.flatMap(({ preceding }) => preceding),
  ...segments,
]

/**
 * Reduces records in offset order to one write per row (apply.md §2). Anything that cannot be applied exactly stops its
 * table, never the others, and never passes in silence.
 */
export function planBatch(records: readonly (ChangeRecord | KeptContract)[], context: BatchContext): BatchPlan {
  const planner = new BatchPlanner(context)
  for (const record of records) planner.take(record)
  return planner.plan
}

class BatchPlanner {
  readonly #rows = new RowChanges()
  readonly plan: BatchPlan = {
    contracts: [],
    shapes: [],
    truncates: [],
    segments: this.#rows.segments,
    keyless: [],
    drops: [],
    settles: [],
    audits: [],
    stops: [],
    quarantined: [],
    beacon: undefined,
    refused: undefined,
    initialReads: [],
    committedAtMs: [],
    changes: 0,
    awaitsCapture: false,
  }
  readonly #context: BatchContext
  readonly #stopped = new Map<string, string>()
  readonly #truncated = new Map<string, Position>()
  readonly #openKeyless = new Map<AppliedTable, KeylessWrites>()

  constructor(context: BatchContext) {
    this.#context = context
  }

  take(record: ChangeRecord | KeptContract): void {
    if ('contract' in record) {
      this.#takeContract(record.offset, record.position, record.contract)
      return
    }
    if (record.value === undefined) {
      this.#keep(record.offset, 'the record has no value, which capture never sends')
      return
    }
    const incoming = this.#read(record.offset, record.value, record.headers)
    if (incoming === undefined || this.#isSkipped(incoming)) return
    switch (incoming.kind) {
      case 'row':
        this.#takeRow(record.offset, incoming.change)
        break
      case 'contract':
        this.#takeSentContract(record.offset, incoming)
        break
      case 'truncate':
        this.#takeTruncate(record.offset, incoming.truncate)
        break
      case 'unreadable':
        this.#takeUnreadable(record.offset, incoming)
        break
      case 'beacon':
        this.#takeBeacon(record.offset, incoming.beacon)
        break
      case 'read beacon':
        this.#takeReadBeacon(record.offset, incoming.position, incoming.beacon)
        break
      case 'impossible':
        this.#takeImpossible(record.offset, incoming)
        break
      case 'audit':
        this.plan.audits.push(incoming.message)
        break
      case 'start':
        this.#context.keyless.ledger.start(incoming)
        this.#context.fence?.restart()
        break
    }
  }

  #read(offset: number, value: string, headers: KeyHeaders | undefined): Incoming | undefined {
    try {
      return readRecord(value, headers)
    } catch (error) {
      if (!(error instanceof EnvelopeError || error instanceof WireError)) throw error
      this.#keep(offset, error.message)
      return undefined
    }
  }

  /**
   * Whether a record is of an epoch that was given up: its successor reads every table again. One that comes behind records
   * of the successor is sent by a worker that is held for dead. Applied, it would make the topic partition forget which
   * beacons and transactions of the present epoch it has had.
   */
  #isSkipped(incoming: Incoming): boolean {
    const { skipsBeforeEpoch = 0, keyless } = this.#context
    const epoch = epochOfRecord(incoming)
    return epoch !== undefined && epoch < Math.max(skipsBeforeEpoch, keyless.ledger.newestEpoch)
  }

  /** Keeps a record that is about no table. */
  #keep(offset: number, reason: string, tableName: string | null = null): void {
    this.plan.quarantined.push({ offset, relation: 0, generation: 0, tableName, reason })
  }

  #takeRow(offset: number, incoming: RowChange): void {
    // Its table is stopped, and will be read again.
    if (incoming.op === 'initial read' && this.#context.keyless.ledger.readsAgain) return
    if (incoming.position.phase === 1) this.#context.keyless.ledger.noteStreamed(incoming.position.epoch)
    const certain = this.#context.fence?.pass(incoming) ?? incoming.position.phase === 0
    const change = this.#inStream(incoming)
    const table = this.#tableOf(offset, change, change.position)
    if (table === undefined) return
    const truncatedAt = this.#truncated.get(generationOf(table))
    if (truncatedAt !== undefined && change.op !== 'later read' && comparePositions(change.position, truncatedAt) < 0) {
      return
    }
    try {
      if (table.keyPlaces.length === 0) this.#takeKeyless(offset, table, change)
      else this.#rows.add(table, change, { offset, certain, logged: this.#context.isLogged(table.contract) })
    } catch (error) {
      if (!(error instanceof ValueError)) throw error
      const automatic = change.op === 'later read' && this.#context.register.meetsFormerReads(table.contract.relation)
      this.#stop(offset, { ...stopOf(table), reason: error.message, automatic })
      return
    }
    this.plan.changes++
    if (change.position.phase === 1) this.plan.committedAtMs.push(change.committedAtMs)
  }

  /** Rows that are read once changes are streamed stand between them, however they are read: they have no other place. */
  #inStream(change: RowChange): RowChange {
    const { epoch } = change.position
    if (change.op !== 'initial read' || !this.#context.keyless.ledger.streams(epoch)) return change
    return { ...change, op: 'later read', position: { epoch, phase: 0, lsn: 0 } }
  }

  /** The table a change is about; undefined when there is nothing left to do about the change. */
  #tableOf(
    offset: number,
    named: { schema: string; table: string; txId?: number | null },
    position: Position,
  ): AppliedTable | undefined {
    const found = this.#context.register.find(tableName(named), position)
    if (found.kind === 'former') return undefined
    if (found.kind === 'refused') {
      this.#stop(offset, { ...stopOfName(named, found), reason: found.reason })
      return undefined
    }
    const { relation, generation } = found.table.contract
    if (!this.#isStopped(relation, generation, tableName(named))) return found.table
    if (this.#wasKept(found.table, named, position)) return undefined
    const reason = this.#stopped.get(stopKey(relation, generation, tableName(named))) ?? 'the table is stopped'
    this.plan.quarantined.push({ offset, relation, generation, tableName: tableName(named), reason })
    return undefined
  }

  /** Whether a change of a stopped table without a key was delivered, and kept, before: applied twice it counts twice. */
  #wasKept(
    { keyPlaces }: AppliedTable,
    change: { readonly txId?: number | null },
    { epoch, phase, lsn }: Position,
  ): boolean {
    if (keyPlaces.length > 0 || phase === 0 || change.txId == null) return false
    return this.#context.keyless.ledger.take(epoch, change.txId, lsn) === undefined
  }

  #takeKeyless(offset: number, table: AppliedTable, change: RowChange): void {
    const counted = keylessChange(this.#context.keyless, table, change, offset)
    if (counted === undefined) return
    const open = this.#openKeyless.get(table) ?? this.#openWrites(table)
    open.changes.push(counted)
  }

  #openWrites(table: AppliedTable, cleared = false, readSnapshot?: string): KeylessWrites {
    const writes = { table, cleared, readSnapshot, changes: [], logged: this.#context.isLogged(table.contract) }
    this.plan.keyless.push(writes)
    this.#openKeyless.set(table, writes)
    return writes
  }

  #takeTruncate(offset: number, truncate: Truncate): void {
    const table = this.#tableOf(offset, truncate, truncate.position)
    if (table === undefined) return
    const { position, txId } = truncate
    const isNew = this.#context.keyless.ledger.take(position.epoch, txId ?? 0, position.lsn) !== undefined
    if (table.keyPlaces.length === 0) {
      if (!isNew) return
      this.#openWrites(table, true)
    } else if (!table.contract.complete) {
      // Its reads carry no place: which of them the truncate follows cannot be told.
      const reason = 'it was truncated while its rows were read'
      this.#stop(offset, { ...stopOf(table), reason, automatic: true })
      return
    }
    const preceding = this.#rows.truncate(table, position)
    this.#truncated.set(generationOf(table), position)
    const logged = this.#context.isLogged(table.contract)
    this.plan.truncates.push({ table, truncate, offset, logged, preceding })
  }

  #takeUnreadable(offset: number, { reason, automatic = false, ...named }: Unreadable): void {
    const found = this.#context.register.find(tableName(named), latest)
    const stop = found.kind === 'applied' ? stopOf(found.table) : stopOfName(named, found)
    this.#stop(offset, { ...stop, reason, automatic })
  }

  /** Only a streamed beacon is a watermark: rows read by the initial snapshot follow the beacon that it reads. */
  #takeBeacon(offset: number, beacon: Beacon): void {
    const { keyless } = this.#context
    const reason = this.#wrongSlot(beacon.slot) ?? keyless.ledger.impossibleBeacon(beacon)
    if (reason !== undefined) {
      this.#keep(offset, reason, 'tidemark.beacon')
      return
    }
    keyless.ledger.meetEpoch(beacon.epoch)
    const broken = keyless.ledger.brokenLog(beacon)
    if (broken !== undefined) this.plan.refused ??= { offset, reason: broken }
    keyless.ledger.beacon(beacon)
    this.plan.awaitsCapture ||= beacon.contractsMissing
    const newest = this.plan.beacon
    const isNewer = newest === undefined || (beacon.epoch - newest.epoch || beacon.number - newest.number) > 0
    if (isNewer) this.plan.beacon = beacon
  }

  #wrongSlot(slot: number): string | undefined {
    const { topicPartition } = this.#context
    if (slot === topicPartition) return undefined
    return `it is of slot ${slot} but came on topic partition ${topicPartition}: was the number of topic partitions changed?`
  }

  #takeReadBeacon(offset: number, position: Position, beacon: ReadBeacon): void {
    const { register, keyless } = this.#context
    const reason = this.#wrongSlot(beacon.slot)
    if (reason !== undefined) {
      this.#keep(offset, reason, 'tidemark.beacon')
      return
    }
    keyless.ledger.meetEpoch(beacon.epoch)
    if (beacon.reading === null && keyless.ledger.hasStreamed(beacon.epoch)) {
      this.#beginAgain()
      return
    }
    if (beacon.reading === null) this.#noteInitialRead(position)
    else keyless.ledger.noteReadBySignal(beacon.epoch)
    if (beacon.readSnapshot === null || !keyless.ledger.isHere(beacon.epoch)) return
    for (const table of tablesRead(register, beacon)) {
      const { relation, generation } = table.contract
      if (this.#isStopped(relation, generation, tableName(table.contract))) {
        // What was kept of it is part of what is read from here on: applied as well it would count twice.
        this.plan.stops.push({ ...stopOf(table), reason: 'it was stopped when its rows were read' })
        continue
      }
      noteReading(keyless, table, beacon.readSnapshot)
      this.#openWrites(table, true, beacon.readSnapshot)
    }
  }

  /**
   * Capture does not know any more how far it came. It streams on from where its initial reading begins again, which
   * reads what was captured when the epoch began: what changed between is missing, and every table has to be read again.
   */
  #beginAgain(): void {
    this.#context.keyless.ledger.beginAgain()
    const reason = 'capture lost its place and began again: changes may be missing'
    for (const table of this.#context.register.applied()) {
      const { relation, generation } = table.contract
      this.#stopped.set(stopKey(relation, generation, tableName(table.contract)), reason)
      // One that is stopped for something else could be accepted otherwise.
      this.plan.stops.push({ ...stopOf(table), reason, automatic: true })
    }
  }

  #noteInitialRead(position: Position): void {
    if (this.#context.keyless.ledger.hasStreamed(position.epoch)) return
    if (position.lsn > (this.plan.initialReads.at(-1)?.lsn ?? 0)) this.plan.initialReads.push(position)
  }

  /** A record of Tidemark's own tables that the source cannot have written says nothing, but its table may lack one. */
  #takeImpossible(offset: number, { table, reason, relation }: Extract<Incoming, { kind: 'impossible' }>): void {
    this.#keep(offset, reason, `tidemark.${table}`)
    const known = relation === null ? undefined : this.#context.register.contractOf(relation)
    if (known === undefined || known.contract.dropped) return
    this.#markStopped({ ...stopOfContract(known.contract), reason: `a contract of it cannot be read: ${reason}` })
  }

  #takeSentContract(offset: number, sent: Extract<Incoming, { kind: 'contract' }>): void {
    const { slot, position, contract } = sent
    const reason = this.#wrongSlot(slot) ?? this.#context.register.impossibleContract(contract, position)
    if (reason !== undefined) {
      this.#takeImpossible(offset, { kind: 'impossible', table: 'table_contract', reason, relation: contract.relation })
      return
    }
    // What is read is noted in tidemark.epoch: an epoch that the source does not have is then found by a diagnosis.
    if (position.phase === 0) this.#context.keyless.ledger.meetEpoch(position.epoch)
    this.#takeContract(offset, position, contract)
  }

  #takeContract(offset: number, position: Position, contract: TableContract): void {
    if (position.phase === 0) this.#noteInitialRead(position)
    const kept = { offset, position, contract }
    this.plan.contracts.push(kept)
    const effect = this.#context.register.enter(contract, position)
    const stopped = this.#isStopped(contract.relation, contract.generation, tableName(contract))
    if (effect.kind === 'shape' && !stopped) this.plan.shapes.push(kept)
    if (contract.dropped || (contract.complete && !stopped)) this.plan.settles.push(contract)
    if (effect.kind === 'drop') this.plan.drops.push(contract)
    if (effect.kind === 'stop') this.#markStopped({ ...stopOfContract(contract), reason: effect.reason })
    if (!contract.published && contract.refusal === null && !contract.dropped) this.plan.awaitsCapture = true
  }

  #stop(offset: number, stop: TableStop): void {
    this.#markStopped(stop)
    const { relation, generation, reason } = stop
    this.plan.quarantined.push({ offset, relation, generation, tableName: tableName(stop), reason })
  }

  #isStopped(relation: number, generation: number, name: string): boolean {
    return this.#stopped.has(stopKey(relation, generation, name)) || this.#context.isStopped(relation, generation, name)
  }

  #markStopped(stop: TableStop): void {
    if (this.#isStopped(stop.relation, stop.generation, tableName(stop))) return
    this.#stopped.set(stopKey(stop.relation, stop.generation, tableName(stop)), stop.reason)
    this.plan.stops.push(stop)
  }
}

const stopKey = (relation: number, generation: number, name: string): string =>
  relation === 0 ? name : `${relation} ${generation}`

const stopOf = ({ contract }: AppliedTable) => stopOfContract(contract)

const stopOfContract = ({ relation, generation, schema, table }: TableContract) =>
  ({ relation, generation, schema, table, repair: 'resync', automatic: false }) as const

function stopOfName({ schema, table }: { schema: string; table: string }, found: Lookup) {
  const { relation, generation } = found.kind === 'refused' ? found : { relation: 0, generation: 0 }
  return { relation, generation, schema, table, repair: 'resync', automatic: false } as const
}
