/** A record as it came from Kafka, its texts decoded. */
export type ArchivedRecord = {
  readonly topic: string
  readonly topicPartition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: string | null
  /** Null for a tombstone. */
  readonly value: string | null
  /** JSON of `[[name, value], …]` in their order; null when there are none. */
  readonly headers: string | null
  /** `base64` when key and value are not text and stand in base64. */
  readonly encoding: 'base64' | null
}

/**
 * A record as the archive keeps it: its bytes, and what queries prune by. The value of a row's change stands in pieces,
 * each as it came; `recordValue` puts them together again.
 */
export type ArchiveRow = Omit<ArchivedRecord, 'value'> & {
  /** `schema.table`. */
  readonly tableName: string | null
  readonly op: string | null
  readonly before: string | null
  readonly after: string | null
  readonly source: string | null
  /** What follows `source` in the envelope, its closing brace included. */
  readonly envelopeTail: string | null
  /** The whole value of any other record. */
  readonly value: string | null
  readonly lsn: number | null
  readonly txId: number | null
  /** When the source committed, in µs since 1970. */
  readonly sourceTsUs: number | null
  readonly epoch: number | null
  /** When the row was made, in ms since 1970. */
  readonly ingestedAtMs: number
}

/** Takes a record apart. `recordValue(archiveRow(record, …))` is the record's value, whatever it is. */
export function archiveRow(record: ArchivedRecord, ingestedAtMs: number): ArchiveRow {
  const { topic, topicPartition, offset, timestampMs, key, value, headers, encoding } = record
  const pieces = value === null || encoding !== null ? undefined : piecesOf(value)
  const { before, after, source, envelopeTail } = pieces ?? NO_PIECES
  const facts = pieces === undefined ? factsOfOther(record) : factsOfChange(pieces)
  const { tableName, op, lsn, txId, sourceTsUs, epoch } = facts
  // Named one by one: an object that others are copied into is slow to make and to read.
  return {
    topic,
    topicPartition,
    offset,
    timestampMs,
    key,
    value: pieces === undefined ? value : null,
    headers,
    encoding,
    tableName,
    op,
    before,
    after,
    source,
    envelopeTail,
    lsn,
    txId,
    sourceTsUs,
    epoch,
    ingestedAtMs,
  }
}

/** The record's value as it came. */
export function recordValue(
  row: Pick<ArchiveRow, 'before' | 'after' | 'source' | 'envelopeTail' | 'value'>,
): string | null {
  if (row.envelopeTail === null) return row.value
  return `${BEFORE}${row.before ?? 'null'}${AFTER}${row.after ?? 'null'}${SOURCE}${row.source}${row.envelopeTail}`
}

/** The order of the archive's files: rows of one table and key lie together, oldest first. */
export function compareArchiveRows(a: ArchiveRow, b: ArchiveRow): number {
  return (
    compareTexts(a.tableName, b.tableName) ||
    compareTexts(a.key, b.key) ||
    (a.lsn ?? -1) - (b.lsn ?? -1) ||
    a.offset - b.offset
  )
}

const BEFORE = '{"before":'
const AFTER = ',"after":'
const SOURCE = ',"source":'

type Pieces = { before: string | null; after: string | null; source: string; envelopeTail: string; op: string | null }

const NO_PIECES = { before: null, after: null, source: null, envelopeTail: null }
const NO_FACTS = { tableName: null, op: null, lsn: null, txId: null, sourceTsUs: null, epoch: null }

/**
 * Where Debezium's envelope `{"before":…,"after":…,"source":{…},…}` is cut; undefined for any other text. Quotes inside
 * JSON strings are escaped, so `,"source":{` is no part of one.
 */
function piecesOf(value: string): Pieces | undefined {
  if (!value.startsWith(BEFORE)) return undefined
  const sourceAt = value.lastIndexOf(`${SOURCE}{`)
  if (sourceAt < 0) return undefined
  const sourceStart = sourceAt + SOURCE.length
  const sourceEnd = endOfObject(value, sourceStart)
  const afterAt = value.startsWith('null', BEFORE.length) ? BEFORE.length + 4 : endOfObject(value, BEFORE.length)
  if (sourceEnd === undefined || afterAt === undefined || !value.startsWith(AFTER, afterAt)) return undefined
  const before = value.slice(BEFORE.length, afterAt)
  const after = value.slice(afterAt + AFTER.length, sourceAt)
  if (after !== 'null' && endOfObject(value, afterAt + AFTER.length) !== sourceAt) return undefined
  const tail = readTail(value.slice(sourceEnd))
  return (
    tail && {
      before: before === 'null' ? null : before,
      after: after === 'null' ? null : after,
      source: value.slice(sourceStart, sourceEnd),
      ...tail,
    }
  )
}

