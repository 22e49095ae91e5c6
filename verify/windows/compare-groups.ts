import { copyValues } from '../copy-text.ts'
import type { DatabaseSession } from '../database-session.ts'
import { LineReader } from '../line-reader.ts'
import type { BuiltDefinition } from './built-definitions.ts'

/** A group that differs: its results as they are kept, and as batch SQL computes them; null where there is no such group. */
export type DifferingGroup = {
  readonly windowStart: string
  readonly keys: readonly (string | null)[]
  readonly kept: readonly (string | null)[] | null
  readonly computed: readonly (string | null)[] | null
}

/** How many groups are kept, and those that differ by a text that is equal for equal groups. */
export type GroupDifferences = { readonly groups: number; readonly differing: ReadonlyMap<string, DifferingGroup> }

/** More are only counted as one: something is then wrong with all of them. */
const MOST = 10_000

/** Compares two queries of `group-queries.ts` line by line. Memory is needed for groups that differ only. */
export async function compareGroups(
  version: BuiltDefinition,
  kept: { readonly session: DatabaseSession; readonly query: string },
  computed: { readonly session: DatabaseSession; readonly query: string },
  onGroups: (groups: number) => void,
): Promise<GroupDifferences> {
  const readers = [kept, computed].map(({ session, query }) => new LineReader(session.copy(query))) as [
    LineReader,
    LineReader,
  ]
  const differing = new Map<string, DifferingGroup>()
  const [left, right] = readers
  const keyCount = version.plan.keyTypes.length
  const add = (hash: string, keptLine: string | undefined, computedLine: string | undefined) => {
    const of = (line: string | undefined) => (line === undefined ? null : copyValues(line).slice(2 + keyCount))
    const [, windowStart, ...rest] = copyValues((keptLine ?? computedLine)!)
    const group = {
      windowStart: windowStart!,
      keys: rest.slice(0, keyCount),
      kept: of(keptLine),
      computed: of(computedLine),
    }
    if (isClose(version, group)) return
    if (differing.size < MOST) differing.set(hash, group)
  }
  for (let reportAt = 50_000; ; ) {
    const [hasLeft, hasRight] = [await left.ready(), await right.ready()]
    if (!hasLeft && !hasRight) return { groups: left.lines, differing }
    if (hasLeft && hasRight) left.skipEqual(right)
    if (left.lines >= reportAt) {
      onGroups(left.lines)
      reportAt += 50_000
    }
    if ((await left.ready()) !== hasLeft || (await right.ready()) !== hasRight) continue
    const [l, r] = [hasLeft ? left.line() : undefined, hasRight ? right.line() : undefined]
    if (l !== undefined && l === r) continue
    const [leftHash, rightHash] = [l?.slice(0, HASH), r?.slice(0, HASH)]
    const isLeft = leftHash !== undefined && (rightHash === undefined || leftHash <= rightHash)
    const isRight = rightHash !== undefined && (leftHash === undefined || rightHash <= leftHash)
    add((isLeft ? leftHash : rightHash)!, isLeft ? l : undefined, isRight ? r : undefined)
    if (isLeft) left.skip()
    if (isRight) right.skip()
  }
}

/** An md5 hash in hexadecimal digits. */
const HASH = 32

/** A sum of floating-point numbers depends on their order in its last digits. */
function isClose({ plan }: BuiltDefinition, { kept, computed }: DifferingGroup): boolean {
  if (kept === null || computed === null) return false
  return plan.resultTypes.every((type, index) => {
    const [a, b] = [kept[index]!, computed[index]!]
    if (a === b) return true
    if (a === null || b === null || !/^(real|double precision)$/.test(type)) return false
    return Math.abs(Number(a) - Number(b)) <= 1e-9 * Math.max(Math.abs(Number(a)), Math.abs(Number(b)))
  })
}
