import { isShortName } from './column-names.ts'
import type { WindowDefinition } from './definition.ts'
import { quoted, type Report } from './definition-problem.ts'
import { readDuration } from './duration.ts'
import { readSqlTokens, SqlTextError, type SqlToken } from './sql-tokens.ts'

/** What the lines `-- name: value` of a definition say. */
export type HeaderValues = Omit<WindowDefinition, 'name' | 'keys' | 'aggregates' | 'where' | 'having' | 'view'>

/** The table that a definition reads. */
export type SourceTable = WindowDefinition['source']

type Line = { readonly name: string; readonly value: string; readonly at: number }

const NAMES = [
  'source',
  'event time',
  'window',
  'watermark',
  'allowed lateness',
  'late rows',
  'future rows',
  'emit',
  'idle after',
  'publish',
] as const
type Name = (typeof NAMES)[number]

/** A value, or the reason why the text is none. */
type Read<T> = (text: string) => { readonly value: T } | { readonly reason: string }

/**
 * Reads the comments before the SQL, each of which is `-- name: value` or empty, and reports every line that is not.
 * Undefined when a value is missing.
 */
export function readHeader(remarks: readonly SqlToken[], report: Report): HeaderValues | undefined {
  const lines = readLines(remarks, report)
  const end = remarks.at(-1)?.from ?? 0
  const take = <T>(name: Name, read: Read<T>, otherwise?: { readonly value: T }): T | undefined => {
    const line = lines.get(name)
    if (line === undefined) {
      if (otherwise === undefined) report({ at: end, reason: `-- ${name}: … is missing${MISSING[name] ?? ''}` })
      return otherwise?.value
    }
    const result = read(line.value)
    if ('value' in result) return result.value
    report({ at: line.at, reason: `${name}: ${result.reason}` })
    return undefined
  }
  const values = {
    source: take('source', readSource),
    eventTime: take('event time', readColumn),
    window: take('window', readWindow),
    boundMicros: take('watermark', readLength),
    allowedLatenessMicros: take('allowed lateness', readLength, { value: 0n }),
    lateRows: take('late rows', oneOf(['count', 'set aside']), { value: 'count' as const }),
    future: take('future rows', readFuture, { value: { after: undefined } }),
    emit: take('emit', oneOf(['on update', 'on close']), { value: 'on update' as const }),
    idleAfterMicros: take('idle after', readLength, { value: 10_000_000n }),
    publish: take('publish', readTopic, { value: { topic: undefined } }),
  }
  const { source, eventTime, window, boundMicros, allowedLatenessMicros, lateRows, future, emit } = values
  const { idleAfterMicros, publish } = values
  if (source === undefined || eventTime === undefined || window === undefined || boundMicros === undefined) return
  if (allowedLatenessMicros === undefined || lateRows === undefined || future === undefined) return
  if (emit === undefined || idleAfterMicros === undefined || publish === undefined) return
  return {
    ...{ source, eventTime, window, boundMicros, allowedLatenessMicros, lateRows, futureAfterMicros: future.after },
    ...{ emit, idleAfterMicros, publish: publish.topic },
  }
}

const MISSING: Partial<Record<Name, string>> = {
  source: ': the table with its schema, such as public.orders',
  'event time': ': the column with the time at which what the row is about happened',
  window: ': tumbling 1 hour, or hopping 1 hour every 15 minutes',
  watermark:
    ': how much later than the newest row a row usually comes at most, such as 1 hour; without it no window is ever final',
}

function readLines(remarks: readonly SqlToken[], report: Report): ReadonlyMap<string, Line> {
  const lines = new Map<string, Line>()
  for (const { value: remark, from } of remarks) {
    const content = remark
      .replace(/^-+/, '')
      .split(/\s--\s/)[0]!
      .trim()
    if (content === '') continue
    const [, written, value] = /^([^:]*):(.*)$/s.exec(content) ?? []
    const name = written?.trim().replace(/\s+/g, ' ').toLowerCase()
    if (name === undefined || value === undefined || !isKnown(name)) {
      report({ at: from, reason: refusalOfLine(name ?? content) })
    } else if (lines.has(name)) {
      report({ at: from, reason: `-- ${name}: … comes a second time` })
    } else {
      lines.set(name, { name, value: value.trim(), at: from })
    }
  }
  return lines
}

const isKnown = (name: string): name is Name => (NAMES as readonly string[]).includes(name)

