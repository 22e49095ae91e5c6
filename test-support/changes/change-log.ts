import { createHash } from 'node:crypto'
import type { ColumnContract, TableContract } from '#core/contract.ts'
import { parseLsn } from '#core/lsn.ts'
import type { KeyHeaders } from '#core/wire/change.ts'

/** A record of a topic partition, as a consumer gets it. */
export type LoggedRecord = {
  readonly offset: number
  readonly timestampMs: number
  readonly key: string | undefined
  readonly value: string | undefined
  readonly headers?: KeyHeaders
  readonly digest: () => string
}

/** A column of a contract. Its type is transferred unchanged, unless `changes` says otherwise. */
export const columnContract = (
  number: number,
  name: string,
  type: string,
  changes: Partial<ColumnContract> = {},
): ColumnContract => ({
  number,
  name,
  type,
  carried: type,
  wire: 'value',
  nullable: true,
  generated: false,
  expression: null,
  key: null,
  missing: null,
  definition: null,
  ...changes,
})

/**
 * The contract of `public.orders (id bigint primary key, name text, amount numeric(12,2))`, with the changes of a test.
 */
export function ordersContract(changes: Partial<TableContract> = {}): TableContract {
  return {
    relation: 4711,
    version: 1,
    schema: 'public',
    table: 'orders',
    dropped: false,
    published: true,
    refusal: null,
    generation: 1,
    complete: true,
    topicPartitions: 1,
    replicaIdentity: 'default',
    parents: [],
    columns: [
      columnContract(1, 'id', 'bigint', { key: 1, nullable: false }),
      columnContract(2, 'name', 'text'),
      columnContract(3, 'amount', 'numeric(12,2)'),
    ],
    ...changes,
  }
}

/** The place of a record in the source. */
export type Origin = {
  readonly lsn?: number | null
  readonly epoch?: number
  readonly snapshot?: string
  readonly table?: string
  readonly schema?: string
  readonly txId?: number
  readonly committedAtMs?: number
  readonly headers?: KeyHeaders
}

type BeaconOptions = {
  systemIdentifier?: string
  lsn?: string
  topicPartitions?: number
  contractsMissing?: boolean
  epoch?: number
  /** The lsn of the beacon before it, which links the two. Without it nothing is concluded from the beacon. */
  previousLsn?: string | null
  emittedMs?: number
  confirmedLsn?: string
}

/** A topic partition that is written in Debezium's format, with offsets from 0. */
export class ChangeLog {
  readonly records: LoggedRecord[] = []
  readonly #slot: number

  /** `slot`: the number of the topic partition. */
  constructor(slot = 0) {
    this.#slot = slot
  }

  /** Appends any value, also one that no source sends. */
  append(value: string | undefined, key?: string, headers?: KeyHeaders): this {
    const offset = this.records.length
    const timestampMs = 1_700_000_000_000 + offset
    const digest = () => createHash('sha256').update(`${timestampMs} ${key} ${value}`).digest('hex')
    this.records.push({ offset, timestampMs, key, value, digest, ...(headers && { headers }) })
    return this
  }

  create = (after: object, origin: Origin): this => this.#envelope('c', null, after, origin)
  update = (after: object, origin: Origin): this => this.#envelope('u', null, after, origin)
  delete = (before: object, origin: Origin): this => this.#envelope('d', before, null, origin)
  change = (op: 'c' | 'u' | 'd', before: object | null, after: object | null, origin: Origin): this =>
    this.#envelope(op, before, after, origin)
  truncate = (origin: Origin): this => this.#envelope('t', null, null, origin)
  initialRead = (after: object, origin: Origin): this =>
    this.#envelope('r', null, after, { snapshot: 'true', ...origin })
  incrementalRead = (after: object, origin: Origin = {}): this =>
    this.#envelope('r', null, after, { snapshot: 'incremental', lsn: null, ...origin })

  contract(contract: TableContract, origin: Origin = { lsn: 1 }): this {
    const row = {
      relation: contract.relation,
      version: contract.version,
      slot: this.#slot,
      contract: JSON.stringify(contract),
    }
    return this.#envelope('c', null, row, { ...origin, schema: 'tidemark', table: 'table_contract' })
  }

  /** Appends the notification with which each start of capture begins. */
  start(epoch = 1): this {
    const notification = { aggregate_type: 'Initial Snapshot', type: 'SKIPPED' }
    return this.append(JSON.stringify({ ...notification, additional_data: { connector_name: `tidemark_e${epoch}` } }))
  }

  /** Appends the message of a transaction that called `pg_logical_emit_message(true, 'audit', …)`. */
  audit(message: object, { lsn, txId }: { lsn: number; txId: number }): this {
    const source = { name: 'tidemark_e1', schema: '', table: '', lsn, txId, ts_us: 1_700_000_000_000_000 }
    const content = Buffer.from(JSON.stringify(message)).toString('base64')
    return this.append(JSON.stringify({ op: 'm', source, message: { prefix: 'audit', content } }))
  }

  /** Appends a beacon as a snapshot reads it. `snapshot` says which transactions the snapshot sees, and `snapshotOf` which generation a blocking snapshot reads. */
  readBeacon(
    snapshot: string,
    { slot = this.#slot, lsn = 1, epoch = 1, snapshotOf = undefined as object | undefined } = {},
  ): this {
    const row = { slot, number: 0, body: JSON.stringify({ snapshot, reading: snapshotOf }), emitted_at: null }
    return this.#envelope('r', null, row, { lsn, epoch, snapshot: 'true', schema: 'tidemark', table: 'beacon' })
  }

  /** Appends a contract as the initial snapshot reads it. */
  readContract(contract: TableContract, lsn: number, epoch = 1): this {
    const row = {
      relation: contract.relation,
      version: contract.version,
      slot: this.#slot,
      contract: JSON.stringify(contract),
    }
    return this.#envelope('r', null, row, { lsn, epoch, snapshot: 'true', schema: 'tidemark', table: 'table_contract' })
  }

  beacon(
    number: number,
    {
      systemIdentifier = '7001',
      lsn = '0/10',
      topicPartitions = this.#slot + 1,
      contractsMissing = false,
      epoch = 1,
      ...chain
    }: BeaconOptions = {},
    slot = this.#slot,
  ): this {
    const body = JSON.stringify({ systemIdentifier, lsn, topicPartitions, contractsMissing, ...chain })
    const row = { slot, number, body, emitted_at: '2024-01-01T00:00:00Z' }
    return this.#envelope('u', null, row, { lsn: parseLsn(lsn), epoch, schema: 'tidemark', table: 'beacon' })
  }

  #envelope(op: string, before: object | null, after: object | null, origin: Origin): this {
    const { committedAtMs = 1_700_000_000_000 } = origin
    const { lsn = 0, epoch = 1, snapshot = 'false', table = 'orders', schema = 'public' } = origin
    const source = {
      version: '3.7.0.Final',
      name: `tidemark_e${epoch}`,
      snapshot,
      schema,
      table,
      lsn,
      txId: origin.txId ?? lsn,
      ts_us: committedAtMs * 1000,
      ts_ns: (BigInt(committedAtMs) * 1_000_000n).toString(),
    }
    const text = JSON.stringify({ before, after, source, transaction: null, op, ts_ms: 1_700_000_000_001 })
    return this.append(text.replace(/"ts_ns":"(\d+)"/, '"ts_ns":$1'), undefined, origin.headers)
  }
}
