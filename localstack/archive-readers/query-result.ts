import type { QueryResult } from '#core/console/archive.ts'

/** The most rows of an answer. */
export const MOST_ROWS = 500
const MOST_TEXT = 4_096
const MOST_TEXT_OF_ALL = 2_500_000

/** ClickHouse's format JSONCompact, with numbers that a double would round in quotes. */
type Answer = {
  readonly meta: readonly { readonly name: string; readonly type: string }[]
  readonly data: readonly (readonly unknown[])[]
}

/** The result of an answer, which has one row more than are shown where there are more. Long texts are cut. */
export function queryResultOf(answer: string, tookMs: number): QueryResult {
  // A statement that returns nothing has no answer at all.
  const { meta, data }: Answer = answer.trim() === '' ? { meta: [], data: [] } : JSON.parse(answer)
  const rows: (string | null)[][] = []
  let left = MOST_TEXT_OF_ALL
  for (const row of data.slice(0, MOST_ROWS)) {
    const texts = row.map(textOf)
    left -= texts.reduce((sum, text) => sum + (text?.length ?? 4) + 3, 0)
    if (left < 0 && rows.length > 0) break
    rows.push(texts)
  }
  return {
    columns: meta.map(({ name, type }) => ({ name, type })),
    rows,
    isCut: rows.length < data.length,
    tookMs: Math.round(tookMs),
  }
}

function textOf(value: unknown): string | null {
  if (value === null) return null
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text
}

/**
 * Why a query is not run; undefined if it may be. ClickHouse runs with `readonly`, which does not keep a query from
 * writing its answer to a file, and the console reads one answer in its own format.
 */
export function refusalOf(sql: string): string | undefined {
  const code = sql.replaceAll(/--[^\n]*|\/\*[\s\S]*?\*\//g, ' ')
  if (/\binto\s+outfile\b/i.test(code)) return 'a query of the console writes no file'
  if (/\bformat\s+\w+\s*(;\s*)?$/i.test(code)) return 'the console shows answers as a table: leave FORMAT out'
  return undefined
}
