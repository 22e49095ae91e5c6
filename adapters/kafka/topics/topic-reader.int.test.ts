import { randomBytes, randomUUID } from 'node:crypto'
import { type CompressionAlgorithmValue, Producer } from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RecordPage, ShownRecord } from '#core/console/topics.ts'
import { startTestBroker, type TestBroker } from '#test-support/kafka/kafka-broker.ts'
import { positionsOfCursor, type ReadPlace } from './read-positions.ts'
import { makeTopicReader, type RecordsRequest, type TopicReader } from './topic-reader.ts'
import { BrokersUnreachableError } from './topic-session.ts'

let broker: TestBroker
let reader: TopicReader

beforeAll(async () => {
  broker = await startTestBroker({ isSecure: true })
  reader = makeTopicReader(async () => ({ brokers: [broker.bootstrapServers], access: {} }))
}, 120_000)
afterAll(() => broker.stop())

async function makeTopic(partitions = 1, configuration: Record<string, string> = {}): Promise<string> {
  const topic = `t-${randomUUID()}`
  await broker.createTopic(topic, partitions, configuration)
  return topic
}

type Sent = { key?: Buffer; value?: Buffer; partition?: number; timestamp?: bigint; headers?: Map<Buffer, Buffer> }

async function send(topic: string, messages: Sent[], compression: CompressionAlgorithmValue = 'none'): Promise<void> {
  const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({
    ...{ clientId: 'test', bootstrapBrokers: [broker.bootstrapServers], compression },
  })
  try {
    await producer.send({ messages: messages.map((each) => ({ topic, partition: 0, ...each })), acks: -1 })
  } finally {
    await producer.close()
  }
}

async function read(topic: string, place: ReadPlace, more: Partial<RecordsRequest> = {}): Promise<RecordPage> {
  return (await reader.read({ topic, place, topicPartition: null, key: null, limit: 100, ...more }))!
}

const next = ({ next }: RecordPage): ReadPlace => ({ kind: 'after', positions: positionsOfCursor(next)! })
const values = ({ items }: RecordPage): (string | undefined)[] => items.map(({ value }) => value?.text)
const numbered = (count: number, from = 0): Sent[] =>
  Array.from({ length: count }, (_, index) => ({ value: Buffer.from(String(from + index)) }))

describe('what a record has', () => {
  test('keys, tombstones, headers and times are shown', async () => {
    const topic = await makeTopic()
    const headers = new Map([
      [Buffer.from('h'), Buffer.from('ü')],
      [Buffer.from('h'), Buffer.from('twice')],
      [Buffer.from([0xff]), Buffer.from([0x00, 0xfe])],
    ])
    await send(topic, [{ key: Buffer.from('k'), value: Buffer.from('v'), headers, timestamp: 1_700_000_000_123n }])
    await send(topic, [{ key: Buffer.from('k'), timestamp: 1_700_000_000_124n }])

    const { items, isAtEnd, looked } = await read(topic, { kind: 'begin' })

    const text = (of: string) => ({ kind: 'text', text: of, isCut: false, bytes: Buffer.byteLength(of) })
    const common = { topic, topicPartition: 0, key: text('k') }
    expect(items).toEqual([
      {
        ...{ ...common, offset: '0', timestamp: '2023-11-14T22:13:20.123Z', value: text('v') },
        headers: [
          { name: 'h', value: text('ü') },
          { name: 'h', value: text('twice') },
          { name: '0xff', value: { kind: 'hex', text: '00fe', isCut: false, bytes: 2 } },
        ],
      },
      { ...common, offset: '1', timestamp: '2023-11-14T22:13:20.124Z', value: null, headers: [] },
    ])
    expect({ isAtEnd, looked }).toEqual({ isAtEnd: true, looked: 2 })
  })

  test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'batches that are compressed with %s are read',
    async (name) => {
      const topic = await makeTopic()
      await send(topic, numbered(50), name)

      expect(values(await read(topic, { kind: 'begin' }))).toEqual(numbered(50).map(({ value }) => String(value)))
    },
  )

  test.each([
    ['control characters and a zero byte', Buffer.from('a\0\u0001\u001b[2J\u202e"\\\ud7ff\u2028\ufeff'), 'text'],
    ['a mark of byte order', Buffer.from('\ufeff{}'), 'text'],
    ['no byte', Buffer.alloc(0), 'text'],
    ['half a character', Buffer.from([0x61, 0xc3]), 'hex'],
    ['any byte', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)), 'hex'],
    ['a surrogate in UTF-8', Buffer.from([0xed, 0xa0, 0x80]), 'hex'],
  ] as const)('%s comes back byte for byte through JSON', async (_, bytes, kind) => {
    const topic = await makeTopic()
    await send(topic, [{ key: bytes, value: bytes }])

    const [record] = JSON.parse(JSON.stringify((await read(topic, { kind: 'begin' })).items)) as [ShownRecord]

    expect(record.value).toMatchObject({ kind, isCut: false, bytes: bytes.length })
    expect(Buffer.from(record.value!.text, kind === 'text' ? 'utf8' : 'hex')).toEqual(bytes)
    expect(record.key).toEqual(record.value)
  })

  test('a time that no calendar has is null', async () => {
    const topic = await makeTopic(1, { 'message.timestamp.after.max.ms': String(2 ** 53 - 1) })
    await send(topic, [{ value: Buffer.from('v'), timestamp: 8_650_000_000_000_000n }])

    expect((await read(topic, { kind: 'begin' })).items).toMatchObject([{ timestamp: null, value: { text: 'v' } }])
  })
})

