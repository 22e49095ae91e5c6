import { hash } from 'node:crypto'
import type { MSKRecord } from 'aws-lambda'

/** A record of the event with its bytes decoded; an absent value is a tombstone. */
export type DeliveredRecord = {
  readonly offset: number
  readonly timestampMs: number
  readonly key: string | undefined
  readonly value: string | undefined
  /** Tells this record from another one at the same offset. */
  readonly digest: () => string
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
    digest: () => hash('sha256', `${record.timestamp} ${key ?? ''} ${value ?? ''}`, 'base64url'),
  }
}

const decode = (base64: string | undefined | null): string | undefined =>
  base64 == null ? undefined : Buffer.from(base64, 'base64').toString('utf8')
