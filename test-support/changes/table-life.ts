import { UNAVAILABLE_PLACEHOLDER } from '#core/codecs/unavailable.ts'
import type { ColumnContract } from '#core/contract.ts'
import { type Choice, makeChoice } from '../histories/choice.ts'
import { ChangeLog, columnContract, ordersContract } from './change-log.ts'

/** Values by the number of their column. */
type Row = ReadonlyMap<number, string | number | null>

/** A row as history shows it. */
export type HistoryRow = Readonly<Record<string, string | number | null>> | null

/** A change as history must show it. */
export type LivedChange = {
  readonly op: 'insert' | 'update' | 'delete' | 'truncate' | 'read'
  readonly id: number | null
  readonly epoch: number
  readonly generation: number
  readonly lsn: number
  readonly committedAtMs: number
  readonly before: HistoryRow
  readonly after: HistoryRow
  /**
   * Whether the generation had the row before the change, because it was read or streamed since the generation began.
   */
  readonly isKnown: boolean
}

/** A record in its topic partition, with its change if it has one. */
type Sent = {
  readonly topicPartition: number
  readonly epoch: number
  readonly generation: number
  readonly expected?: LivedChange
  readonly leavesOut?: boolean
  readonly append: (log: ChangeLog) => void
}

/** A table that a seed makes, with its topic partitions and the true changes and rows. */
export type TableLife = {
  readonly logs: readonly ChangeLog[]
  /** The true changes by topic partition and offset. */
  readonly expected: readonly ReadonlyMap<number, LivedChange>[]
  readonly rows: readonly HistoryRow[]
}

const keys = {
  bigint: { wire: (id: number) => id },
  // One value has several texts that are equal.
  'numeric(12,2)': { wire: (id: number) => id.toFixed(2) },
  numeric: { wire: (id: number, way: number) => id.toFixed(way) },
  citext: { wire: (id: number, way: number) => (way % 2 === 0 ? `k${id}` : `K${id}`) },
  'double precision': { wire: (id: number) => id },
} as const

type KeyType = keyof typeof keys

export const keyTypes = Object.keys(keys) as KeyType[]

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
  return { logs, expected, rows: source.current() }
}

type ExpectedChange = Omit<LivedChange, 'epoch' | 'generation'>

type Open = {
  readonly txId: number
  readonly ids: Set<number>
  readonly changes: ((
    at: number,
  ) => Omit<Sent, 'epoch' | 'generation' | 'expected'> & { readonly expected: ExpectedChange })[]
}

class Source {
  readonly sent: Sent[] = []
  readonly #choice: Choice
  readonly #options: LifeOptions
  readonly #rows = new Map<number, Row>()
  /** Which text of its key a row has. */
  readonly #ways = new Map<number, number>()
  readonly #known = new Set<number>()
  #open: Open[] = []
  #columns: ColumnContract[]
  #version = 1
  #generation = 1
  #complete = true
  #epoch = 1
  #lsn = 100
  #txId = 10
  #clock: number
  readonly #stepMs: number

