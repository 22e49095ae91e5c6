import { positionsOfCursor, type ReadPlace } from '#adapters/kafka/topics/read-positions.ts'
import type { TopicReader } from '#adapters/kafka/topics/topic-reader.ts'
import { RequestProblem } from '../request-problem.ts'
import type { RouteHandlers } from '../serve-console.ts'
import type { UnreachableParts } from '../unreachable-parts.ts'

/** What the routes of topics need. */
export type TopicParts = { readonly topics: TopicReader; readonly parts: Pick<UnreachableParts, 'ask'> }

type TopicRoutes = Pick<
  RouteHandlers,
  'GET /topics' | 'GET /topics/:topic/records' | 'GET /topics/:topic/records/:partition/:offset'
>

const USUAL_LIMIT = 50
const MOST_LIMIT = 500

/** Answers for the topics of the brokers, and for their records. */
export function topicRoutes({ topics, parts }: TopicParts): TopicRoutes {
  return {
    'GET /topics': async () => ({ topics: await parts.ask('kafka', () => topics.list()) }),
    'GET /topics/:topic/records': async ({ params, query }) => {
      const topic = params['topic']!
      const key = query.get('key') || null
      const topicPartition = wholeNumber(query, 'partition')
      const request = {
        ...{ topic, topicPartition, key, place: placeOf(query, key) },
        limit: Math.min(MOST_LIMIT, Math.max(1, wholeNumber(query, 'limit') ?? USUAL_LIMIT)),
      }
      const page = await parts.ask('kafka', () => topics.read(request))
      if (page !== undefined) return page
      const which = topicPartition === null ? '' : `, or it has no topic partition ${topicPartition}`
      throw new RequestProblem(404, `there is no topic ${topic}${which}`)
    },
    'GET /topics/:topic/records/:partition/:offset': async ({ params, query }) => {
      const { topic = '', partition = '', offset = '' } = params
      if (!/^\d{1,9}$/.test(partition) || !isOffset(offset)) {
        throw new RequestProblem(400, `${partition} and ${offset} are no topic partition and offset`)
      }
      const part = query.get('part')
      if (part !== null && part !== 'value') throw new RequestProblem(400, `a record has no part ${part}: say value`)
      const from = wholeNumber(query, 'from') ?? 0
      const record = await parts.ask('kafka', () => topics.readOne(topic, Number(partition), BigInt(offset), from))
      if (record !== undefined) return record
      throw new RequestProblem(
        404,
        `${topic}-${partition} has no record at offset ${offset}`,
        'It has expired, was compacted, or the offset is that of the end of a transaction.',
      )
    },
  }
}

/** Without a place, records are shown from the end, and keys are searched from the begin. */
function placeOf(query: URLSearchParams, key: string | null): ReadPlace {
  const [after, offset, time] = ['after', 'offset', 'time'].map((name) => query.get(name))
  const from = query.get('from') ?? (key === null ? 'end' : 'begin')
  if (after) {
    const positions = positionsOfCursor(after)
    if (positions === undefined)
      throw new RequestProblem(400, `after=${after.slice(0, 100)} continues no list of records`)
    return { kind: 'after', positions }
  }
  if (offset) {
    if (!isOffset(offset)) throw new RequestProblem(400, `offset=${offset} is no offset`)
    if (!query.get('partition')) throw new RequestProblem(400, 'an offset needs the parameter partition')
    return { kind: 'offset', offset: BigInt(offset) }
  }
  if (time) {
    const ms = Date.parse(time)
    if (!(ms >= 0)) throw new RequestProblem(400, `time=${time} is no time of ISO 8601 since 1970`)
    return { kind: 'time', ms }
  }
  if (from !== 'begin' && from !== 'end') throw new RequestProblem(400, `from=${from} is neither begin nor end`)
  return { kind: from }
}

const LARGEST_OFFSET = 2n ** 63n - 1n

const isOffset = (text: string): boolean => /^\d{1,19}$/.test(text) && BigInt(text) <= LARGEST_OFFSET

function wholeNumber(query: URLSearchParams, name: string): number | null {
  const text = query.get(name)
  if (text === null || text === '') return null
  if (!/^\d{1,9}$/.test(text)) throw new RequestProblem(400, `${name}=${text} is no whole number`)
  return Number(text)
}
