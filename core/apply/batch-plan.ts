// What do the records of one topic partition do to the target? They are planned here as steps, and nothing is written.

import { ValueError } from '../column-codec.ts'
import { generationOf, keylessChange } from '../keyless/keyless-writes.ts'
import { comparePositions, latest, type Position } from '../position.ts'
import { type AppliedTable, tableName } from '../tables/table-register.ts'
import {
  type Beacon,
  EnvelopeError,
  epochOfRecord,
  type Incoming,
  type KeyHeaders,
  type RowChange,
  readRecord,
  type Truncate,
  type Unreadable,
} from '../wire/change.ts'
import { WireError } from '../wire/wire-json.ts'
import { inOrder, type KeptContract, type Step } from './batch-steps.ts'
import { BatchUnderway, type Known, type PartitionState, stopKey, stopOf, stopOfName } from './batch-underway.ts'
import { takeBeacon, takeContract, takeImpossible, takeReadBeacon, takeSentContract } from './control-plan.ts'
import { anotherSource } from './known-source.ts'
import { RowChanges } from './row-changes.ts'

/** A record of the topic `changes`; an absent value is a tombstone. */
export type ChangeRecord = {
  readonly offset: number
  readonly value: string | undefined
  readonly headers?: KeyHeaders | undefined
}

/** What the records of one topic partition do to the target. */
export type BatchPlan = {
  /** The steps in the order in which they are executed. None is executed when the batch is refused. */
  readonly steps: readonly Step[]
  /** What is known after the records. */
  readonly next: PartitionState
  /** Why no record of the batch may be applied, and the offset of the record that shows it. */
  readonly refused: { readonly offset: number; readonly reason: string } | undefined
  /** The newest streamed beacon. */
  readonly beacon: Beacon | undefined
  /** Commit times of the streamed changes that are applied, in ms since 1970. */
  readonly committedAtMs: readonly number[]
  /** Offset of the last of these changes. */
  readonly newestOffset: number | undefined
  /** Number of changes of rows; rows that a snapshot read count as well. */
  readonly changes: number
  /** Number of records that are quarantined instead of applied. */
  readonly quarantined: number
  /** Whether a table waits to be added to the publication, or a contract is missing because it could not be written. */
  readonly awaitsCapture: boolean
}

/**
 * Plans a batch: reduces its records, in the order of offsets, to one write per row, and puts all steps in order. A
 * change that cannot be applied exactly stops its table, and no other table, so that no change is lost silently.
 */
export function planBatch(records: readonly (ChangeRecord | KeptContract)[], known: Known): BatchPlan {
  const planner = new BatchPlanner(known)
  for (const record of records) planner.take(record)
  return planner.plan()
}

class BatchPlanner {
  readonly #rows = new RowChanges()
  readonly #batch: BatchUnderway
  readonly #truncated = new Map<string, Position>()
  readonly #committedAtMs: number[] = []
  #newestOffset: number | undefined
  #changes = 0

  constructor(known: Known) {
    this.#batch = new BatchUnderway(known, this.#rows.segments)
  }

