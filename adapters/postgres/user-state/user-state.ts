import { isUtf8 } from 'node:buffer'
import type pg from 'pg'
import type { RecordIdentity } from '#core/delivery.ts'
import { newestUserEvents, type PlacedUserEvent, readUserEvent } from '#core/user-event.ts'
import { applyDelivery, type Halving, isOfOneRecord } from '../delivery/apply-by-halves.ts'
import {
  type ApplyOutcome,
  applyInTransaction,
  rehearseInTransaction,
  type TransactionWork,
  withoutSettings,
} from '../delivery/apply-transaction.ts'
import type { ProgressKey } from '../delivery/progress.ts'
import {
  type QuarantineSettings,
  quarantine,
  quarantineAgain,
  type RecordToQuarantine,
  type RetriedRecord,
  retriedAtOnce,
  takeRetried,
} from '../delivery/quarantine.ts'
import type { LockWait } from '../session/lock-wait.ts'

/** A record of the topic of user events as it was delivered. */
export type DeliveredUserEvent = RecordIdentity & {
  readonly key: string | undefined
  readonly value: string | undefined
  readonly bytes?: RecordToQuarantine['bytes']
}

/** What a delivery changed in state and log. */
export type UserStateEffect = { readonly changes: number; readonly quarantined: number }

/** Applies deliveries of plain deltas and row changes to the latest state of each id, and to the log. */
export type UserState = {
  apply(
    key: ProgressKey,
    records: readonly DeliveredUserEvent[],
    wait?: LockWait,
  ): Promise<ApplyOutcome<UserStateEffect>>
}

/** User state in Postgres. Offsets may have holes, because other producers may use transactions. */
export function makeUserState(pool: pg.Pool, { quarantineLimit }: QuarantineSettings = {}): UserState {
  return {
    apply: async (key, records, wait) => {
      const work = applyEvents(key, quarantineLimit)
      const halving: Halving<DeliveredUserEvent, UserStateEffect> = {
        apply: (some) => applyInTransaction(pool, key, 'sparse', some, work, wait),
        applyNothing: () => rehearseInTransaction(pool, key, 'sparse', [], work, wait),
        quarantineRecord: (record, error) =>
          applyInTransaction(pool, key, 'sparse', [record], quarantineRecord(key, error, quarantineLimit), wait),
        merge: addEffects,
      }
      let all = noEffect
      for (;;) {
        const outcome = await applyDelivery(pool, key, records, halving)
        if (records.length > 0 || outcome.kind !== 'applied') return outcome
        // Records that are applied again are taken in portions, so this repeats until a portion is not full.
        all = addEffects(all, outcome.effect)
        if (outcome.effect.changes + outcome.effect.quarantined < retriedAtOnce) return { ...outcome, effect: all }
      }
    },
  }
}

const noEffect: UserStateEffect = { changes: 0, quarantined: 0 }

type Quarantine = (records: readonly RecordToQuarantine[]) => Promise<void>

const applyEvents = (
  key: ProgressKey,
  limit: number | undefined,
): TransactionWork<DeliveredUserEvent, UserStateEffect> => ({
  readSettings: withoutSettings,
  apply: async (client, fresh) => {
    const quarantineAll: Quarantine = (malformed) => quarantine(client, key, malformed, limit)
    const effect =
      fresh.length > 0 ? await applyRecords(client, key, fresh, quarantineAll) : await applyRetried(client, key)
    return { effect, committedAtMs: null, beacon: undefined }
  },
})

/** Stores the events, and quarantines the records that are not valid events. */
async function applyRecords(
  client: pg.PoolClient,
  key: ProgressKey,
  records: readonly (RetriedRecord | DeliveredUserEvent)[],
  quarantineAll: Quarantine,
): Promise<UserStateEffect> {
  const placed: PlacedUserEvent[] = []
  const malformed: RecordToQuarantine[] = []
  for (const record of records) {
    const event = isText(record) ? readUserEvent(record.value) : { malformed: 'the value is not UTF-8' }
    if ('malformed' in event) malformed.push({ ...record, tableName: null, reason: event.malformed })
    else placed.push({ offset: record.offset, event })
  }
  if (placed.length > 0) {
    await client.query(insertLog, eventValues(key, placed))
    await client.query(upsertState, eventValues(key, newestUserEvents(placed)))
  }
  if (malformed.length > 0) await quarantineAll(malformed)
  return { changes: placed.length, quarantined: malformed.length }
}

