import type { TopicSession } from './topic-session.ts'

/** The next offset to read of each topic partition that is read. */
export type Positions = ReadonlyMap<number, bigint>

/** Where a read begins. `after` is the end of an earlier one. */
export type ReadPlace =
  | { readonly kind: 'begin' | 'end' }
  | { readonly kind: 'offset'; readonly offset: bigint }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'after'; readonly positions: Positions }

/** What each topic partition has: the offset of its first record, and the one after its last committed one. */
export type Extent = { readonly begins: readonly bigint[]; readonly ends: readonly bigint[] }

const EARLIEST = -2n
const LATEST = -1n

/** Reads what each topic partition has. */
export async function readExtent(session: TopicSession): Promise<Extent> {
  const begins = await session.offsets(EARLIEST)
  return { begins, ends: await session.offsets(LATEST) }
}

/** The positions at which a read of these topic partitions begins. */
export async function positionsAt(
  session: TopicSession,
  place: ReadPlace,
  topicPartitions: readonly number[],
  { begins, ends }: Extent,
): Promise<Positions> {
  const found = place.kind === 'time' ? await session.offsets(BigInt(place.ms)) : []
  const wanted = (partition: number): bigint => {
    switch (place.kind) {
      case 'begin':
        return begins[partition]!
      case 'end':
        return ends[partition]!
      case 'offset':
        return place.offset
      case 'time':
        return found[partition]! < 0n ? ends[partition]! : found[partition]!
      case 'after':
        // A topic partition that was added meanwhile is read from its begin.
        return place.positions.get(partition) ?? begins[partition]!
    }
  }
  return new Map(topicPartitions.map((each) => [each, within(wanted(each), begins[each]!, ends[each]!, place)]))
}

/**
 * Records may have expired, and a topic that was created again has smaller offsets than a former place. Both go on at
 * the begin.
 */
function within(offset: bigint, begin: bigint, end: bigint, { kind }: ReadPlace): bigint {
  if (offset < begin) return begin
  if (offset <= end) return offset
  return kind === 'after' ? begin : end
}

/** Positions as the text that continues a read, such as `0:17,1:4`. */
export const cursorOf = (positions: Positions): string =>
  [...positions].map(([partition, offset]) => `${partition}:${offset}`).join(',')

/** The positions of such a text; undefined if it is none. */
export function positionsOfCursor(text: string): Positions | undefined {
  if (!/^\d{1,9}:\d{1,19}(,\d{1,9}:\d{1,19})*$/.test(text)) return undefined
  return new Map(
    text
      .split(',')
      .map((each) => each.split(':'))
      .map(([place, offset]) => [Number(place), BigInt(offset!)]),
  )
}
