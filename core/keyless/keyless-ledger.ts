// Was a change of a keyless table applied before? It has no key, so its place in the log decides.

import type { Lsn } from '../lsn.ts'
import type { Beacon } from '../wire/change.ts'
import { BeaconLog, type KnownBeacon } from './beacon-log.ts'
import { type PassedTransaction, PassedTransactions } from './passed-transactions.ts'

/**
 * Place of a keyless record in its transaction. `ordinal` counts the records with the same Lsn: rows of one COPY share
 * it.
 */
export type KeylessPlace = { readonly txId: number; readonly lsn: Lsn; readonly ordinal: number }

/** The state of a ledger between invocations. */
export type LedgerState = {
  /**
   * The epochs whose keyless records come in this topic partition, lowest first, without those before the newest epoch.
   */
  readonly epochsHere: readonly number[]
  readonly epoch: number
  /** The newest place that was applied. */
  readonly frontier: KeylessPlace | undefined
  /** The last place that was delivered; undefined after a start of capture. */
  readonly last: KeylessPlace | undefined
  /** Beacons since the oldest transaction in `passed`, oldest first. */
  readonly beacons: readonly KnownBeacon[]
  /** The newest epoch from which a contract or a beacon came. */
  readonly newestEpoch?: number
  /** The newest epoch of which changes were streamed, if any were. */
  readonly streamedEpoch?: number
  /** Whether an initial snapshot runs although changes were streamed before it. */
  readonly readsAgain?: boolean
  /** The last epoch in which a signal made capture read a table, if there is one. */
  readonly signalledEpoch?: number
  /** Transactions before the frontier's that may come again, each with the number of the beacon that preceded it. */
  readonly passed: readonly PassedTransaction[]
}

/** What has to be stored when a ledger has changed. */
export type LedgerChanges = {
  /**
   * `added`: transactions that were passed, with the beacon that preceded them. `pruned`: transactions that were
   * forgotten.
   */
  readonly added: readonly PassedTransaction[]
  readonly pruned: readonly number[]
  readonly state: Omit<LedgerState, 'passed'>
}

const nothingYet: LedgerState = {
  epochsHere: [],
  epoch: 0,
  frontier: undefined,
  last: undefined,
  beacons: [],
  passed: [],
}

/**
 * A record may name any epoch. Only the lowest ones are kept, since epochs far above them are not epochs of the source.
 */
const MOST_EPOCHS_HERE = 8

/**
 * Decides which keyless records are new. A row without a key has no identity, and capture delivers records again after
 * a restart, so a record is recognized by its place in the log. All keyless records come in one topic partition. After
 * each start they come in the order of the log, from the first row of a group that shares an Lsn on. So the applied
 * records are always the log up to a frontier. A record was applied before if its transaction was passed, or if it is
 * in the frontier's transaction and not after the frontier.
 */
export class KeylessLedger {
  #epoch: number
  #frontier: KeylessPlace | undefined
  #last: KeylessPlace | undefined
  #beacons: BeaconLog
  #passed: PassedTransactions
  #epochsHere: readonly number[]
  #newestEpoch: number
  #streamedEpoch: number
  #readsAgain: boolean
  #signalledEpoch: number
  #moved = false

  constructor(state?: LedgerState) {
    const {
      epochsHere,
      epoch,
      frontier,
      last,
      beacons,
      streamedEpoch = 0,
      readsAgain = false,
      signalledEpoch = 0,
      newestEpoch = Math.max(epoch, streamedEpoch, signalledEpoch),
      passed,
    } = state ?? nothingYet
    this.#epochsHere = epochsHere
    this.#newestEpoch = newestEpoch
    this.#streamedEpoch = streamedEpoch
    this.#readsAgain = readsAgain
    this.#signalledEpoch = signalledEpoch
    this.#epoch = epoch
    this.#frontier = frontier
    this.#last = last
    this.#beacons = new BeaconLog(beacons)
    this.#passed = new PassedTransactions(passed)
  }

  /** A ledger that knows the same and has no changes yet. Neither of the two changes the other. */
  copy(): KeylessLedger {
    const copy = new KeylessLedger({ ...this.state(), passed: [] })
    copy.#passed = this.#passed.copy()
    return copy
  }

  /**
   * The newest epoch that has come. A record of an earlier epoch after it is from a zombie worker, which Connect has
   * given up but which still runs.
   */
  get newestEpoch(): number {
    return this.#newestEpoch
  }