const refusalOfLine = (name: string): string =>
  `${quoted(name)} is not one of ${NAMES.join(', ')}: a comment before the SELECT is -- name: value, and other remarks are between /* and */ or further down`

const readSource: Read<SourceTable> = (text) => {
  const parts = identifiers(text)
  return parts?.length === 2
    ? { value: { schema: parts[0]!, table: parts[1]! } }
    : { reason: `${quoted(text)} is not a table with its schema, such as public.orders` }
}

const readColumn: Read<string> = (text) => {
  const parts = identifiers(text)
  return parts?.length === 1
    ? { value: parts[0]! }
    : { reason: `${quoted(text)} is not the name of one column; an expression is not possible` }
}

const readLength: Read<bigint> = (text) => {
  const micros = readDuration(text)
  return typeof micros === 'bigint' ? { value: micros } : { reason: micros }
}

const SHORTEST_WINDOW = 1_000_000n
/** Every row is in each of these windows, and a change of the row computes all of them. */
const MOST_WINDOWS = 1_440n

const readWindow: Read<HeaderValues['window']> = (text) => {
  const [, kind, size, slide] = /^(tumbling|hopping)\s+(.*?)(?:\s+every\s+(.*))?$/is.exec(text) ?? []
  if (kind === undefined || size === undefined || (kind.toLowerCase() === 'hopping') !== (slide !== undefined)) {
    return { reason: `${quoted(text)} is neither tumbling 1 hour nor hopping 1 hour every 15 minutes` }
  }
  const [sizeMicros, slideMicros] = [readDuration(size), readDuration(slide ?? size)]
  if (typeof sizeMicros === 'string') return { reason: sizeMicros }
  if (typeof slideMicros === 'string') return { reason: slideMicros }
  if (sizeMicros < SHORTEST_WINDOW || slideMicros < SHORTEST_WINDOW)
    return { reason: 'a window lasts at least 1 second' }
  if (slideMicros > sizeMicros) return { reason: 'windows that hop further than they are long leave rows out' }
  if (sizeMicros > slideMicros * MOST_WINDOWS) return { reason: `a row would be in more than ${MOST_WINDOWS} windows` }
  return { value: { sizeMicros, slideMicros } }
}

const readFuture: Read<{ readonly after: bigint | undefined }> = (text) => {
  if (isSame(text, 'count')) return { value: { after: undefined } }
  const after = /^set\s+aside\s+after\s+(.*)$/is.exec(text)?.[1]
  if (after === undefined) return { reason: `${quoted(text)} is neither count nor set aside after 1 day` }
  const micros = readDuration(after)
  return typeof micros === 'bigint' ? { value: { after: micros } } : { reason: micros }
}

/** Topics of the pipeline, and of Kafka itself, have other writers. */
const TAKEN = /^(?:changes|user-events|connect-.*|__.*)$/

const readTopic: Read<{ readonly topic: string | undefined }> = (text) => {
  if (!/^[a-zA-Z0-9._-]{1,249}$/.test(text) || /^\.\.?$/.test(text)) {
    return { reason: `${quoted(text)} is not the name of a topic: at most 249 letters, digits, dots, - and _` }
  }
  return TAKEN.test(text) ? { reason: `${text} has another writer` } : { value: { topic: text } }
}

function oneOf<const T extends string>(choices: readonly T[]): Read<T> {
  return (text) => {
    const chosen = choices.find((choice) => isSame(text, choice))
    return chosen === undefined ? { reason: `${quoted(text)} is neither ${choices.join(' nor ')}` } : { value: chosen }
  }
}

const isSame = (text: string, words: string): boolean => text.toLowerCase().split(/\s+/).join(' ') === words

/** The names of `a.b`, each quoted or not; undefined when the text is something else. */
function identifiers(text: string): readonly string[] | undefined {
  try {
    const tokens = readSqlTokens(text)
    const isAlternating = tokens.every(({ kind, value }, index) =>
      index % 2 === 0 ? kind === 'word' || kind === 'name' : value === '.' && kind === 'sign',
    )
    const names = tokens.filter((_, index) => index % 2 === 0).map(({ value }) => value)
    return isAlternating && tokens.length % 2 === 1 && names.every(isShortName) ? names : undefined
  } catch (error) {
    if (error instanceof SqlTextError) return undefined
    throw error
  }
}
