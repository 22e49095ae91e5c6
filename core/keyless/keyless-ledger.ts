import type { Beacon } from '../envelope.ts'
import type { Lsn } from '../lsn.ts'
import { BeaconLog, type KnownBeacon } from './beacon-log.ts'

/** Place of a record without a key among those of its transaction: rows of one COPY share an Lsn. */
export type KeylessPlace = { readonly txId: number; readonly lsn: Lsn; readonly ordinal: number }

/** What a ledger is kept as between invocations. */
export type LedgerState = {
  /** The epochs, from the newest on, whose records without a key come in this topic partition, lowest first. */
  readonly epochsHere: readonly number[]
  readonly epoch: number
  /** The newest place that was applied. */
  readonly frontier: KeylessPlace | undefined
  /** The last place that was delivered; undefined after a start. */
  readonly last: KeylessPlace | undefined
  /** Beacons since the oldest transaction below, oldest first. */
  readonly beacons: readonly KnownBeacon[]
  /** The newest epoch of which a contract or a beacon came. */
  readonly newestEpoch?: number
  /** The newest epoch of which changes were streamed, where any were. */
  readonly streamedEpoch?: number
  /** Whether an initial reading goes on though changes were streamed before it. */
  readonly readsAgain?: boolean
  /** The epoch in which a signal last had a table read, where one did. */
  readonly signalledEpoch?: number
  /** Transactions before the frontier's that may come again, with the beacon that preceded them. */
  readonly passed: readonly (readonly [txId: number, beacon: number])[]
}

