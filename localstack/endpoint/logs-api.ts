import type { FunctionLines, LogLine } from '#localstack/function-lines.ts'
import type { SigningKey } from '#localstack/stack-key.ts'
import { headerOf, type Request, type Response, type Service } from './exchange.ts'
import { jsonAnswer, jsonError, refuseUnsigned } from './signed-calls.ts'

const prefix = '/aws/lambda/'
const stream = 'local'

export type LogsApiOptions = {
  lines: FunctionLines
  /** Names of functions, also of those that have written nothing yet. */
  functions: () => string[]
  arnOf: (logGroup: string) => string
  since: Date
  key: SigningKey | undefined
}

type Question = Readonly<Record<string, unknown>>

/**
 * CloudWatch Logs' DescribeLogGroups, DescribeLogStreams, FilterLogEvents and GetLogEvents. They read the functions'
 * logs since the start of the stack; `aws logs tail` uses them. A log group has one stream. A filter pattern is a list
 * of words, all of which have to be in the line.
 */
export function makeLogsApi(options: LogsApiOptions): Service {
  const calls: Readonly<Record<string, (question: Question) => Response>> = {
    DescribeLogGroups: (question) => describeLogGroups(options, question),
    DescribeLogStreams: (question) => withGroup(options, question, (name) => describeLogStreams(options, name)),
    FilterLogEvents: (question) => withGroup(options, question, (name) => filterLogEvents(options, name, question)),
    GetLogEvents: (question) => withGroup(options, question, (name) => getLogEvents(options, name, question)),
  }
  return async (request: Request) => {
    const [service, action = ''] = headerOf(request, 'x-amz-target')?.split('.') ?? []
    const call = service === 'Logs_20140328' ? calls[action] : undefined
    if (call === undefined) return undefined
    return (await refuseUnsigned(options.key, request)) ?? call(JSON.parse(request.body.toString() || '{}'))
  }
}

function describeLogGroups({ functions, arnOf, since }: LogsApiOptions, question: Question): Response {
  const wanted = String(question['logGroupNamePrefix'] ?? '')
  const part = String(question['logGroupNamePattern'] ?? '').toLowerCase()
  const names = functions().map((name) => prefix + name)
  return jsonAnswer({
    logGroups: names
      .filter((name) => name.startsWith(wanted) && name.toLowerCase().includes(part))
      .sort()
      .map((name) => ({
        logGroupName: name,
        creationTime: since.getTime(),
        arn: `${arnOf(name)}:*`,
        logGroupArn: arnOf(name),
        logGroupClass: 'STANDARD',
        metricFilterCount: 0,
      })),
  })
}

function withGroup(options: LogsApiOptions, question: Question, answer: (name: string) => Response): Response {
  const asked = String(question['logGroupName'] ?? question['logGroupIdentifier'] ?? '')
  const group = asked.replace(/^arn:.*:log-group:([^:]*)(:\*)?$/, '$1')
  const name = group.startsWith(prefix) ? group.slice(prefix.length) : ''
  if (options.functions().includes(name)) return answer(name)
  return jsonError('ResourceNotFoundException', 'The specified log group does not exist.')
}

function describeLogStreams({ lines, arnOf, since }: LogsApiOptions, name: string): Response {
  const known = lines.of(name)
  const last = known.at(-1)
  const times = last && {
    firstEventTimestamp: known[0]!.atMs,
    lastEventTimestamp: last.atMs,
    lastIngestionTime: last.atMs,
  }
  const arn = `${arnOf(prefix + name)}:log-stream:${stream}`
  return jsonAnswer({ logStreams: [{ logStreamName: stream, creationTime: since.getTime(), arn, ...times }] })
}

function filterLogEvents({ lines }: LogsApiOptions, name: string, question: Question): Response {
  const pattern = String(question['filterPattern'] ?? '').trim()
  if (/^[{[%]/.test(pattern)) {
    return jsonError('InvalidParameterException', `The filter pattern ${pattern} is not served locally: give words`)
  }
  const words = pattern.match(/"[^"]*"|\S+/g)?.map((word) => word.replaceAll('"', '')) ?? []
  const from = Number(question['nextToken'] ?? 0)
  const found = within(lines.of(name), question).filter(
    ({ id, text }) => id >= from && words.every((word) => text.includes(word)),
  )
  const limit = Number(question['limit'] ?? 10_000)
  return jsonAnswer({
    events: found
      .slice(0, limit)
      .map((line) => ({ logStreamName: stream, ...describeEvent(line), eventId: String(line.id) })),
    searchedLogStreams: [],
    ...(found.length > limit && { nextToken: String(found[limit]!.id) }),
  })
}

/** `nextToken` is `f/<id>` for the lines after a line, and `b/<id>` for the lines before it. */
function getLogEvents({ lines }: LogsApiOptions, name: string, question: Question): Response {
  const [direction, place] = String(question['nextToken'] ?? '').split('/')
  const limit = Number(question['limit'] ?? 10_000)
  const all = within(lines.of(name), question)
  const candidates = all.filter(({ id }) =>
    direction === 'f' ? id > Number(place) : direction === 'b' ? id < Number(place) : true,
  )
  const isForward = direction === 'f' || (direction === '' && question['startFromHead'] === true)
  const events = isForward ? candidates.slice(0, limit) : candidates.slice(-limit)
  return jsonAnswer({
    events: events.map(describeEvent),
    nextForwardToken: `f/${events.at(-1)?.id ?? (direction === 'f' ? place : -1)}`,
    nextBackwardToken: `b/${events[0]?.id ?? (direction === 'b' ? place : 0)}`,
  })
}

function within(lines: readonly LogLine[], question: Question): readonly LogLine[] {
  const from = Number(question['startTime'] ?? 0)
  const until = Number(question['endTime'] ?? Number.POSITIVE_INFINITY)
  return lines.filter(({ atMs }) => atMs >= from && atMs < until)
}

const describeEvent = ({ atMs, text }: LogLine) => ({ timestamp: atMs, message: text, ingestionTime: atMs })
