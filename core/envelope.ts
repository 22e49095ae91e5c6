import { base64ToBytes, utf8Text } from './codecs/bytes.ts'
import { parseContract, type TableContract } from './contract.ts'
import { exactLsn } from './lsn.ts'
import type { Position } from './position.ts'
import { parseEnvelope, parseExactly } from './wire-json.ts'

/** A row's columns as Debezium sends them, by name. */
export type WireRow = Readonly<Record<string, unknown>>

/** What a record of the topic `changes` says. */
export type Incoming =
  | { readonly kind: 'row'; readonly change: RowChange }
  | { readonly kind: 'truncate'; readonly truncate: Truncate }
  | { readonly kind: 'contract'; readonly position: Position; readonly contract: TableContract }
  | { readonly kind: 'beacon'; readonly position: Position; readonly beacon: Beacon }
  | { readonly kind: 'audit'; readonly message: AuditMessage }
  /** Capture has begun to send anew, so that what follows may have been sent before, or has begun to read rows. */
  | { readonly kind: 'start'; readonly epoch: number; readonly reads: boolean }
  /** A change of a table that cannot be placed or understood: the table must not go on without it. */
  | { readonly kind: 'unreadable'; readonly schema: string; readonly table: string; readonly reason: string }
  | { readonly kind: 'ignored' }

/** One version of one row: created, updated, deleted, or read: by the initial snapshot, or later, between changes. */
export type RowChange = {
  readonly op: 'create' | 'update' | 'delete' | 'initial read' | 'later read'
  readonly schema: string
  readonly table: string
  readonly position: Position
  /** The low 32 bits of the source's transaction id; null for reads. */
  readonly txId: number | null
  /** Under default replica identity only the key columns of `before` are true (capture.md §3). */
  readonly before: WireRow | null
  readonly after: WireRow | null
  /** The key that the row had before, or has after, when the change is half of a key change. */
  readonly otherKey: WireRow | undefined
  /** When the source committed, or the read was made, in ms since 1970 with microseconds as fraction. */
  readonly committedAtMs: number
}

/** Every row of the table from before it is gone. */
export type Truncate = Pick<RowChange, 'schema' | 'table' | 'position' | 'txId' | 'committedAtMs'>

/** What a transaction says about itself with `pg_logical_emit_message(true, 'audit', …)`. */
export type AuditMessage = Pick<RowChange, 'position' | 'txId' | 'committedAtMs'> & { readonly text: string }

/** Everything the source committed before it precedes it in every topic partition. */
export type Beacon = {
  readonly epoch: number
  readonly number: number
  readonly slot: number
  readonly lsn: string
  readonly systemIdentifier: string
  /** How many topic partitions have a beacon. */
  readonly topicPartitions: number
  readonly emittedAt: string
  /** How far the slot was confirmed: nothing committed before it will be delivered again. */
  readonly confirmedLsn: string | null
  /** DDL went through whose contract could not be written: the next capture writes it. */
  readonly contractsMissing: boolean
  /** The snapshot of the reading that read it, as pg_snapshot writes it; null for a streamed one. */
  readonly readSnapshot: string | null
  /** The generation that the reading is of; null for the initial one, which reads every table. */
  readonly reading: { readonly relation: number; readonly generation: number } | null
}

/** Half of a key change names the other half's key in this header, as JSON. */
export type KeyHeaders = { readonly newKey?: string | undefined; readonly oldKey?: string | undefined }

type Envelope = {
  op?: string
  before?: WireRow | null
  after?: WireRow | null
  source?: {
    name?: string
    schema?: string
    table?: string
    lsn?: number | null
    snapshot?: string
    txId?: number | null
    ts_us?: number
    ts_ms?: number
  }
  message?: { prefix?: string; content?: string }
}

/** A record that is not what Debezium sends. */
export class EnvelopeError extends Error {
  override readonly name = 'EnvelopeError'
  readonly retryable = false
}

/** Reads a record's value. Throws an EnvelopeError, or a SyntaxError on malformed JSON. */
export function readRecord(value: string, headers: KeyHeaders = {}): Incoming {
  const envelope = parseEnvelope(value) as Envelope | null
  const source = envelope?.source
  if (envelope?.op === undefined) return readNotification(envelope)
  if (envelope.op === 'm') return readMessage(envelope)
  if (source?.schema === undefined || source.table === undefined) throw new EnvelopeError('the record names no table')
  const { schema, table } = source
  if (schema === 'tidemark') return readControl(envelope, table)
  try {
    if (envelope.op === 't') return { kind: 'truncate', truncate: { schema, table, ...placeOf('update', source) } }
    return { kind: 'row', change: readRow(envelope, schema, table, headers) }
  } catch (error) {
    if (!(error instanceof EnvelopeError)) throw error
    return { kind: 'unreadable', schema, table, reason: error.message }
  }
}

