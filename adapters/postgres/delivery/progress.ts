// Which offset of a topic partition comes next? The progress row is locked first and moved last, so that each record
// takes effect once.

import type pg from 'pg'
import type { FenceState } from '#core/apply/change-fence.ts'
import { notedTimestamp, type Progress } from '#core/delivery.ts'
import type { Beacon } from '#core/wire/change.ts'
import { prepared } from '../session/statement.ts'

/** The identity of a progress row. */
export type ProgressKey = { readonly consumer: string; readonly topic: string; readonly topicPartition: number }

/** The stored progress and facts of the source that it belongs to. */
export type StoredProgress = Progress & {
  readonly systemIdentifier: string | null
  /** The epoch of the newest beacon that was applied. */
  readonly beaconEpoch: number | null
  /** Records of earlier epochs than this one are skipped, because this epoch reads every table again. */
  readonly skipsBeforeEpoch: number
  /** If true, the next delivery is accepted at any offset, because records in between were given up or are gone. */
  readonly rebased: boolean
  /** Whether a stop is stored for the topic partition. */
  readonly stopped: boolean
  /** How far the applied streamed changes have come. */
  readonly fence: FenceState | undefined
}

/** The new values of a progress row after a transaction. */
export type Advance = {
  readonly nextOffset: number
  readonly lastDigest: string
  readonly newestTimestampMs: number
  readonly committedAtMs: number | null
  readonly beacon: Beacon | undefined
  readonly fence?: FenceState | undefined
}

/**
 * Locks the progress row until the transaction ends. A second invocation with the same records, such as that of a zombie,
 * waits here and then finds them applied.
 */
export async function lockProgress(client: pg.PoolClient, key: ProgressKey): Promise<StoredProgress> {
  const locked = await selectForUpdate(client, key)
  if (locked !== undefined) return locked
  await client.query(
    'insert into tidemark.progress (consumer, topic, topic_partition) values ($1, $2, $3) on conflict do nothing',
    identity(key),
  )
  return (await selectForUpdate(client, key))!
}

const nothingApplied: StoredProgress = {
  nextOffset: 0,
  lastDigest: null,
  newestTimestampMs: null,
  systemIdentifier: null,
  beaconEpoch: null,
  skipsBeforeEpoch: 0,
  rebased: false,
  stopped: false,
  fence: undefined,
}

/** Reads progress without a lock. Another transaction may be about to advance it. */
export async function readProgress(pool: pg.Pool, key: ProgressKey): Promise<StoredProgress> {
  const stored = await select(pool, key, '')
  return stored ?? nothingApplied
}

const selectForUpdate = (client: pg.PoolClient, key: ProgressKey): Promise<StoredProgress | undefined> =>
  select(client, key, 'for update')

async function select(
  database: pg.Pool | pg.PoolClient,
  key: ProgressKey,
  lock: '' | 'for update',
): Promise<StoredProgress | undefined> {
  const { rows } = await database.query<{
    next_offset: string
    last_digest: string | null
    newest_ms: string | null
    system_identifier: string | null
    beacon_epoch: number | null
    skips_before_epoch: number
    rebased: boolean
    stopped: boolean
    fence: FenceState | null
  }>(
    prepared({
      text: `select next_offset, last_digest, (extract(epoch from newest_timestamp) * 1000)::bigint as newest_ms,
       system_identifier, beacon_epoch, skips_before_epoch, rebased, fence,
       exists (select from tidemark.stop s where (s.consumer, s.topic, s.topic_partition) = ($1, $2, $3)) as stopped
     from tidemark.progress
     where consumer = $1
       and topic = $2
       and topic_partition = $3
     ${lock}`,
      values: identity(key),
    }),
  )
  const row = rows[0]
  return (
    row && {
      nextOffset: Number(row.next_offset),
      lastDigest: row.last_digest,
      newestTimestampMs: row.newest_ms === null ? null : Number(row.newest_ms),
      systemIdentifier: row.system_identifier,
      beaconEpoch: row.beacon_epoch,
      skipsBeforeEpoch: row.skips_before_epoch,
      rebased: row.rebased,
      stopped: row.stopped,
      fence: row.fence ?? undefined,
    }
  )
}

/** Moves the locked progress row to the end of the applied records. The beacon never moves back within its epoch. */
export async function advanceProgress(client: pg.PoolClient, key: ProgressKey, advance: Advance): Promise<void> {
  const { beacon } = advance
  await client.query(
    prepared({
      text: `update tidemark.progress
     set next_offset = $4,
       last_digest = $5,
       newest_timestamp = case
         when rebased then to_timestamp($6::double precision / 1000)
         else greatest(newest_timestamp, to_timestamp($6::double precision / 1000))
       end,
       rebased = false,
       committed_at = greatest(committed_at, to_timestamp($7::double precision / 1000)),
       beacon_number = case when $12 > beacon_epoch then $8 else greatest($8, beacon_number) end,
       beacon_lsn = coalesce($9, beacon_lsn),
       beacon_at = coalesce($10, beacon_at),
       system_identifier = coalesce($11, system_identifier),
       beacon_epoch = coalesce($12, beacon_epoch),
       confirmed_lsn = coalesce($13, confirmed_lsn),
       fence = coalesce($14, fence),
       applied_at = clock_timestamp()
     where consumer = $1
       and topic = $2
       and topic_partition = $3`,
      values: [
        ...identity(key),
        advance.nextOffset,
        advance.lastDigest,
        notedTimestamp(advance.newestTimestampMs),
        advance.committedAtMs,
        beacon?.number ?? null,
        beacon?.lsn ?? null,
        beacon?.emittedAt ?? null,
        beacon?.systemIdentifier ?? null,
        beacon?.epoch ?? null,
        beacon?.confirmedLsn ?? null,
        advance.fence === undefined ? null : JSON.stringify(advance.fence),
      ],
    }),
  )
}

/** Stores why a topic partition is stopped, for `npm run status` and alarms, and counts the refused deliveries. */
export async function recordStop(pool: pg.Pool, key: ProgressKey, atOffset: number, reason: string): Promise<void> {
  await pool.query(
    `insert into tidemark.stop as s (consumer, topic, topic_partition, at_offset, reason)
     values ($1, $2, $3, $4, $5)
     on conflict (consumer, topic, topic_partition) do update
     set at_offset = excluded.at_offset,
       reason = excluded.reason,
       last_seen_at = now(),
       deliveries = s.deliveries + 1`,
    [...identity(key), atOffset, reason],
  )
}

/** Deletes the stop, in the transaction that applies the records which were refused. */
export async function clearStop(client: pg.PoolClient, key: ProgressKey): Promise<void> {
  await client.query(
    'delete from tidemark.stop where consumer = $1 and topic = $2 and topic_partition = $3',
    identity(key),
  )
}

/** Deletes a stop whose offset is before `nextOffset`. */
export async function clearStopBefore(client: pg.PoolClient, key: ProgressKey, nextOffset: number): Promise<void> {
  await client.query(
    'delete from tidemark.stop where consumer = $1 and topic = $2 and topic_partition = $3 and at_offset < $4',
    [...identity(key), nextOffset],
  )
}

const identity = (key: ProgressKey): (string | number)[] => [key.consumer, key.topic, key.topicPartition]
