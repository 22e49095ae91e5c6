import type { MSKEvent, MSKRecord } from 'aws-lambda'
import type { ExpectedRecord } from './tally.ts'

/** A delivery, and its records that must be in the archive. */
export type MadeEvent = { readonly event: MSKEvent; readonly expected: readonly ExpectedRecord[] }

/** Records of one topic partition in one event. An event of four topic partitions then has 6 MB. */
const PER_STREAM = 1_440
/** Time of the first record. The span makes the records fall on two days in UTC. */
const FIRST_MS = Date.UTC(2026, 10, 26, 9)
const SPAN_MS = 36 * 3_600_000
/** It has more than 32 bits, as in a source that has run for long. */
const FIRST_LSN = 26_000_000_000

/** Some of the names need quoting and have letters beyond ASCII. */
export const tableNames = ['public.orders', 'public.customers', 'sales.Straße', 'public.注文'] as const

/**
 * Two topics as event source mappings deliver them, with the same records each time. `changes` has four topic
 * partitions, with envelopes of about 632 bytes in Debezium's format, tombstones, messages, headers and values that are
 * not text. `user-events` has plain deltas and offsets with holes. A tenth of the records are deltas.
 */
export function* madeEvents(total: number): Generator<MadeEvent> {
  const deltas = Math.floor(total / 10)
  const perStream = Math.ceil((total - deltas) / 4)
  for (let from = 0; from < perStream; from += PER_STREAM) {
    const to = Math.min(from + PER_STREAM, perStream)
    const records = [0, 1, 2, 3].map((slot) => {
      // When the total cannot be divided evenly, the first topic partitions have one record less.
      const end = Math.min(to, perStream - (slot < perStream * 4 - (total - deltas) ? 1 : 0))
      return range(from, end, (index) => changeOf(slot, index, index / perStream))
    })
    yield delivery(records)
    const portion = [from, to].map((index) => Math.floor((index / perStream) * deltas)) as [number, number]
    yield delivery([range(...portion, (index) => deltaOf(index, index / deltas))])
  }
}

const range = <T>(from: number, to: number, make: (index: number) => T): T[] =>
  Array.from({ length: Math.max(to - from, 0) }, (_, i) => make(from + i))

function delivery(streams: ExpectedRecord[][]): MadeEvent {
  const filled = streams.filter((records) => records.length > 0)
  const records = filled.map((each) => [`${each[0]!.topic}-${each[0]!.topicPartition}`, each.map(delivered)])
  const event = { eventSource: 'aws:kafka', eventSourceArn: 'arn', records: Object.fromEntries(records) }
  return { event: event as unknown as MSKEvent, expected: filled.flat() }
}

function delivered({ topic, topicPartition, offset, timestampMs, ...record }: ExpectedRecord): MSKRecord {
  const base64 = (text: string | null) =>
    text === null || record.encoding === 'base64' ? text : Buffer.from(text).toString('base64')
  const headers = record.headers === null ? [] : (JSON.parse(record.headers) as [string, string][])
  return {
    ...{ topic, partition: topicPartition, offset, timestamp: timestampMs, timestampType: 'CREATE_TIME' },
    key: base64(record.key) as string,
    value: base64(record.value) as string,
    // Lambda delivers bytes as signed numbers.
    headers: headers.map(([name, value]) => ({ [name]: [...new Int8Array(Buffer.from(value))] })),
  }
}

