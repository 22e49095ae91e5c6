import { UNAVAILABLE_PLACEHOLDER } from '#core/codecs/unavailable.ts'
import { type Choice, makeChoice } from '../histories/choice.ts'
import { ChangeLog, columnContract, ordersContract } from './change-log.ts'
import { SourceClock } from './source-clock.ts'

type Row = { id: number; name: string | null; amount: number | null; note?: string | null }

/** A change as history must show it. */
export type ExpectedChange = {
  readonly op: 'insert' | 'update' | 'delete' | 'truncate'
  readonly id: number | null
  readonly lsn: number
  readonly committedAtMs: number
  readonly before: Row | null
  readonly after: Row | null
}

/** A source that a seed makes: its topic partition with what capture sends again, and the true changes and rows. */
export type SourceLife = {
  readonly log: ChangeLog
  readonly expected: readonly ExpectedChange[]
  readonly rows: readonly Row[]
}

type Sent = { readonly lsn: number; readonly append: (log: ChangeLog) => void }
type Transaction = { readonly txId: number; readonly ids: Set<number>; readonly changes: Change[] }
type Change = {
  readonly expected: Omit<ExpectedChange, 'committedAtMs'>
  readonly append: (log: ChangeLog, at: number) => void
}

/**
 * Makes transactions that overlap, whose changes come in the order of their commits. Keys change, rows of one COPY
 * share an lsn, updates leave values out, tables are truncated, a column is added, and the clock is set back. All of it
 * takes `days` of time, up to `endMs`.
 */
export function liveThrough(seed: number, time: { endMs: number; days: number }): SourceLife {
  const choice = makeChoice(seed)
  const source = new Source(choice, new SourceClock(choice, time))
  for (let step = 0; step < 160; step++) source.step()
  source.end()
  return { log: delivered(choice, source.sent), expected: source.expected, rows: source.current() }
}

class Source {
  readonly expected: ExpectedChange[] = []
  readonly sent: Sent[] = []
  readonly #choice: Choice
  readonly #clock: SourceClock
  readonly #rows = new Map<number, Row>()
  #open: Transaction[] = []
  #lsn = 100
  #txId = 10
  #hasNote = false

  constructor(choice: Choice, clock: SourceClock) {
    this.#choice = choice
    this.#clock = clock
  }

