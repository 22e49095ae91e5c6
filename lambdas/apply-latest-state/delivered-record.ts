import { hash } from 'node:crypto'
import type { MSKRecord, MSKRecordHeader } from 'aws-lambda'
import type { KeyHeaders } from '#core/wire/change.ts'

/** A record of the event with its bytes decoded; an absent value is a tombstone. */
export type DeliveredRecord = {
  readonly offset: number
  readonly timestampMs: number
  readonly key: string | undefined
  readonly value: string | undefined
  readonly headers: KeyHeaders | undefined
  /** Distinguishes this record from another one at the same offset. */
  readonly digest: () => string
  /** Key and value as they came. */
  readonly bytes: () => { readonly key: Uint8Array | undefined; readonly value: Uint8Array | undefined }
}

/** Decodes a record of a Kafka event, whose key and value are base64 and may be absent. */
export function decodeDelivered(record: MSKRecord): DeliveredRecord {
  const key = decode(record.key)
  const value = decode(record.value)
  return {
    offset: record.offset,
    timestampMs: record.timestamp,
    key,
    value,
    headers: decodeHeaders(record.headers),
    bytes: () => ({ key: bytesOf(record.key), value: bytesOf(record.value) }),
    digest: () => hash('sha256', `${record.timestamp} ${key ?? ''} ${value ?? ''}`, 'base64url'),
  }
}

const bytesOf = (base64: string | undefined | null): Buffer | undefined =>
  base64 == null ? undefined : Buffer.from(base64, 'base64')

/** The bytes of one value at a time are decoded in this buffer: a new buffer for each costs as much as decoding it. */
const scratch = Buffer.allocUnsafe(64 << 10)

function decode(base64: string | undefined | null): string | undefined {
  if (base64 == null || base64.length > scratch.length) return bytesOf(base64)?.toString('utf8')
  return scratch.toString('utf8', 0, scratch.write(base64, 'base64'))
}

/** Half of a key change has one header; other records have none. */
function decodeHeaders(headers: readonly MSKRecordHeader[]): KeyHeaders | undefined {
  if (headers.length === 0) return undefined
  const decoded = new Map(headers.flatMap(Object.entries).map(([name, bytes]) => [name, textOf(bytes)]))
  return { newKey: decoded.get('__debezium.newkey'), oldKey: decoded.get('__debezium.oldkey') }
}

/** Lambda gives the bytes of a header as signed numbers. */
const textOf = (bytes: readonly number[]): string => Buffer.from(Int8Array.from(bytes)).toString('utf8')