describe('long values', () => {
  test('a list has the first bytes of a value of 5 MB, which is read in parts', async () => {
    const topic = await makeTopic(1, { 'max.message.bytes': String(16 << 20) })
    const long = `${'ä😀"\n'.repeat(500_000)}end`
    await send(topic, [{ value: Buffer.from(long) }, { value: Buffer.from('after') }], 'zstd')

    const { items } = await read(topic, { kind: 'begin' })
    expect(items.map(({ value }) => [value!.isCut, value!.bytes])).toEqual([
      [true, Buffer.byteLength(long)],
      [false, 5],
    ])
    expect(Buffer.byteLength(items[0]!.value!.text)).toBeLessThanOrEqual(4_096)
    expect(long.startsWith(items[0]!.value!.text)).toBe(true)

    let whole = ''
    for (let isCut = true; isCut; ) {
      const part = (await reader.readOne(topic, 0, 0n, whole.length))!
      expect(part.valueFrom).toBe(whole.length)
      expect(Buffer.byteLength(JSON.stringify(part))).toBeLessThan(4_000_000)
      whole += part.value!.text
      isCut = part.value!.isCut
    }
    expect(whole === long).toBe(true)
  })

  test('bytes that are no text are read in parts of hexadecimal digits', async () => {
    const topic = await makeTopic(1, { 'max.message.bytes': String(16 << 20) })
    const bytes = Buffer.concat([Buffer.from([0xff]), randomBytes(700_000)])
    await send(topic, [{ value: bytes }])

    const first = (await reader.readOne(topic, 0, 0n, 0))!.value!
    const rest = (await reader.readOne(topic, 0, 0n, first.text.length))!.value!

    expect([first.kind, first.isCut, rest.isCut]).toEqual(['hex', true, false])
    expect(Buffer.from(first.text + rest.text, 'hex').equals(bytes)).toBe(true)
  })

  test('a page of values that take six times as much in JSON is shorter, and the next one goes on', async () => {
    const topic = await makeTopic()
    await send(topic, Array(300).fill({ value: Buffer.alloc(4_096, 1) }))

    const first = await read(topic, { kind: 'begin' }, { limit: 500 })
    const second = await read(topic, next(first), { limit: 500 })
    const third = await read(topic, next(second), { limit: 500 })

    expect(Buffer.byteLength(JSON.stringify(first))).toBeLessThan(4_000_000)
    expect([first, second, third].flatMap(({ items }) => items.map(({ offset }) => Number(offset)))).toEqual(
      Array.from({ length: 300 }, (_, offset) => offset),
    )
  })
})

