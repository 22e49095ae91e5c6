import type { ShownRecord } from '#core/console/topics.ts'
import type { ReadRecord, ReadRecords } from './read-forward.ts'
import type { Positions } from './read-positions.ts'

/** Records of several topic partitions in one list, and where each topic partition goes on. */
export type MergedPage = { readonly items: readonly ShownRecord[]; readonly positions: Positions }

/** An answer has 5.5 MB at most, and a record with control characters takes much more in JSON than in the topic. */
const MOST_JSON = 3_000_000

/**
 * The first `limit` records by time, in the order of offsets in each topic partition. Those that do not fit are read
 * again by the next page.
 */
export function firstRecords({ records, positions }: ReadRecords, limit: number): MergedPage {
  const chosen: ShownRecord[] = []
  const next = new Map(positions)
  let json = 0
  let isFull = false
  for (const [topicPartition, { shown, offset }] of byTime(records)) {
    const size = JSON.stringify(shown).length
    isFull ||= chosen.length === limit || (chosen.length > 0 && json + size > MOST_JSON)
    if (isFull) {
      if (offset < next.get(topicPartition)!) next.set(topicPartition, offset)
      continue
    }
    chosen.push(shown)
    json += size
  }
  return { items: chosen, positions: next }
}

/** The last `limit` records by time. Those before them are left out. */
export function lastRecords({ records, positions }: ReadRecords, limit: number): MergedPage {
  const all = [...byTime(records)].map(([, { shown }]) => shown).slice(-limit)
  let json = 0
  const first = all.findLastIndex((shown, index) => {
    json += JSON.stringify(shown).length
    return json > MOST_JSON && index < all.length - 1
  })
  return { items: all.slice(first + 1), positions }
}

/** Always the oldest of the next records of all topic partitions. Within one, offsets decide and not times. */
function* byTime(records: ReadRecords['records']): Generator<[number, ReadRecord]> {
  const heads = [...records].map(([topicPartition, list]) => ({ topicPartition, list, index: 0 }))
  for (;;) {
    let oldest: (typeof heads)[number] | undefined
    for (const head of heads) {
      if (head.index === head.list.length) continue
      if (oldest === undefined || timeOf(head) < timeOf(oldest)) oldest = head
    }
    if (oldest === undefined) return
    yield [oldest.topicPartition, oldest.list[oldest.index++]!]
  }
}

const timeOf = ({ list, index }: { list: ReadRecord[]; index: number }): number => list[index]!.timestampMs
