import { isUtf8 } from 'node:buffer'
import type pg from 'pg'
import type { RecordIdentity } from '#core/delivery.ts'
import { newestUserEvents, type PlacedUserEvent, readUserEvent } from '#core/user-event.ts'
import { applyDelivery } from './apply-by-halves.ts'
import { type ApplyOutcome, applyInTransaction, applyNothing, type TransactionWork } from './apply-transaction.ts'
import type { LockWait } from './lock-wait.ts'
import type { ProgressKey } from './progress.ts'
import { keepInQuarantine, type RecordToKeep, takeRetried } from './quarantine.ts'

/** A record of the topic of user events as it was delivered. */
export type DeliveredUserEvent = RecordIdentity & {
  readonly key: string | undefined
  readonly value: string | undefined
  readonly bytes?: RecordToKeep['bytes']
}

/** What a delivery did to state and log. */
export type UserStateEffect = { readonly changes: number; readonly quarantined: number }

/** Applies deliveries of plain deltas and row changes to the latest state per id and to the log. */
export type UserState = {
  apply(
    key: ProgressKey,
    records: readonly DeliveredUserEvent[],
    wait?: LockWait,
  ): Promise<ApplyOutcome<UserStateEffect>>
}

/** User state in Postgres. Other producers may use transactions, so offsets may have holes. */
export function makeUserState(pool: pg.Pool): UserState {
  return {
    apply: (key, records, wait) => {
      const work = applyEvents(key)
      return applyDelivery(pool, key, records, {
        apply: (some) => applyInTransaction(pool, key, 'sparse', some, work, wait),
        applyNothing: () => applyNothing(pool, key, work, wait),
        setAside: (record, error) => applyInTransaction(pool, key, 'sparse', [record], setAside(key, error), wait),
        merge: (a, b) => ({ changes: a.changes + b.changes, quarantined: a.quarantined + b.quarantined }),
      })
    },
  }
}

const applyEvents =
  (key: ProgressKey): TransactionWork<DeliveredUserEvent, UserStateEffect> =>
  async (client, fresh) => {
    const records = fresh.length > 0 ? fresh : await takeRetried(client, key)
    const placed: PlacedUserEvent[] = []
    const malformed: RecordToKeep[] = []
    for (const record of records) {
      const event = isText(record) ? readUserEvent(record.value) : { malformed: 'the value is not UTF-8' }
      if ('malformed' in event) malformed.push({ ...record, tableName: null, reason: event.malformed })
      else placed.push({ offset: record.offset, event })
    }
    if (placed.length > 0) {
      await client.query(insertLog, eventValues(key, placed))
      await client.query(upsertState, eventValues(key, newestUserEvents(placed)))
    }
    if (malformed.length > 0) await keepInQuarantine(client, key, malformed)
    const effect = { changes: placed.length, quarantined: malformed.length }
    return { effect, committedAtMs: null, beacon: undefined }
  }

/** What is no UTF-8 was decoded to the replacement character, and would be stored as another text than was sent. */
function isText({ value, bytes }: Pick<DeliveredUserEvent, 'value' | 'bytes'>): boolean {
  if (!value?.includes('\ufffd')) return true
  const sent = bytes?.().value
  return sent === undefined || isUtf8(sent)
}

const setAside =
  (key: ProgressKey, error: Error): TransactionWork<DeliveredUserEvent, UserStateEffect> =>
  async (client, [record]) => {
    const reason = `it cannot be applied: ${error.message}`
    await keepInQuarantine(client, key, [{ ...record!, tableName: null, reason }])
    return { effect: { changes: 0, quarantined: 1 }, committedAtMs: null, beacon: undefined }
  }

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
