import type { TableContract } from '#core/contract.ts'
import { ChangeLog, columnContract, type LoggedRecord, ordersContract } from '../changes/change-log.ts'
import { type Choice, makeChoice } from '../histories/choice.ts'

/** A row of `public.rides` or of `public.calls`, which has no key. */
export type Ride = {
  readonly id: number
  /** Microseconds since 1970, `infinity`, or null. */
  readonly at: number | 'infinity' | null
  readonly zone: number | null
  readonly fare: string | null
}

/** The source that a seed makes, and its topic partitions. */
export type RideLife = {
  readonly logs: readonly ChangeLog[]
  readonly rides: readonly Ride[]
  readonly calls: readonly Omit<Ride, 'id'>[]
}

const columns = [
  columnContract(2, 'at', 'timestamp without time zone'),
  columnContract(3, 'zone', 'integer'),
  columnContract(4, 'fare', 'numeric(12,2)'),
]

/** The contract of `public.rides (id, at, zone, fare)`. */
export const ridesContract = (changes: Partial<TableContract> = {}): TableContract =>
  ordersContract({
    table: 'rides',
    columns: [columnContract(1, 'id', 'bigint', { key: 1, nullable: false }), ...columns],
    ...changes,
  })

/** The contract of `public.calls (at, zone, fare)`, which has no key. */
export const callsContract = (changes: Partial<TableContract> = {}): TableContract =>
  ordersContract({ relation: 4712, table: 'calls', replicaIdentity: 'full', columns, ...changes })

/** Microseconds since 1970 of 2024-01-01 00:00. */
export const midnight = Date.parse('2024-01-01T00:00:00Z') * 1000
const minute = 60_000_000

/**
 * Makes the life of two tables: rows are inserted, updated (also their event time and their group), deleted, given
 * another key and truncated; all rows of the table with a key are read again as another generation; and capture sends
 * again what it had sent. Event times are null or infinite now and then.
 */
export function lifeOfRides(seed: number, topicPartitions: number, steps: number): RideLife {
  const life = new Life(makeChoice(seed), topicPartitions)
  for (let step = 0; step < steps; step++) life.step()
  life.end()
  return life
}

class Life implements RideLife {
  readonly logs: readonly ChangeLog[]
  readonly #choice: Choice
  readonly #rides = new Map<number, Ride>()
  #calls: Omit<Ride, 'id'>[] = []
  #lsn = 100
  #version = 1
  #generation = 1
  #clock = 0
  /** Ids that the generation which is being read still lacks. */
  #unread: number[] | undefined
  /** Records that were sent before. Capture sends in the order of the log, so that these are not sent from here again. */
  readonly #sentAgain = new Set<LoggedRecord>()

  constructor(choice: Choice, topicPartitions: number) {
    this.#choice = choice
    this.logs = Array.from({ length: topicPartitions }, (_, slot) => {
      return new ChangeLog(slot)
        .start()
        .contract(ridesContract({ topicPartitions }))
        .contract(callsContract({ topicPartitions }))
    })
  }

