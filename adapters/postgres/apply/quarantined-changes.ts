// How are the quarantined changes of a table applied, once it is accepted?

import type pg from 'pg'
import { type ChangeRecord, planBatch } from '#core/apply/batch-plan.ts'
import { type KeptContract, stepsForQuarantined, stepsOf } from '#core/apply/batch-steps.ts'
import type { PartitionState } from '#core/apply/batch-underway.ts'
import { KeylessLedger } from '#core/keyless/keyless-ledger.ts'
import type { TableRegister } from '#core/tables/table-register.ts'
import type { HistoryRule, StoppedTable } from '#core/tables/table-settings.ts'
import type { KeyHeaders } from '#core/wire/change.ts'
import type { ProgressKey } from '../delivery/progress.ts'
import { isOfServer, isTransient, sqlState } from '../session/transient-error.ts'
import { contractsBetween, loadRegister } from './contract-register.ts'
import { awaitName, executeSteps, finalize, shape } from './execute-steps.ts'
import type { TableSettings } from './stopped-tables.ts'
import { TableFailureError } from './table-failure.ts'

/** The contracts in force before the delivery, and the snapshots in which keyless tables were read. */
type KnownContracts = Pick<PartitionState, 'register' | 'keyless'>

/**
 * Applies the quarantined records of accepted tables, with the contracts that were in force when they came. Returns the
 * tables that are still stopped in this topic partition.
 */
export async function applyQuarantined(
  client: pg.PoolClient,
  key: ProgressKey,
  known: KnownContracts,
  { stopped, isLogged }: TableSettings,
): Promise<StoppedTable[]> {
  const remaining: StoppedTable[] = []
  for (const table of stopped) {
    if (!table.accepted) remaining.push(table)
    else if (!(await blamingQuarantined(table, () => applyQuarantinedOf(client, key, known, table, isLogged))))
      remaining.push(table)
  }
  return remaining
}

/** If quarantined records fail, their table stops again, so that they do not hold up the records that are delivered. */
async function blamingQuarantined<T>({ relation, generation, name }: StoppedTable, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof TableFailureError || isTransient(error) || isOfServer(sqlState(error) ?? '')) throw error
    const [schema, table] = [name.slice(0, name.indexOf('.')), name.slice(name.indexOf('.') + 1)]
    const reason = `its quarantined changes cannot be applied: ${(error as Error).message}`
    throw new TableFailureError(
      { relation, generation, schema, table },
      reason,
      { repair: 'resync', automatic: false },
      error,
    )
  }
}

async function applyQuarantinedOf(
  client: pg.PoolClient,
  key: ProgressKey,
  { register: present, keyless: { readSnapshots } }: KnownContracts,
  table: StoppedTable,
  isLogged: HistoryRule,
): Promise<boolean> {
  const { records, last } = await quarantinedRecords(client, key, table)
  if (records.length > 0) {
    const register = await loadRegister(client, key.topic, key.topicPartition, records[0]!.offset)
    await shapeAsOf(client, register, table)
    const later = await contractsBetween(client, key, table.relation, records[0]!.offset, records.at(-1)!.offset)
    // None of these records had been applied when they were quarantined, so an empty ledger is right.
    const keyless = { ledger: new KeylessLedger(), readSnapshots }
    const { topicPartition } = key
    const known = { register, keyless, fence: undefined, topicPartition, isStopped: () => false, isLogged }
    const { steps } = planBatch(inOrder(records, later), known)
    const [stopped] = stepsOf(steps, 'stop table')
    if (stopped !== undefined) throw new TableFailureError(stopped.stop, stopped.stop.reason, stopped.stop)
    await executeSteps(client, key, stepsForQuarantined(steps))
  }
  await releaseQuarantined(client, key, table, records)
  if (last) {
    const contract = await shapeAsOf(client, present, table)
    await awaitName(client, table.relation)
    if (contract?.complete) await finalize(client, key.topic, contract)
  }
  return last
}

/** Creates or changes the table as the contract in force needs it, which was not done while the table was stopped. */
async function shapeAsOf(client: pg.PoolClient, register: TableRegister, { relation }: StoppedTable) {
  const known = register.contractOf(relation)
  if (known === undefined || known.contract.dropped || known.contract.refusal !== null) return undefined
  await shape(client, { contract: known.contract, position: { epoch: known.epoch, phase: 1, lsn: 0 } })
  return known.contract
}

const inOrder = (a: readonly ChangeRecord[], b: readonly KeptContract[]): (ChangeRecord | KeptContract)[] =>
  [...a, ...b].sort((one, other) => one.offset - other.offset)

/**
 * Quarantined records are applied in portions of this many records and bytes; the last record of a portion may exceed
 * the bytes.
 */
const replaySize = { records: 5_000, bytes: 16 << 20 }

/**
 * The next quarantined records of an accepted table in a topic partition, in order, and whether they are the last ones.
 */
async function quarantinedRecords(
  client: pg.PoolClient,
  key: ProgressKey,
  { relation }: StoppedTable,
): Promise<{ records: ChangeRecord[]; last: boolean }> {
  const { rows } = await client.query<{
    record_offset: string
    record_value: string | null
    record_headers: KeyHeaders | null
    found: number
  }>(
    `select record_offset, record_value, record_headers, found
     from (
       select *, count(*) over ()::integer as found,
         sum(octet_length(record_value)) over (order by record_offset rows between unbounded preceding and 1 preceding)
           as bytes_before
       from (
         select record_offset, record_value, record_headers
         from tidemark.quarantine
         where topic = $1
           and topic_partition = $2
           and relation = $3
         order by record_offset
         limit $4
       ) next
     ) counted
     where coalesce(bytes_before, 0) < $5
     order by record_offset`,
    [key.topic, key.topicPartition, relation, replaySize.records, replaySize.bytes],
  )
  const found = rows[0]?.found ?? 0
  return {
    records: rows.map(({ record_offset, record_value, record_headers }) => ({
      offset: Number(record_offset),
      value: record_value ?? undefined,
      headers: record_headers ?? undefined,
    })),
    last: rows.length === found && found < replaySize.records,
  }
}

/** Deletes quarantined records that were applied, and the stop when no topic partition has any left. */
async function releaseQuarantined(
  client: pg.PoolClient,
  key: ProgressKey,
  { relation }: StoppedTable,
  records: readonly ChangeRecord[],
): Promise<void> {
  await client.query(
    'delete from tidemark.quarantine where topic = $1 and topic_partition = $2 and relation = $3 and record_offset = any ($4)',
    [key.topic, key.topicPartition, relation, records.map(({ offset }) => offset)],
  )
  await client.query(
    `delete from tidemark.stopped_table s
     where s.relation = $1
       and s.accepted_at is not null
       and not exists (select from tidemark.quarantine q where q.relation = $1)`,
    [relation],
  )
}
