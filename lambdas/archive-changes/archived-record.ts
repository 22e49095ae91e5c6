import { isUtf8 } from 'node:buffer'
import { hash } from 'node:crypto'
import type { MSKRecord, MSKRecordHeader } from 'aws-lambda'
import type { ArchivedRecord } from '#core/archive-row.ts'
import type { RecordIdentity } from '#core/delivery.ts'

/** A record of the event in the form in which it is archived. */
export type DeliveredRecord = ArchivedRecord & RecordIdentity

/** Reads a record of a Kafka event without loss: bytes that are not text stay in base64. */
export function readDelivered(record: MSKRecord): DeliveredRecord {
  const { topic, partition: topicPartition, offset, timestamp: timestampMs, headers } = record
  const keyBytes = bytesOf(record.key)
  const valueBytes = bytesOf(record.value)
  const encoding = isText(keyBytes) && isText(valueBytes) ? null : 'base64'
  const key = keyBytes === null ? null : keyBytes.toString(encoding ?? 'utf8')
  const value = valueBytes === null ? null : valueBytes.toString(encoding ?? 'utf8')
  return {
    topic,
    topicPartition,
    offset,
    timestampMs,
    key,
    value,
    encoding,
    headers: headers.length === 0 ? null : JSON.stringify(headers.flatMap(Object.entries).map(headerOf)),
    digest: () => digestOf({ timestampMs, key, value }),
  }
}

/** Distinguishes a record from another one at the same place. */
export const digestOf = ({ timestampMs, key, value }: Pick<ArchivedRecord, 'timestampMs' | 'key' | 'value'>): string =>
  hash('sha256', `${timestampMs} ${key ?? ''} ${value ?? ''}`, 'base64url')

/** The value of a tombstone is absent. */
const bytesOf = (base64: string | null | undefined): Buffer | null =>
  base64 == null ? null : Buffer.from(base64, 'base64')

const isText = (bytes: Buffer | null): boolean => bytes === null || isUtf8(bytes)

/** Lambda gives the bytes of a header as signed numbers. In Kafka, a header may also have no value. */
function headerOf([name, numbers]: [string, MSKRecordHeader[string] | null]): [string, string | object | null] {
  if (numbers == null) return [name, null]
  const bytes = Buffer.from(Int8Array.from(numbers))
  return [name, isUtf8(bytes) ? bytes.toString('utf8') : { base64: bytes.toString('base64') }]
}
