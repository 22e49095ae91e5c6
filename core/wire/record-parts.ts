// How does a row arrive that is larger than Lambda's limit of 6 MB? Capture cuts the record into parts
// (RecordParts.java), which are joined here.

import { parse, WireError } from './wire-json.ts'

/** A record whose value may be a part of the value of a larger one (decision 019). */
export type PossiblePart = {
  readonly offset: number
  readonly key?: string | undefined
  readonly value: string | undefined
}

/** A record whose last part has not come. */
export type OpenRecord = {
  readonly id: string
  readonly key: string | undefined
  readonly count: number
  /** How many of its parts are stored. */
  readonly stored: number
}

/** A part to store until the last one comes. */
export type StoredPart = {
  readonly id: string
  readonly index: number
  readonly count: number
  readonly key: string | undefined
  readonly offset: number
  readonly text: string
}

/** A record whose last part has come. Its value is the texts of its stored parts, followed by `texts`. */
export type JoinedRecord<R> = {
  readonly last: R
  readonly id: string
  readonly stored: number
  readonly texts: string[]
}

/** What to do with records, some of which are parts. */
export type PartsPlan<R> = {
  /** In the order of offsets: whole records, and a joined record in the place of each last part. */
  readonly records: ({ readonly whole: R } | JoinedRecord<R>)[]
  readonly keep: StoredPart[]
  /** Ids of records whose stored parts are not needed any more. */
  readonly forget: string[]
}

/**
 * The most records of a topic partition that may be open at once. Capture sends one record after the other. When it is
 * killed, it leaves one open until it sends that record again. More open records do not come from capture, so the
 * oldest is forgotten.
 */
const MOST_OPEN = 8

/** Enough parts for any row within the limit. A record that claims more parts does not come from capture. */
const MOST_PARTS = 1000

const PREFIX = '{"tidemark_part":{'

/** Whether a value is a part. */
export const isPart = (value: string | undefined): boolean => value?.startsWith(PREFIX) === true

/** Whether a value is the last part of a record, which completes it. */
export function isLastPart(value: string | undefined): boolean {
  if (!isPart(value)) return false
  const [, index, count] = /"index":(\d+),"count":(\d+)/.exec(value!.slice(0, 200)) ?? []
  return Number(index) + 1 === Number(count)
}

/**
 * Joins parts, in the order of offsets, with those that are stored. A record that is sent again after a restart begins
 * again with another id, and replaces the open record with its key. A part that does not follow the one before it is
 * passed on as it is. Read as a change it is unreadable, so it stops its table.
 */
export function joinRecordParts<R extends PossiblePart>(
  records: readonly R[],
  stored: readonly OpenRecord[],
): PartsPlan<R> {
  const joiner = new Joiner<R>(stored)
  for (const record of records) joiner.take(record)
  return joiner.finish()
}

type Part = { readonly id: string; readonly index: number; readonly count: number; readonly text: string }
type Open = OpenRecord & { readonly parts: { readonly offset: number; readonly text: string }[] }

class Joiner<R extends PossiblePart> {
  readonly #plan: PartsPlan<R> = { records: [], keep: [], forget: [] }
  readonly #open: Map<string, Open>

  constructor(stored: readonly OpenRecord[]) {
    this.#open = new Map(stored.map((one) => [one.id, { ...one, parts: [] }]))
  }

  take(record: R): void {
    const part = isPart(record.value) ? readPart(record.value!) : undefined
    if (part?.index === 0) this.#begin(part, record.key)
    const open = part && this.#open.get(part.id)
    if (part === undefined || open === undefined || !follows(open, part, record.key)) {
      this.#plan.records.push({ whole: record })
      return
    }
    if (part.index < part.count - 1) {
      open.parts.push({ offset: record.offset, text: part.text })
      return
    }
    this.#close(open)
    const texts = [...open.parts.map(({ text }) => text), part.text]
    this.#plan.records.push({ last: record, id: part.id, stored: open.stored, texts })
  }

  finish(): PartsPlan<R> {
    for (const { id, key, count, stored, parts } of this.#open.values()) {
      for (const [i, { offset, text }] of parts.entries()) {
        this.#plan.keep.push({ id, index: stored + i, count, key, offset, text })
      }
    }
    return this.#plan
  }

  #begin({ id, count }: Part, key: string | undefined): void {
    for (const open of this.#open.values()) if (open.id === id || open.key === key) this.#close(open)
    const [oldest] = this.#open.values()
    if (this.#open.size >= MOST_OPEN) this.#close(oldest!)
    this.#open.set(id, { id, key, count, stored: 0, parts: [] })
  }

  #close({ id, stored }: Open): void {
    this.#open.delete(id)
    if (stored > 0) this.#plan.forget.push(id)
  }
}

const follows = (open: Open, part: Part, key: string | undefined): boolean =>
  open.key === key && open.count === part.count && open.stored + open.parts.length === part.index

/** Undefined for a value that capture does not send. */
function readPart(value: string): Part | undefined {
  const part = partOf(value)
  if (part === undefined) return undefined
  const { id, index, count, text } = part
  const isWell =
    typeof id === 'string' &&
    /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id) &&
    Number.isSafeInteger(index) &&
    Number.isSafeInteger(count) &&
    typeof text === 'string' &&
    // Postgres cannot store NUL in a text.
    !text.includes('\0') &&
    index! >= 0 &&
    index! < count! &&
    count! > 1 &&
    count! <= MOST_PARTS
  return isWell ? (part as Part) : undefined
}

function partOf(value: string): Partial<Part> | undefined {
  try {
    return (parse(value) as { tidemark_part: Partial<Part> }).tidemark_part
  } catch (error) {
    if (error instanceof WireError) return undefined
    throw error
  }
}