  plan(): BatchPlan {
    return {
      steps: inOrder(this.#batch.collected, this.#batch.beacon, this.#batch.keyless.ledger.changes()),
      next: { register: this.#batch.register, keyless: this.#batch.keyless, fence: this.#batch.fence?.state },
      refused: this.#refusedAsAnotherSource() ?? this.#batch.refused,
      beacon: this.#batch.beacon,
      committedAtMs: this.#committedAtMs,
      newestOffset: this.#newestOffset,
      changes: this.#changes,
      quarantined: this.#batch.collected.quarantined.length,
      awaitsCapture: this.#batch.awaitsCapture,
    }
  }

  #refusedAsAnotherSource(): BatchPlan['refused'] {
    const { source } = this.#batch.known
    const reason = source && anotherSource(this.#batch.beacon, source)
    return reason === undefined ? undefined : { offset: source!.nextOffset, reason }
  }

  take(record: ChangeRecord | KeptContract): void {
    if ('contract' in record) {
      takeContract(this.#batch, record.offset, record.position, record.contract)
      return
    }
    if (record.value === undefined) {
      this.#batch.quarantine(record.offset, 'the record has no value, and capture sends no such records')
      return
    }
    const incoming = this.#read(record.offset, record.value, record.headers)
    if (incoming === undefined || this.#isSkipped(incoming)) return
    switch (incoming.kind) {
      case 'row':
        this.#takeRow(record.offset, incoming.change)
        break
      case 'contract':
        takeSentContract(this.#batch, record.offset, incoming)
        break
      case 'truncate':
        this.#takeTruncate(record.offset, incoming.truncate)
        break
      case 'unreadable':
        this.#takeUnreadable(record.offset, incoming)
        break
      case 'beacon':
        takeBeacon(this.#batch, record.offset, incoming.beacon)
        break
      case 'read beacon':
        takeReadBeacon(this.#batch, record.offset, incoming.position, incoming.beacon)
        break
      case 'impossible':
        takeImpossible(this.#batch, record.offset, incoming)
        break
      case 'audit':
        this.#batch.collected.audits.push(incoming.message)
        break
      case 'start':
        this.#batch.keyless.ledger.start(incoming)
        this.#batch.fence?.restart()
        break
    }
  }

  #read(offset: number, value: string, headers: KeyHeaders | undefined): Incoming | undefined {
    try {
      return readRecord(value, headers)
    } catch (error) {
      if (!(error instanceof EnvelopeError || error instanceof WireError)) throw error
      this.#batch.quarantine(offset, error.message)
      return undefined
    }
  }

  /**
   * Whether the record is of an epoch that a later epoch has replaced; the later epoch reads every table again. Such a
   * record can come after records of the later epoch, from a zombie worker: one which Connect has given up but which
   * still runs. If it were applied, the topic partition would forget which beacons and transactions of the present
   * epoch it has applied.
   */
  #isSkipped(incoming: Incoming): boolean {
    const { skipsBeforeEpoch = 0 } = this.#batch.known
    const { newestEpoch } = this.#batch.keyless.ledger
    const epoch = epochOfRecord(incoming)
    return epoch !== undefined && epoch < Math.max(skipsBeforeEpoch, newestEpoch)
  }

  #takeRow(offset: number, incoming: RowChange): void {
    // The initial snapshot runs again, so every table is stopped, and will be read again later.
    if (incoming.op === 'initial read' && this.#batch.keyless.ledger.readsAgain) return
    if (incoming.position.phase === 1) this.#batch.keyless.ledger.noteStreamed(incoming.position.epoch)
    const certain = this.#batch.fence?.pass(incoming) ?? incoming.position.phase === 0
    const change = this.#inStream(incoming)
    const table = this.#tableOf(offset, change, change.position)
    if (table === undefined) return
    const truncatedAt = this.#truncated.get(generationOf(table))
    if (truncatedAt !== undefined && change.op !== 'later read' && comparePositions(change.position, truncatedAt) < 0) {
      return
    }
    try {
      if (table.keyPlaces.length === 0) this.#takeKeyless(offset, table, change)
      else this.#rows.add(table, change, { offset, certain, logged: this.#batch.known.isLogged(table.contract) })
    } catch (error) {
      if (!(error instanceof ValueError)) throw error
      const automatic = change.op === 'later read' && this.#batch.register.meetsFormerReads(table.contract.relation)
      this.#batch.stop(offset, { ...stopOf(table), reason: error.message, automatic })
      return
    }
    this.#changes++
    if (change.position.phase === 1) {
      this.#committedAtMs.push(change.committedAtMs)
      this.#newestOffset = offset
    }
  }

  /**
   * Makes an initial read a later read once changes of its epoch are streamed. Its position does not order it among
   * these changes, so it takes effect in the order of the records.
   */
  #inStream(change: RowChange): RowChange {
    const { epoch } = change.position
    if (change.op !== 'initial read' || !this.#batch.keyless.ledger.streams(epoch)) return change
    return { ...change, op: 'later read', position: { epoch, phase: 0, lsn: 0 } }
  }

  /** The table of a change; undefined when nothing is left to do for the change. */
  #tableOf(
    offset: number,
    named: { schema: string; table: string; txId?: number | null },
    position: Position,
  ): AppliedTable | undefined {
    const found = this.#batch.register.find(tableName(named), position)
    if (found.kind === 'former') return undefined
    if (found.kind === 'refused') {
      this.#batch.stop(offset, { ...stopOfName(named, found), reason: found.reason })
      return undefined
    }
    const { relation, generation } = found.table.contract
    if (!this.#batch.isStopped(relation, generation, tableName(named))) return found.table
    if (this.#wasQuarantined(found.table, named, position)) return undefined
    const reason = this.#batch.stopped.get(stopKey(relation, generation, tableName(named))) ?? 'the table is stopped'
    this.#batch.collected.quarantined.push({ offset, relation, generation, tableName: tableName(named), reason })
    return undefined
  }

  /**
   * Whether a truncate, or a change of a stopped keyless table, was delivered and quarantined before. Neither has
   * a key, so the ledger decides this. A change that is applied twice would count twice, and a repeated truncate would
   * come among rows that were read after it.
   */
  #wasQuarantined(
    { keyPlaces }: AppliedTable,
    change: { readonly txId?: number | null },
    { epoch, phase, lsn }: Position,
  ): boolean {
    if ((keyPlaces.length > 0 && 'op' in change) || phase === 0 || change.txId == null) return false
    return this.#batch.keyless.ledger.take(epoch, change.txId, lsn) === undefined
  }

  #takeKeyless(offset: number, table: AppliedTable, change: RowChange): void {
    const counted = keylessChange(this.#batch.keyless, table, change, offset)
    if (counted === undefined) return
    this.#batch.keylessWrites(table).changes.push(counted)
  }

  #takeTruncate(offset: number, truncate: Truncate): void {
    const table = this.#tableOf(offset, truncate, truncate.position)
    if (table === undefined) return
    const { position, txId } = truncate
    const isNew = this.#batch.keyless.ledger.take(position.epoch, txId ?? 0, position.lsn) !== undefined
    // A repeated truncate of a table that is being snapshotted is from before its snapshot began, so it is skipped.
    if (!isNew && (table.keyPlaces.length === 0 || !table.contract.complete)) return
    if (table.keyPlaces.length === 0) {
      this.#batch.openWrites(table, true)
    } else if (!table.contract.complete) {
      // Rows that a snapshot reads have no position, so nothing shows which of them the truncate removed.
      const reason = 'it was truncated during the snapshot of its rows'
      this.#batch.stop(offset, { ...stopOf(table), reason, automatic: true })
      return
    }
    const preceding = this.#rows.truncate(table, position)
    this.#truncated.set(generationOf(table), position)
    const logged = this.#batch.known.isLogged(table.contract)
    this.#batch.collected.truncates.push({ truncated: { table, truncate, offset, logged }, preceding })
  }

  #takeUnreadable(offset: number, { reason, automatic = false, ...named }: Unreadable): void {
    const found = this.#batch.register.find(tableName(named), latest)
    const stop = found.kind === 'applied' ? stopOf(found.table) : stopOfName(named, found)
    this.#batch.stop(offset, { ...stop, reason, automatic })
  }
}
