// When may source and target be compared? When every topic partition has applied a beacon that was written after the
// call.

import { setTimeout } from 'node:timers/promises'
import { CONSUMERS } from '#core/fixed-names.ts'
import { readTablesUnderWay } from './captured-tables.ts'
import type { DatabaseSession } from './database-session.ts'

/** The input for both waits. */
export type Watermark = {
  source: DatabaseSession
  target: DatabaseSession
  /** Milliseconds since 1970 after which the wait ends with a LaggingError. */
  deadline: number
  /** It is called when what is waited for changes. */
  onWait: (what: string) => void
  /** It throws if the wait cannot succeed. It is called about once a second. */
  requireCapture?: () => Promise<void>
}

/** The wait took too long; the message says what lags. */
export class LaggingError extends Error {
  override name = 'LaggingError'
}

const pollMs = 25

/** Waits until every wanted table is captured and no snapshot of it is under way, so that all its rows were sent. */
export async function waitForSnapshots(
  { source, ...wait }: Watermark,
  isWanted: (table: { name: string }) => boolean,
): Promise<void> {
  await waitFor(wait, async () => {
    const underWay = (await readTablesUnderWay(source)).filter(isWanted)
    return underWay.length === 0 ? undefined : underWay.map(({ name, why }) => `${name}, which ${why}`).join('; ')
  })
}

/**
 * Waits until everything that was committed in the source before the call is visible in the target, or has been taken by
 * another consumer. Returns the number of the beacon.
 */
export async function waitUntilVisible(
  { source, target, ...wait }: Watermark,
  consumer: string = CONSUMERS.latestState,
): Promise<number> {
  const [emitted] = await source.query<{ beacon: string; topic_partitions: number; epoch: number }>(
    'select tidemark.emit_beacon() as beacon, topic_partitions, epoch from tidemark.setting',
  )
  if (emitted === undefined)
    throw new Error('the source has no tidemark.setting, so it is not set up for capture: deploy the stack first')
  const beacon = Number(emitted.beacon)
  await waitFor(wait, () => describeLag(target, consumer, { ...emitted, beacon }))
  return beacon
}

type Progress = { topic_partition: number; beacon_number: string | null; next_offset: string; reason: string | null }

async function describeLag(
  target: DatabaseSession,
  consumer: string,
  { beacon, epoch, topic_partitions: topicPartitions }: { beacon: number; epoch: number; topic_partitions: number },
): Promise<string | undefined> {
  const rows = await target.query<Progress>(
    `select p.topic_partition, p.next_offset, s.reason,
      -- Beacons of another epoch have other numbers.
      case when p.beacon_epoch = $2 then p.beacon_number end as beacon_number
    from tidemark.progress p
    left join tidemark.stop s using (consumer, topic, topic_partition)
    where p.consumer = $1`,
    [consumer, epoch],
  )
  const lagging = Array.from({ length: topicPartitions }, (_, topicPartition) => {
    const progress = rows.find((row) => row.topic_partition === topicPartition)
    if (progress === undefined) return `topic partition ${topicPartition} (nothing applied yet)`
    if (Number(progress.beacon_number ?? 0) >= beacon) return undefined
    const stopped = progress.reason === null ? '' : `, stopped: ${progress.reason}`
    return `topic partition ${topicPartition} (at offset ${progress.next_offset}, beacon ${progress.beacon_number ?? 'none'}${stopped})`
  }).filter((lag) => lag !== undefined)
  return lagging.length === 0 ? undefined : `beacon ${beacon} in ${lagging.join(', ')}`
}

const captureCheckMs = 1_000

async function waitFor(
  { deadline, onWait, requireCapture }: Omit<Watermark, 'source' | 'target'>,
  describe: () => Promise<string | undefined>,
): Promise<void> {
  let reported: string | undefined
  let checkAt = Date.now() + captureCheckMs
  for (;;) {
    const missing = await describe()
    if (missing === undefined) return
    if (missing !== reported) onWait(missing)
    reported = missing
    if (Date.now() > checkAt) {
      await requireCapture?.()
      checkAt = Date.now() + captureCheckMs
    }
    if (Date.now() > deadline) throw new LaggingError(`gave up waiting for ${missing}`)
    await setTimeout(pollMs)
  }
}
