import type { TableContract } from '#core/contract.ts'
import { type Choice, makeChoice } from '../histories/choice.ts'
import { type ChangeLog, ordersContract } from './change-log.ts'
import type { HistoryRow, LivedChange } from './lived-change.ts'
import { type KeyType, LivedTable, type Row } from './lived-table.ts'
import { type AppendChange, OpenTransaction, type Unsent } from './open-transaction.ts'
import { delivered, type Sent } from './repeated-delivery.ts'
import { SourceClock } from './source-clock.ts'

/** A table that a seed makes, with its topic partitions and the true changes and rows. */
export type TableLife = {
  readonly logs: readonly ChangeLog[]
  /** The true changes by topic partition and offset. */
  readonly expected: readonly ReadonlyMap<number, LivedChange>[]
  readonly rows: readonly HistoryRow[]
}

type LifeOptions = {
  readonly endMs: number
  readonly days: number
  readonly topicPartitions: number
  readonly key: KeyType
}

/**
 * Makes the history of a table. Transactions overlap, a key has several texts, keys change, and a row is inserted again
 * in the transaction that deleted it. Updates leave values out, the table is truncated, and columns are added, dropped,
 * renamed or widened. All rows are read again, epochs begin, the clock is set back, and capture sends changes again.
 * All of it takes `days` of time, up to `endMs`.
 */
export function liveOf(seed: number, options: LifeOptions): TableLife {
  const choice = makeChoice(seed)
  const source = new Source(choice, options)
  for (let step = 0; step < 160; step++) source.step()
  source.end()
  const { logs, expected } = delivered(choice, source.sent, options.topicPartitions)
  return { logs, expected, rows: source.table.current() }
}

class Source {
  readonly sent: Sent[] = []
  readonly table: LivedTable
  readonly #choice: Choice
  readonly #options: LifeOptions
  readonly #clock: SourceClock
  readonly #known = new Set<number>()
  readonly #open: OpenTransaction[] = []
  #version = 1
  #generation = 1
  #complete = true
  #epoch = 1
  #lsn = 100
  #txId = 10

  constructor(choice: Choice, options: LifeOptions) {
    this.#choice = choice
    this.#options = options
    this.table = new LivedTable(choice, options.key)
    this.#clock = new SourceClock(choice, options, options.endMs)
    this.#sendContract(1)
  }

