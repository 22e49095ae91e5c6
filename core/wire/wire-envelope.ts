// How is each member of Debezium's envelope checked, and which position does a change have?

import { exactLsn } from '../lsn.ts'
import type { Position } from '../position.ts'

/** A record that is not what Debezium sends. */
export class EnvelopeError extends Error {
  override readonly name = 'EnvelopeError'
}

/** A row's columns as Debezium sends them, by name. */
export type WireRow = Readonly<Record<string, unknown>>

/** The members of a JSON object. A sender may write anything, so each member is checked where it is read. */
export type Members = Readonly<Record<string, unknown>>

/** The position of a change, and when it was committed, in ms since 1970 with microseconds as a fraction. */
export type Place = { readonly position: Position; readonly txId: number | null; readonly committedAtMs: number }

/** How a change came: read by the initial snapshot, read later between changes, or streamed. */
export type Way = 'initial read' | 'later read' | 'streamed'

export const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A member that must be an object. Throws an EnvelopeError when it is not. */
export function objectOf(members: Members, name: string): Members {
  const value = members[name]
  if (isObject(value)) return value
  throw new EnvelopeError(`its ${name} is ${kindOf(value)}, not an object`)
}

/** An image of a row; null when the change has none. */
export function imageOf(envelope: Members, name: 'before' | 'after'): WireRow | null {
  return (envelope[name] ?? null) === null ? null : objectOf(envelope, name)
}

/** The kind of a JSON value, as a message names it. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** A name that Postgres can have given. Throws an EnvelopeError on any other value. */
export function nameOf(members: Members, name: string): string {
  const value = members[name]
  if (typeof value === 'string' && isPostgresName(value)) return value
  throw new EnvelopeError(`it names no table: its ${name} is ${JSON.stringify(value)?.slice(0, 80) ?? 'missing'}`)
}

/** Whether Postgres can use the text as a name: it has 1 to 63 characters, no NUL and no half of a surrogate pair. */
export const isPostgresName = (text: string): boolean =>
  text !== '' && text.length <= 63 && !text.includes('\0') && text.isWellFormed()

/** The place of a change. Throws an EnvelopeError when its source does not give a place that a change can have. */
export function placeOf(way: Way, source: Members): Place {
  return { position: positionOf(way, source), txId: txIdOf(source), committedAtMs: committedAtMs(source) }
}

/** A later read has no lsn of its own. It gets the lowest position of its epoch, so that every streamed change is newer. */
function positionOf(way: Way, source: Members): Position {
  const epoch = epochOf(source['name'])
  if (way === 'later read') return { epoch, phase: 0, lsn: 0 }
  const lsn = source['lsn']
  // After a failed read, the connector sends changes without an Lsn, though it still reports RUNNING.
  if (typeof lsn !== 'number') throw new EnvelopeError('the change has no lsn: restart the connector')
  return { epoch, phase: way === 'initial read' ? 0 : 1, lsn: checked('lsn', lsn, exactLsn) }
}

function checked<T>(name: string, value: number, check: (value: number) => T): T {
  try {
    return check(value)
  } catch (error) {
    throw new EnvelopeError(`its ${name} is not valid: ${(error as Error).message}`, { cause: error })
  }
}

/**
 * Streamed changes have the low 32 bits of the transaction id, and reads of a snapshot all 64, so only the low bits are
 * compared.
 */
function txIdOf({ txId }: Members): number | null {
  if (txId === undefined || txId === null) return null
  if (typeof txId === 'number' && Number.isSafeInteger(txId) && txId >= 0) return txId % 2 ** 32
  throw new EnvelopeError(`its transaction id ${JSON.stringify(txId)} is not a whole number`)
}

/** The last moment of the year 9999. */
const lastMs = 253_402_300_799_999

/** Whether the value can be a time in ms since 1970. */
export const isTime = (ms: unknown): ms is number => typeof ms === 'number' && ms >= 0 && ms <= lastMs

function committedAtMs({ ts_us, ts_ms }: Members): number {
  const ms = typeof ts_us === 'number' ? ts_us / 1000 : (ts_ms ?? 0)
  if (isTime(ms)) return ms
  throw new EnvelopeError(`its commit time ${JSON.stringify(ts_us ?? ts_ms)} is not a time`)
}

/** The epoch of a name: of tidemark_e3 it is 3. Throws an EnvelopeError on any other name. */
export function epochOf(name: unknown): number {
  const match = typeof name === 'string' ? /_e([1-9]\d{0,8})$/.exec(name) : null
  if (match === null) throw new EnvelopeError(`source.name ${JSON.stringify(name)} does not end in _e<epoch>`)
  return Number(match[1])
}

/** The epoch that a record names in its source; undefined where it names none. Never throws. */
export function namedEpoch(envelope: unknown): number | undefined {
  const source = isObject(envelope) ? envelope['source'] : undefined
  try {
    return isObject(source) ? epochOf(source['name']) : undefined
  } catch (error) {
    if (error instanceof EnvelopeError) return undefined
    throw error
  }
}
