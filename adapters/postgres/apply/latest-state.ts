// How is one delivery of the topic changes applied to the target: what is known, what is planned, what is executed?

import type pg from 'pg'
import { type ChangeRecord, planBatch } from '#core/apply/batch-plan.ts'
import type { PartitionState } from '#core/apply/batch-underway.ts'
import { nothingPassed } from '#core/apply/change-fence.ts'
import type { RecordIdentity } from '#core/delivery.ts'
import { tableName } from '#core/tables/table-register.ts'
import { stopRule } from '#core/tables/table-settings.ts'
import { tablesWithout } from '#core/tables/tables-without.ts'
import { tableOfRecord } from '#core/wire/change.ts'
import { type ChangeTimes, changeTimes } from '#core/wire/change-times.ts'
import { applyDelivery } from '../delivery/apply-by-halves.ts'
import {
  type ApplyOutcome,
  applyInTransaction,
  RefusedDeliveryError,
  rehearseInTransaction,
  type TransactionWork,
  withoutSettings,
} from '../delivery/apply-transaction.ts'
import type { ProgressKey, StoredProgress } from '../delivery/progress.ts'
import { type QuarantineSettings, quarantine } from '../delivery/quarantine.ts'
import type { LockWait } from '../session/lock-wait.ts'
import { loadRegister } from './contract-register.ts'
import { executeSteps } from './execute-steps.ts'
import { loadKeylessProgress } from './keyless-rows.ts'
import { applyQuarantined } from './quarantined-changes.ts'
import { joinParts, largeRecordTurns } from './record-parts.ts'
import { loadSettings, noteRequests, stopTable, type TableSettings } from './stopped-tables.ts'
import { findFailureCause, type SuspendedIndexes, suspendIndexes } from './suspended-indexes.ts'
import { TableFailureError } from './table-failure.ts'

/** A record of the topic `changes` as it was delivered. */
export type DeliveredChange = ChangeRecord & RecordIdentity & { readonly key: string | undefined }

/** What a delivery changed in the latest-state tables. */
export type LatestStateEffect = {
  /** The number of row changes, including rows that were read by snapshots. */
  readonly changes: number
  readonly quarantined: number
  /** Source commit times of streamed changes, in ms since 1970. */
  readonly committedAtMs: readonly number[]
  /** Times of the last of these changes; undefined if its record does not say them. */
  readonly newest: ChangeTimes | undefined
  /** Whether a table waits to be added to the publication. */
  readonly awaitsCapture: boolean
  /** The tables whose rows have to be read again. */
  readonly resyncs: readonly string[]
}

/** Applies deliveries of captured changes to latest-state tables. */
export type LatestState = {
  apply(
    key: ProgressKey,
    records: readonly DeliveredChange[],
    wait?: LockWait,
  ): Promise<ApplyOutcome<LatestStateEffect>>
}

/**
 * The state of a topic partition up to an offset, which is cached. The fence is not in it, because it is stored with
 * the progress.
 */
type KnownUpTo = Omit<PartitionState, 'fence'> & { readonly nextOffset: number }

/** The number of failures of one table in a delivery whose cause is looked for. Later ones stop the table. */
const maxSearches = 5

