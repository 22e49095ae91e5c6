import type { RecordSpool, StreamBound } from './record-spool.ts'
import { CHANGES, USER_EVENTS } from './replay.ts'

/** The point up to which the state is rebuilt. */
export type Cut =
  /** Everything that the source committed before the beacon of this number. */
  | { readonly kind: 'beacon'; readonly number: number }
  /**
   * Everything that the source committed at or before this time, in µs since 1970; `text` is the time as it was given.
   */
  | { readonly kind: 'time'; readonly us: number; readonly text: string }

/**
 * The cut of `--until`. A whole number is a beacon, everything else is a time, which is in UTC if it has no zone.
 * Throws an Error for any other text.
 */
export function parseCut(text: string): Cut {
  if (/^\d+$/.test(text)) return { kind: 'beacon', number: Number(text) }
  const match =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,6}))?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?$/i.exec(text)
  const [, date, time = '00:00:00', fraction = '', zone = 'Z'] = match ?? []
  const full = /^[+-]/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}` : 'Z'
  const ms = Date.parse(`${date}T${time.length === 5 ? `${time}:00` : time}${full}`)
  // JavaScript accepts the 30th of February and reads it as the 1st or 2nd of March.
  const isDay = match !== null && new Date(`${date}T00:00:00Z`).getUTCDate() === Number(date!.slice(8))
  if (!isDay || Number.isNaN(ms)) {
    throw new Error(`--until ${text} is neither the number of a beacon nor a time such as 2026-11-27T14:05:00Z`)
  }
  return { kind: 'time', us: ms * 1000 + Number(fraction.padEnd(6, '0')), text }
}

/** The default name of the schema for the state of a cut. */
export function schemaOf(cut: Cut): string {
  if (cut.kind === 'beacon') return `tidemark_beacon_${cut.number}`
  const [seconds, fraction] = [Math.floor(cut.us / 1e6), cut.us % 1e6]
  const stamp = new Date(seconds * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').toLowerCase()
  return `tidemark_${stamp}${fraction === 0 ? '' : `_${String(fraction).padStart(6, '0')}`}z`
}

/** A cut as words for a message. */
export const describeCut = (cut: Cut): string =>
  cut.kind === 'beacon' ? `before beacon ${cut.number}` : `at ${cut.text}`

/** The bounds of all topic partitions, or the reason why they are not known. */
export type CutOutcome =
  | { readonly kind: 'bounds'; readonly bounds: readonly StreamBound[] }
  | { readonly kind: 'unknown'; readonly why: string }

/**
 * Finds the bounds of a cut. They are unknown if the records read so far do not reach the cut in every topic partition,
 * or begin after it.
 */
export function boundsOf(spool: RecordSpool, cut: Cut): Promise<CutOutcome> {
  return cut.kind === 'beacon' ? beaconBounds(spool, cut.number) : timeBounds(spool, cut)
}

const unknown = (why: string): CutOutcome => ({ kind: 'unknown', why })

/** Whether the records read so far go beyond the cut in every topic partition. */
export function isPassed({ topicPartitions, beacons }: RecordSpool, cut: Cut): boolean {
  const passed = [...beacons.values()].filter(({ number, committedUs }) =>
    cut.kind === 'beacon' ? number >= cut.number : committedUs > cut.us,
  )
  return topicPartitions > 0 && passed.length >= topicPartitions
}

/** The time, in µs since 1970, after which no record is needed if the cut is passed. */
export const latestUsOf = ({ beacons }: RecordSpool, cut: Cut): number =>
  cut.kind === 'time' ? cut.us : Math.max(...[...beacons.values()].map(({ committedUs }) => committedUs))

type FoundBeacon = { topic_partition: number; at: string; epochs: number; sent_us: string }

/**
 * For each topic partition, the first beacon that comes after everything of the cut: the one of its number, or the
 * first of a later time.
 */
function readBeacons(spool: RecordSpool, cut: Cut): Promise<FoundBeacon[]> {
  const condition = cut.kind === 'beacon' ? 'r.beacon = $2' : 'r.committed_us > $2 and r.beacon is not null'
  return spool.query<FoundBeacon>(
    `select s.topic_partition, min(r.record_offset) as at, count(distinct r.beacon_epoch)::integer as epochs,
       min(r.committed_us) as sent_us
     from rebuild.stream s
     join rebuild.record r using (stream)
     where s.topic = $1
       and ${condition}
     group by s.topic_partition`,
    [CHANGES.topic, cut.kind === 'beacon' ? cut.number : cut.us],
  )
}

async function beaconBounds(spool: RecordSpool, number: number): Promise<CutOutcome> {
  const found = await readBeacons(spool, { kind: 'beacon', number })
  const missing = missingIn(spool, found)
  if (missing.length > 0) return unknown(`beacon ${number} is not in the archive, in ${missing.join(', ')}`)
  if (found.some(({ epochs }) => epochs > 1)) {
    return unknown(`several epochs have a beacon ${number}: say --until with a time`)
  }
  const latestUs = Math.max(...found.map(({ sent_us }) => Number(sent_us)))
  return { kind: 'bounds', bounds: [...boundsAt(found), ...(await boundsBefore(spool, USER_EVENTS.topic, latestUs))] }
}

async function timeBounds(spool: RecordSpool, cut: Cut & { kind: 'time' }): Promise<CutOutcome> {
  const [range] = await spool.query<{ first_us: string | null; newest: Date | null }>(
    `select min(r.committed_us) as first_us, to_timestamp(max(r.committed_us) filter (where r.beacon is not null) / 1e6) as newest
     from rebuild.stream s
     join rebuild.record r using (stream)
     where s.topic = $1`,
    [CHANGES.topic],
  )
  if (range?.first_us == null) return unknown('nothing of the source is in the archive yet')
  if (cut.us < Number(range.first_us)) {
    const first = new Date(Number(range.first_us) / 1000).toISOString()
    return unknown(`the archive begins at ${first}: what was ${describeCut(cut)} is not known`)
  }
  const found = await readBeacons(spool, cut)
  const missing = missingIn(spool, found)
  if (missing.length > 0) {
    const newest = range.newest === null ? 'no beacon' : range.newest.toISOString()
    return unknown(`the archive does not reach ${cut.text} yet, in ${missing.join(', ')}: it has come to ${newest}`)
  }
  const userEvents = await boundsBefore(spool, USER_EVENTS.topic, cut.us)
  return { kind: 'bounds', bounds: [...boundsAt(found, cut.us), ...userEvents] }
}

const boundsAt = (found: readonly FoundBeacon[], latestUs?: number): StreamBound[] =>
  found.map(({ topic_partition, at }) => ({
    ...{ topic: CHANGES.topic, topicPartition: topic_partition, to: Number(at) },
    ...(latestUs !== undefined && { latestUs }),
  }))

function missingIn({ topicPartitions }: RecordSpool, found: readonly FoundBeacon[]): string[] {
  const all = Array.from({ length: Math.max(topicPartitions, 1) }, (_, topicPartition) => topicPartition)
  return all
    .filter((topicPartition) => !found.some(({ topic_partition }) => topic_partition === topicPartition))
    .map((topicPartition) => `${CHANGES.topic}-${topicPartition}`)
}

/**
 * Each bound is after the last record that was sent at or before this time. Later records before the bound are left out
 * by `latestUs`.
 */
async function boundsBefore(spool: RecordSpool, topic: string, latestUs: number): Promise<StreamBound[]> {
  const rows = await spool.query<{ topic_partition: number; ended: string }>(
    `select s.topic_partition, max(r.record_offset) + 1 as ended
     from rebuild.stream s
     join rebuild.record r using (stream)
     where s.topic = $1
       and r.committed_us <= $2
     group by s.topic_partition`,
    [topic, latestUs],
  )
  return rows.map((row) => ({ topic, topicPartition: row.topic_partition, to: Number(row.ended), latestUs }))
}