/**
 * Each of Debezium's starts begins with the notification that the initial snapshot has started or is left out. A
 * blocking snapshot has started, too, but nothing is sent again then.
 */
function readNotification(envelope: object | null): Incoming {
  const notification = (envelope ?? {}) as {
    aggregate_type?: string
    type?: string
    additional_data?: { connector_name?: string }
  }
  const { aggregate_type, type, additional_data } = notification
  if (aggregate_type !== 'Initial Snapshot' || (type !== 'STARTED' && type !== 'SKIPPED')) return { kind: 'ignored' }
  return { kind: 'start', epoch: readEpoch(additional_data?.connector_name), reads: type === 'STARTED' }
}

const operations = { c: 'create', u: 'update', d: 'delete', r: 'initial read' } as const

function readRow(envelope: Envelope, schema: string, table: string, headers: KeyHeaders): RowChange {
  const source = envelope.source!
  const known = operations[envelope.op as keyof typeof operations]
  if (known === undefined) throw new EnvelopeError(`operation '${envelope.op}' is not known`)
  const op = known === 'initial read' && source.snapshot === 'incremental' ? 'later read' : known
  const otherKey = op === 'delete' ? headers.newKey : headers.oldKey
  return {
    op,
    schema,
    table,
    ...placeOf(op, source),
    before: envelope.before ?? null,
    after: envelope.after ?? null,
    otherKey: otherKey === undefined ? undefined : (parseExactly(otherKey) as WireRow),
  }
}

function placeOf(op: RowChange['op'], source: NonNullable<Envelope['source']>) {
  return {
    position: readPosition(op, source),
    txId: source.txId ?? null,
    committedAtMs: source.ts_us === undefined ? (source.ts_ms ?? 0) : source.ts_us / 1000,
  }
}

function readMessage({ source, message }: Envelope): Incoming {
  if (message?.prefix !== 'audit' || source === undefined) return { kind: 'ignored' }
  return { kind: 'audit', message: { ...placeOf('create', source), text: messageText(message.content ?? '') } }
}

/** Applications may send any bytes as a message. */
function messageText(content: string): string {
  try {
    return utf8Text(base64ToBytes(content))
  } catch (error) {
    throw new EnvelopeError('the audit message is not text in UTF-8', { cause: error })
  }
}

/** A later read has no Lsn of its own: whatever is streamed after it is newer. */
function readPosition(op: RowChange['op'], source: NonNullable<Envelope['source']>): Position {
  const epoch = readEpoch(source.name)
  if (op === 'later read') return { epoch, phase: 0, lsn: 0 }
  // A failed read leaves the connector sending changes without a place; it says RUNNING all the while.
  if (typeof source.lsn !== 'number') throw new EnvelopeError('the change has no lsn: restart the connector')
  return { epoch, phase: op === 'initial read' ? 0 : 1, lsn: exactLsn(source.lsn) }
}

/** `tidemark_e3` is epoch 3. */
function readEpoch(name: string | undefined): number {
  const match = /_e(\d+)$/.exec(name ?? '')
  if (match === null) throw new EnvelopeError(`source.name '${name}' does not end in _e<epoch>`)
  return Number(match[1])
}

function readControl(envelope: Envelope, table: string): Incoming {
  const row = envelope.after
  if (row === null || row === undefined) return { kind: 'ignored' }
  const position = readPosition(envelope.op === 'r' ? 'initial read' : 'create', envelope.source!)
  if (table === 'table_contract') {
    return { kind: 'contract', position, contract: parseContract(JSON.parse(String(row['contract']))) }
  }
  if (table !== 'beacon') return { kind: 'ignored' }
  return { kind: 'beacon', position, beacon: readBeacon(row, position.epoch) }
}

function readBeacon(row: WireRow, epoch: number): Beacon {
  const body = JSON.parse(String(row['body'])) as Record<string, unknown>
  return {
    epoch,
    number: Number(row['number']),
    slot: Number(row['slot']),
    lsn: String(body['lsn']),
    systemIdentifier: String(body['systemIdentifier']),
    topicPartitions: Number(body['topicPartitions']),
    emittedAt: String(row['emitted_at']),
    confirmedLsn: typeof body['confirmedLsn'] === 'string' ? body['confirmedLsn'] : null,
    contractsMissing: body['contractsMissing'] === true,
    readSnapshot: typeof body['snapshot'] === 'string' ? body['snapshot'] : null,
    reading: (body['reading'] as Beacon['reading'] | undefined) ?? null,
  }
}
