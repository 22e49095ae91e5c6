import type { UserIndex } from '#adapters/postgres/maintenance/user-indexes.ts'
import { alignColumns } from '#terminal/aligned-columns.ts'
import { cutText } from '#terminal/display-width.ts'

/**
 * The declared indexes: each with its definition, and below it a line for each table of rows that it is made on, cut to
 * the width. A problem is a whole line, whatever its length.
 */
export function describeIndexes(indexes: readonly UserIndex[], width: number): string[] {
  if (indexes.length === 0) return ['No index is declared.']
  const declared = Map.groupBy(indexes, ({ table, name }) => JSON.stringify([table, name]))
  return [...declared.values()].flatMap((made) => [
    `${made[0]!.table}  ${made[0]!.name}`,
    `  ${cutText(made[0]!.definition.replace(/\s+/g, ' '), width - 2)}`,
    ...alignColumns(made.map(({ madeAs, state }) => [madeAs ?? '–', stateOf(state)])).map((line) => `  ${line}`),
    ...new Set(made.flatMap(({ problem }) => (problem === null ? [] : [`  ${problem.replace(/\s+/g, ' ')}`]))),
  ])
}

const stateOf = (state: UserIndex['state']): string =>
  state === 'no table' ? 'no captured table has this name now' : state
