// What does one Kafka record say? The envelope of Debezium is read here and becomes a change.

import { base64ToBytes, utf8Text } from '../codecs/bytes.ts'
import type { Position } from '../position.ts'
import { type ControlRecord, readControl } from './control-records.ts'
import { type Replacement, replacementOf } from './replaced-record.ts'
import {
  EnvelopeError,
  epochOf,
  imageOf,
  isObject,
  kindOf,
  type Members,
  namedEpoch,
  nameOf,
  objectOf,
  placeOf,
  type WireRow,
} from './wire-envelope.ts'
import { parse, parseEnvelope, parseExactly, WireError } from './wire-json.ts'

export type { Beacon, ReadBeacon } from './control-records.ts'
export { EnvelopeError, type WireRow } from './wire-envelope.ts'

/** What a record of the topic `changes` says. */
export type Incoming =
  | { readonly kind: 'row'; readonly change: RowChange }
  | { readonly kind: 'truncate'; readonly truncate: Truncate }
  | ControlRecord
  | { readonly kind: 'audit'; readonly message: AuditMessage }
  /** Capture has started, so that records which follow may have been sent before. `reads`: it begins to read rows. */
  | { readonly kind: 'start'; readonly epoch: number; readonly reads: boolean }
  | Unreadable

/** A change that has no position or cannot be understood. Its table must not go on without it. */
export type Unreadable = {
  readonly kind: 'unreadable'
  readonly schema: string
  readonly table: string
  readonly reason: string
  /** Undefined when the record does not name it. */
  readonly epoch?: number | undefined
  /** Whether reading the rows of the table again resolves it. */
  readonly automatic?: boolean
}

/** One version of one row: created, updated or deleted, or read by the initial snapshot or later, between changes. */
export type RowChange = {
  readonly op: 'create' | 'update' | 'delete' | 'initial read' | 'later read'
  readonly schema: string
  readonly table: string
  readonly position: Position
  /** The low 32 bits of the source's transaction id; null for reads. */
  readonly txId: number | null
  /**
   * With the default replica identity only the key columns of `before` are valid: Postgres logs no others of the old
   * row.
   */
  readonly before: WireRow | null
  readonly after: WireRow | null
  /** For half of a key change: the key that the row has after it (delete), or had before it (create). */
  readonly otherKey: WireRow | undefined
  /** When the source committed it, or when it was read, in ms since 1970 with microseconds as a fraction. */
  readonly committedAtMs: number
}

/** Removes every row of the table with an earlier position. */
export type Truncate = Pick<RowChange, 'schema' | 'table' | 'position' | 'txId' | 'committedAtMs'>

/** A message that a transaction emits with `pg_logical_emit_message(true, 'audit', …)`. */
export type AuditMessage = Pick<RowChange, 'position' | 'txId' | 'committedAtMs'> & { readonly text: string }

/** Each half of a key change has the key of the other half in one of these headers, as JSON. */
export type KeyHeaders = { readonly newKey?: string | undefined; readonly oldKey?: string | undefined }

/** The epoch that a record belongs to; undefined when the record does not name it. */
export function epochOfRecord(incoming: Incoming): number | undefined {
  switch (incoming.kind) {
    case 'row':
      return incoming.change.position.epoch
    case 'truncate':
      return incoming.truncate.position.epoch
    case 'contract':
    case 'read beacon':
      return incoming.position.epoch
    case 'beacon':
      return incoming.beacon.epoch
    case 'audit':
      return incoming.message.position.epoch
    case 'start':
    case 'unreadable':
    case 'impossible':
      return incoming.epoch
    default:
      return undefined
  }
}

/**
 * Reads a record's value. One that cannot be read but names a table is returned as unreadable, so that the table can be
 * stopped. One that names no table either is an EnvelopeError or a WireError.
 */
export function readRecord(value: string, headers: KeyHeaders = {}): Incoming {
  const envelope = parseOrName(value)
  if ('kind' in envelope) return envelope
  return readEnvelope(envelope.json, headers)
}

function parseOrName(value: string): { readonly json: unknown } | Unreadable {
  try {
    return { json: parseEnvelope(value) }
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    const named = tableOfRecord(value)
    if (named === undefined) throw error
    return { kind: 'unreadable', ...named, epoch: namedEpoch(parse(value)), reason: error.message }
  }
}

