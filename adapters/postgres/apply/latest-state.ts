import type pg from 'pg'
import { type ChangeRecord, planBatch } from '#core/apply/batch-plan.ts'
import type { PartitionState } from '#core/apply/batch-underway.ts'
import { nothingPassed } from '#core/apply/change-fence.ts'
import type { RecordIdentity } from '#core/delivery.ts'
import { tableOfRecord } from '#core/envelope.ts'
import { tableName } from '#core/tables/table-register.ts'
import { stopRule } from '#core/tables/table-settings.ts'
import { tablesWithout } from '#core/tables/tables-without.ts'
import { applyDelivery } from '../delivery/apply-by-halves.ts'
import {
  type ApplyOutcome,
  applyInTransaction,
  applyNothing,
  RefusedDelivery,
  type TransactionWork,
  withoutSettings,
} from '../delivery/apply-transaction.ts'
import type { ProgressKey, StoredProgress } from '../delivery/progress.ts'
import { keepInQuarantine, type QuarantineSettings } from '../delivery/quarantine.ts'
import type { LockWait } from '../session/lock-wait.ts'
import { carryOut } from './carry-out.ts'
import { loadRegister } from './contract-register.ts'
import { applyKept } from './kept-changes.ts'
import { loadKeylessProgress } from './keyless-rows.ts'
import { loadSettings, noteRequests, stopTable, type TableSettings } from './parking.ts'
import { joinParts, largeRecordTurns } from './record-parts.ts'
import { TableFailure } from './table-failure.ts'

/** A record of the topic `changes` as it was delivered. */
export type DeliveredChange = ChangeRecord & RecordIdentity & { readonly key: string | undefined }

/** What a delivery did to the latest state. */
export type LatestStateEffect = {
  /** Changes of rows, reads of snapshots included. */
  readonly changes: number
  readonly quarantined: number
  /** Source commit times of streamed changes, in ms since 1970. */
  readonly committedAtMs: readonly number[]
  /** A table waits to be added to the publication. */
  readonly awaitsCapture: boolean
  /** Tables whose rows have to be read again. */
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

/** What is known of a topic partition up to an offset; how far its changes have come stands with its progress. */
type KnownUpTo = Omit<PartitionState, 'fence'> & { readonly nextOffset: number }

/** Latest-state tables in Postgres. What is known of a topic partition is kept between deliveries. */
export function makeLatestState(pool: pg.Pool, { quarantineLimit }: QuarantineSettings = {}): LatestState {
  const kept = new Map<string, KnownUpTo>()
  const inTurn = largeRecordTurns()

  const work = (key: ProgressKey): TransactionWork<DeliveredChange, LatestStateEffect, TableSettings> => ({
    readSettings: loadSettings,
    apply: async (client, fresh, progress, settings) => {
      const cached = kept.get(nameOf(key))
      // Of what is refused or fails it is read anew: somebody may repair what is stored.
      kept.delete(nameOf(key))
      const known = cached?.nextOffset === progress.nextOffset ? cached : await load(client, key, progress)
      const stopped = await applyKept(client, key, known, settings)
      const records = await joinParts(client, key, fresh)
      const { beacon, steps, next, refused, ...effect } = planBatch(records, {
        register: known.register,
        keyless: known.keyless,
        fence: progress.fence ?? nothingPassed,
        topicPartition: key.topicPartition,
        skipsBeforeEpoch: progress.skipsBeforeEpoch,
        source: progress,
        isStopped: stopRule(stopped),
        isLogged: settings.isLogged,
      })
      if (refused !== undefined) throw new RefusedDelivery(refused.offset, refused.reason)
      await carryOut(client, key, steps, { records, quarantineLimit })
      if (settings.resyncs.length > 0) await noteRequests(client)
      kept.set(nameOf(key), { ...next, nextOffset: (fresh.at(-1)?.offset ?? progress.nextOffset - 1) + 1 })
      return {
        effect: { ...effect, resyncs: settings.resyncs },
        committedAtMs: effect.committedAtMs.at(-1) ?? null,
        beacon,
        fence: next.fence,
      }
    },
  })

  async function apply(key: ProgressKey, records: readonly DeliveredChange[], wait: LockWait | undefined) {
    const failed = new Set<number>()
    for (;;) {
      try {
        return await applyInTransaction(pool, key, 'contiguous', records, work(key), wait)
      } catch (error) {
        // It may be what is known behind a transaction that did not commit.
        kept.delete(nameOf(key))
        if (!(error instanceof TableFailure) || failed.has(error.stop.relation)) throw error
        failed.add(error.stop.relation)
        // The table stops, in a transaction of its own; then the others of the batch are applied without it.
        await stopTable(pool, error.stop)
      }
    }
  }

  return {
    apply: (key, records, wait) =>
      inTurn(records, () =>
        applyDelivery(pool, key, records, {
          apply: (some) => apply(key, some, wait),
          applyNothing: async () => {
            await applyNothing(pool, key, work(key), wait)
            kept.delete(nameOf(key))
          },
          setAside: (record, error) =>
            applyInTransaction(pool, key, 'contiguous', [record], setAside(key, error, quarantineLimit), wait),
          merge: mergeEffects,
        }),
      ),
  }
}

/** Keeps the one record, and stops the tables that must not go on without it. */
const setAside = (
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
      // Reading the rows again brings a new contract and another reading; of a change it may bring the same one.
      const automatic = !isChange
      await stopTable(client, { relation, generation, schema, table, reason, repair: 'resync', automatic })
    }
    const { relation = 0, generation = 0 } = (isChange ? tables[0] : undefined) ?? {}
    const table = named === undefined ? null : tableName(named)
    await keepInQuarantine(client, key, [{ ...record!, relation, generation, tableName: table, reason }], limit)
    const effect = { changes: 0, quarantined: 1, committedAtMs: [], awaitsCapture: false, resyncs: [] }
    return { effect, committedAtMs: null, beacon: undefined }
  },
})

const mergeEffects = (a: LatestStateEffect, b: LatestStateEffect): LatestStateEffect => ({
  changes: a.changes + b.changes,
  quarantined: a.quarantined + b.quarantined,
  committedAtMs: [...a.committedAtMs, ...b.committedAtMs],
  awaitsCapture: a.awaitsCapture || b.awaitsCapture,
  resyncs: [...new Set([...a.resyncs, ...b.resyncs])],
})

const nameOf = ({ topic, topicPartition }: ProgressKey): string => `${topic}-${topicPartition}`

async function load(client: pg.PoolClient, key: ProgressKey, { nextOffset }: StoredProgress): Promise<KnownUpTo> {
  const register = await loadRegister(client, key.topic, key.topicPartition)
  return { nextOffset, register, keyless: await loadKeylessProgress(client, key) }
}