  step(): void {
    const { below, chance } = this.#choice
    if (this.#open.length < 3 && chance(45)) this.#open.push(new OpenTransaction(this.#txId++))
    else if (this.#open.length === 0 && chance(12)) this.#truncate()
    else if (this.#open.length === 0 && chance(20)) this.#alter()
    else if (this.#open.length === 0 && chance(8) && this.#complete) this.#readAgain()
    else if (this.#open.length === 0 && chance(5) && this.#complete) this.#beginEpoch()
    else if (!this.#complete && chance(30)) this.#read()
    else if (this.#open.length > 0) {
      const at = below(this.#open.length)
      if (chance(35)) this.#commit(...this.#open.splice(at, 1))
      else this.#change(this.#open[at]!)
    }
    if (!this.#complete && chance(15)) this.#finishSnapshot()
  }

  end(): void {
    while (this.#open.length > 0) this.#commit(...this.#open.splice(0, 1))
    if (!this.#complete) this.#finishSnapshot()
  }

  #send({ expected, ...one }: Unsent): void {
    const at = { epoch: this.#epoch, generation: this.#generation }
    this.sent.push({ ...one, ...at, ...(expected && { expected: { ...expected, ...at } }) })
  }

  /**
   * A row stays in one topic partition here, whichever text its key has, although Kafka may choose another one for
   * another text.
   */
  #partitionOf = (id: number): number => id % this.#options.topicPartitions

  #change(open: OpenTransaction): void {
    const { below, chance } = this.#choice
    const free = (id: number) => this.#open.every(({ ids }) => ids === open.ids || !ids.has(id))
    const id = 1 + below(8)
    if (!free(id)) return
    open.ids.add(id)
    const row = this.table.get(id)
    if (row === undefined) this.#insert(open, id)
    else if (chance(15)) this.#replace(open, id, row)
    else if (chance(20)) this.#delete(open, id, row)
    else if (chance(21)) this.#move(open, id, row, [1, 2, 3, 4, 5, 6, 7, 8].filter(free))
    else this.#update(open, id, row)
  }

  #push(
    open: OpenTransaction,
    id: number,
    change: Pick<LivedChange, 'op' | 'before' | 'after' | 'lsn'>,
    append: AppendChange,
    leavesOut = false,
  ): void {
    const isKnown = this.#known.has(id)
    this.#known.add(id)
    const place = { topicPartition: this.#partitionOf(id), epoch: this.#epoch, leavesOut }
    open.add({ ...change, id, isKnown }, place, append)
  }

  #insert(open: OpenTransaction, id: number): void {
    const row = this.table.newRow(id)
    this.table.insert(id, row)
    this.#known.add(id)
    const wire = this.table.wire(id, row)
    const expected = { op: 'insert', lsn: this.#lsn++, before: null, after: this.table.historyRow(row) } as const
    this.#push(open, id, expected, (log, origin) => log.create(wire, origin))
  }

  #update(open: OpenTransaction, id: number, before: Row): void {
    const after = this.table.newRow(id)
    const leavesOut = this.#choice.chance(40) && before.get(2) !== null && (this.#complete || this.#known.has(id))
    if (leavesOut) after.set(2, before.get(2)!)
    this.table.update(id, after)
    const wire = this.table.wire(id, after, leavesOut)
    const expected = {
      op: 'update',
      lsn: this.#lsn++,
      before: this.table.historyRow(before),
      after: this.table.historyRow(after),
    } as const
    this.#push(open, id, expected, (log, origin) => log.update(wire, origin), leavesOut)
  }

  #delete(open: OpenTransaction, id: number, before: Row): void {
    this.table.delete(id)
    const wire = this.table.wireKey(id)
    const expected = { op: 'delete', lsn: this.#lsn++, before: this.table.historyRow(before), after: null } as const
    this.#push(open, id, expected, (log, origin) => log.delete(wire, origin))
  }

  /** Deletes a row and inserts it again in one transaction. */
  #replace(open: OpenTransaction, id: number, before: Row): void {
    this.#delete(open, id, before)
    this.#insert(open, id)
  }

  #move(open: OpenTransaction, from: number, before: Row, free: number[]): void {
    const id = this.#choice.of(free.filter((one) => this.table.get(one) === undefined))
    if (id === undefined) return
    open.ids.add(id)
    const lsn = this.#lsn++
    const after = this.table.newRow(id)
    const leavesOut =
      this.#choice.chance(50) && before.get(2) !== null && this.#options.topicPartitions === 1 && this.#complete
    if (leavesOut) after.set(2, before.get(2)!)
    const formerKey = this.table.wireKey(from)
    this.table.delete(from)
    this.table.insert(id, after)
    const key = this.table.wireKey(id)
    const wire = this.table.wire(id, after, leavesOut)
    const deleted = { op: 'delete', lsn, before: this.table.historyRow(before), after: null } as const
    this.#push(open, from, deleted, (log, origin) =>
      log.delete(formerKey, { ...origin, headers: { newKey: JSON.stringify(key) } }),
    )
    this.#known.add(id)
    const made = { op: 'insert', lsn, before: null, after: this.table.historyRow(after) } as const
    this.#push(
      open,
      id,
      made,
      (log, origin) => log.create(wire, { ...origin, headers: { oldKey: JSON.stringify(formerKey) } }),
      leavesOut,
    )
  }

  #truncate(): void {
    if (!this.#complete) return
    const { txId, lsn, epoch } = { txId: this.#txId++, lsn: this.#lsn++, epoch: this.#epoch }
    const committedAtMs = this.#clock.tick()
    this.table.clear()
    this.#send({
      topicPartition: 0,
      expected: { op: 'truncate', id: null, lsn, committedAtMs, before: null, after: null, isKnown: true },
      append: (log) => log.truncate({ lsn, txId, committedAtMs, epoch }),
    })
  }

  #alter(): void {
    if (!this.table.alter(this.#version)) return
    this.#version++
    this.#sendContract()
  }

  #currentContract(): TableContract {
    return ordersContract({
      version: this.#version,
      generation: this.#generation,
      complete: this.#complete,
      topicPartitions: this.#options.topicPartitions,
      columns: this.table.columns,
    })
  }

  /** Sends a record in each topic partition. */
  #sendEverywhere(append: Sent['append']): void {
    for (let slot = 0; slot < this.#options.topicPartitions; slot++) this.#send({ topicPartition: slot, append })
  }

  #sendContract(lsn = this.#lsn++): void {
    const epoch = this.#epoch
    const contract = this.#currentContract()
    this.#sendEverywhere((log) => log.contract(contract, { lsn, epoch }))
  }

  /** Begins a generation. Its rows are read later, between changes. */
  #readAgain(): void {
    this.#generation++
    this.#version++
    this.#complete = false
    this.#known.clear()
    this.#sendContract()
  }

  /** Begins an epoch. The log of the source may have begun again. */
  #beginEpoch(): void {
    const { topicPartitions } = this.#options
    this.#epoch++
    if (this.#choice.chance(50)) this.#lsn = 100 + this.#choice.below(100)
    this.#generation += 100
    this.#version++
    this.#complete = false
    this.#known.clear()
    const [epoch, lsn] = [this.#epoch, this.#lsn]
    const contract = this.#currentContract()
    const beacon = { lsn: `0/${lsn.toString(16).toUpperCase()}`, topicPartitions, epoch, previousLsn: null }
    this.#lsn++
    this.#sendEverywhere((log) => log.readContract(contract, lsn - 5, epoch).beacon(1, beacon))
  }

  /** Reads one row, between the changes that are committed. */
  #read(only?: number): void {
    const id = only ?? 1 + this.#choice.below(8)
    const row = this.table.get(id)
    if (row === undefined || this.#open.some(({ ids }) => ids.has(id))) return
    this.#known.add(id)
    const wire = this.table.wire(id, row)
    const committedAtMs = this.#clock.nowMs
    const epoch = this.#epoch
    this.#send({
      topicPartition: this.#partitionOf(id),
      expected: {
        op: 'read',
        id,
        lsn: 0,
        committedAtMs,
        before: null,
        after: this.table.historyRow(row),
        isKnown: true,
      },
      append: (log) => log.incrementalRead(wire, { committedAtMs, epoch }),
    })
  }

  #finishSnapshot(): void {
    while (this.#open.length > 0) this.#commit(...this.#open.splice(0, 1))
    for (const id of this.table.ids()) this.#read(id)
    this.#version++
    this.#complete = true
    this.#sendContract()
  }

  #commit(open?: OpenTransaction): void {
    const committedAtMs = this.#clock.tick()
    for (const one of open?.commit(committedAtMs) ?? []) this.#send(one)
  }
}
