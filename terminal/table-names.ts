import { UsageError } from './usage-error.ts'

/** Throws a UsageError for the first table that is not known, with similar known names. */
export const requireTables = (wanted: readonly string[], known: Iterable<string>): void =>
  requireNames('table', wanted, known)

/** Does the same for other things that have names. */
export function requireNames(
  what: 'table' | 'schema' | 'topic',
  wanted: readonly string[],
  known: Iterable<string>,
): void {
  const names = [...new Set(known)]
  const absent = wanted.find((name) => !names.includes(name))
  if (absent === undefined) return
  throw new UsageError(`there is no ${what} ${absent}: ${hintFor(what, absent, names)}`)
}

/** The hint for a name that is not known: similar names, or some of the known ones. */
export function hintFor(what: string, absent: string, names: readonly string[]): string {
  const near = nearNames(absent, names)
  if (near.length > 0) return `did you mean ${near.join(' or ')}?`
  if (names.length === 0) return `there is no ${what} yet`
  return `there are ${names.toSorted().slice(0, 10).join(', ')}${names.length > 10 ? ` and ${names.length - 10} more` : ''}`
}

/**
 * Up to three names that differ by few characters, the nearest first. If the schema was left out, only the table is
 * compared.
 */
export function nearNames(wanted: string, known: readonly string[]): string[] {
  const most = Math.min(Math.max(2, Math.floor(wanted.length / 4)), Math.floor(wanted.length / 2))
  return known
    .map((name) => ({ name, distance: distanceTo(wanted, name) }))
    .filter(({ distance }) => distance <= most)
    .sort((a, b) => a.distance - b.distance || a.name.localeCompare(b.name))
    .slice(0, 3)
    .map(({ name }) => name)
}

function distanceTo(wanted: string, name: string): number {
  const [a, b] = [wanted.toLowerCase(), name.toLowerCase()]
  const bare = b.slice(b.indexOf('.') + 1)
  return a.includes('.') ? editDistance(a, b) : Math.min(editDistance(a, b), editDistance(a, bare))
}

/**
 * The number of characters that must be inserted, removed or replaced. Two characters that changed places count as one.
 */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = last[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1)
      const swapped =
        row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
          ? beforeLast[column - 2]! + 1
          : Number.POSITIVE_INFINITY
      current.push(Math.min(last[column]! + 1, current[column - 1]! + 1, replaced, swapped))
    }
    beforeLast = last
    last = current
  }
  return last[b.length]!
}