  current(): Row[] {
    return [...this.#rows.values()].sort((a, b) => a.id - b.id)
  }

  step(): void {
    const { below, chance } = this.#choice
    if (this.#open.length < 3 && chance(45)) this.#open.push({ txId: this.#txId++, ids: new Set(), changes: [] })
    else if (this.#open.length === 0 && chance(15)) this.#truncate()
    else if (this.#open.length === 0 && !this.#hasNote && chance(10)) this.#addColumn()
    else if (this.#open.length > 0) {
      const at = below(this.#open.length)
      if (chance(30)) this.#commit(...this.#open.splice(at, 1))
      else this.#change(this.#open[at]!)
    }
  }

  end(): void {
    while (this.#open.length > 0) this.#commit(...this.#open.splice(0, 1))
  }

  #change(transaction: Transaction): void {
    const { below, chance } = this.#choice
    const free = (id: number) => this.#open.every(({ ids }) => ids === transaction.ids || !ids.has(id))
    const id = 1 + below(9)
    if (!free(id)) return
    transaction.ids.add(id)
    const row = this.#rows.get(id)
    if (row === undefined) this.#insert(transaction, chance(30) ? [id, 20 + below(3)].filter(free) : [id])
    else if (chance(25)) this.#delete(transaction, row)
    else if (chance(20)) this.#move(transaction, row, [1, 2, 3, 4, 5, 6, 7, 8, 9].filter(free))
    else this.#update(transaction, row)
  }

  #newRow(id: number): Row {
    const { below, chance } = this.#choice
    const row = { id, name: chance(20) ? null : `name ${below(1000)}`, amount: chance(30) ? null : below(10_000) / 100 }
    return this.#hasNote ? { ...row, note: `note ${below(10)}` } : row
  }

  /** Rows of one COPY share an lsn. */
  #insert({ changes, ids, txId }: Transaction, wanted: number[]): void {
    const lsn = this.#lsn++
    for (const id of wanted) {
      if (this.#rows.has(id)) continue
      ids.add(id)
      const row = this.#newRow(id)
      this.#rows.set(id, row)
      changes.push({
        expected: { op: 'insert', id, lsn, before: null, after: row },
        append: (log, committedAtMs) => log.create(onWire(row), { lsn, txId, committedAtMs }),
      })
    }
  }

  #update({ changes, txId }: Transaction, before: Row): void {
    const lsn = this.#lsn++
    const after = this.#newRow(before.id)
    const leavesOut = this.#choice.chance(40)
    if (leavesOut) after.name = before.name
    this.#rows.set(after.id, after)
    changes.push({
      expected: { op: 'update', id: after.id, lsn, before, after },
      append: (log, committedAtMs) =>
        log.update(onWire(after, leavesOut && before.name !== null), { lsn, txId, committedAtMs }),
    })
  }

  #delete({ changes, txId }: Transaction, before: Row): void {
    const lsn = this.#lsn++
    this.#rows.delete(before.id)
    changes.push({
      expected: { op: 'delete', id: before.id, lsn, before, after: null },
      append: (log, committedAtMs) => log.delete({ id: before.id }, { lsn, txId, committedAtMs }),
    })
  }

  #move({ changes, ids, txId }: Transaction, before: Row, free: number[]): void {
    const id = this.#choice.of(free.filter((one) => !this.#rows.has(one)))
    if (id === undefined) return
    ids.add(id)
    const lsn = this.#lsn++
    const after = { ...this.#newRow(id), name: before.name }
    this.#rows.delete(before.id)
    this.#rows.set(id, after)
    const leavesOut = this.#choice.chance(50) && before.name !== null
    const headers = (key: string, of: number) => ({ [key]: JSON.stringify({ id: of }) })
    changes.push({
      expected: { op: 'delete', id: before.id, lsn, before, after: null },
      append: (log, committedAtMs) =>
        log.delete({ id: before.id }, { lsn, txId, committedAtMs, headers: headers('newKey', id) }),
    })
    changes.push({
      expected: { op: 'insert', id, lsn, before: null, after },
      append: (log, committedAtMs) =>
        log.create(onWire(after, leavesOut), { lsn, txId, committedAtMs, headers: headers('oldKey', before.id) }),
    })
  }

  #truncate(): void {
    const lsn = this.#lsn++
    const txId = this.#txId++
    const committedAtMs = this.#clock.tick()
    this.#rows.clear()
    this.expected.push({ op: 'truncate', id: null, lsn, committedAtMs, before: null, after: null })
    this.sent.push({ lsn, append: (log) => log.truncate({ lsn, txId, committedAtMs }) })
  }

  #addColumn(): void {
    const lsn = this.#lsn++
    this.#hasNote = true
    for (const [id, row] of this.#rows) this.#rows.set(id, { ...row, note: 'none' })
    const { columns } = ordersContract()
    const contract = ordersContract({
      version: 2,
      columns: [...columns, columnContract(4, 'note', 'text', { missing: 'none' })],
    })
    this.sent.push({ lsn, append: (log) => log.contract(contract, { lsn }) })
  }

  #commit(transaction?: Transaction): void {
    const committedAtMs = this.#clock.tick()
    for (const { expected, append } of transaction?.changes ?? []) {
      this.expected.push({ ...expected, committedAtMs })
      this.sent.push({ lsn: expected.lsn, append: (log) => append(log, committedAtMs) })
    }
  }
}

const onWire = ({ amount, name, ...row }: Row, leavesOut = false): object => ({
  ...row,
  name: leavesOut ? UNAVAILABLE_PLACEHOLDER : name,
  amount: amount === null ? null : amount.toFixed(2),
})

/**
 * The changes that were sent, and those that capture sends again: all from an earlier place on after a restart, or some
 * from a worker that is thought to be dead.
 */
function delivered({ below, chance }: Choice, sent: readonly Sent[]): ChangeLog {
  const log = new ChangeLog().start().contract(ordersContract())
  let restarts = 5
  for (let at = 0; at < sent.length; at++) {
    sent[at]!.append(log)
    if (restarts === 0 || !chance(8)) continue
    restarts--
    let from = Math.max(0, at - below(40))
    while (from > 0 && sent[from - 1]!.lsn === sent[from]!.lsn) from--
    if (chance(70)) {
      log.start()
      at = from - 1
    } else {
      for (const one of sent.slice(from, at + 1 - below(3))) one.append(log)
    }
  }
  return log
}