/** What has to be kept of a ledger that has moved. */
export type LedgerChanges = {
  /** Transactions that were passed, with the beacon that preceded them, and those that were forgotten. */
  readonly added: readonly (readonly [txId: number, beacon: number])[]
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

/** A record may name any epoch: those that are far from the newest are no epochs of the source. */
const MOST_EPOCHS_HERE = 8

/**
 * Tells which records without a key are new. A row without a key has no identity, and capture delivers again after a
 * restart; so what tells two deliveries of one record is its place in the log. All such records come in one topic
 * partition, after each start in the order of the log, from the first row of a group that shares an Lsn on. So those
 * applied are always the log up to a frontier: a transaction that was passed, or a place not behind the frontier in the
 * frontier's own transaction, was applied before.
 */
export class KeylessLedger {
  #epoch: number
  #frontier: KeylessPlace | undefined
  #last: KeylessPlace | undefined
  #beacons: BeaconLog
  #passed: Map<number, number>
  /** Whether another ledger may have the same map of passed transactions: it is copied before it is changed. */
  #sharesPassed = false
  #epochsHere: readonly number[]
  #newestEpoch: number
  #streamedEpoch: number
  #readsAgain: boolean
  #signalledEpoch: number
  readonly #added: [txId: number, beacon: number][] = []
  readonly #pruned: number[] = []
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
    this.#passed = new Map(passed)
  }

  /** A ledger that knows the same and has not moved; neither changes the other. */
  copy(): KeylessLedger {
    const copy = new KeylessLedger({ ...this.state(), passed: [] })
    copy.#passed = this.#passed
    copy.#sharesPassed = true
    this.#sharesPassed = true
    return copy
  }

  /** The newest epoch that was met: a record of an earlier one that comes behind it is of a worker that is held for dead. */
  get newestEpoch(): number {
    return this.#newestEpoch
  }

  /** A contract or a beacon of the epoch came: each epoch begins with those that its initial snapshot reads. */
  meetEpoch(epoch: number): void {
    if (epoch <= this.#newestEpoch) return
    this.#newestEpoch = epoch
    this.#epochsHere = this.#epochsHere.filter((here) => here >= epoch)
    this.#moved = true
  }

  /**
   * Whether the records without a key of the epoch come in this topic partition. Those of another epoch may come in another
   * one, since the topic may have been given more topic partitions between them.
   */
  isHere(epoch: number): boolean {
    return this.#epochsHere.includes(epoch)
  }

  /** Capture has started, so that records may come again from here on; or, once it streams, only reads rows. */
  start({ epoch, reads }: { readonly epoch: number; readonly reads: boolean }): void {
    this.#noteHere(epoch)
    this.#moved = true
    if (!reads || !this.streams(epoch)) this.#last = undefined
  }

  /** A change was streamed. */
  noteStreamed(epoch: number): void {
    if (epoch <= this.#streamedEpoch) return
    this.#streamedEpoch = epoch
    this.#moved = true
  }

  /**
   * A table is read because a signal says so. Capture meets signals in the log, so it streams: an initial reading that there
   * was is over, also where no change and no beacon has come since.
   */
  noteReadBySignal(epoch: number): void {
    this.#signalledEpoch = epoch
    this.#readsAgain = false
    this.#moved = true
  }

  /** Whether an initial reading of the epoch can only be one that begins again: changes have been streamed. */
  hasStreamed(epoch: number): boolean {
    return epoch === this.#streamedEpoch || this.streams(epoch)
  }

  /** Capture has lost its place and begins again with an initial reading, which lasts until a beacon or a signal comes. */
  beginAgain(): void {
    this.#readsAgain = true
    this.#moved = true
    this.#last = undefined
  }

  /** Whether what is read now is read by an initial reading that begins again. */
  get readsAgain(): boolean {
    return this.#readsAgain
  }

  /** Whether streamed records of the epoch have come: its initial reading is over. */
  streams(epoch: number): boolean {
    return epoch === this.#signalledEpoch || (epoch === this.#epoch && this.#beacons.newest !== undefined)
  }

  /** The place of a record if it is new; undefined if it was applied before. */
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
      this.#pass(frontier.txId)
    }
    this.#frontier = place
    return place
  }

  /**
   * Forgets transactions that cannot come again: those before a beacon, once the slot is confirmed behind the next one.
   */
  beacon(beacon: Beacon): void {
    if (beacon.epoch !== this.#epoch) this.#begin(beacon.epoch)
    if (!this.#beacons.add(beacon)) return
    this.#moved = true
    this.#readsAgain = false
    const closed = this.#beacons.close(beacon.confirmedLsn)
    if (closed === undefined) return
    for (const [txId, before] of this.#passed) {
      if (before >= closed) continue
      this.#ownPassed().delete(txId)
      this.#pruned.push(txId)
    }
  }

  /** Why no source can have emitted the beacon after those before it, or undefined. */
  impossibleBeacon(beacon: Beacon): string | undefined {
    return this.#follows(beacon) ? this.#beacons.impossible(beacon) : undefined
  }

  /** Why the beacon is not of the same log as those before it, or undefined. */
  brokenLog(beacon: Beacon): string | undefined {
    return this.#follows(beacon) ? this.#beacons.brokenLog(beacon) : undefined
  }

  /** Capture that has lost its place may have been away for any time, and an epoch begins with beacons of its own. */
  #follows({ epoch }: Beacon): boolean {
    return epoch === this.#epoch && !this.#readsAgain
  }

  /** What has changed since the ledger was made or copied, or undefined. */
  changes(): LedgerChanges | undefined {
    if (!this.#moved) return undefined
    return {
      added: this.#added.filter(([txId]) => this.#passed.has(txId)),
      pruned: [...this.#pruned],
      state: this.state(),
    }
  }

  /** What to keep besides the passed transactions. */
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
    this.#pruned.push(...this.#passed.keys())
    this.#passed = new Map()
    this.#sharesPassed = false
    this.#beacons = new BeaconLog()
    this.#epoch = epoch
    this.#frontier = undefined
    this.#last = undefined
  }

  #pass(txId: number): void {
    const beacon = this.#beacons.newest?.number ?? 0
    this.#ownPassed().set(txId, beacon)
    this.#added.push([txId, beacon])
  }

  #ownPassed(): Map<number, number> {
    if (this.#sharesPassed) this.#passed = new Map(this.#passed)
    this.#sharesPassed = false
    return this.#passed
  }
}
