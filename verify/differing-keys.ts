import type { LineReader } from './line-reader.ts'
import type { Key, RowListing } from './row-listing.ts'

/**
 * Reads both sides of a table as lines of COPY in the order of the listing. Yields the key of every row that is on one
 * side only, that differs, or that the sides have different numbers of; each key once.
 */
export async function* differingKeys(
  { compareKeys, keyOf }: Pick<RowListing, 'compareKeys' | 'keyOf'>,
  source: LineReader,
  target: LineReader,
): AsyncGenerator<Key> {
  let last: Key | undefined
  for (;;) {
    const [inSource, inTarget] = await Promise.all([source.ready(), target.ready()])
    if (!inSource && !inTarget) return
    if (inSource && inTarget) {
      const before = source.lines
      source.skipEqual(target)
      if (source.lines > before) continue
    }
    const sourceKey = inSource ? keyOf(source.line()) : undefined
    const targetKey = inTarget ? keyOf(target.line()) : undefined
    const order = sourceKey && targetKey ? compareKeys(sourceKey, targetKey) : sourceKey ? -1 : 1
    const key = (order <= 0 ? sourceKey : targetKey)!
    if (last === undefined || compareKeys(last, key) !== 0) yield key
    last = key
    if (order <= 0) source.skip()
    if (order >= 0) target.skip()
  }
}
