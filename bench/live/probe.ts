import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'

/** The probe's load: single-row commits in the source at a rate, and a look at the target every few milliseconds. */
export type ProbeLoad = {
  readonly sourceUrl: string
  readonly targetUrl: string
  /** A table of the workload `bench` in the schema public. */
  readonly sourceTable: string
  /** What has its ids in the target, with its schema. */
  readonly targetTable: string
  readonly perSecond: number
  /** The first seconds, which are not counted. */
  readonly warmUpSeconds: number
  readonly seconds: number
}

/** A row that was committed and seen, in milliseconds since 1970. */
export type SeenRow = { readonly id: number; readonly committedMs: number; readonly seenMs: number }

/** The probe's findings, which it prints as its last line. */
export type ProbeFindings = {
  /** The time from the answer to the commit until a reader of the target got the row, for each counted commit. */
  readonly latenciesMs: number[]
  /** The rows of the counted commits. */
  readonly rows: readonly SeenRow[]
  /** Commits per second that the source took, and that became visible, during the counted time. */
  readonly committedPerSecond: number
  readonly visiblePerSecond: number
}

/** Lines that the probe writes when it begins and when it ends counting. */
export const COUNTING = 'counting'
export const COUNTED = 'counted'

const WRITERS = 8
/** Looking more often would use a noticeable part of a core. */
const LOOK_EVERY_MS = 5
const LONGEST_WAIT_MS = 60_000

async function probe(load: ProbeLoad): Promise<ProbeFindings> {
  const { perSecond, warmUpSeconds, seconds } = load
  const first = Math.round(perSecond * warmUpSeconds)
  const total = first + Math.round(perSecond * seconds)
  const committedAt: number[] = []
  const seenAt: number[] = []
  const writers = await Promise.all(Array.from({ length: WRITERS }, () => connect(load.sourceUrl)))
  const reader = await connect(load.targetUrl)
  const startsAt = performance.now()
  const countsFrom = startsAt + warmUpSeconds * 1_000
  const countsUntil = countsFrom + seconds * 1_000
  let [isWriting, next] = [true, 0]
  setTimeout(() => console.log(COUNTING), warmUpSeconds * 1_000)
  setTimeout(() => console.log(COUNTED), (warmUpSeconds + seconds) * 1_000)

  const writing = writers.map(async (writer) => {
    while (next < total && performance.now() < countsUntil) {
      const id = next++
      const waitMs = startsAt + (id * 1_000) / perSecond - performance.now()
      if (waitMs > 0) await pause(waitMs)
      await writer.query({ name: 'insert', text: insertInto(load.sourceTable), values: [id] })
      committedAt[id] = performance.now()
    }
  })
  const reading = look(async () => {
    const oldest = firstUnseen(seenAt)
    const { rows } = await reader.query<{ id: string }>({
      ...{ name: 'look', text: `select id from ${load.targetTable} where id >= $1`, values: [oldest] },
    })
    const now = performance.now()
    for (const { id } of rows) seenAt[Number(id)] ??= now
    return isWriting || firstUnseen(seenAt) < next
  }, countsUntil + LONGEST_WAIT_MS)
  await Promise.all(writing)
  isWriting = false
  await reading
  await Promise.all([...writers, reader].map((client) => client.end()))

  const counted = Array.from({ length: next - first }, (_, n) => first + n)
  const isCounted = (at: number | undefined) => at !== undefined && at >= countsFrom && at < countsUntil
  const sinceEpoch = (at: number | undefined) => performance.timeOrigin + (at ?? Number.POSITIVE_INFINITY)
  return {
    rows: counted.map((id) => ({ id, committedMs: sinceEpoch(committedAt[id]), seenMs: sinceEpoch(seenAt[id]) })),
    // A row may be seen before its writer has the answer to its commit.
    latenciesMs: counted.map((id) => Math.max(0, (seenAt[id] ?? Number.POSITIVE_INFINITY) - committedAt[id]!)),
    committedPerSecond: committedAt.filter(isCounted).length / seconds,
    visiblePerSecond: seenAt.filter(isCounted).length / seconds,
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return client
}

const insertInto = (table: string): string =>
  `insert into public.${table} (id, a, s, n, ts, j, b, u)
   select $1::bigint, 1, md5($1::text) || md5($1::text), 12.25, now(), '{"k": 1, "v": "value"}', true, 'user ' || $1`

/**
 * Rows arrive in order, except those of other topic partitions, so few rows after the first unseen one have been seen.
 */
let unseenFrom = 0
function firstUnseen(seenAt: readonly number[]): number {
  while (seenAt[unseenFrom] !== undefined) unseenFrom++
  return unseenFrom
}

async function look(once: () => Promise<boolean>, until: number): Promise<void> {
  while (await once()) {
    if (performance.now() > until) throw new Error('a row has not become visible within a minute')
    await pause(LOOK_EVERY_MS)
  }
}

// This runs in a process of its own, so that its processor time is not mixed with that of what it measures.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(await probe(JSON.parse(process.argv[2]!) as ProbeLoad)))
}