describe('places', () => {
  test('the last records are read from the end, and the live end goes on from there', async () => {
    const topic = await makeTopic(2)
    await send(topic, numbered(100))

    const last = await read(topic, { kind: 'end' }, { limit: 3 })
    expect([values(last), last.isAtEnd]).toEqual([['97', '98', '99'], true])
    const nothing = await read(topic, next(last))
    expect([values(nothing), nothing.isAtEnd]).toEqual([[], true])

    await send(topic, [{ value: Buffer.from('live') }, { value: Buffer.from('other'), partition: 1 }])
    expect(values(await read(topic, next(nothing))).toSorted()).toEqual(['live', 'other'])
  })

  test('pages go on without a gap and without a record twice, over all topic partitions', async () => {
    const topic = await makeTopic(3)
    for (let batch = 0; batch < 6; batch++) {
      const records = numbered(10, batch * 10).map((each, index) => ({
        ...each,
        partition: (batch + index) % 3,
        timestamp: BigInt(1_700_000_000_000 + batch * 10 + index),
      }))
      await send(topic, records)
    }
    const seen: string[] = []
    let page = await read(topic, { kind: 'begin' }, { limit: 7 })
    for (; page.items.length > 0; page = await read(topic, next(page), { limit: 7 }))
      seen.push(...(values(page) as string[]))

    expect(page.isAtEnd).toBe(true)
    expect(seen).toEqual(Array.from({ length: 60 }, (_, number) => String(number)))
  })

  test('an offset, a time and one topic partition are places', async () => {
    const topic = await makeTopic(2)
    const at = (ms: number, partition = 0) => ({ value: Buffer.from(`${ms}`), partition, timestamp: BigInt(ms) })
    await send(topic, [at(1_000), at(2_000), at(3_000)])
    await send(topic, [at(2_500, 1)])

    const offset = await read(topic, { kind: 'offset', offset: 1n }, { topicPartition: 0 })
    expect(values(offset)).toEqual(['2000', '3000'])
    expect(values(await read(topic, { kind: 'time', ms: 2_001 }))).toEqual(['2500', '3000'])
    expect(values(await read(topic, { kind: 'time', ms: 9_000 }))).toEqual([])
    expect(values(await read(topic, { kind: 'offset', offset: 99n }, { topicPartition: 0 }))).toEqual([])
    expect(values(await read(topic, { kind: 'begin' }, { topicPartition: 1 }))).toEqual(['2500'])
  })

  test('a key is searched in all topic partitions, and records without one are passed', async () => {
    const topic = await makeTopic(2)
    const keyed = (key: string, value: string, partition = 0) => ({
      key: Buffer.from(key),
      value: Buffer.from(value),
      partition,
    })
    await send(topic, [...numbered(500), keyed('{"id":17}', 'a'), keyed('{"id":18}', 'b')])
    await send(topic, [keyed('{"id":17}', 'c', 1)])

    const found = await read(topic, { kind: 'begin' }, { key: '"id":17' })
    expect(values(found).toSorted()).toEqual(['a', 'c'])
    expect([found.looked, found.isAtEnd]).toEqual([503, true])
    const few = await read(topic, { kind: 'begin' }, { key: 'id', limit: 1, topicPartition: 0 })
    expect([values(few), values(await read(topic, next(few), { key: 'id', limit: 1, topicPartition: 0 }))]).toEqual([
      ['a'],
      ['b'],
    ])
    expect(values(await read(topic, { kind: 'end' }, { key: '18' }))).toEqual(['b'])
  })
})

