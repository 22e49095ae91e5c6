/**
 * Which transactions are visible to the snapshot in which rows were read: `xmin:xmax:xip,…` as pg_snapshot writes it,
 * in 64-bit transaction ids.
 */
export type ReadSnapshot = { readonly xmin: number; readonly xmax: number; readonly running: ReadonlySet<number> }

/** Parses pg_snapshot's text; throws a RangeError on anything else. */
export function parseReadSnapshot(text: string): ReadSnapshot {
  const match = /^(\d+):(\d+):((?:\d+(?:,\d+)*)?)$/.exec(text)
  if (match === null) throw new RangeError(`'${text}' is not a snapshot such as 10:20:10,14`)
  const running = match[3] === '' ? [] : match[3]!.split(',').map(Number)
  return { xmin: Number(match[1]), xmax: Number(match[2]), running: new Set(running) }
}

const cycle = 2 ** 32

/**
 * Whether the changes of a transaction are part of the rows that were read. A change carries the low 32 bits of its
 * transaction id; as in Postgres, the full id is the one nearest to the snapshot.
 */
export function wasRead({ xmin, xmax, running }: ReadSnapshot, txId: number): boolean {
  let id = xmax - (xmax % cycle) + txId
  if (id > xmax + cycle / 2) id -= cycle
  else if (id < xmax - cycle / 2) id += cycle
  return id < xmin || (id < xmax && !running.has(id))
}
