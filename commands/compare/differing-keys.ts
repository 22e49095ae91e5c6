import type { TableContract } from '#core/contract.ts'
import { copyValues } from './copy-text.ts'
import type { LineReader } from './line-reader.ts'
import { type Key, makeCompareKeys } from './table-key.ts'

/**
 * Reads both sides of a table, lines of COPY with the contract's columns in the order of `keyOrder`, and yields the key
 * of every row that is on one side only or not the same on both.
 */
export async function* differingKeys(
  contract: TableContract,
  source: LineReader,
  target: LineReader,
): AsyncGenerator<Key> {
  const compareKeys = makeCompareKeys(contract)
  const keyOf = makeKeyOf(contract)
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
    yield (order <= 0 ? sourceKey : targetKey)!
    if (order <= 0) source.skip()
    if (order >= 0) target.skip()
  }
}

function makeKeyOf({ columns }: TableContract): (line: string) => Key {
  const places = columns
    .map((column, index) => ({ place: column.key, index }))
    .filter(({ place }) => place !== null)
    .sort((a, b) => a.place! - b.place!)
  return (line) => {
    const values = copyValues(line)
    return places.map(({ index }) => values[index]!)
  }
}
