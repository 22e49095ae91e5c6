import type pg from 'pg'
import type { RecordIdentity } from '#core/delivery.ts'
import { CONSUMERS } from '#core/fixed-names.ts'
import type { TableRegister } from '#core/tables/table-register.ts'
import { TouchedRowsOfBatch, type WindowRecord } from '#core/windows/touched-rows.ts'
import { DefinitionClock, type PartitionTime, watermarkOf } from '#core/windows/watermark.ts'
import { loadRegister } from '../apply/contract-register.ts'
import { joinParts } from '../apply/record-parts.ts'
import { type ApplyOutcome, applyInTransaction, type TransactionWork } from '../delivery/apply-transaction.ts'
import { type ProgressKey, recordStop } from '../delivery/progress.ts'
import { LOCK_CLASSES } from '../session/advisory-locks.ts'
import { prepared, together } from '../session/statement.ts'
import { isTransient } from '../session/transient-error.ts'
import { blamingDefinition, DefinitionFailureError, ImageChangedError } from './definition-failure.ts'
import { appliedBefore } from './latest-state-gate.ts'
import { DefinitionReader, type LiveDefinition, type LiveDefinitions } from './live-definitions.ts'
import { inTransaction, lockAlone, reconcile } from './reconcile.ts'
import { emitStatement, groupsStatement, type ImageChange, isDisturbed, recordsStatement } from './window-statements.ts'

/** A record of the topic `changes` as it was delivered. */
export type DeliveredWindowRecord = WindowRecord & RecordIdentity & { readonly key: string | undefined }

/** What a delivery changed. */
export type WindowsEffect = {
  /** How many rows of images were written. */
  readonly rows: number
  /** How many groups that users see have changed. */
  readonly groups: number
  /** When the source committed the last streamed change, in ms since 1970. */
  readonly committedAtMs: number | undefined
}

/** Keeps the windows of all definitions equal to the rows of the latest state. */
export type Windows = {
  /**
   * Applies records that the latest state has applied, and waits for it for a moment. Rejects with a NotYetAppliedError
   * if some are left: those before them are applied.
   */
  apply(
    topicPartition: Pick<ProgressKey, 'topic' | 'topicPartition'>,
    records: readonly DeliveredWindowRecord[],
  ): Promise<ApplyOutcome<WindowsEffect>>
  /** Does what no record does: begins definitions whose table has come, reconciles rows, and emits windows that closed. */
  maintain(budgetMs: number): Promise<void>
}

/** The latest state has not applied all records yet. The mapping delivers them again. */
export class NotYetAppliedError extends Error {
  override readonly name = 'NotYetAppliedError'

  constructor(topicPartition: string, offset: number) {
    super(`${topicPartition} waits at offset ${offset} for ${CONSUMERS.latestState}, which has not applied it yet`)
  }
}

export type WindowsOptions = {
  /** How long a delivery waits for the latest state; 2 seconds by default. */
  readonly waitMs?: number
}

/** How often a transaction is tried that another one has disturbed. */
const attempts = 10

