import { createHash } from 'node:crypto'
import type { TableContract } from '#core/contract.ts'
import { parseLsn } from '#core/lsn.ts'

/** A record of a topic partition as a consumer gets it. */
export type LoggedRecord = {
  readonly offset: number
  readonly timestampMs: number
  readonly key: string | undefined
  readonly value: string | undefined
  readonly digest: () => string
}

/** The contract of `public.orders (id bigint primary key, name text, amount numeric(12,2))`, with what a test changes. */
export function ordersContract(changes: Partial<TableContract> = {}): TableContract {
  const column = (number: number, name: string, type: string, key: number | null = null) => ({
    number,
    name,
    type,
    nullable: key === null,
    generated: false,
    key,
  })
  return {
    relation: 4711,
    version: 1,
    schema: 'public',
    table: 'orders',
    dropped: false,
    published: true,
    refusal: null,
    replicaIdentity: 'default',
    columns: [column(1, 'id', 'bigint', 1), column(2, 'name', 'text'), column(3, 'amount', 'numeric(12,2)')],
    ...changes,
  }
}

/** Where a record came from in the source. */
export type Origin = {
  readonly lsn?: number | null
  readonly epoch?: number
  readonly snapshot?: string
  readonly table?: string
  readonly schema?: string
}

/** A topic partition being written as Debezium writes it, offsets from 0. */
export class ChangeLog {
  readonly records: LoggedRecord[] = []

  /** Appends any value, even one that no source sends. */
  append(value: string | undefined, key?: string): this {
    const offset = this.records.length
    const timestampMs = 1_700_000_000_000 + offset
    const digest = () => createHash('sha256').update(`${timestampMs} ${key} ${value}`).digest('hex')
    this.records.push({ offset, timestampMs, key, value, digest })
    return this
  }

  create = (after: object, origin: Origin): this => this.#envelope('c', null, after, origin)
  update = (after: object, origin: Origin): this => this.#envelope('u', null, after, origin)
  delete = (before: object, origin: Origin): this => this.#envelope('d', before, null, origin)
  truncate = (origin: Origin): this => this.#envelope('t', null, null, origin)
  initialRead = (after: object, origin: Origin): this =>
    this.#envelope('r', null, after, { snapshot: 'true', ...origin })
  incrementalRead = (after: object, origin: Origin = {}): this =>
    this.#envelope('r', null, after, { snapshot: 'incremental', lsn: null, ...origin })

  contract(contract: TableContract, origin: Origin = { lsn: 1 }): this {
    const row = { relation: contract.relation, version: contract.version, slot: 0, contract: JSON.stringify(contract) }
    return this.#envelope('c', null, row, { ...origin, schema: 'tidemark', table: 'table_contract' })
  }

  /** A contract as the initial snapshot reads it. */
  readContract(contract: TableContract, lsn: number, epoch = 1): this {
    const row = { relation: contract.relation, version: contract.version, slot: 0, contract: JSON.stringify(contract) }
    return this.#envelope('r', null, row, { lsn, epoch, snapshot: 'true', schema: 'tidemark', table: 'table_contract' })
  }

  beacon(number: number, { slot = 0, systemIdentifier = '7001', lsn = '0/10', topicPartitions = 1 } = {}): this {
    const body = JSON.stringify({ systemIdentifier, lsn, topicPartitions })
    const row = { slot, number, body, emitted_at: '2024-01-01T00:00:00Z' }
    return this.#envelope('u', null, row, { lsn: parseLsn(lsn), schema: 'tidemark', table: 'beacon' })
  }

  #envelope(op: string, before: object | null, after: object | null, origin: Origin): this {
    const { lsn = 0, epoch = 1, snapshot = 'false', table = 'orders', schema = 'public' } = origin
    const source = {
      version: '3.7.0.Final',
      name: `tidemark_e${epoch}`,
      snapshot,
      schema,
      table,
      lsn,
      ts_us: 1_700_000_000_000_000,
      ts_ns: 1_700_000_000_000_000_000n.toString(),
    }
    const text = JSON.stringify({ before, after, source, transaction: null, op, ts_ms: 1_700_000_000_001 })
    return this.append(text.replace(/"ts_ns":"(\d+)"/, '"ts_ns":$1'))
  }
}
