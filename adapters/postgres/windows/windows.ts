import type pg from 'pg'
import type { RecordIdentity } from '#core/delivery.ts'
import { CONSUMERS } from '#core/fixed-names.ts'
import type { TableRegister } from '#core/tables/table-register.ts'
import type { WindowRecord } from '#core/windows/touched-rows.ts'
import { loadRegister } from '../apply/contract-register.ts'
import { joinParts } from '../apply/record-parts.ts'
import { type ApplyOutcome, applyInTransaction, type TransactionWork } from '../delivery/apply-transaction.ts'
import { type ProgressKey, recordStop } from '../delivery/progress.ts'
import { prepared } from '../session/statement.ts'
import { isTransient } from '../session/transient-error.ts'
import { applyRecords, type WindowsEffect } from './apply-records.ts'
import { DefinitionFailureError, ImageChangedError } from './definition-failure.ts'
import { emitClosed } from './emit-closed.ts'
import { appliedBefore } from './latest-state-gate.ts'
import { DefinitionReader, type LiveDefinition } from './live-definitions.ts'
import { reconcile } from './reconcile.ts'

/** A record of the topic `changes` as it was delivered. */
export type DeliveredWindowRecord = WindowRecord & RecordIdentity & { readonly key: string | undefined }

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
  /** How long a delivery waits for the latest state while that applies nothing; 10 seconds by default. */
  readonly waitMs?: number
}

/** How often a transaction is tried that another one has disturbed, or in which one definition after the other has failed. */
const attempts = 30

/** Windows in Postgres. The contracts of each topic partition are cached between deliveries. */
export function makeWindows(pool: pg.Pool, { waitMs }: WindowsOptions = {}): Windows {
  const reader = new DefinitionReader()
  const registers = new Map<number, { readonly nextOffset: number; readonly register: TableRegister }>()
  /** Whether something waits that no record does, as the last transaction has seen it. */
  const waiting = { mayBeUnsettled: true, due: true, emits: true }

  const work = (
    key: ProgressKey,
  ): TransactionWork<DeliveredWindowRecord, WindowsEffect, readonly LiveDefinition[]> => ({
    readSettings: (client) => reader.read(client, key),
    apply: async (client, fresh, progress, definitions) => {
      const cached = registers.get(key.topicPartition)
      registers.delete(key.topicPartition)
      const register =
        cached?.nextOffset === progress.nextOffset
          ? cached.register
          : await loadRegister(client, key.topic, key.topicPartition, progress.nextOffset)
      // The latest state keeps and deletes the parts of a record under the name of the topic.
      const records = await joinParts(client, { ...key, topic: `${key.topic} of windows` }, fresh)
      const applied = await applyRecords(client, key, records, register, definitions)
      registers.set(key.topicPartition, { nextOffset: (fresh.at(-1)?.offset ?? progress.nextOffset - 1) + 1, register })
      waiting.mayBeUnsettled ||= applied.mayBeUnsettled
      waiting.due ||= applied.isMarked || definitions.some(({ isDue }) => isDue)
      waiting.emits ||= definitions.some(({ definition }) => definition.emit === 'on close')
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
      Object.assign(waiting, { mayBeUnsettled: false, due: false, emits: false })
      if (!found.mayBeUnsettled && !found.due && !found.emits) return
      if (found.mayBeUnsettled && (await isUnsettled(pool))) await pool.query('select tidemark.settle_windows()')
      const definitions = await reader.read(pool, { consumer: CONSUMERS.windows })
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

async function isUnsettled(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query<{ unsettled: boolean }>(
    prepared({ text: 'select exists (select from tidemark.unsettled_window) as unsettled', values: [] }),
  )
  return rows[0]!.unsettled
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
