import { alignColumns } from '#terminal/aligned-columns.ts'
import { visibleText } from '#terminal/display-width.ts'
import { formatCount, formatDuration, formatQuantity } from '#terminal/quantities.ts'
import type { DifferingGroup } from './compare-groups.ts'
import { countWindowMismatches, type DefinitionComparison, type WindowsComparison } from './compare-windows.ts'

const EXAMPLES = 5

/** A table of the definitions, the first groups that differ, and the verdict. */
export function describeWindowsComparison(comparison: WindowsComparison): string[] {
  const { definitions, seconds } = comparison
  if (definitions.length === 0) return ['There are no definitions of windows.']
  const mismatches = countWindowMismatches(comparison)
  const took = formatDuration(seconds * 1_000)
  const isWhole = definitions.every(({ changing }) => changing === 0)
  return [
    ...alignColumns(
      [
        ['windows', 'groups', 'differ from the target', 'differ from the source'],
        ...definitions.map(({ name, groups, state, ofTarget, ofSource }) => [
          name,
          groups === null ? state : formatCount(groups),
          groups === null ? '-' : formatCount(ofTarget.length),
          ofSource === null ? '-' : formatCount(ofSource.length),
        ]),
      ],
      [1, 2, 3],
    ),
    ...definitions.flatMap(describeDifferences),
    '',
    ...definitions
      .filter(({ changing }) => changing > 0)
      .map(
        ({ name, changing }) =>
          `${name}: ${formatQuantity(changing, 'group')} changed at every look and could not be compared; repeat it when fewer changes come`,
      ),
    mismatches === 0
      ? `equal: every group${isWhole ? '' : ' that was compared'} is what batch SQL computes (${took})`
      : `not equal: ${formatQuantity(mismatches, 'difference')} (${took}); npm run windows -- explain shows the rows of a group`,
  ]
}

function describeDifferences(definition: DefinitionComparison): string[] {
  const { name, reason, ofTarget, ofSource } = definition
  const of = (side: string, groups: readonly DifferingGroup[]) =>
    groups
      .slice(0, EXAMPLES)
      .flatMap((group) => [
        '',
        `${name}, ${group.windowStart}, ${describe(definition.keys, group.keys) || 'all rows'}`,
        `  kept                ${group.kept === null ? 'no such group' : describe(definition.results, group.kept)}`,
        `  ${`rows of the ${side}`.padEnd(18)}  ${group.computed === null ? 'no such group' : describe(definition.results, group.computed)}`,
      ])
  return [
    ...(reason === null ? [] : ['', `${name}: ${visibleText(reason)}`]),
    ...of('target', ofTarget),
    ...of('source', ofSource ?? []),
  ]
}

const describe = (names: readonly string[], values: readonly (string | null)[]): string =>
  names.map((name, index) => `${visibleText(name)} = ${visibleText(values[index] ?? 'null')}`).join(', ')
