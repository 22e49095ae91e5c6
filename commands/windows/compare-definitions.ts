import { makeProgressLine } from '#terminal/progress-line.ts'
import { compareWindows, countWindowMismatches } from '#verify/windows/compare-windows.ts'
import { describeWindowsComparison } from '#verify/windows/windows-report.ts'
import type { WindowsArguments } from './windows-arguments.ts'
import { findDatabases, requireWords } from './windows-databases.ts'

/** Compares the groups of definitions with batch SQL. */
export async function compareDefinitions({ words, json, waitMs, ...given }: WindowsArguments): Promise<number> {
  requireWords(words, 1, 'compare takes one name, or none for all')
  const progress = makeProgressLine()
  const comparison = await compareWindows({
    ...(await findDatabases(given)),
    name: words[0],
    waitMs,
    onProgress: progress.show,
  }).finally(progress.clear)
  console.log(json ? JSON.stringify(comparison, null, 2) : describeWindowsComparison(comparison).join('\n'))
  return countWindowMismatches(comparison) === 0 ? 0 : 1
}