/** What follows the source as Debezium sends it. */
const SENT_TAIL = /^,"transaction":(?:null|\{[^{}]*\}),"op":"([a-z]+)",(?:"ts_[mun]s":\d+,?)+\}$/

/** Undefined when the tail has a member of the pieces' names: of two members of one name JSON readers take the last. */
function readTail(envelopeTail: string): Pick<Pieces, 'envelopeTail' | 'op'> | undefined {
  const sent = SENT_TAIL.exec(envelopeTail)
  if (sent !== null) return { envelopeTail, op: sent[1]! }
  const parsed = parseLeniently(`{"":0${envelopeTail}`)
  if (typeof parsed !== 'object' || parsed === null) return { envelopeTail, op: null }
  if (['before', 'after', 'source'].some((name) => Object.hasOwn(parsed, name))) return undefined
  return { envelopeTail, op: textOrNull((parsed as { op?: unknown }).op) }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN = 0x7b
const CLOSE = 0x7d

/** The place behind the object that begins at `start`; undefined when none does, or it does not end. */
function endOfObject(text: string, start: number): number | undefined {
  if (text.charCodeAt(start) !== OPEN) return undefined
  let depth = 0
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) i = endOfString(text, i)
    else if (code === OPEN) depth++
    else if (code === CLOSE && --depth === 0) return i + 1
  }
  return undefined
}

/** The place of the quote that ends the string begun at `start`; the text's end when none does. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return end
  }
  return text.length
}

type Source = { name?: unknown; schema?: unknown; table?: unknown; lsn?: unknown; txId?: unknown; ts_us?: unknown }

function factsOfChange({ source, op }: Pieces) {
  return factsOf(sourceAsSent(source) ?? ((parseLeniently(source) ?? {}) as Source), op)
}

/**
 * The whole source that Debezium's Postgres connector sends, whose members have their order. From end to end: a pattern
 * that may begin anywhere takes hours on a text that was made for it, and picks the first of two members of one name,
 * where readers of JSON take the last.
 */
const SENT = new RegExp(
  '^\\{"version":"[^"\\\\]*","connector":"[^"\\\\]*","name":"([^"\\\\]*)","ts_ms":\\d+,"snapshot":"[^"\\\\]*","db":"[^"\\\\]*",' +
    '"sequence":(?:null|"(?:[^"\\\\]|\\\\.)*"),"ts_us":(\\d{1,16}),"ts_ns":\\d+,"schema":"([^"\\\\]*)","table":"([^"\\\\]*)",' +
    '"txId":(\\d{1,15}),"lsn":(\\d{1,15}),"xmin":(?:null|\\d+)(?:,"origin":null,"origin_lsn":null)?\\}$',
)

/** What JSON.parse would give of it, at a fifth of the time; undefined where it is written in another way. */
function sourceAsSent(text: string): Source | undefined {
  const found = SENT.exec(text)
  if (found === null) return undefined
  const [, name, tsUs, schema, table, txId, lsn] = found
  return { name, schema, table, txId: Number(txId), lsn: Number(lsn), ts_us: Number(tsUs) }
}

function factsOf(source: Source, op: string | null) {
  const { schema, table } = source
  const named = typeof schema === 'string' && typeof table === 'string' && table !== ''
  return {
    tableName: named ? textOrNull(`${schema}.${table}`) : null,
    op,
    lsn: whole(source.lsn),
    txId: whole(source.txId),
    sourceTsUs: whole(source.ts_us),
    epoch: typeof source.name === 'string' ? whole(Number(/_e(\d+)$/.exec(source.name)?.[1])) : null,
  }
}

/** Messages and notifications of Debezium have no row, plain deltas no source; other text says nothing of itself. */
function factsOfOther({ value, encoding }: ArchivedRecord) {
  const parsed = encoding === null && value !== null ? parseLeniently(value) : undefined
  if (typeof parsed !== 'object' || parsed === null) return NO_FACTS
  const { op, source } = parsed as { op?: unknown; source?: unknown }
  const named = textOrNull(op)
  return typeof source === 'object' && source !== null ? factsOf(source as Source, named) : { ...NO_FACTS, op: named }
}

/** Text that is not JSON is archived like any other. */
function parseLeniently(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Half of a surrogate pair is no character: as UTF-8 it would become another text. */
const textOrNull = (value: unknown): string | null => (typeof value === 'string' && value.isWellFormed() ? value : null)

const whole = (value: unknown): number | null => (Number.isSafeInteger(value) ? (value as number) : null)

function compareTexts(a: string | null, b: string | null): number {
  if (a === b) return 0
  if (a === null) return -1
  if (b === null) return 1
  return a < b ? -1 : 1
}