/**
 * Applies quarantined records again: all of them together, or one by one if that fails. A record that fails again is
 * put back with its new reason.
 */
async function applyRetried(client: pg.PoolClient, key: ProgressKey): Promise<UserStateEffect> {
  const records = await takeRetried(client, key)
  const quarantineAll: Quarantine = (again) => quarantineAgain(client, key, again)
  const together = await undoing(client, () => applyRecords(client, key, records, quarantineAll))
  if (!(together instanceof Error)) return together
  let effect = noEffect
  for (const record of records) {
    const alone = await undoing(client, () => applyRecords(client, key, [record], quarantineAll))
    effect = addEffects(effect, alone instanceof Error ? await quarantineFailed(quarantineAll, record, alone) : alone)
  }
  return effect
}

/**
 * Runs work in a savepoint. If an error is caused by the records, the savepoint is rolled back and the error is
 * returned.
 */
async function undoing<T>(client: pg.PoolClient, work: () => Promise<T>): Promise<T | Error> {
  await client.query('savepoint part')
  try {
    const done = await work()
    await client.query('release savepoint part')
    return done
  } catch (error) {
    if (!isOfOneRecord(error)) throw error
    await client.query('rollback to savepoint part')
    return error
  }
}

/**
 * Bytes that are not UTF-8 were decoded to the replacement character. The stored text would differ from what was sent.
 */
function isText({ value, bytes }: Pick<DeliveredUserEvent, 'value' | 'bytes'>): boolean {
  if (!value?.includes('\ufffd')) return true
  const sent = bytes?.().value
  return sent === undefined || isUtf8(sent)
}

const quarantineRecord = (
  key: ProgressKey,
  error: Error,
  limit: number | undefined,
): TransactionWork<DeliveredUserEvent, UserStateEffect> => ({
  readSettings: withoutSettings,
  apply: async (client, [record]) => {
    const effect = await quarantineFailed((records) => quarantine(client, key, records, limit), record!, error)
    return { effect, committedAtMs: null, beacon: undefined }
  },
})

async function quarantineFailed(
  quarantineAll: Quarantine,
  record: Omit<RecordToQuarantine, 'tableName' | 'reason'>,
  { message }: Error,
): Promise<UserStateEffect> {
  await quarantineAll([{ ...record, tableName: null, reason: `it cannot be applied: ${message}` }])
  return { changes: 0, quarantined: 1 }
}

const addEffects = (a: UserStateEffect, b: UserStateEffect): UserStateEffect => ({
  changes: a.changes + b.changes,
  quarantined: a.quarantined + b.quarantined,
})

const unnested = `unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::integer[], $9::jsonb[],
  $10::timestamptz[]) as event (record_offset, run, event_order, id, op, name, age, more, ts)`

const insertLog = `insert into tidemark.user_event_log
    (topic_partition, record_offset, run, event_order, id, op, name, age, more, ts)
  select $1, record_offset, run, event_order, id, op, name, age, more, ts
  from ${unnested}`

const upsertState = `insert into tidemark_rows.user_state as stored
    (id, name, age, more, ts, run, event_order, topic_partition, record_offset, live)
  select id, name, age, more, ts, run, event_order, $1, record_offset, op <> 'delete'
  from ${unnested}
  on conflict (id) do update
  set name = excluded.name,
    age = excluded.age,
    more = excluded.more,
    ts = excluded.ts,
    run = excluded.run,
    event_order = excluded.event_order,
    topic_partition = excluded.topic_partition,
    record_offset = excluded.record_offset,
    live = excluded.live
  where (stored.run, stored.event_order, stored.topic_partition, stored.record_offset)
    < (excluded.run, excluded.event_order, excluded.topic_partition, excluded.record_offset)`

const eventValues = (key: ProgressKey, placed: readonly PlacedUserEvent[]): unknown[] => [
  key.topicPartition,
  placed.map(({ offset }) => offset),
  placed.map(({ event }) => event.run),
  placed.map(({ event }) => event.eventOrder),
  placed.map(({ event }) => event.id),
  placed.map(({ event }) => event.op),
  placed.map(({ event }) => event.name),
  placed.map(({ event }) => event.age),
  placed.map(({ event }) => event.more),
  placed.map(({ event }) => event.ts),
]
