import { type ColumnCodec, columnCodec, unavailable } from '#core/column-codec.ts'
import type { TableContract } from '#core/contract.ts'
import { parseAsWritten } from '#core/exact-json.ts'
import type { WireRow } from '#core/wire/change.ts'

/** The values of a row as texts, by column; null for an SQL null. */
export type TextRow = Readonly<Record<string, string | null>>

/** The texts of a row of an envelope. A column is left out if the change did not touch its TOASTed value. */
export function textRow(row: WireRow | null, contract: TableContract | undefined): TextRow | null {
  if (row === null) return null
  const codecs = new Map(contract?.columns.map((column) => [column.name, columnCodec(column)]))
  const texts = Object.entries(row).map(([name, value]) => [name, textOf(value, codecs.get(name))] as const)
  return Object.fromEntries(texts.filter((each): each is [string, string | null] => each[1] !== undefined))
}

function textOf(value: unknown, codec: ColumnCodec | undefined): string | null | undefined {
  if (value === null || value === undefined) return null
  try {
    const decoded = codec?.decode(value)
    if (decoded === unavailable) return undefined
    if (decoded !== undefined) return decoded
  } catch {
    // The value is not one of the type, which stops the table. Here it is shown as it came.
  }
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** The fields of a JSON object as texts. Numbers keep the digits with which they are written. */
export function jsonRow(json: string): TextRow {
  const fields = Object.entries(parseAsWritten(json) as Record<string, unknown>)
  return Object.fromEntries(fields.map(([name, value]) => [name, jsonText(value)]))
}

/** A value of parseAsWritten as text. */
export const jsonText = (value: unknown): string | null =>
  value === null || typeof value === 'string' ? value : JSON.stringify(value)