/** Latest-state tables in Postgres. The state of each topic partition is cached between deliveries. */
export function makeLatestState(pool: pg.Pool, { quarantineLimit }: QuarantineSettings = {}): LatestState {
  const kept = new Map<string, KnownUpTo>()
  const inTurn = largeRecordTurns()

  const work = (
    key: ProgressKey,
    suspended: readonly SuspendedIndexes[] = [],
  ): TransactionWork<DeliveredChange, LatestStateEffect, TableSettings> => ({
    readSettings: loadSettings,
    apply: async (client, fresh, progress, settings) => {
      for (const indexes of suspended) await suspendIndexes(client, indexes)
      const cached = kept.get(nameOf(key))
      // The cache entry is removed first. If the delivery is refused or fails, the next one loads the state again,
      // because somebody may have repaired the stored rows.
      kept.delete(nameOf(key))
      const known = cached?.nextOffset === progress.nextOffset ? cached : await load(client, key, progress)
      const stopped = await applyQuarantined(client, key, known, settings)
      const records = await joinParts(client, key, fresh)
      const { beacon, steps, next, refused, newestOffset, ...effect } = planBatch(records, {
        register: known.register,
        keyless: known.keyless,
        fence: progress.fence ?? nothingPassed,
        topicPartition: key.topicPartition,
        skipsBeforeEpoch: progress.skipsBeforeEpoch,
        source: progress,
        isStopped: stopRule(stopped),
        isLogged: settings.isLogged,
      })
      if (refused !== undefined) throw new RefusedDeliveryError(refused.offset, refused.reason)
      await executeSteps(client, key, steps, { records, quarantineLimit })
      if (settings.resyncs.length > 0) await noteRequests(client)
      kept.set(nameOf(key), { ...next, nextOffset: (fresh.at(-1)?.offset ?? progress.nextOffset - 1) + 1 })
      return {
        effect: { ...effect, newest: timesOf(records, newestOffset, effect), resyncs: settings.resyncs },
        committedAtMs: effect.committedAtMs.at(-1) ?? null,
        beacon,
        fence: next.fence,
      }
    },
  })

  async function rehearse(
    key: ProgressKey,
    records: readonly DeliveredChange[],
    suspended: readonly SuspendedIndexes[],
    wait: LockWait | undefined,
  ): Promise<void> {
    try {
      await rehearseInTransaction(pool, key, 'contiguous', records, work(key, suspended), wait)
    } finally {
      kept.delete(nameOf(key))
    }
  }

  async function apply(key: ProgressKey, records: readonly DeliveredChange[], wait: LockWait | undefined) {
    const failed = new Set<number>()
    const searches = new Map<number, number>()
    const suspended: SuspendedIndexes[] = []
    for (;;) {
      try {
        return await applyInTransaction(pool, key, 'contiguous', records, work(key, suspended), wait)
      } catch (error) {
        // The cached state may include a transaction that was rolled back.
        kept.delete(nameOf(key))
        if (!(error instanceof TableFailureError) || failed.has(error.stop.relation)) throw error
        // An index that a user has declared stops no table, and neither does a failure that does not come again.
        const searched = searches.get(error.stop.relation) ?? 0
        if (searched < maxSearches) {
          searches.set(error.stop.relation, searched + 1)
          const found = await findFailureCause(pool, error, (without) =>
            rehearse(key, records, [...suspended, without], wait),
          )
          if (found.kind === 'indexes') suspended.push(...found.failing)
          if (found.kind !== 'lasting') continue
        }
        failed.add(error.stop.relation)
        // The table is stopped in a transaction of its own. Then the batch is applied again without this table.
        await stopTable(pool, error.stop)
      }
    }
  }

  return {
    apply: (key, records, wait) =>
      inTurn(records, () =>
        applyDelivery(pool, key, records, {
          apply: (some) => apply(key, some, wait),
          applyNothing: () => rehearse(key, [], [], wait),
          quarantineRecord: (record, error) =>
            applyInTransaction(pool, key, 'contiguous', [record], quarantineRecord(key, error, quarantineLimit), wait),
          merge: mergeEffects,
        }),
      ),
  }
}

const noEffect: LatestStateEffect = {
  changes: 0,
  quarantined: 0,
  committedAtMs: [],
  newest: undefined,
  awaitsCapture: false,
  resyncs: [],
}

/** Only the newest change of a delivery is measured, so that no other record is parsed twice. */
function timesOf(
  records: readonly DeliveredChange[],
  newestOffset: number | undefined,
  { committedAtMs }: Pick<LatestStateEffect, 'committedAtMs'>,
): ChangeTimes | undefined {
  if (newestOffset === undefined) return undefined
  const { value, timestampMs } = records.findLast(({ offset }) => offset === newestOffset)!
  return changeTimes(value!, committedAtMs.at(-1)!, timestampMs)
}

/** Quarantines one record, and stops the tables that would be wrong without it. */
const quarantineRecord = (
  key: ProgressKey,
  error: Error,
  limit: number | undefined,
): TransactionWork<DeliveredChange, LatestStateEffect> => ({
  readSettings: withoutSettings,
  apply: async (client, [record]) => {
    const reason = `it cannot be applied: ${error.message}`
    const named = tableOfRecord(record!.value)
    const register = await loadRegister(client, key.topic, key.topicPartition)
    const tables = tablesWithout(record!.value, register)
    const isChange = named?.schema !== 'tidemark'
    for (const { relation, generation, schema, table } of tables) {
      // A failed contract or beacon is replaced by a resync, so that is requested automatically. After a failed change
      // a resync may bring the same change again, so it is left to a person.
      const automatic = !isChange
      await stopTable(client, { relation, generation, schema, table, reason, repair: 'resync', automatic })
    }
    const { relation = 0, generation = 0 } = (isChange ? tables[0] : undefined) ?? {}
    const table = named === undefined ? null : tableName(named)
    await quarantine(client, key, [{ ...record!, relation, generation, tableName: table, reason }], limit)
    const effect = { ...noEffect, quarantined: 1 }
    return { effect, committedAtMs: null, beacon: undefined }
  },
})

const mergeEffects = (a: LatestStateEffect, b: LatestStateEffect): LatestStateEffect => ({
  changes: a.changes + b.changes,
  quarantined: a.quarantined + b.quarantined,
  committedAtMs: [...a.committedAtMs, ...b.committedAtMs],
  newest: b.newest ?? a.newest,
  awaitsCapture: a.awaitsCapture || b.awaitsCapture,
  resyncs: [...new Set([...a.resyncs, ...b.resyncs])],
})

const nameOf = ({ topic, topicPartition }: ProgressKey): string => `${topic}-${topicPartition}`

async function load(client: pg.PoolClient, key: ProgressKey, { nextOffset }: StoredProgress): Promise<KnownUpTo> {
  const register = await loadRegister(client, key.topic, key.topicPartition)
  return { nextOffset, register, keyless: await loadKeylessProgress(client, key) }
}
