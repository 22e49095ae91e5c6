/** Lambda takes no answer of more than 6 MB; a list stays well below. */
const mostBytes = 4_000_000

/** The first items that fit into one answer, at least one. */
export function within<T>(items: readonly T[], most = mostBytes): T[] {
  let bytes = 0
  const fitting = items.findIndex((item) => {
    bytes += Buffer.byteLength(JSON.stringify(item))
    return bytes > most
  })
  return items.slice(0, fitting === -1 ? items.length : Math.max(1, fitting))
}