  constructor(choice: Choice, options: LifeOptions) {
    this.#choice = choice
    this.#options = options
    this.#clock = options.endMs - options.days * 86_400_000
    this.#stepMs = (options.days * 86_400_000) / 90
    this.#columns = ordersContract().columns.map((column) =>
      column.number === 1 ? { ...column, type: options.key, carried: options.key } : column,
    )
    this.#contract({}, false)
  }

  current(): HistoryRow[] {
    return [...this.#rows].sort(([a], [b]) => a - b).map(([, row]) => this.#historyRow(row))
  }

  step(): void {
    const { below, chance } = this.#choice
    if (this.#open.length < 3 && chance(45)) this.#open.push({ txId: this.#txId++, ids: new Set(), changes: [] })
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
    if (!this.#complete && chance(15)) this.#finishReading()
  }

  end(): void {
    while (this.#open.length > 0) this.#commit(...this.#open.splice(0, 1))
    if (!this.#complete) this.#finishReading()
  }

  #send({
    expected,
    ...one
  }: Omit<Sent, 'epoch' | 'generation' | 'expected'> & { readonly expected?: ExpectedChange }): void {
    const at = { epoch: this.#epoch, generation: this.#generation }
    this.sent.push({ ...one, ...at, ...(expected && { expected: { ...expected, ...at } }) })
  }

  #historyRow(row: Row): HistoryRow {
    return Object.fromEntries(this.#columns.map(({ number, name }) => [name, row.get(number) ?? null]))
  }

  #wire(row: Row, way: number, leavesOut = false): object {
    return Object.fromEntries(
      this.#columns.map(({ number, name, carried }) => {
        const value = row.get(number) ?? null
        if (number === 1) return [name, keys[this.#options.key].wire(value as number, way)]
        if (number === 2 && leavesOut) return [name, UNAVAILABLE_PLACEHOLDER]
        return [name, typeof value === 'number' && carried.startsWith('numeric') ? value.toFixed(2) : value]
      }),
    )
  }

  #wireKey(id: number, way: number): object {
    return { [this.#columns[0]!.name]: keys[this.#options.key].wire(id, way) }
  }

  /**
   * A row stays in one topic partition here, whichever text its key has, although Kafka may choose another one for
   * another text.
   */
  #partitionOf = (id: number): number => id % this.#options.topicPartitions

  #change(open: Open): void {
    const { below, chance } = this.#choice
    const free = (id: number) => this.#open.every(({ ids }) => ids === open.ids || !ids.has(id))
    const id = 1 + below(8)
    if (!free(id)) return
    open.ids.add(id)
    const row = this.#rows.get(id)
    if (row === undefined) this.#insert(open, id)
    else if (chance(15)) this.#replace(open, id, row)
    else if (chance(20)) this.#delete(open, id, row)
    else if (chance(21)) this.#move(open, id, row, [1, 2, 3, 4, 5, 6, 7, 8].filter(free))
    else this.#update(open, id, row)
  }

  #newRow(id: number): Map<number, string | number | null> {
    const { below, chance } = this.#choice
    return new Map(
      this.#columns.map(({ number, carried }): [number, string | number | null] => {
        if (number === 1) return [1, id]
        if (chance(20)) return [number, null]
        if (carried.startsWith('numeric')) return [number, below(10_000) / 100]
        if (/int/.test(carried)) return [number, below(1000)]
        return [number, chance(2) ? `${below(10)}`.repeat(300) : `text ${below(1000)}`]
      }),
    )
  }

  #push(
    open: Open,
    id: number,
    change: Pick<LivedChange, 'op' | 'before' | 'after' | 'lsn'>,
    append: (log: ChangeLog, origin: { lsn: number; txId: number; epoch: number; committedAtMs: number }) => void,
    leavesOut = false,
  ): void {
    const { lsn } = change
    const epoch = this.#epoch
    const isKnown = this.#known.has(id)
    this.#known.add(id)
    open.changes.push((committedAtMs) => ({
      topicPartition: this.#partitionOf(id),
      expected: { ...change, id, isKnown, committedAtMs },
      leavesOut,
      append: (log) => append(log, { lsn, epoch, txId: open.txId, committedAtMs }),
    }))
  }

  #insert(open: Open, id: number): void {
    const row = this.#newRow(id)
    const way = this.#choice.below(3)
    this.#rows.set(id, row)
    this.#ways.set(id, way)
    this.#known.add(id)
    const wire = this.#wire(row, way)
    this.#push(
      open,
      id,
      { op: 'insert', lsn: this.#lsn++, before: null, after: this.#historyRow(row) },
      (log, origin) => log.create(wire, origin),
    )
  }

  #update(open: Open, id: number, before: Row): void {
    const after = this.#newRow(id)
    const leavesOut = this.#choice.chance(40) && before.get(2) !== null && (this.#complete || this.#known.has(id))
    if (leavesOut) after.set(2, before.get(2)!)
    this.#rows.set(id, after)
    const wire = this.#wire(after, this.#ways.get(id)!, leavesOut)
    const expected = {
      op: 'update',
      lsn: this.#lsn++,
      before: this.#historyRow(before),
      after: this.#historyRow(after),
    } as const
    this.#push(open, id, expected, (log, origin) => log.update(wire, origin), leavesOut)
  }

  #delete(open: Open, id: number, before: Row): void {
    this.#rows.delete(id)
    const wire = this.#wireKey(id, this.#ways.get(id)!)
    const expected = { op: 'delete', lsn: this.#lsn++, before: this.#historyRow(before), after: null } as const
    this.#push(open, id, expected, (log, origin) => log.delete(wire, origin))
  }

  /** Deletes a row and inserts it again in one transaction. */
  #replace(open: Open, id: number, before: Row): void {
    this.#delete(open, id, before)
    this.#insert(open, id)
  }

  #move(open: Open, from: number, before: Row, free: number[]): void {
    const id = this.#choice.of(free.filter((one) => !this.#rows.has(one)))
    if (id === undefined) return
    open.ids.add(id)
    const lsn = this.#lsn++
    const after = this.#newRow(id)
    const leavesOut =
      this.#choice.chance(50) && before.get(2) !== null && this.#options.topicPartitions === 1 && this.#complete
    if (leavesOut) after.set(2, before.get(2)!)
    const way = this.#choice.below(3)
    const formerKey = this.#wireKey(from, this.#ways.get(from)!)
    this.#rows.delete(from)
    this.#rows.set(id, after)
    this.#ways.set(id, way)
    const key = this.#wireKey(id, way)
    const wire = this.#wire(after, way, leavesOut)
    const deleted = { op: 'delete', lsn, before: this.#historyRow(before), after: null } as const
    this.#push(open, from, deleted, (log, origin) =>
      log.delete(formerKey, { ...origin, headers: { newKey: JSON.stringify(key) } }),
    )
    this.#known.add(id)
    const made = { op: 'insert', lsn, before: null, after: this.#historyRow(after) } as const
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
    const committedAtMs = this.#tick()
    this.#rows.clear()
    this.#send({
      topicPartition: 0,
      expected: { op: 'truncate', id: null, lsn, committedAtMs, before: null, after: null, isKnown: true },
      append: (log) => log.truncate({ lsn, txId, committedAtMs, epoch }),
    })
  }

  /** Adds, drops, renames or widens a column. */
  #alter(): void {
    const { below } = this.#choice
    const what = below(4)
    const last = this.#columns.at(-1)!
    if (what === 0 && this.#columns.length < 6) {
      const number = 10 + this.#version
      const [type, missing] = this.#choice.of([
        ['integer', '7'],
        ['text', 'none'],
        ['numeric(8,2)', '1.50'],
        ['text', null],
      ] as const)!
      this.#columns = [...this.#columns, columnContract(number, `column ${number}`, type, { missing })]
      const value = missing === null || type === 'text' ? missing : Number(missing)
      for (const [id, row] of this.#rows) this.#rows.set(id, new Map([...row, [number, value]]))
    } else if (what === 1 && this.#columns.length > 3) {
      this.#columns = this.#columns.filter(({ number }) => number !== last.number)
    } else if (what === 2) {
      const name = `name ${this.#version}`
      this.#columns = this.#columns.map((column) => (column.number === last.number ? { ...column, name } : column))
    } else if (what === 3 && last.number > 3) {
      const wider: Record<string, string> = { integer: 'bigint', 'numeric(8,2)': 'numeric(14,2)' }
      const type = wider[last.carried]
      if (type === undefined) return
      this.#columns = this.#columns.map((column) =>
        column.number === last.number ? { ...column, type, carried: type } : column,
      )
    } else return
    this.#version++
    this.#contract({ version: this.#version })
  }

  #contract(changes: object, isStreamed = true): void {
    const { topicPartitions } = this.#options
    const lsn = isStreamed ? this.#lsn++ : 1
    const epoch = this.#epoch
    const contract = ordersContract({
      version: this.#version,
      generation: this.#generation,
      complete: this.#complete,
      topicPartitions,
      columns: this.#columns,
      ...changes,
    })
    for (let topicPartition = 0; topicPartition < topicPartitions; topicPartition++) {
      this.#send({ topicPartition, append: (log) => log.contract(contract, { lsn, epoch }) })
    }
  }

  /** Begins a generation. Its rows are read later, between changes. */
  #readAgain(): void {
    this.#generation++
    this.#version++
    this.#complete = false
    this.#known.clear()
    this.#contract({})
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
    const contract = ordersContract({
      version: this.#version,
      generation: this.#generation,
      complete: false,
      topicPartitions,
      columns: this.#columns,
    })
    const beacon = { lsn: `0/${this.#lsn.toString(16).toUpperCase()}`, topicPartitions, epoch, previousLsn: null }
    this.#lsn++
    for (let topicPartition = 0; topicPartition < topicPartitions; topicPartition++) {
      this.#send({
        topicPartition,
        append: (log) => log.readContract(contract, lsn - 5, epoch).beacon(1, beacon),
      })
    }
  }

  /** Reads one row, between the changes that are committed. */
  #read(only?: number): void {
    const id = only ?? 1 + this.#choice.below(8)
    const row = this.#rows.get(id)
    if (row === undefined || this.#open.some(({ ids }) => ids.has(id))) return
    this.#known.add(id)
    const wire = this.#wire(row, this.#ways.get(id)!)
    const committedAtMs = this.#clock
    const epoch = this.#epoch
    this.#send({
      topicPartition: this.#partitionOf(id),
      expected: { op: 'read', id, lsn: 0, committedAtMs, before: null, after: this.#historyRow(row), isKnown: true },
      append: (log) => log.incrementalRead(wire, { committedAtMs, epoch }),
    })
  }

  #finishReading(): void {
    while (this.#open.length > 0) this.#commit(...this.#open.splice(0, 1))
    for (const id of this.#rows.keys()) this.#read(id)
    this.#version++
    this.#complete = true
    this.#contract({})
  }

  #commit(open?: Open): void {
    const committedAtMs = this.#tick()
    for (const change of open?.changes ?? []) this.#send(change(committedAtMs))
  }

  /** The time of a commit. Sometimes it is the same as before, or earlier. */
  #tick(): number {
    const { below, chance } = this.#choice
    if (chance(2)) this.#clock -= below(3 * 86_400_000)
    else if (chance(8)) this.#clock -= below(2 * this.#stepMs)
    else if (!chance(10)) this.#clock += 1 + below(2 * this.#stepMs)
    this.#clock = Math.min(this.#clock, this.#options.endMs)
    return this.#clock
  }
}

