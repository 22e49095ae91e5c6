import { beforeEach, expect, test, vi } from 'vitest'
import type { RecordsRequest, TopicReader } from '#adapters/kafka/topics/topic-reader.ts'
import type { RoutedRequest } from '../console-request.ts'
import { topicRoutes } from './topics.ts'

const page = { items: [], next: '0:0', isAtEnd: true, looked: 0 }
const read = vi.fn(async (_: RecordsRequest): Promise<typeof page | undefined> => page)
const readOne = vi.fn<TopicReader['readOne']>(async () => undefined)
const routes = topicRoutes({
  topics: { list: async () => [], read, readOne },
  parts: { ask: (_, work) => work() },
})
const request = (query: string, params: Record<string, string> = { topic: 'changes' }) =>
  ({ params, query: new URLSearchParams(query) }) as unknown as RoutedRequest
const records = (query: string) => routes['GET /topics/:topic/records'](request(query))

beforeEach(() => {
  read.mockClear()
  readOne.mockClear()
})

test.each<[string, Partial<RecordsRequest>]>([
  ['', { place: { kind: 'end' }, topicPartition: null, key: null, limit: 50 }],
  ['from=begin&limit=9999', { place: { kind: 'begin' }, limit: 500 }],
  ['key=17', { place: { kind: 'begin' }, key: '17' }],
  ['key=17&from=end&limit=0', { place: { kind: 'end' }, key: '17', limit: 1 }],
  ['offset=9223372036854775807&partition=2', { place: { kind: 'offset', offset: 2n ** 63n - 1n }, topicPartition: 2 }],
  ['time=2026-11-30T14:00:00Z', { place: { kind: 'time', ms: Date.parse('2026-11-30T14:00:00Z') } }],
  [
    'after=0:17,1:4',
    {
      place: {
        kind: 'after',
        positions: new Map([
          [0, 17n],
          [1, 4n],
        ]),
      },
    },
  ],
])('%s is a place', async (query, expected) => {
  await records(query)

  expect(read).toHaveBeenCalledWith(expect.objectContaining({ topic: 'changes', ...expected }))
})

test.each([
  'from=middle',
  'offset=1',
  'offset=-1&partition=0',
  'offset=9223372036854775808&partition=0',
  'time=noon',
  'after=x',
  'limit=many',
  'partition=-1',
])('%s is refused', async (query) => {
  await expect(records(query)).rejects.toMatchObject({ status: 400 })
  expect(read).not.toHaveBeenCalled()
})

test('an absent topic and an absent record are not found', async () => {
  read.mockResolvedValueOnce(undefined)
  await expect(records('partition=7')).rejects.toMatchObject({
    status: 404,
    message: expect.stringContaining('partition 7'),
  })

  const one = routes['GET /topics/:topic/records/:partition/:offset']
  const place = { topic: 'changes', partition: '2', offset: '17' }
  await expect(one(request('part=value&from=5', place))).rejects.toMatchObject({ status: 404 })
  expect(readOne).toHaveBeenCalledWith('changes', 2, 17n, 5)
  await expect(one(request('', { ...place, offset: 'x' }))).rejects.toMatchObject({ status: 400 })
})
