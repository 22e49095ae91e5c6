import type pg from 'pg'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import type { ApplyOutcome } from '#adapters/postgres/delivery/apply-transaction.ts'
import { makeUserState } from '#adapters/postgres/user-state/user-state.ts'
import type { RecordIdentity } from '#core/delivery.ts'
import { CONSUMERS } from '#core/fixed-names.ts'
import { isOfAnotherLog } from '#core/recovery/stop-reasons.ts'
import type { KeyHeaders } from '#core/wire/change.ts'
import type { SpooledRecord } from './record-spool.ts'

/** The topics whose records make the latest state, and the consumers that apply them. */
export const CHANGES = { topic: 'changes', consumer: CONSUMERS.latestState } as const
export const USER_EVENTS = { topic: 'user-events', consumer: CONSUMERS.userState } as const

/** The limits of what is applied at once, for the memory and for the statements of a transaction. */
const MOST = { records: 20_000, bytes: 16 << 20 }

/** A replay that continues where it ended before. */
export type Replay = (records: AsyncIterable<SpooledRecord>, onProgress: (records: number) => void) => Promise<void>

/**
 * Applies records to the latest state of a database, as apply-latest-state does, in transactions of many records. A
 * truncate, and a row that takes values from the row that left its key, are applied after everything before them in
 * other topic partitions. Throws an Error if a topic partition refuses its records.
 */
export function makeReplay(pool: pg.Pool, signal?: AbortSignal): Replay {
  const appliers = new Map<string, Applier>([
    [CHANGES.topic, { ...CHANGES, isSparse: false, ...makeLatestState(pool) }],
    [USER_EVENTS.topic, { ...USER_EVENTS, isSparse: true, ...makeUserState(pool) }],
  ])
  return async (records, onProgress) => {
    let open: SpooledRecord[] = []
    let bytes = 0
    const flush = async () => {
      signal?.throwIfAborted()
      await applyAll(pool, appliers, open)
      onProgress(open.length)
      open = []
      bytes = 0
    }
    for await (const record of records) {
      if (followsOthers(record, open)) await flush()
      open.push(record)
      bytes += record.value?.length ?? 0
      if (record.role === 'truncate' || open.length >= MOST.records || bytes >= MOST.bytes) await flush()
    }
    await flush()
  }
}

function followsOthers({ role, topicPartition }: SpooledRecord, open: readonly SpooledRecord[]): boolean {
  if (role === 'truncate') return open.length > 0
  return role === 'key taken' && open.some((each) => each.role === 'key left' && each.topicPartition !== topicPartition)
}

/**
 * Makes a replay into an empty database skip records of epochs before this one. If the archive began again together
 * with its topic, it begins with such changes, whose contracts are in the former table. They are not needed, because
 * the epoch reads every table.
 */
export async function beginWithEpoch(pool: pg.Pool, epoch: number, topicPartitions: readonly number[]): Promise<void> {
  await pool.query(
    `insert into tidemark.progress (consumer, topic, topic_partition, skips_before_epoch)
     select $1, $2, n, $4
     from unnest($3::integer[]) as n
     on conflict do nothing`,
    [CHANGES.consumer, CHANGES.topic, topicPartitions, epoch],
  )
}

type Delivered = RecordIdentity &
  Pick<SpooledRecord, 'key' | 'value' | 'bytes'> & { readonly headers: KeyHeaders | undefined }

type Applier = {
  readonly consumer: string
  /** Whether offsets may have holes. Records without a value are left out then. */
  readonly isSparse: boolean
  apply(
    key: { consumer: string; topic: string; topicPartition: number },
    records: readonly Delivered[],
  ): Promise<ApplyOutcome<unknown>>
}

async function applyAll(
  pool: pg.Pool,
  appliers: ReadonlyMap<string, Applier>,
  records: readonly SpooledRecord[],
): Promise<void> {
  const byStream = Map.groupBy(records, ({ topic, topicPartition }) => `${topic}-${topicPartition}`)
  const settled = await Promise.allSettled(
    [...byStream.values()].map((ofStream) => applyStream(pool, appliers.get(ofStream[0]!.topic), ofStream)),
  )
  for (const one of settled) if (one.status === 'rejected') throw one.reason
}

async function applyStream(
  pool: pg.Pool,
  applier: Applier | undefined,
  records: readonly SpooledRecord[],
): Promise<void> {
  if (applier === undefined) return
  const { topic, topicPartition } = records[0]!
  const delivered = records.filter(({ value }) => !applier.isSparse || value !== undefined).map(deliveredOf)
  if (delivered.length === 0) return
  const apply = (some: readonly Delivered[]) =>
    applier.apply({ consumer: applier.consumer, topic, topicPartition }, some)
  const first = await apply(delivered)
  const breaksOff = first.kind === 'stopped' && isOfAnotherLog(first.reason)
  const outcome = breaksOff ? await passOver(pool, delivered, first.atOffset, apply) : first
  if (outcome.kind === 'applied' && outcome.duplicates === 0) return
  const why = outcome.kind === 'stopped' ? `at offset ${outcome.atOffset}: ${outcome.reason}` : 'in order'
  throw new Error(`${topic}-${topicPartition} cannot be applied ${why}`)
}

/**
 * The live target also stopped at this record, until a recovery let it continue with the next epoch. The replay does
 * the same.
 */
async function passOver(
  pool: pg.Pool,
  delivered: readonly Delivered[],
  brokenAt: number,
  apply: (some: readonly Delivered[]) => Promise<ApplyOutcome<unknown>>,
): Promise<ApplyOutcome<unknown>> {
  const before = delivered.filter(({ offset }) => offset < brokenAt)
  if (before.length > 0) await apply(before)
  const rest = delivered.slice(before.length)
  await apply(rest)
  await pool.query(
    `select tidemark.order_epoch(max(p.beacon_epoch) + 1, 'as the live target went on', false)
     from tidemark.progress p
     where p.topic = $1`,
    [CHANGES.topic],
  )
  return apply(rest)
}

const deliveredOf = ({ offset, timestampMs, key, value, bytes, headers }: SpooledRecord): Delivered => ({
  ...{ offset, timestampMs, key, value, bytes },
  headers: headers === undefined ? undefined : keyHeaders(headers),
  // The digest distinguishes deliveries of one offset; here each offset comes once.
  digest: () => '',
})

function keyHeaders(json: string): KeyHeaders {
  const texts = new Map(JSON.parse(json) as [string, string | { base64: string }][])
  const text = (name: string) => {
    const value = texts.get(name)
    return typeof value === 'object' ? Buffer.from(value.base64, 'base64').toString() : value
  }
  return { newKey: text('__debezium.newkey'), oldKey: text('__debezium.oldkey') }
}