describe('gaps in offsets', () => {
  test('records of aborted transactions are not shown, and the ends of transactions do not hold a reader up', async () => {
    const topic = await makeTopic()
    const producer = new Producer({
      ...{ clientId: 'test', bootstrapBrokers: [broker.bootstrapServers] },
      ...{ idempotent: true, transactionalId: topic },
    })
    for (let number = 0; number < 20; number++) {
      const transaction = await producer.beginTransaction()
      await transaction.send({ messages: [{ topic, partition: 0, value: Buffer.from(String(number)) }] })
      await (number % 3 === 1 ? transaction.abort() : transaction.commit())
    }
    await producer.close()
    const committed = Array.from({ length: 20 }, (_, number) => number)
      .filter((number) => number % 3 !== 1)
      .map(String)

    expect(values(await read(topic, { kind: 'begin' }))).toEqual(committed)
    const last = await read(topic, { kind: 'end' }, { limit: 5 })
    expect([values(last), last.isAtEnd]).toEqual([committed.slice(-5), true])
    expect(await reader.readOne(topic, 0, 1n, 0)).toBeUndefined()
    expect(await reader.readOne(topic, 0, 2n, 0)).toBeUndefined()
    expect((await reader.readOne(topic, 0, 0n, 0))?.value?.text).toBe('0')
  })

  test('records of an open transaction are not shown until it is committed', async () => {
    const topic = await makeTopic()
    const producer = new Producer({
      ...{ clientId: 'test', bootstrapBrokers: [broker.bootstrapServers] },
      ...{ idempotent: true, transactionalId: topic },
    })
    const transaction = await producer.beginTransaction()
    await transaction.send({ messages: [{ topic, partition: 0, value: Buffer.from('open') }] })
    await send(topic, [{ value: Buffer.from('behind') }])

    const before = await read(topic, { kind: 'begin' })
    expect([values(before), before.isAtEnd]).toEqual([[], true])
    await transaction.commit()
    await producer.close()
    expect(values(await read(topic, next(before)))).toEqual(['open', 'behind'])
  })
})

describe('what is not there', () => {
  test('an unknown topic, topic partition or offset is an outcome', async () => {
    const topic = await makeTopic()
    await send(topic, numbered(1))
    const request: RecordsRequest = { topic, place: { kind: 'begin' }, topicPartition: 7, key: null, limit: 1 }

    expect(await reader.read(request)).toBeUndefined()
    expect(await reader.read({ ...request, topic: `no-${topic}` })).toBeUndefined()
    expect(await reader.read({ ...request, topic: 'a/b c' })).toBeUndefined()
    expect(await reader.readOne(topic, 0, 1n, 0)).toBeUndefined()
    expect(await reader.readOne(topic, 3, 0n, 0)).toBeUndefined()
    expect(await reader.readOne('no', 0, 0n, 0)).toBeUndefined()
  })

  test('a place in a topic that was created again goes on at its begin', async () => {
    const topic = await makeTopic()
    await send(topic, numbered(9))
    const page = await read(topic, { kind: 'begin' })
    await broker.recreateTopic(topic, 1)
    await send(topic, [{ value: Buffer.from('new') }])

    expect(values(await read(topic, next(page)))).toEqual(['new'])
  })

  test('topics are listed with the offsets at which they begin and end', async () => {
    const topic = await makeTopic(2)
    await send(topic, numbered(3))

    const listed = await reader.list()

    expect(listed.find(({ name }) => name === topic)?.topicPartitions).toEqual([
      { topicPartition: 0, begin: '0', end: '3' },
      { topicPartition: 1, begin: '0', end: '0' },
    ])
    expect(listed.map(({ name }) => name)).not.toContain('__transaction_state')
  })

  test('brokers that do not answer are named', async () => {
    const none = makeTopicReader(async () => ({ brokers: ['127.0.0.1:1'], access: {} }))

    await expect(none.list()).rejects.toThrow(BrokersUnreachableError)
    await expect(none.list()).rejects.toThrow('the brokers at 127.0.0.1:1 do not answer')
    await expect(none.readOne('t', 0, 0n, 0)).rejects.toThrow(BrokersUnreachableError)
  })
})

test('brokers that ask for a login over TLS are read with it, and refuse a wrong one', async () => {
  const topic = await makeTopic()
  await send(topic, numbered(2))
  const { saslServers, authority, user } = broker.secure!
  const withPassword = (password: string) =>
    makeTopicReader(async () => ({
      brokers: [saslServers],
      access: {
        tls: { ca: authority.certificate },
        sasl: { mechanism: 'SCRAM-SHA-512', username: user.name, password },
      },
    }))
  const request: RecordsRequest = { topic, place: { kind: 'begin' }, topicPartition: null, key: null, limit: 10 }

  expect(values((await withPassword(user.password).read(request))!)).toEqual(['0', '1'])
  await expect(withPassword('wrong').read(request)).rejects.toThrow(BrokersUnreachableError)
  await expect(withPassword('wrong').list()).rejects.toThrow(BrokersUnreachableError)
})