function readEnvelope(envelope: unknown, headers: KeyHeaders): Incoming {
  if (!isObject(envelope)) throw new EnvelopeError(`the record is not a change but ${kindOf(envelope)}`)
  const replacement = replacementOf(envelope)
  if (replacement !== undefined) return readReplacement(envelope, replacement)
  if (envelope['op'] === undefined) return readNotification(envelope)
  if (envelope['op'] === 'm') return readMessage(envelope)
  const source = objectOf(envelope, 'source')
  const named = tableOf(envelope)
  if (named.schema === 'tidemark') return readControl(envelope, source, named.table)
  try {
    if (envelope['op'] === 't') return { kind: 'truncate', truncate: { ...named, ...placeOf('streamed', source) } }
    return { kind: 'row', change: { ...named, ...readRow(envelope, source, headers) } }
  } catch (error) {
    if (!(error instanceof EnvelopeError || error instanceof WireError)) throw error
    return { kind: 'unreadable', ...named, epoch: namedEpoch(envelope), reason: error.message }
  }
}

function tableOf(envelope: Members): Pick<RowChange, 'schema' | 'table'> {
  const source = objectOf(envelope, 'source')
  return { schema: nameOf(source, 'schema'), table: nameOf(source, 'table') }
}

/** A record that replaces a message, or that belongs to nothing captured, stops no table: this throws instead. */
function readReplacement(envelope: Members, replacement: Replacement): Unreadable {
  try {
    return { kind: 'unreadable', ...tableOf(envelope), epoch: namedEpoch(envelope), ...replacement }
  } catch (error) {
    if (!(error instanceof EnvelopeError)) throw error
    throw new EnvelopeError(replacement.reason, { cause: error })
  }
}

/** The table that a record names; undefined when it names none. Never throws. */
export function tableOfRecord(value: string | undefined): Pick<RowChange, 'schema' | 'table'> | undefined {
  try {
    const envelope = value === undefined ? undefined : parse(value)
    return isObject(envelope) ? tableOf(envelope) : undefined
  } catch (error) {
    if (error instanceof EnvelopeError || error instanceof WireError) return undefined
    throw error
  }
}

/**
 * Each start of Debezium begins with the notification that the initial snapshot was started or skipped. A blocking
 * snapshot sends that it was started as well, though nothing is sent again then.
 */
function readNotification(notification: Members): Incoming {
  const { aggregate_type: about, type } = notification
  if (typeof about !== 'string' || typeof type !== 'string') throw new EnvelopeError(noChange(notification))
  if (about !== 'Initial Snapshot' || (type !== 'STARTED' && type !== 'SKIPPED')) return { kind: 'ignored' }
  const epoch = epochOf(objectOf(notification, 'additional_data')['connector_name'])
  return { kind: 'start', epoch, reads: type === 'STARTED' }
}

function noChange(record: Members): string {
  if ('schema' in record && 'payload' in record) {
    return 'the record has schema and payload: the converter of the connector needs schemas.enable=false'
  }
  return 'the record is not a change: it has no op'
}

const operations: Readonly<Record<string, RowChange['op']>> = {
  c: 'create',
  u: 'update',
  d: 'delete',
  r: 'initial read',
}

function readRow(envelope: Members, source: Members, headers: KeyHeaders): Omit<RowChange, 'schema' | 'table'> {
  const known = operations[String(envelope['op'])]
  if (known === undefined) throw new EnvelopeError(`operation ${JSON.stringify(envelope['op'])} is not known`)
  const op = known === 'initial read' && source['snapshot'] === 'incremental' ? 'later read' : known
  const way = op === 'initial read' || op === 'later read' ? op : 'streamed'
  const otherKey = op === 'delete' ? headers.newKey : headers.oldKey
  return {
    op,
    ...placeOf(way, source),
    before: imageOf(envelope, 'before'),
    after: imageOf(envelope, 'after'),
    otherKey: otherKey === undefined ? undefined : readKey(otherKey),
  }
}

function readKey(text: string): WireRow {
  const key = parseExactly(text)
  if (isObject(key)) return key
  throw new EnvelopeError(`the header that names the row's other key holds ${kindOf(key)}, not an object`)
}

function readMessage(envelope: Members): Incoming {
  const message = objectOf(envelope, 'message')
  if (message['prefix'] !== 'audit') return { kind: 'ignored' }
  const text = messageText(message['content'] ?? '')
  return { kind: 'audit', message: { ...placeOf('streamed', objectOf(envelope, 'source')), text } }
}

/** Applications may send any bytes as a message, also bytes that are not UTF-8. */
function messageText(content: unknown): string {
  try {
    return utf8Text(base64ToBytes(String(content)))
  } catch (error) {
    throw new EnvelopeError('the audit message is not text in UTF-8', { cause: error })
  }
}
