import { UsageError } from '#terminal/usage-error.ts'

/** The size of a target: the number of tables, and the rows of each. `kind` says which of the two is compared. */
export type TargetSize = { readonly kind: 'size' | 'tables'; readonly rows: number; readonly tables: number }

const ROWS_OF_A_CHANGE = 10

/**
 * The points that are compared: one table of each size, then the same rows, ten for each change, in each number of
 * tables. Throws a UsageError when a table has fewer rows than there are changes. Each change must be of another row,
 * because several changes of one row in one batch become one write and cost less.
 */
export function targetSizes({
  sizes,
  tableCounts,
  changes,
}: {
  readonly sizes: readonly number[]
  readonly tableCounts: readonly number[]
  readonly changes: number
}): TargetSize[] {
  const tooSmall = sizes.find((rows) => rows < changes)
  if (tooSmall !== undefined) {
    throw new UsageError(`--sizes ${tooSmall} is less than --changes ${changes}: each change is that of another row`)
  }
  return [
    ...sizes.map((rows) => ({ kind: 'size', rows, tables: 1 }) as const),
    ...tableCounts.map((tables) => {
      const rows = Math.ceil((ROWS_OF_A_CHANGE * changes) / tables)
      return { kind: 'tables', rows, tables } as const
    }),
  ]
}

/**
 * Which rows are updated: the same number in each table, every row once at most, evenly spread from the first row to
 * the last. `ids` is a query of keys, which begin at 1.
 */
export function spreadIds({ rows, tables }: Omit<TargetSize, 'kind'>, changes: number): { each: number; ids: string } {
  const each = Math.min(rows, Math.ceil(changes / tables))
  return { each, ids: `select 1 + n * ${Math.floor(rows / each)} from generate_series(0, ${each - 1}) n` }
}