  /** A contract or a beacon of the epoch came. Each epoch begins with those that its initial snapshot reads. */
  meetEpoch(epoch: number): void {
    if (epoch <= this.#newestEpoch) return
    this.#newestEpoch = epoch
    this.#epochsHere = this.#epochsHere.filter((here) => here >= epoch)
    this.#moved = true
  }

  /**
   * Whether keyless records of the epoch come in this topic partition. Those of another epoch may come in another one,
   * since topic partitions may have been added to the topic in between.
   */
  isHere(epoch: number): boolean {
    return this.#epochsHere.includes(epoch)
  }

  /**
   * Capture has started, so that records may come again from here on. If it already streams and starts only to read
   * rows, none come again.
   */
  start({ epoch, reads }: { readonly epoch: number; readonly reads: boolean }): void {
    this.#noteHere(epoch)
    this.#moved = true
    if (!reads || !this.streams(epoch)) this.#last = undefined
  }

  /** A change of the epoch was streamed. */
  noteStreamed(epoch: number): void {
    if (epoch <= this.#streamedEpoch) return
    this.#streamedEpoch = epoch
    this.#moved = true
  }

  /**
   * A table is read because of a signal. Capture finds signals in the log, so it streams, and an initial snapshot is
   * over, even if no change and no beacon has come since.
   */
  noteReadBySignal(epoch: number): void {
    this.#signalledEpoch = epoch
    this.#readsAgain = false
    this.#moved = true
  }

  /**
   * Whether changes of the epoch have been streamed, so that an initial snapshot of it can only be one that runs again.
   */
  hasStreamed(epoch: number): boolean {
    return epoch === this.#streamedEpoch || this.streams(epoch)
  }

  /**
   * Capture has lost its offsets and begins again with an initial snapshot, which lasts until a beacon or a signal
   * comes.
   */
  beginAgain(): void {
    this.#readsAgain = true
    this.#moved = true
    this.#last = undefined
  }

  /** Whether rows that are read now come from an initial snapshot that runs again. */
  get readsAgain(): boolean {
    return this.#readsAgain
  }

  /** Whether streamed records of the epoch have come, so that its initial snapshot is over. */
  streams(epoch: number): boolean {
    return epoch === this.#signalledEpoch || (epoch === this.#epoch && this.#beacons.newest !== undefined)
  }

  /** Takes a record. Returns its place if it is new, and undefined if it was applied before. */
  take(epoch: number, txId: number, lsn: Lsn): KeylessPlace | undefined {
    this.#noteHere(epoch)
    this.#moved = true
    if (epoch !== this.#epoch) this.#begin(epoch)
    const sameGroup = this.#last?.txId === txId && this.#last.lsn === lsn
    const place = { txId, lsn, ordinal: sameGroup ? this.#last!.ordinal + 1 : 0 }
    this.#last = place
    const frontier = this.#frontier
    if (this.#passed.has(txId)) return undefined
    if (frontier?.txId === txId) {
      if (lsn < frontier.lsn || (lsn === frontier.lsn && place.ordinal <= frontier.ordinal)) return undefined
    } else if (frontier !== undefined) {
      this.#passed.add(frontier.txId, this.#beacons.newest?.number ?? 0)
    }
    this.#frontier = place
    return place
  }

  /**
   * Adds a beacon. Forgets transactions that cannot come again: those before a beacon, once the slot is confirmed up to
   * the next one.
   */
  beacon(beacon: Beacon): void {
    if (beacon.epoch !== this.#epoch) this.#begin(beacon.epoch)
    if (!this.#beacons.add(beacon)) return
    this.#moved = true
    this.#readsAgain = false
    const closed = this.#beacons.close(beacon.confirmedLsn)
    if (closed !== undefined) this.#passed.forgetBefore(closed)
  }

  /** Why no source can have emitted the beacon after those before it; undefined when a source can. */
  impossibleBeacon(beacon: Beacon): string | undefined {
    return this.#follows(beacon) ? this.#beacons.impossible(beacon) : undefined
  }

  /** Why the beacon is not from the same log as those before it; undefined when it is. */
  brokenLog(beacon: Beacon): string | undefined {
    return this.#follows(beacon) ? this.#beacons.brokenLog(beacon) : undefined
  }

  /**
   * Whether the beacon has to follow those before it. It does not after capture has lost its offsets, since any time
   * may have passed, nor in a new epoch, which has its own beacons.
   */
  #follows({ epoch }: Beacon): boolean {
    return epoch === this.#epoch && !this.#readsAgain
  }

  /** What has changed since the ledger was made or copied; undefined when nothing has. */
  changes(): LedgerChanges | undefined {
    return this.#moved ? { ...this.#passed.changes(), state: this.state() } : undefined
  }

  /** What to store in addition to the passed transactions. */
  state(): Omit<LedgerState, 'passed'> {
    return {
      epochsHere: this.#epochsHere,
      epoch: this.#epoch,
      frontier: this.#frontier,
      last: this.#last,
      beacons: this.#beacons.known(),
      newestEpoch: this.#newestEpoch,
      streamedEpoch: this.#streamedEpoch,
      readsAgain: this.#readsAgain,
      signalledEpoch: this.#signalledEpoch,
    }
  }

  #noteHere(epoch: number): void {
    if (this.isHere(epoch)) return
    this.#epochsHere = [...this.#epochsHere, epoch].sort((a, b) => a - b).slice(0, MOST_EPOCHS_HERE)
  }

  #begin(epoch: number): void {
    this.#passed.forgetAll()
    this.#beacons = new BeaconLog()
    this.#epoch = epoch
    this.#frontier = undefined
    this.#last = undefined
  }
}