/**
 * The changes that were sent, and those that capture sends again: all from an earlier place on after a restart, or some
 * from a worker that is thought to be dead.
 */
function delivered({ below, chance }: Choice, sent: readonly Sent[], topicPartitions: number) {
  const logs = Array.from({ length: topicPartitions }, (_, slot) => new ChangeLog(slot).start())
  const expected = logs.map(() => new Map<number, LivedChange>())
  const append = (one: Sent) => {
    const log = logs[one.topicPartition]!
    if (one.expected !== undefined) expected[one.topicPartition]!.set(log.records.length, one.expected)
    one.append(log)
  }
  let restarts = 5
  for (let at = 0; at < sent.length; at++) {
    const { epoch } = sent[at]!
    append(sent[at]!)
    if (restarts === 0 || !chance(6)) continue
    restarts--
    const isDead = chance(30)
    let from = Math.max(0, at - below(isDead && chance(50) ? 200 : 40))
    while (mayNotComeAgain(sent, from, at, isDead)) from++
    const again = sent.slice(from, at + 1).filter(({ expected }) => expected?.op !== 'read')
    if (isDead) again.splice(again.length - below(3))
    for (const log of logs) log.start(epoch)
    for (const one of again) append(one)
  }
  return { logs, expected }
}

/**
 * Whether the changes from `from` on may not come again at `at`. A worker that is thought to be dead sends nothing of
 * an earlier generation, and no worker sends anything of an earlier epoch. An update of an earlier generation that
 * leaves a value out may not come again either, because a snapshot that began later does not have the value, so its
 * table would be read once more.
 */
function mayNotComeAgain(sent: readonly Sent[], from: number, at: number, isDead: boolean): boolean {
  const { epoch, generation } = sent[at]!
  const isFormer = (one: Sent) => one.generation < generation
  if (!isFormer(sent[from]!)) return false
  return (
    isDead || sent[from]!.epoch < epoch || sent.slice(from, at).some((one) => one.leavesOut === true && isFormer(one))
  )
}
