// When did a change pass each place between the source and the topic?

import { isObject, isTime } from './wire-envelope.ts'
import { parse } from './wire-json.ts'

/**
 * When a change was committed, when Debezium had read it from the log, and when it was sent to the broker, in ms since
 * 1970.
 */
export type ChangeTimes = { readonly committedAtMs: number; readonly readAtMs: number; readonly sentAtMs: number }

/** A longer record is not parsed a second time only to measure it. */
const longest = 65_536

/**
 * The times of a change, from the value of its record, its commit time and the timestamp of the record. Undefined if
 * one of them is not a time, or if the record is long. Throws a WireError if the value is not JSON.
 */
export function changeTimes(value: string, committedAtMs: number, sentAtMs: number): ChangeTimes | undefined {
  if (value.length > longest) return undefined
  const envelope = parse(value)
  if (!isObject(envelope)) return undefined
  const { ts_us: us, ts_ms: ms } = envelope
  const readAtMs = typeof us === 'number' ? us / 1000 : ms
  return isTime(readAtMs) && isTime(sentAtMs) ? { committedAtMs, readAtMs, sentAtMs } : undefined
}