function changeOf(slot: number, index: number, progress: number): ExpectedRecord {
  const tableName = tableNames[(index + slot) % tableNames.length]!
  const id = 1_000_000 * slot + ((index * 7_919) % 50_000)
  const place = { topic: 'changes', topicPartition: slot, offset: index, timestampMs: timeOf(progress) }
  const lsn = FIRST_LSN + index * 4 + slot
  const key = `{"id":${id},"_table":"${tableName}"}`
  const bare = { ...place, tableName: null, op: null, lsn: null, key, headers: null, encoding: null }
  if (index % 50 === 7) return { ...bare, value: null }
  if (index % 300 === 5) return { ...bare, op: 'm', lsn, value: messageOf(lsn, place.timestampMs) }
  if (index % 1000 === 999) return { ...bare, ...noText(index), encoding: 'base64' }
  if (index % 1000 === 499) return { ...bare, key: `\u0000\u0000${String.fromCharCode(index % 128)}`, value: '[]' }
  if (index % 1000 === 249)
    return { ...bare, timestampMs: oddTimes[Math.floor(index / 1000) % oddTimes.length]!, value: '[]' }
  const op = index % 10 === 3 ? 'd' : index % 4 === 0 ? 'c' : 'u'
  const headers = index % 100 === 11 ? JSON.stringify([['__debezium.newkey', `{"id":${id + 1},"ö":"😀"}`]]) : null
  return { ...bare, tableName, op, lsn, headers, value: envelopeOf(op, tableName, id, lsn, place.timestampMs, index) }
}

function deltaOf(index: number, progress: number): ExpectedRecord {
  const op = ['insert', 'update', 'delete'][index % 3]!
  const text = `{"id":${index % 5_000},"name":"user ü ${index}","age":${index % 90},"op":"${op}","event_order":${index}}`
  return {
    ...{
      topic: 'user-events',
      topicPartition: 0,
      offset: index + Math.floor(index / 3),
      timestampMs: timeOf(progress),
    },
    ...{ tableName: null, op, lsn: null, key: `${index % 5_000}`, headers: null, encoding: null, value: text },
  }
}

const timeOf = (progress: number): number => FIRST_MS + Math.floor(progress * SPAN_MS)

/** A time that means no time, and a time in microseconds instead of milliseconds. */
const oddTimes = [-1, FIRST_MS * 1000]

/** Bytes that are not UTF-8, in key and value. */
const noText = (index: number) => ({
  key: Buffer.from([0xff, index % 256, 0]).toString('base64'),
  value: Buffer.from([0xc3, 0x28, index % 256, 0xfe]).toString('base64'),
})

function envelopeOf(op: string, table: string, id: number, lsn: number, timeMs: number, index: number): string {
  const row = `{"id":${id},"name":"customer ${id}","note":"${noteOf(index)}","amount":"${index % 977}.25","paid":${index % 3 === 0},"changed_at":"2026-11-20T19:10:57.562283Z"}`
  const before = op === 'd' ? `{"id":${id},"name":null,"note":null,"amount":null,"paid":null}` : 'null'
  return `{"before":${before},"after":${op === 'd' ? 'null' : row},"source":${sourceOf(table, lsn, timeMs)},"transaction":null,"op":"${op}","ts_ms":${timeMs},"ts_us":${timeMs}123,"ts_ns":${timeMs}123456}`
}

/** Quotes, backslashes, letters beyond ASCII and beyond 16 bits, and text that looks like a part of the envelope. */
const noteOf = (index: number): string =>
  index % 20 === 1
    ? `line ${index} \\"on time\\" \\\\ größe 寿司 😀 },\\"source\\":{ \\u0001`
    : `delivery ${(index * 2_654_435_761) % 4_294_967_296} of the ${index % 31}th, left at door ${index % 977}`

function sourceOf(table: string, lsn: number, timeMs: number): string {
  const [schema, name] = table.split('.') as [string, string]
  return `{"version":"3.7.0.Final","connector":"postgresql","name":"tidemark_e1","ts_ms":${timeMs},"snapshot":"false","db":"source","sequence":"[\\"${lsn - 4}\\",\\"${lsn}\\"]","ts_us":${timeMs}578,"ts_ns":${timeMs}578545,"schema":"${schema}","table":"${name}","txId":${lsn % 1_000_000},"lsn":${lsn},"xmin":null,"origin":null,"origin_lsn":null}`
}

const messageOf = (lsn: number, timeMs: number): string =>
  `{"op":"m","ts_ms":${timeMs},"source":{"name":"tidemark_e1","ts_us":${timeMs}000,"schema":"","table":"","txId":5,"lsn":${lsn}},"message":{"prefix":"audit","content":"eyJ3aG8iOiLDvCJ9"}}`
