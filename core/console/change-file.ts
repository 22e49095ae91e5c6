import type { ChangeOp } from './changes.ts'

/** A change as a file has it. Rows are JSON by the names of the columns, with all digits of their numbers. */
export type FiledChange = {
  readonly committedAt: string
  readonly table: string
  readonly op: ChangeOp
  readonly key: string | null
  readonly before: string | null
  readonly after: string | null
  /** Of an update: `{"column": [old, new]}`. */
  readonly changed: string | null
  readonly transaction: string | null
  readonly lsn: string
  readonly epoch: number
  readonly who: string | null
  readonly application: string | null
  readonly why: string | null
  readonly details: string | null
}

const columns = [
  ['committed_at', 'committedAt'],
  ['table', 'table'],
  ['op', 'op'],
  ['key', 'key'],
  ['before', 'before'],
  ['after', 'after'],
  ['changed', 'changed'],
  ['transaction_id', 'transaction'],
  ['lsn', 'lsn'],
  ['epoch', 'epoch'],
  ['who', 'who'],
  ['application', 'application'],
  ['why', 'why'],
  ['details', 'details'],
] as const

/** The columns that are JSON, which a line of JSON contains as it is. */
const json: ReadonlySet<string> = new Set(['key', 'before', 'after', 'changed', 'details', 'epoch'])

/** The first line of a CSV file. */
export const csvHeader: string = `${columns.map(([name]) => name).join(',')}\r\n`

/**
 * A change as a line of CSV (RFC 4180). Null is an empty field, and an empty text is `""`. Values are exact: a program that
 * takes a text such as `=1+1` for a formula has to import the columns as texts.
 */
export const csvLine = (change: FiledChange): string =>
  `${columns.map(([, member]) => field(change[member])).join(',')}\r\n`

function field(value: string | number | null): string {
  if (value === null) return ''
  const text = String(value)
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** A change as a line of JSON. Numbers have all digits, so a reader should not read them as doubles. */
export const jsonLine = (change: FiledChange): string =>
  `{${columns.map(([name, member]) => `"${name}":${jsonOf(member, change[member])}`).join(',')}}\n`

const jsonOf = (member: string, value: string | number | null): string =>
  value === null ? 'null' : json.has(member) ? String(value) : JSON.stringify(value)