/** Windows in Postgres. The contracts of each topic partition are cached between deliveries. */
export function makeWindows(pool: pg.Pool, { waitMs }: WindowsOptions = {}): Windows {
  const reader = new DefinitionReader()
  const registers = new Map<number, { readonly nextOffset: number; readonly register: TableRegister }>()
  /** Whether something waits that no record does, as the last transaction has seen it. */
  const waiting = { isUnsettled: true, due: true, emits: true }

  const work = (key: ProgressKey): TransactionWork<DeliveredWindowRecord, WindowsEffect, LiveDefinitions> => ({
    readSettings: (client) => reader.read(client, key),
    apply: async (client, fresh, progress, settings) => {
      const cached = registers.get(key.topicPartition)
      registers.delete(key.topicPartition)
      const register =
        cached?.nextOffset === progress.nextOffset
          ? cached.register
          : await loadRegister(client, key.topic, key.topicPartition, progress.nextOffset)
      // The latest state keeps and deletes the parts of a record under the name of the topic.
      const records = await joinParts(client, { ...key, topic: `${key.topic} of windows` }, fresh)
      const applied = await applyRecords(client, key, records, register, settings)
      registers.set(key.topicPartition, { nextOffset: (fresh.at(-1)?.offset ?? progress.nextOffset - 1) + 1, register })
      waiting.isUnsettled ||= !settings.areSettled
      waiting.due ||= applied.marked || settings.definitions.some(({ isDue }) => isDue)
      waiting.emits ||= settings.definitions.some(({ definition }) => definition.emit === 'on close')
      return applied.work
    },
  })

  async function applyDelivered(
    key: ProgressKey,
    records: readonly DeliveredWindowRecord[],
  ): Promise<ApplyOutcome<WindowsEffect>> {
    for (let attempt = 1; ; attempt++) {
      try {
        const outcome = await applyInTransaction(pool, key, 'contiguous', records, work(key))
        if (outcome.kind !== 'stopped' || !(await skipGap(pool, key, records, outcome.atOffset))) return outcome
      } catch (error) {
        registers.delete(key.topicPartition)
        if (!(await isResolved(pool, error)) || attempt === attempts) {
          if (!isTransient(error)) await recordStop(pool, key, records[0]?.offset ?? 0, (error as Error).message)
          throw error
        }
      }
    }
  }

  return {
    apply: async ({ topic, topicPartition }, records) => {
      const key = { consumer: CONSUMERS.windows, topic, topicPartition }
      const end = (records.at(-1)?.offset ?? -1) + 1
      const before = await appliedBefore(pool, key, end, waitMs)
      const known = before >= end ? records : records.filter(({ offset }) => offset < before)
      if (known.length > 0 || records.length === 0) {
        const outcome = await applyDelivered(key, known)
        if (known.length === records.length || outcome.kind === 'stopped') return outcome
      }
      throw new NotYetAppliedError(`${topic}-${topicPartition}`, before)
    },
    maintain: async (budgetMs) => {
      const deadline = performance.now() + budgetMs
      const found = { ...waiting }
      Object.assign(waiting, { isUnsettled: false, due: false, emits: false })
      if (!found.isUnsettled && !found.due && !found.emits) return
      if (found.isUnsettled) {
        await pool.query('select tidemark.settle_windows()')
        waiting.due = true
      }
      const { definitions } = await reader.read(pool, { consumer: CONSUMERS.windows })
      for (const live of definitions) {
        try {
          if (live.isDue) {
            if (!(await reconcile(pool, live, () => performance.now() > deadline))) waiting.due = true
          }
          if (live.definition.emit === 'on close') await emitClosed(pool, live)
        } catch (error) {
          // It is done again by the next invocation.
          if (!isTransient(error) && !(await isResolved(pool, error))) throw error
          waiting.due = true
          waiting.emits = true
        }
      }
    },
  }
}

/** Whether the same work may succeed now. A definition that failed is stopped, in a transaction of its own. */
async function isResolved(pool: pg.Pool, error: unknown): Promise<boolean> {
  if (error instanceof ImageChangedError) return true
  if (!(error instanceof DefinitionFailureError)) return false
  await pool.query('select tidemark.fail_window($1, $2)', [error.id, error.message])
  return true
}

/**
 * Lets the topic partition go on behind records that are gone from the topic, if the latest state has applied what
 * follows them. Nothing is lost: the rows have what those records did, and are compared with the image.
 */
async function skipGap(
  pool: pg.Pool,
  key: ProgressKey,
  records: readonly DeliveredWindowRecord[],
  atOffset: number,
): Promise<boolean> {
  const next = records.find(({ offset }) => offset > atOffset)
  if (next === undefined) return false
  if ((await appliedBefore(pool, key, next.offset + 1, 0)) <= next.offset) return false
  await pool.query('select tidemark.skip_window_gap($1, $2, $3)', [key.topic, key.topicPartition, next.offset])
  return true
}

async function applyRecords(
  client: pg.PoolClient,
  key: ProgressKey,
  records: readonly DeliveredWindowRecord[],
  register: TableRegister,
  { definitions }: LiveDefinitions,
) {
  const watched = definitions.map((live) => watch(live, key))
  const batch = new TouchedRowsOfBatch(register, watched)
  for (const record of records) batch.take(record)
  const byId = new Map(definitions.map((live) => [live.id, live]))
  const touched = [...batch.touched()]
  // Reconciliation has a definition alone. Ids are locked in one order, so that two transactions never wait for each other.
  const moved = watched.filter(hasHadRows)
  const ids = [...new Set([...touched.map(({ definition }) => definition.id), ...moved.map(({ id }) => id)])]
  const changes = await together(client, [
    ...(ids.length === 0 ? [] : [() => lockShared(client, ids)]),
    ...touched.map((rows) => () => changeImage(client, byId.get(rows.definition.id)!, rows)),
  ] as (() => Promise<{ live: LiveDefinition; change: ImageChange } | undefined>)[])
  const changed = changes.filter((one) => one !== undefined)
  for (const { live, change } of changed) {
    if (isDisturbed(live, change)) throw new ImageChangedError(live.definition.name)
  }
  const groups = await together(client, [
    ...changed
      .filter(({ change }) => change.starts !== null)
      .map(
        ({ live, change }) =>
          () =>
            changeGroups(client, live, change),
      ),
    ...(moved.length === 0 ? [] : [() => keepTimes(client, key, moved)]),
    ...batch.marks.map(({ relation, reason }) => async () => {
      await client.query('select tidemark.mark_windows($1, $2)', [relation, reason])
      return 0
    }),
  ])
  const effect: WindowsEffect = {
    rows: changed.reduce((sum, { change }) => sum + Number(change.written), 0),
    groups: groups.reduce((sum, one) => sum + one, 0),
    committedAtMs: batch.committedAtMs,
  }
  return {
    marked: batch.marks.length > 0,
    work: { effect, committedAtMs: batch.committedAtMs ?? null, beacon: batch.beacon },
  }
}

