import { isUtf8 } from 'node:buffer'
import type { Payload } from '#core/console/topics.ts'

/** A half of a character at the end of the cut bytes is left out. The mark of byte order is a part of the text. */
const decodePrefix = (bytes: Buffer): string =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: true })

/** The first `most` bytes as text, or half as many in hexadecimal. Null stays null, such as the value of a tombstone. */
export function cutPayload(bytes: Buffer | null, most: number): Payload | null {
  if (bytes === null) return null
  const isCut = bytes.length > most
  if (isUtf8(bytes)) {
    return { kind: 'text', text: decodePrefix(bytes.subarray(0, most)), isCut, bytes: bytes.length }
  }
  const shown = bytes.subarray(0, most >> 1)
  return { kind: 'hex', text: shown.toString('hex'), isCut: shown.length < bytes.length, bytes: bytes.length }
}

/** How many UTF-16 units a part has at most. */
const PART_UNITS = 1_000_000
/** A control character takes six bytes of JSON, and an answer has 5.5 MB at most. */
const PART_JSON_BYTES = 3_000_000

/** The part of a payload from a UTF-16 unit of its text, or of its hexadecimal digits, on. `isCut` if more follows. */
export function partOfPayload(bytes: Buffer | null, from: number): Payload | null {
  if (bytes === null) return null
  const kind = isUtf8(bytes) ? 'text' : 'hex'
  const whole = bytes.toString(kind === 'text' ? 'utf8' : 'hex')
  let end = endOfPart(whole, Math.min(whole.length, from + PART_UNITS))
  while (jsonBytes(whole.slice(from, end)) > PART_JSON_BYTES) end = endOfPart(whole, from + ((end - from) >> 1))
  return { kind, text: whole.slice(from, end), isCut: end < whole.length, bytes: bytes.length }
}

const jsonBytes = (text: string): number => Buffer.byteLength(JSON.stringify(text))

/** A character of two units is not cut in two. */
function endOfPart(text: string, end: number): number {
  const last = text.charCodeAt(end - 1)
  return end < text.length && last >= 0xd800 && last < 0xdc00 ? end - 1 : end
}
