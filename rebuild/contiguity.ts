import { formatCount } from '#terminal/quantities.ts'
import type { RecordSpool, StreamBound } from './record-spool.ts'
import { CHANGES } from './replay.ts'

/**
 * The first missing records of captured changes before the bounds, as `records 3 to 5 of changes-0`; undefined if none
 * is missing. Offsets of other topics may have holes.
 */
export async function findGap(spool: RecordSpool, bounds: readonly StreamBound[]): Promise<string | undefined> {
  const changes = bounds.filter(({ topic }) => topic === CHANGES.topic)
  const counted = await spool.query<{ topic_partition: number; from: string; bound: string; found: string }>(
    `select b.topic_partition, coalesce(s.next_offset, 0) as from, b.bound, count(r.record_offset) as found
     from unnest($2::integer[], $3::bigint[]) as b (topic_partition, bound)
     left join rebuild.stream s on (s.topic, s.topic_partition) = ($1, b.topic_partition)
     left join rebuild.record r on r.stream = s.stream and r.record_offset >= s.next_offset and r.record_offset < b.bound
     group by b.topic_partition, b.bound, s.next_offset
     order by b.topic_partition`,
    [CHANGES.topic, changes.map(({ topicPartition }) => topicPartition), changes.map(({ to }) => to)],
  )
  const lacking = counted.find(({ from, bound, found }) => Number(found) < Number(bound) - Number(from))
  if (lacking === undefined) return undefined
  return describeGap(spool, lacking.topic_partition, Number(lacking.from), Number(lacking.bound))
}

async function describeGap(spool: RecordSpool, topicPartition: number, from: number, bound: number): Promise<string> {
  const [gap] = await spool.query<{ after: string; next: string }>(
    `select p.after, p.next
     from (
       select r.place as after, lead(r.place, 1, $4::bigint) over (order by r.place) as next
       from (
         select r.record_offset as place
         from rebuild.record r
         join rebuild.stream s using (stream)
         where (s.topic, s.topic_partition) = ($1, $2)
           and r.record_offset >= $3
           and r.record_offset < $4
         union all
         select $3::bigint - 1
       ) r
     ) p
     where p.next > p.after + 1
     order by p.after
     limit 1`,
    [CHANGES.topic, topicPartition, from, bound],
  )
  const [first, last] = [Number(gap!.after) + 1, Number(gap!.next) - 1]
  const what = first === last ? `record ${formatCount(first)}` : `records ${formatCount(first)} to ${formatCount(last)}`
  return `${what} of ${CHANGES.topic}-${topicPartition}`
}
