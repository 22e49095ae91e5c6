import type pg from 'pg'
import { type BatchPlan, type ChangeRecord, planBatch, type StoppedTables, type TableStop } from '#core/batch-plan.ts'
import { parseContract, shapeDifference, type TableContract } from '#core/contract.ts'
import type { RecordIdentity } from '#core/delivery.ts'
import type { TableRegister } from '#core/table-register.ts'
import { type ApplyOutcome, applyInTransaction, RefusedDelivery, type TransactionWork } from './apply-transaction.ts'
import { keepContracts, loadRegister } from './contract-register.ts'
import { followInitialRead } from './initial-read.ts'
import { writeStatements } from './latest-state-statements.ts'
import type { ProgressKey, StoredProgress } from './progress.ts'
import { keepInQuarantine } from './quarantine.ts'
import { isTransient, sqlState } from './transient-error.ts'

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
}

/** Applies deliveries of captured changes to latest-state tables. */
export type LatestState = {
  apply(key: ProgressKey, records: readonly DeliveredChange[]): Promise<ApplyOutcome<LatestStateEffect>>
}

/** One table cannot be written as its contract says; the others can. */
class TableFailure extends Error {
  override readonly name = 'TableFailure'
  readonly retryable = false
  readonly stop: TableStop

  constructor(stop: TableStop, cause?: unknown) {
    super(stop.reason, { cause })
    this.stop = stop
  }
}

/** Latest-state tables in Postgres. The register of a topic partition is kept between deliveries. */
export function makeLatestState(pool: pg.Pool): LatestState {
  const registers = new Map<string, { nextOffset: number; register: TableRegister }>()

  const work =
    (key: ProgressKey): TransactionWork<DeliveredChange, LatestStateEffect> =>
    async (client, fresh, progress) => {
      const name = nameOf(key)
      const cached = registers.get(name)
      // Planning moves the register: until the commit is known it belongs to no offset.
      registers.delete(name)
      const register =
        cached?.nextOffset === progress.nextOffset
          ? cached.register
          : await loadRegister(client, key.topic, key.topicPartition)
      const plan = planBatch(fresh, register, await loadStopped(client))
      checkSource(plan, progress, key)
      await carryOut(client, key, plan, fresh)
      registers.set(name, { nextOffset: fresh.at(-1)!.offset + 1, register })
      return { effect: effectOf(plan), committedAtMs: plan.committedAtMs.at(-1) ?? null, beacon: plan.beacon }
    }

  return {
    async apply(key, records) {
      for (;;) {
        try {
          return await applyInTransaction(pool, key, 'contiguous', records, work(key))
        } catch (error) {
          registers.delete(nameOf(key))
          if (!(error instanceof TableFailure)) throw error
          // The table stops, in a transaction of its own; then the others of the batch are applied without it.
          await pool.query(insertStops, stopValues([error.stop]))
        }
      }
    },
  }
}

const nameOf = ({ topic, topicPartition }: ProgressKey): string => `${topic}-${topicPartition}`

const effectOf = (plan: BatchPlan): LatestStateEffect => ({
  changes: plan.changes,
  quarantined: plan.quarantined.length,
  committedAtMs: plan.committedAtMs,
  awaitsCapture: plan.awaitsCapture,
})

/** A beacon of another cluster, or in another topic partition than its slot, means that the pipeline was miswired. */
function checkSource(plan: BatchPlan, progress: StoredProgress, key: ProgressKey): void {
  const { beacon } = plan
  if (beacon === undefined) return
  if (beacon.slot !== key.topicPartition) {
    throw new RefusedDelivery(
      progress.nextOffset,
      `the beacon of slot ${beacon.slot} came on topic partition ${key.topicPartition}: the number of topic partitions was changed`,
    )
  }
  if (progress.systemIdentifier !== null && progress.systemIdentifier !== beacon.systemIdentifier) {
    throw new RefusedDelivery(
      progress.nextOffset,
      `the source is another database cluster (${beacon.systemIdentifier}) than before (${progress.systemIdentifier}): start a new epoch`,
    )
  }
}

async function loadStopped(client: pg.PoolClient): Promise<StoppedTables> {
  const { rows } = await client.query<{ relation: string; schema_name: string; table_name: string }>(
    'select relation, schema_name, table_name from tidemark.stopped_table',
  )
  const relations = new Set(rows.map((row) => Number(row.relation)))
  const names = new Set(rows.filter((row) => row.relation === '0').map((row) => `${row.schema_name}.${row.table_name}`))
  return { has: (relation, name) => (relation !== 0 && relations.has(relation)) || names.has(name) }
}

async function carryOut(
  client: pg.PoolClient,
  key: ProgressKey,
  plan: BatchPlan,
  records: readonly DeliveredChange[],
): Promise<void> {
  for (const contract of plan.creates) await createTable(client, contract)
  for (const segment of plan.segments) {
    for (const { table, rows } of segment.values()) {
      for (const { text, values } of writeStatements(table, rows.values())) {
        await blaming(table.contract, () => client.query(text, values as string[]))
      }
    }
  }
  for (const contract of plan.drops) await client.query('select tidemark.drop_latest_state($1)', [contract.relation])
  if (plan.contracts.length > 0) await keepContracts(client, key.topic, key.topicPartition, plan.contracts)
  if (plan.stops.length > 0) await client.query(insertStops, stopValues(plan.stops))
  await followInitialRead(client, key.topicPartition, plan)
  if (plan.quarantined.length > 0) {
    const byOffset = new Map(records.map((record) => [record.offset, record]))
    await keepInQuarantine(
      client,
      key,
      plan.quarantined.map((kept) => ({ ...byOffset.get(kept.offset)!, ...kept })),
    )
  }
}

async function createTable(client: pg.PoolClient, contract: TableContract): Promise<void> {
  const { rows } = await blaming(contract, () =>
    client.query<{ contract: unknown }>('select tidemark.create_latest_state($1::jsonb) as contract', [
      JSON.stringify(contract),
    ]),
  )
  const difference = shapeDifference(parseContract(rows[0]!.contract), contract)
  if (difference !== undefined) throw new TableFailure(stopOf(contract, difference))
}

/** Runs a statement about one table: an error that will come again is that table's, not the topic partition's. */
async function blaming<T>(contract: TableContract, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    const state = sqlState(error)
    // Classes: out of resources, operator intervention, system error. They are nobody's fault and pass.
    if (state === undefined || isTransient(error) || /^(53|57|58)/.test(state)) throw error
    throw new TableFailure(stopOf(contract, `${(error as Error).message} (SQLSTATE ${state})`), error)
  }
}

const stopOf = ({ relation, schema, table }: TableContract, reason: string): TableStop => ({
  relation,
  schema,
  table,
  reason,
})

const insertStops = `insert into tidemark.stopped_table (relation, schema_name, table_name, reason)
  select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[])
  on conflict do nothing`

const stopValues = (stops: readonly TableStop[]) => [
  stops.map((stop) => stop.relation),
  stops.map((stop) => stop.schema),
  stops.map((stop) => stop.table),
  stops.map((stop) => stop.reason),
]