type Watched = ReturnType<typeof watch>

/** A definition with the clock of its time in this topic partition. */
function watch(live: LiveDefinition, { topic, topicPartition }: ProgressKey) {
  const isOwn = (one: LiveDefinition['partitions'][number]) =>
    one.topic === topic && one.topicPartition === topicPartition
  const { definition, plan, relation, generation, id } = live
  const own = live.partitions.find(isOwn) ?? nothingKnown
  const others = live.partitions.filter((one) => !isOwn(one))
  const clock = new DefinitionClock(own, others, live.reached, definition)
  return {
    id,
    relation,
    // Rows that are gone are not asked for: no generation has this number.
    generation: live.hasRows ? generation : 0,
    eventColumn: plan.event.number,
    futureAfterMicros: definition.futureAfterMicros,
    slideMicros: definition.window.slideMicros,
    clock,
    before: clock.own,
  }
}

/** A beacon alone is not stored: the progress has it. */
const hasHadRows = ({ clock: { own }, before }: Watched): boolean =>
  own.newestEvent !== before.newestEvent || own.lastRowAt !== before.lastRowAt

const nothingKnown: PartitionTime = { newestEvent: undefined, lastRowAt: undefined, beaconAt: undefined }

async function lockShared(client: pg.PoolClient, ids: readonly string[]): Promise<undefined> {
  await client.query(
    prepared({
      text: 'select pg_advisory_xact_lock_shared($1, id) from unnest($2::integer[]) as id',
      values: [LOCK_CLASSES.windowDefinition, `{${[...ids].sort((a, b) => Number(a) - Number(b)).join(',')}}`],
    }),
  )
}

function changeImage(client: pg.PoolClient, live: LiveDefinition, rows: Parameters<typeof recordsStatement>[1]) {
  return blamingDefinition(live, async () => {
    const { rows: changes } = await client.query<ImageChange>(prepared(recordsStatement(live, rows)))
    return { live, change: changes[0]! }
  })
}

function changeGroups(client: pg.PoolClient, live: LiveDefinition, change: ImageChange): Promise<number> {
  return blamingDefinition(live, async () => {
    const { rows } = await client.query<{ changed: string }>(prepared(groupsStatement(live, change)))
    return Number(rows[0]!.changed)
  })
}

/** Stores how far event time has come in the topic partition. */
async function keepTimes(client: pg.PoolClient, key: ProgressKey, moved: readonly Watched[]): Promise<number> {
  const list = (of: (one: Watched) => bigint | string | undefined) =>
    `{${moved.map((one) => of(one) ?? 'null').join(',')}}`
  const moment = (micros: string) =>
    `timestamp '1970-01-01' + (${micros} / 86400000000)::integer * interval '1 day' + (${micros} % 86400000000) * interval '1 microsecond'`
  await client.query(
    prepared({
      text: `insert into tidemark.window_watermark (definition_id, topic, topic_partition, newest_event, last_row_at, reached)
       select u.id, $1, $2, ${moment('u.newest')}, (${moment('u.at')}) at time zone 'UTC', ${moment('u.reached')}
       from unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) as u (id, newest, at, reached)
       where exists (select from tidemark.window_definition d where d.id = u.id)
       on conflict (definition_id, topic, topic_partition) do update
       set newest_event = excluded.newest_event, last_row_at = excluded.last_row_at, reached = excluded.reached`,
      values: [
        key.topic,
        key.topicPartition,
        list(({ id }) => id),
        list(({ clock }) => clock.own.newestEvent),
        list(({ clock }) => clock.own.lastRowAt),
        list(({ clock }) => clock.watermark),
      ],
    }),
  )
  return 0
}

/**
 * Emits the windows of a definition that its watermark has closed, in a transaction that has the definition alone: no
 * row is being counted then, and a transaction that counts one afterwards finds that the window was emitted.
 */
async function emitClosed(pool: pg.Pool, live: LiveDefinition): Promise<void> {
  const { definition, emittedUntil, reached, partitions } = live
  const now = watermarkOf(partitions, definition)
  const watermark = reached === undefined || (now !== undefined && now > reached) ? now : reached
  if (watermark === undefined || live.stage !== 'shown') return
  const { window, allowedLatenessMicros } = definition
  const closed = (until: bigint) => (until - window.sizeMicros - allowedLatenessMicros) / window.slideMicros
  if (emittedUntil !== undefined && closed(watermark) === closed(emittedUntil)) return
  await inTransaction(pool, async (client) => {
    await lockAlone(client, live)
    const statement = emitStatement(live, watermark)
    await blamingDefinition(live, () => client.query(prepared(statement)))
  })
}
