import { isDeepStrictEqual } from 'node:util'
import type { DifferingGroup } from './compare-groups.ts'

/** A group that has differed at every look so far, and whether its result was the same at two of them. */
export type Suspect = { readonly group: DifferingGroup; readonly hasStayed: boolean }

/**
 * The groups that have differed at every look, by their hash, after one more look. While changes flow, windows are some
 * milliseconds behind the rows: a group that differs now and then, or whose result is another one each time, is behind,
 * and one whose result stays is wrong.
 */
export function stillSuspected(
  before: ReadonlyMap<string, Suspect> | undefined,
  differing: ReadonlyMap<string, DifferingGroup>,
): Map<string, Suspect> {
  const found = new Map<string, Suspect>()
  for (const [hash, group] of differing) {
    const known = before?.get(hash)
    if (before === undefined) found.set(hash, { group, hasStayed: false })
    else if (known !== undefined) {
      found.set(hash, { group, hasStayed: known.hasStayed || isDeepStrictEqual(known.group.kept, group.kept) })
    }
  }
  return found
}
