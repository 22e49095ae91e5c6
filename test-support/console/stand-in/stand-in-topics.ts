import type { ListedTopic, Payload, RecordPage, ShownRecord } from '#core/console/topics.ts'
import { hostile } from './hostile-names.ts'

const payload = (text: string, most = 20_000): Payload => ({
  ...{ kind: 'text', text: text.slice(0, most), isCut: text.length > most, bytes: Buffer.byteLength(text) },
})

export const standInTopics = (): readonly ListedTopic[] =>
  ['changes', 'user-events', 'connect-offsets', 'trips-by-zone', `legacy.${hostile.long}`].map((name, index) => ({
    name,
    topicPartitions: Array.from({ length: index === 0 ? 4 : 1 }, (_, topicPartition) => ({
      ...{ topicPartition, begin: String(index * 1_000), end: index === 3 ? '3000' : '9223372036854' },
    })),
  }))

/** The value of a record. That of offset 7 has five megabytes. */
export function standInValue(offset: number): string {
  if (offset % 100 !== 7) {
    const row = {
      id: '#',
      name: hostile.markup,
      amount: '12.10',
      note: hostile.controls,
      customer: hostile.emoji,
      tags: [],
      geo: {},
    }
    const envelope = {
      before: null,
      after: row,
      source: { lsn: 23_934_792, snapshot: 'false' },
      op: 'c',
      ts_ms: 1_700_000_000_000,
    }
    return JSON.stringify(envelope).replace('"#"', `900719925474099${offset}`).replace('"12.10"', '12.10')
  }
  const items = Array.from({ length: 60_000 }, (_, i) => `{"i":${i},"price":${i}.10,"name":"${'x'.repeat(50)}"}`)
  return `{"items":[${items.join(',')}],"exact":1.10000000000000000001E+400}`
}

export function standInRecord(topic: string, topicPartition: number, offset: number): ShownRecord {
  const isTombstone = offset % 10 === 3
  const isHex = offset % 10 === 5
  return {
    ...{
      topic,
      topicPartition,
      offset: String(offset),
      timestamp: new Date(Date.now() - 50 * (1_000 - (offset % 1_000))).toISOString(),
    },
    key: offset % 10 === 4 ? null : payload(`{"id":900719925474099${offset}}`),
    value: isTombstone
      ? null
      : isHex
        ? { kind: 'hex', text: 'fffe00c3281122', isCut: false, bytes: 7 }
        : payload(standInValue(offset), offset % 100 === 7 ? 200_000 : 2_000),
    headers: [
      { name: '__op', value: payload('c') },
      { name: hostile.override, value: payload(hostile.controls) },
    ],
  }
}

/** Live, two records have come since the last answer. */
export function recordPage(topic: string, query: URLSearchParams): RecordPage {
  const isLive = query.get('from') === 'end'
  const after = Number(query.get('after') ?? (isLive ? 5_000 : (query.get('offset') ?? 0)))
  const count = isLive && query.get('after') !== null ? 2 : 100
  const items = Array.from({ length: count }, (_, i) => standInRecord(topic, (after + i) % 4, after + i))
  return { items, next: String(after + count), isAtEnd: isLive, looked: count }
}

/** A megabyte of a value from a place on. */
export function recordPart(topic: string, partition: string, offset: string, from: number) {
  const record = standInRecord(topic, Number(partition), Number(offset))
  const whole = standInValue(Number(offset))
  const part = whole.slice(from, from + 1_000_000)
  const value = {
    kind: 'text' as const,
    text: part,
    isCut: from + part.length < whole.length,
    bytes: Buffer.byteLength(whole),
  }
  return { ...record, value, valueFrom: from }
}
