/** A Kafka record with its texts decoded. */
export type ArchivedRecord = {
  readonly topic: string
  readonly topicPartition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: string | null
  /** Null for a tombstone. */
  readonly value: string | null
  /** JSON of `[[name, value], …]` in the order of the headers; null when there are none. */
  readonly headers: string | null
  /** `base64` when key and value are not text and are written in base64. */
  readonly encoding: 'base64' | null
}

/**
 * A record as the archive keeps it: its content, and the columns by which queries skip data files. The value of a row's
 * change is split into pieces, each as it came; `recordValue` joins them again.
 */
export type ArchiveRow = Omit<ArchivedRecord, 'value'> & {
  /** `schema.table`. */
  readonly tableName: string | null
  readonly op: string | null
  readonly before: string | null
  readonly after: string | null
  readonly source: string | null
  /** The rest of the envelope after `source`, with its closing brace. */
  readonly envelopeTail: string | null
  /** The whole value of a record that is not split. */
  readonly value: string | null
  readonly lsn: number | null
  readonly txId: number | null
  /** When the source committed, in µs since 1970. */
  readonly sourceTsUs: number | null
  readonly epoch: number | null
  /** When this archive row was built, in ms since 1970. */
  readonly ingestedAtMs: number
}

/** Splits a record. `recordValue(archiveRow(record, …))` is the record's value, for any value. */
export function archiveRow(record: ArchivedRecord, ingestedAtMs: number): ArchiveRow {
  const { topic, topicPartition, offset, timestampMs, key, value, headers, encoding } = record
  const pieces = value === null || encoding !== null ? undefined : piecesOf(value)
  const { before, after, source, envelopeTail } = pieces ?? NO_PIECES
  const facts = pieces === undefined ? factsOfOther(record) : factsOfChange(pieces)
  const { tableName, op, lsn, txId, sourceTsUs, epoch } = facts
  // The members are listed one by one, because an object that others are spread into is slow to build and to read.
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

/** The order of rows in the archive's files: by table and key, then oldest first. */
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
 * Splits Debezium's envelope `{"before":…,"after":…,"source":{…},…}`; undefined for any other text. Quotes inside JSON
 * strings are escaped, so `,"source":{` cannot be inside a string.
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

/** What follows `source`, as Debezium writes it. */
const SENT_TAIL = /^,"transaction":(?:null|\{[^{}]*\}),"op":"([a-z]+)",(?:"ts_[mun]s":\d+,?)+\}$/

/**
 * Undefined when the tail has a member named before, after or source: of two members with one name, JSON readers take
 * the last.
 */
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

/**
 * The index after the object that begins at `start`; undefined when no object begins there, or when it does not end.
 */
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

/** The index of the quote that ends the string begun at `start`; the length of the text when no quote does. */
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
 * The whole `source` that Debezium's Postgres connector sends; its members have a fixed order. The pattern is anchored
 * at both ends: a pattern that may begin anywhere can take hours on a text that was made for it, and it would find the
 * first of two members with one name, where JSON readers take the last.
 */
const SENT = new RegExp(
  '^\\{"version":"[^"\\\\]*","connector":"[^"\\\\]*","name":"([^"\\\\]*)","ts_ms":\\d+,"snapshot":"[^"\\\\]*","db":"[^"\\\\]*",' +
    '"sequence":(?:null|"(?:[^"\\\\]|\\\\.)*"),"ts_us":(\\d{1,16}),"ts_ns":\\d+,"schema":"([^"\\\\]*)","table":"([^"\\\\]*)",' +
    '"txId":(\\d{1,15}),"lsn":(\\d{1,15}),"xmin":(?:null|\\d+)(?:,"origin":null,"origin_lsn":null)?\\}$',
)

/**
 * The members that JSON.parse would give, in a fifth of the time; undefined when the text is written in another way.
 */
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

/**
 * Debezium's messages and notifications have no row, plain deltas have no source, and any other text gives no facts.
 */
function factsOfOther({ value, encoding }: ArchivedRecord) {
  const parsed = encoding === null && value !== null ? parseLeniently(value) : undefined
  if (typeof parsed !== 'object' || parsed === null) return NO_FACTS
  const { op, source } = parsed as { op?: unknown; source?: unknown }
  const named = textOrNull(op)
  return typeof source === 'object' && source !== null ? factsOf(source as Source, named) : { ...NO_FACTS, op: named }
}

/** Text that is not JSON is archived as well, so it gives undefined instead of an error. */
function parseLeniently(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Half of a surrogate pair has no UTF-8 and would be stored as another text, so a text with one gives null. */
const textOrNull = (value: unknown): string | null => (typeof value === 'string' && value.isWellFormed() ? value : null)

const whole = (value: unknown): number | null => (Number.isSafeInteger(value) ? (value as number) : null)

function compareTexts(a: string | null, b: string | null): number {
  if (a === b) return 0
  if (a === null) return -1
  if (b === null) return 1
  return a < b ? -1 : 1
}