  get rides(): readonly Ride[] {
    return [...this.#rides.values()]
  }

  get calls(): readonly Omit<Ride, 'id'>[] {
    return this.#calls
  }

  step(): void {
    const { below, chance } = this.#choice
    this.#clock += below(4) * minute
    const kind = below(100)
    if (this.#unread !== undefined && chance(30)) this.#readOne()
    else if (kind < 45) this.#changeRide()
    else if (kind < 90) this.#changeCall()
    else if (kind < 92 && this.#unread === undefined) this.#truncateRides()
    else if (kind < 94) this.#truncateCalls()
    else if (kind < 96 && this.#unread === undefined) this.#readAgain()
    else if (kind < 98) this.#sendAgain()
    else
      for (const [slot, log] of this.logs.entries())
        log.beacon(1, { previousLsn: null, topicPartitions: this.logs.length }, slot)
  }

  end(): void {
    while (this.#unread !== undefined) this.#readOne()
  }

  #origin(table: 'rides' | 'calls') {
    const lsn = this.#lsn++
    return { table, lsn, txId: lsn, committedAtMs: Math.floor((midnight + this.#clock) / 1000) }
  }

  #logOf = (id: number): ChangeLog => this.logs[id % this.logs.length]!

  get #callsLog(): ChangeLog {
    return this.logs.at(-1)!
  }

  #content(): Omit<Ride, 'id'> {
    const { below, chance } = this.#choice
    const behind = chance(20) ? below(300) : below(20)
    const at = chance(4) ? null : chance(3) ? 'infinity' : midnight + this.#clock - behind * minute + below(3) * 1_000
    return { at, zone: chance(8) ? null : below(4), fare: chance(8) ? null : `${below(50)}.${below(90) + 10}` }
  }

  #changeRide(): void {
    const { below, chance } = this.#choice
    const id = 1 + below(25)
    const known = this.#rides.get(id)
    if (known === undefined) {
      const row = { id, ...this.#content() }
      this.#rides.set(id, row)
      this.#logOf(id).create(wire(row), this.#origin('rides'))
    } else if (chance(20)) {
      this.#rides.delete(id)
      this.#logOf(id).delete({ id }, this.#origin('rides'))
    } else if (chance(15)) this.#moveKey(known)
    else {
      const made = this.#content()
      const row = { ...known, ...(chance(50) ? made : { fare: made.fare }) }
      this.#rides.set(id, row)
      this.#logOf(id).update(wire(row), this.#origin('rides'))
    }
  }

  #moveKey(known: Ride): void {
    const id = 1 + this.#choice.below(25)
    if (this.#rides.has(id)) return
    const origin = this.#origin('rides')
    const row = { ...known, id }
    this.#rides.delete(known.id)
    this.#rides.set(id, row)
    const headers = { newKey: JSON.stringify({ id }) }
    this.#logOf(known.id).delete({ id: known.id }, { ...origin, headers })
    this.#logOf(id).create(wire(row), { ...origin, headers: { oldKey: JSON.stringify({ id: known.id }) } })
  }

  #changeCall(): void {
    const { below, chance } = this.#choice
    const log = this.#callsLog
    const at = below(this.#calls.length + 3)
    const known = this.#calls[at]
    if (known === undefined || chance(40)) {
      // Equal rows of a keyless table count each.
      const row = known !== undefined && chance(50) ? known : this.#content()
      this.#calls.push(row)
      log.create(wire(row), this.#origin('calls'))
    } else if (chance(45)) {
      this.#calls.splice(at, 1)
      log.change('d', wire(known), null, this.#origin('calls'))
    } else {
      const row = this.#content()
      this.#calls[at] = row
      log.change('u', wire(known), wire(row), this.#origin('calls'))
    }
  }

  #truncateRides(): void {
    this.#rides.clear()
    this.logs[0]!.truncate(this.#origin('rides'))
  }

  #truncateCalls(): void {
    this.#calls = []
    this.#callsLog.truncate(this.#origin('calls'))
  }

  #readAgain(): void {
    this.#generation++
    this.#unread = [...this.#rides.keys()]
    this.#contract(false)
  }

  #readOne(): void {
    const id = this.#unread!.pop()
    const row = id === undefined ? undefined : this.#rides.get(id)
    if (row !== undefined) this.#logOf(row.id).incrementalRead(wire(row), { table: 'rides' })
    if (this.#unread!.length > 0) return
    // A row that changed its key while the rows were read has been streamed under its present one.
    this.#unread = undefined
    this.#contract(true)
  }

  #contract(complete: boolean): void {
    this.#version++
    const lsn = this.#lsn++
    const topicPartitions = this.logs.length
    const contract = ridesContract({ version: this.#version, generation: this.#generation, complete, topicPartitions })
    for (const log of this.logs) log.contract(contract, { lsn })
  }

  /**
   * Capture starts again and sends the last streamed records of a topic partition once more, those since the newest
   * contract.
   */
  #sendAgain(): void {
    const log = this.#choice.of(this.logs)!
    const since = log.records.findLastIndex(({ value }) => value?.includes('table_contract'))
    const streamed = log.records
      .slice(since + 1)
      .filter((record) => /"op":"[cudt]"/.test(record.value ?? '') && !this.#sentAgain.has(record))
    const back = this.#choice.below(15)
    log.start()
    for (const { value, key, headers } of streamed.slice(Math.max(streamed.length - back, 0))) {
      log.append(value, key, headers)
      this.#sentAgain.add(log.records.at(-1)!)
    }
  }
}

/** A row as Debezium sends it. */
function wire({ at, ...row }: Omit<Ride, 'id'>): object {
  // Debezium writes infinity as the greatest number, which JSON.stringify would round.
  return { ...row, at: at === 'infinity' ? '9223372036854775807' : at }
}
