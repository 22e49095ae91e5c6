/** A Kafka record as a Lambda function sees it, before it is written as JSON. */
export type EventRecord = {
  offset: number
  /** Milliseconds since 1970. */
  timestamp: number
  timestampType: 'CREATE_TIME' | 'LOG_APPEND_TIME'
  key: Buffer | null
  /** Null in a tombstone. */
  value: Buffer | null
  headers: [name: Buffer | null, value: Buffer | null][]
}

/** What stands before and after the records of every event of a mapping, as JSON text. */
export type EventFrame = { head: string; tail: string }

/** The event of an MSK cluster, or, without ARN, of self-managed Kafka: `records` follows, by `<topic>-<partition>`. */
export function makeEventFrame(eventSourceArn: string | undefined, bootstrapServers: string): EventFrame {
  const source =
    eventSourceArn === undefined ? { eventSource: 'SelfManagedKafka' } : { eventSource: 'aws:kafka', eventSourceArn }
  const json = JSON.stringify({ ...source, bootstrapServers, records: {} })
  return { head: json.slice(0, -2), tail: '}}' }
}

/**
 * Writes records of one topic partition as JSON, in ASCII. `key` is absent without a key, `value` in a tombstone;
 * bytes of headers are signed, as Java's. By hand: at 30,000 records a second JSON.stringify costs twice as much.
 */
export function makeRecordEncoder(topic: string, partition: number): (record: EventRecord) => string {
  const start = `{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":`
  return ({ offset, timestamp, timestampType, key, value, headers }) => {
    let json = `${start}${offset},"timestamp":${timestamp},"timestampType":"${timestampType}"`
    if (key !== null) json += `,"key":"${key.toString('base64')}"`
    if (value !== null) json += `,"value":"${value.toString('base64')}"`
    return `${json},"headers":[${headers.length === 0 ? '' : headers.map(encodeHeader).join(',')}]}`
  }
}

function encodeHeader([name, value]: EventRecord['headers'][number]): string {
  const bytes = value === null ? [] : new Int8Array(value.buffer, value.byteOffset, value.length)
  return `{${asciiJson(name?.toString() ?? '')}:[${bytes.join(',')}]}`
}

/** One byte per character, so that the length of the text is the length of the payload. */
function asciiJson(text: string): string {
  return JSON.stringify(text).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
