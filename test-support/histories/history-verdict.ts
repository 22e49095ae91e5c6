import { type Comparison, compareDatabases, countMismatches } from '#verify/compare-databases.ts'
import { describeComparison } from '#verify/comparison-report.ts'

/**
 * Reasons for which a table may be stopped at the end. Each names an action of the application that Tidemark cannot
 * follow.
 */
const allowedStops: RegExp[] = []

/** Reasons for which a table may be refused. */
const allowedRefusals: RegExp[] = []

/** The URLs of both databases. */
export type BothDatabases = { source: string; target: string }

/**
 * Undefined when all tables whose names start with the prefix are equal, or are stopped for an allowed reason;
 * otherwise the comparison as text. Waits for what is under way. A stop that ends by itself gets the same time.
 */
export async function judgeHistory(
  databases: BothDatabases,
  prefix: string,
  waitMs: number,
): Promise<string | undefined> {
  const deadline = Date.now() + waitMs
  const only = (name: string) => name.startsWith(`public.${prefix}`)
  for (;;) {
    const comparison = await compareDatabases({ ...databases, only, waitMs: Math.max(20_000, deadline - Date.now()) })
    const problem = describeProblem(comparison)
    const mayResolve = countMismatches(comparison) === comparison.stopped.length
    if (problem === undefined || !mayResolve || Date.now() > deadline) return problem
  }
}

function describeProblem(comparison: Comparison): string | undefined {
  const stopped = comparison.stopped.filter(({ reason }) => !allowedStops.some((allowed) => allowed.test(reason)))
  const uncaptured = comparison.uncaptured.filter(({ why }) => !allowedRefusals.some((allowed) => allowed.test(why)))
  const unexpected = { ...comparison, stopped, uncaptured }
  if (countMismatches(unexpected) === 0 && uncaptured.length === 0) return undefined
  return describeComparison(unexpected, 160)
}
