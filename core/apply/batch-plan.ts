import { ValueError } from '../column-codec.ts'
import type { TableContract } from '../contract.ts'
import {
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
import {
  generationOf,
  type KeylessProgress,
  type KeylessWrites,
  keylessChange,
  tablesRead,
  withReading,
} from '../keyless/keyless-writes.ts'
import { comparePositions, latest, type Position } from '../position.ts'
import { type AppliedTable, type Lookup, TableRegister, tableName } from '../tables/table-register.ts'
import type { HistoryRule, StopRule } from '../tables/table-settings.ts'
import { WireError } from '../wire-json.ts'
import { type Collected, inOrder, type KeptContract, type Step, type TableStop } from './batch-steps.ts'
import { ChangeFence, type FenceState } from './change-fence.ts'
import { anotherSource, type KnownSource } from './known-source.ts'
import { RowChanges } from './row-changes.ts'

/** A record of the topic `changes`; an absent value is a tombstone. */
export type ChangeRecord = {
  readonly offset: number
  readonly value: string | undefined
  readonly headers?: KeyHeaders | undefined
}

/** What is known of a topic partition at one place of it. Planning changes none of it. */
export type PartitionState = {
  readonly register: TableRegister
  readonly keyless: KeylessProgress
  /** Without one, no streamed change is new for certain: history looks each up. */
  readonly fence: FenceState | undefined
}

/** What is known before the records. */
export type Known = PartitionState & {
  /** Number of the topic partition, which is the slot of its contracts and beacons. */
  readonly topicPartition: number
  /** Records of earlier epochs are skipped. */
  readonly skipsBeforeEpoch?: number | undefined
  /** Where records came from so far; without it any source will do. */
  readonly source?: KnownSource | undefined
  /** Whether a table's changes are quarantined. */
  readonly isStopped: StopRule
  /** Whether a table's changes are kept in history. */
  readonly isLogged: HistoryRule
}

/** What the records of one topic partition do to the target. */
export type BatchPlan = {
  /** To be taken in this order, unless the batch is refused. */
  readonly steps: readonly Step[]
  /** What is known behind the records. */
  readonly next: PartitionState
  /** Why nothing of the batch may be applied, and the record that says so. */
  readonly refused: { readonly offset: number; readonly reason: string } | undefined
  /** The newest streamed beacon. */
  readonly beacon: Beacon | undefined
  /** Commit times of the streamed changes that are applied, in ms since 1970. */
  readonly committedAtMs: readonly number[]
  /** Changes of rows, reads included. */
  readonly changes: number
  /** Records that are kept instead of applied. */
  readonly quarantined: number
  /** A table waits to be added to the publication, or for a contract that could not be written. */
  readonly awaitsCapture: boolean
}

/**
 * Reduces records in offset order to one write per row, and puts what they do in order. Anything that cannot be applied exactly
 * stops its table, never the others, and never passes in silence.
 */
export function planBatch(records: readonly (ChangeRecord | KeptContract)[], known: Known): BatchPlan {
  const planner = new BatchPlanner(known)
  for (const record of records) planner.take(record)
  return planner.plan()
}

class BatchPlanner {
  readonly #rows = new RowChanges()
  readonly #collected: Collected = {
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
    initialReads: [],
  }
  readonly #known: Known
  /** A copy of the one that is known once a contract has come: most batches have none. */
  #register: TableRegister
  /** Its ledger is a copy of the one that is known. */
  #keyless: KeylessProgress
  readonly #fence: ChangeFence | undefined
  readonly #stopped = new Map<string, string>()
  readonly #truncated = new Map<string, Position>()
  readonly #openKeyless = new Map<AppliedTable, KeylessWrites>()
  readonly #committedAtMs: number[] = []
  #changes = 0
  #beacon: Beacon | undefined
  #refused: BatchPlan['refused']
  #awaitsCapture = false

  constructor(known: Known) {
    this.#known = known
    this.#register = known.register
    this.#keyless = { ...known.keyless, ledger: known.keyless.ledger.copy() }
    this.#fence = known.fence && new ChangeFence(known.fence)
  }

  plan(): BatchPlan {
    return {
      steps: inOrder(this.#collected, this.#beacon, this.#keyless.ledger.changes()),
      next: { register: this.#register, keyless: this.#keyless, fence: this.#fence?.state },
      refused: this.#refusedAsAnotherSource() ?? this.#refused,
      beacon: this.#beacon,
      committedAtMs: this.#committedAtMs,
      changes: this.#changes,
      quarantined: this.#collected.quarantined.length,
      awaitsCapture: this.#awaitsCapture,
    }
  }

  #refusedAsAnotherSource(): BatchPlan['refused'] {
    const { source } = this.#known
    const reason = source && anotherSource(this.#beacon, source)
    return reason === undefined ? undefined : { offset: source!.nextOffset, reason }
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
        this.#collected.audits.push(incoming.message)
        break
      case 'start':
        this.#keyless.ledger.start(incoming)
        this.#fence?.restart()
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
    const { skipsBeforeEpoch = 0 } = this.#known
    const { newestEpoch } = this.#keyless.ledger
    const epoch = epochOfRecord(incoming)
    return epoch !== undefined && epoch < Math.max(skipsBeforeEpoch, newestEpoch)
  }

  /** Keeps a record that is about no table. */
  #keep(offset: number, reason: string, tableName: string | null = null): void {
    this.#collected.quarantined.push({ offset, relation: 0, generation: 0, tableName, reason })
  }

  #takeRow(offset: number, incoming: RowChange): void {
    // Its table is stopped, and will be read again.
    if (incoming.op === 'initial read' && this.#keyless.ledger.readsAgain) return
    if (incoming.position.phase === 1) this.#keyless.ledger.noteStreamed(incoming.position.epoch)
    const certain = this.#fence?.pass(incoming) ?? incoming.position.phase === 0
    const change = this.#inStream(incoming)
    const table = this.#tableOf(offset, change, change.position)
    if (table === undefined) return
    const truncatedAt = this.#truncated.get(generationOf(table))
    if (truncatedAt !== undefined && change.op !== 'later read' && comparePositions(change.position, truncatedAt) < 0) {
      return
    }
    try {
      if (table.keyPlaces.length === 0) this.#takeKeyless(offset, table, change)
      else this.#rows.add(table, change, { offset, certain, logged: this.#known.isLogged(table.contract) })
    } catch (error) {
      if (!(error instanceof ValueError)) throw error
      const automatic = change.op === 'later read' && this.#register.meetsFormerReads(table.contract.relation)
      this.#stop(offset, { ...stopOf(table), reason: error.message, automatic })
      return
    }
    this.#changes++
    if (change.position.phase === 1) this.#committedAtMs.push(change.committedAtMs)
  }

  /** Rows that are read once changes are streamed stand between them, however they are read: they have no other place. */
  #inStream(change: RowChange): RowChange {
    const { epoch } = change.position
    if (change.op !== 'initial read' || !this.#keyless.ledger.streams(epoch)) return change
    return { ...change, op: 'later read', position: { epoch, phase: 0, lsn: 0 } }
  }

  /** The table a change is about; undefined when there is nothing left to do about the change. */
  #tableOf(
    offset: number,
    named: { schema: string; table: string; txId?: number | null },
    position: Position,
  ): AppliedTable | undefined {
    const found = this.#register.find(tableName(named), position)
    if (found.kind === 'former') return undefined
    if (found.kind === 'refused') {
      this.#stop(offset, { ...stopOfName(named, found), reason: found.reason })
      return undefined
    }
    const { relation, generation } = found.table.contract
    if (!this.#isStopped(relation, generation, tableName(named))) return found.table
    if (this.#wasKept(found.table, named, position)) return undefined
    const reason = this.#stopped.get(stopKey(relation, generation, tableName(named))) ?? 'the table is stopped'
    this.#collected.quarantined.push({ offset, relation, generation, tableName: tableName(named), reason })
    return undefined
  }

  /**
   * Whether what has no key, a change of a stopped table without one or a truncate, was delivered, and kept, before. Applied
   * twice a change counts twice, and a truncate would be met while rows are read that follow it.
   */
  #wasKept(
    { keyPlaces }: AppliedTable,
    change: { readonly txId?: number | null },
    { epoch, phase, lsn }: Position,
  ): boolean {
    if ((keyPlaces.length > 0 && 'op' in change) || phase === 0 || change.txId == null) return false
    return this.#keyless.ledger.take(epoch, change.txId, lsn) === undefined
  }

  #takeKeyless(offset: number, table: AppliedTable, change: RowChange): void {
    const counted = keylessChange(this.#keyless, table, change, offset)
    if (counted === undefined) return
    const open = this.#openKeyless.get(table) ?? this.#openWrites(table)
    open.changes.push(counted)
  }

  #openWrites(table: AppliedTable, cleared = false, readSnapshot?: string): KeylessWrites {
    const writes = { table, cleared, readSnapshot, changes: [], logged: this.#known.isLogged(table.contract) }
    this.#collected.keyless.push(writes)
    this.#openKeyless.set(table, writes)
    return writes
  }

  #takeTruncate(offset: number, truncate: Truncate): void {
    const table = this.#tableOf(offset, truncate, truncate.position)
    if (table === undefined) return
    const { position, txId } = truncate
    const isNew = this.#keyless.ledger.take(position.epoch, txId ?? 0, position.lsn) !== undefined
    // Of a table that is being read, the one that comes again is from before its reading began.
    if (!isNew && (table.keyPlaces.length === 0 || !table.contract.complete)) return
    if (table.keyPlaces.length === 0) {
      this.#openWrites(table, true)
    } else if (!table.contract.complete) {
      // Its reads carry no place: which of them the truncate follows cannot be told.
      const reason = 'it was truncated while its rows were read'
      this.#stop(offset, { ...stopOf(table), reason, automatic: true })
      return
    }
    const preceding = this.#rows.truncate(table, position)
    this.#truncated.set(generationOf(table), position)
    const logged = this.#known.isLogged(table.contract)
    this.#collected.truncates.push({ truncated: { table, truncate, offset, logged }, preceding })
  }

  #takeUnreadable(offset: number, { reason, automatic = false, ...named }: Unreadable): void {
    const found = this.#register.find(tableName(named), latest)
    const stop = found.kind === 'applied' ? stopOf(found.table) : stopOfName(named, found)
    this.#stop(offset, { ...stop, reason, automatic })
  }

  /** Only a streamed beacon is a watermark: rows read by the initial snapshot follow the beacon that it reads. */
  #takeBeacon(offset: number, beacon: Beacon): void {
    const { ledger } = this.#keyless
    const reason = this.#wrongSlot(beacon.slot) ?? ledger.impossibleBeacon(beacon)
    if (reason !== undefined) {
      this.#keep(offset, reason, 'tidemark.beacon')
      return
    }
    ledger.meetEpoch(beacon.epoch)
    const broken = ledger.brokenLog(beacon)
    if (broken !== undefined) this.#refused ??= { offset, reason: broken }
    ledger.beacon(beacon)
    this.#awaitsCapture ||= beacon.contractsMissing
    const newest = this.#beacon
    const isNewer = newest === undefined || (beacon.epoch - newest.epoch || beacon.number - newest.number) > 0
    if (isNewer) this.#beacon = beacon
  }

  #wrongSlot(slot: number): string | undefined {
    const { topicPartition } = this.#known
    if (slot === topicPartition) return undefined
    return `it is of slot ${slot} but came on topic partition ${topicPartition}: was the number of topic partitions changed?`
  }

  #takeReadBeacon(offset: number, position: Position, beacon: ReadBeacon): void {
    const { ledger } = this.#keyless
    const reason = this.#wrongSlot(beacon.slot)
    if (reason !== undefined) {
      this.#keep(offset, reason, 'tidemark.beacon')
      return
    }
    ledger.meetEpoch(beacon.epoch)
    if (beacon.reading === null && ledger.hasStreamed(beacon.epoch)) {
      this.#beginAgain()
      return
    }
    if (beacon.reading === null) this.#noteInitialRead(position)
    else ledger.noteReadBySignal(beacon.epoch)
    if (beacon.readSnapshot === null || !ledger.isHere(beacon.epoch)) return
    for (const table of tablesRead(this.#register, beacon)) {
      const { relation, generation } = table.contract
      if (this.#isStopped(relation, generation, tableName(table.contract))) {
        // What was kept of it is part of what is read from here on: applied as well it would count twice.
        this.#collected.stops.push({ ...stopOf(table), reason: 'it was stopped when its rows were read' })
        continue
      }
      this.#keyless = withReading(this.#keyless, table, beacon.readSnapshot)
      this.#openWrites(table, true, beacon.readSnapshot)
    }
  }

  /**
   * Capture does not know any more how far it came. It streams on from where its initial reading begins again, which
   * reads what was captured when the epoch began: what changed between is missing, and every table has to be read again.
   */
  #beginAgain(): void {
    this.#keyless.ledger.beginAgain()
    const reason = 'capture lost its place and began again: changes may be missing'
    for (const table of this.#register.applied()) {
      const { relation, generation } = table.contract
      this.#stopped.set(stopKey(relation, generation, tableName(table.contract)), reason)
      // One that is stopped for something else could be accepted otherwise.
      this.#collected.stops.push({ ...stopOf(table), reason, automatic: true })
    }
  }

  #noteInitialRead(position: Position): void {
    if (this.#keyless.ledger.hasStreamed(position.epoch)) return
    if (position.lsn > (this.#collected.initialReads.at(-1)?.lsn ?? 0)) this.#collected.initialReads.push(position)
  }

  /** A record of Tidemark's own tables that the source cannot have written says nothing, but its table may lack one. */
  #takeImpossible(offset: number, { table, reason, relation }: Extract<Incoming, { kind: 'impossible' }>): void {
    this.#keep(offset, reason, `tidemark.${table}`)
    const known = relation === null ? undefined : this.#register.contractOf(relation)
    if (known === undefined || known.contract.dropped) return
    this.#markStopped({ ...stopOfContract(known.contract), reason: `a contract of it cannot be read: ${reason}` })
  }

  #takeSentContract(offset: number, sent: Extract<Incoming, { kind: 'contract' }>): void {
    const { slot, position, contract } = sent
    const reason = this.#wrongSlot(slot) ?? this.#register.impossibleContract(contract, position)
    if (reason !== undefined) {
      this.#takeImpossible(offset, { kind: 'impossible', table: 'table_contract', reason, relation: contract.relation })
      return
    }
    // What is read is noted in tidemark.epoch: an epoch that the source does not have is then found by a diagnosis.
    if (position.phase === 0) this.#keyless.ledger.meetEpoch(position.epoch)
    this.#takeContract(offset, position, contract)
  }

  #takeContract(offset: number, position: Position, contract: TableContract): void {
    if (position.phase === 0) this.#noteInitialRead(position)
    const kept = { offset, position, contract }
    this.#collected.contracts.push(kept)
    if (this.#register === this.#known.register) this.#register = new TableRegister(this.#register)
    const effect = this.#register.enter(contract, position)
    const stopped = this.#isStopped(contract.relation, contract.generation, tableName(contract))
    if (effect.kind === 'shape' && !stopped) this.#collected.shapes.push(kept)
    if (contract.dropped || (contract.complete && !stopped)) this.#collected.settles.push(contract)
    if (effect.kind === 'drop') this.#collected.drops.push(contract)
    if (effect.kind === 'stop') this.#markStopped({ ...stopOfContract(contract), reason: effect.reason })
    if (!contract.published && contract.refusal === null && !contract.dropped) this.#awaitsCapture = true
  }

  #stop(offset: number, stop: TableStop): void {
    this.#markStopped(stop)
    const { relation, generation, reason } = stop
    this.#collected.quarantined.push({ offset, relation, generation, tableName: tableName(stop), reason })
  }

  #isStopped(relation: number, generation: number, name: string): boolean {
    return this.#stopped.has(stopKey(relation, generation, name)) || this.#known.isStopped(relation, generation, name)
  }

  #markStopped(stop: TableStop): void {
    if (this.#isStopped(stop.relation, stop.generation, tableName(stop))) return
    this.#stopped.set(stopKey(stop.relation, stop.generation, tableName(stop)), stop.reason)
    this.#collected.stops.push(stop)
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
