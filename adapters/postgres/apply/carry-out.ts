import type pg from 'pg'
import { type AppliedTruncate, type BatchPlan, type KeptContract, segmentsOf } from '#core/apply/batch-plan.ts'
import { generationOf } from '#core/apply/keyless-writes.ts'
import { type Segment, type TableWrites, withoutTruncated } from '#core/apply/row-changes.ts'
import type { AppliedTable } from '#core/apply/table-register.ts'
import type { TableContract } from '#core/contract.ts'
import type { AuditMessage } from '#core/envelope.ts'
import { isObject } from '#core/wire-envelope.ts'
import { parseShallow, WireError } from '#core/wire-json.ts'
import { prepared, together } from '../statement.ts'
import { storableJson } from '../storable-text.ts'
import {
  daysOf,
  type HistoryGap,
  logAndWriteStatement,
  logKeylessStatement,
  logStatement,
  logTruncateStatement,
} from './change-history.ts'
import { countRows } from './keyless-rows.ts'
import { type CompletingStatement, rowsTable, writeStatements } from './latest-state-statements.ts'
import { blaming, readAgain, TableFailure } from './table-failure.ts'

/** Carries out what a plan does to tables. Throws a TableFailure where one table cannot follow. */
export async function carryOut(client: pg.PoolClient, plan: BatchPlan): Promise<void> {
  // Days before tables, as everywhere: two topic partitions would wait for each other's otherwise.
  const days = daysOf(plan)
  let gaps = new Map<string, HistoryGap>()
  await together(client, [
    () => (days.length > 0 ? client.query(prepared({ text: ensureDays, values: [days] })) : undefined),
    ...plan.shapes.map((kept) => () => shape(client, kept)),
    async () => {
      gaps = await holdGenerations(client, plan)
    },
  ])
  const write = (segment: Segment) =>
    together(
      client,
      [...segment.values()].map((writes) => () => writeRows(client, writes, gaps.get(generationOf(writes.table)))),
    )
  for (const truncated of plan.truncates) {
    for (const segment of truncated.preceding) await write(segment)
    await truncate(client, truncated)
  }
  for (const segment of plan.segments) await write(segment)
  for (const writes of plan.keyless) {
    const { contract } = writes.table
    if (writes.logged && writes.changes.length > 0)
      await blaming(contract, () => client.query(logKeylessStatement(writes)))
    const counted = await blaming(contract, () => countRows(client, writes))
    if (counted === 'fewer than none' && contract.complete) {
      throw new TableFailure(contract, 'a row was deleted that it does not have', readAgain)
    }
  }
  if (plan.audits.length > 0) await keepAudits(client, plan.audits)
  for (const { relation } of plan.drops) await client.query('select tidemark.drop_latest_state($1)', [relation])
  for (const { contract } of plan.shapes) await awaitName(client, contract.relation)
}

/** Stops a table whose name is still that of another one. */
export async function awaitName(client: pg.PoolClient, relation: number): Promise<void> {
  await client.query('select tidemark.await_name($1)', [relation])
}

/** Makes table, columns and view what a contract needs. */
export async function shape(
  client: pg.PoolClient,
  { contract, position }: Omit<KeptContract, 'offset'>,
): Promise<void> {
  await blaming(contract, () =>
    client.query('select tidemark.shape_latest_state($1, $2::jsonb)', [position.epoch, JSON.stringify(contract)]),
  )
}

const ensureDays = `select tidemark.ensure_change_days(date '1970-01-01' + day, date '1970-01-01' + day)
from unnest($1::integer[]) as day`

/** Shows generations that have become complete, after the contracts that say so are kept. */
export async function settle(client: pg.PoolClient, topic: string, contracts: readonly TableContract[]): Promise<void> {
  for (const contract of new Map(contracts.map((contract) => [contract.relation, contract])).values()) {
    const { rows } = await blaming(contract, () =>
      client.query<{ gap: string | null }>('select tidemark.settle_latest_state($1, $2) as gap', [
        topic,
        contract.relation,
      ]),
    )
    if (rows[0]!.gap !== null) throw new TableFailure(contract, rows[0]!.gap, readAgain)
  }
}

/**
 * Takes out of the plan what another topic partition has truncated. Truncates of these tables, and maintenance of their
 * history, wait until the transaction has ended, so that none comes between. Returns by generation up to where changes may
 * be missing in history; it notes that of those whose changes are not kept now.
 */
async function holdGenerations(client: pg.PoolClient, plan: BatchPlan): Promise<Map<string, HistoryGap>> {
  const touched = new Map<string, TableContract>()
  const unlogged = new Set<string>()
  const segments = segmentsOf(plan)
  for (const segment of segments) {
    for (const { table, rows, log } of segment.values()) {
      touched.set(generationOf(table), table.contract)
      if (rows.size > 0 && log.length === 0) unlogged.add(generationOf(table))
    }
  }
  const gaps = new Map<string, HistoryGap>()
  if (touched.size === 0) return gaps
  const contracts = [...touched.values()]
  const { rows } = await client.query<{
    generation_of: string
    truncated_epoch: number
    truncated_lsn: string
    gap_epoch: number
    gap_lsn: string
  }>(
    prepared({
      text: `select relation || ' ' || generation as generation_of, truncated_epoch, truncated_lsn, gap_epoch, gap_lsn
       from tidemark.hold_generations($1, $2, $3)`,
      values: [
        contracts.map(({ relation }) => relation),
        contracts.map(({ generation }) => generation),
        [...touched.keys()].map((generation) => unlogged.has(generation)),
      ],
    }),
  )
  for (const row of rows) {
    if (row.gap_epoch > 0) gaps.set(row.generation_of, { epoch: row.gap_epoch, lsn: row.gap_lsn })
    if (row.truncated_lsn === '0') continue
    const at = { epoch: row.truncated_epoch, phase: 1, lsn: Number(row.truncated_lsn) } as const
    for (const segment of segments) {
      const writes = segment.get(row.generation_of)
      if (writes !== undefined) segment.set(row.generation_of, withoutTruncated(writes, at))
    }
  }
  return gaps
}

async function truncate(client: pg.PoolClient, truncated: AppliedTruncate): Promise<void> {
  const { table, truncate: change, logged } = truncated
  const { contract } = table
  const { epoch, lsn } = change.position
  if (logged) await client.query(logTruncateStatement(truncated))
  if (table.keyPlaces.length === 0) return
  await client.query(
    `update tidemark.generation
     set truncated_epoch = $3, truncated_lsn = $4
     where (relation, generation) = ($1, $2)
       and (truncated_epoch, truncated_lsn) < ($3, $4)`,
    [contract.relation, contract.generation, epoch, lsn],
  )
  await blaming(contract, () =>
    client.query(
      `delete from ${rowsTable(table)}
       where ("tidemark$epoch", "tidemark$phase", "tidemark$lsn") < ($1::integer, 1::smallint, $2::bigint)`,
      [epoch, lsn],
    ),
  )
}

async function writeRows(client: pg.PoolClient, writes: TableWrites, gap: HistoryGap | undefined): Promise<void> {
  const { table, rows, log } = writes
  const { contract } = table
  const atOnce = log.length === 0 ? undefined : logAndWriteStatement(writes, gap)
  if (atOnce !== undefined) {
    await blaming(contract, () => client.query(prepared(atOnce)))
    return
  }
  const { moves, writes: statements, updates } = writeStatements(table, rows.values())
  for (const move of moves) await complete(client, table, move, 'whose key was changed')
  if (log.length > 0) await blaming(contract, () => client.query(prepared(logStatement(writes, gap))))
  for (const statement of statements) await blaming(contract, () => client.query(prepared(statement)))
  for (const update of updates) await complete(client, table, update, 'that was updated')
}

/** While its rows are read, a table may miss those that a change builds upon: reading brings them. */
async function complete(
  client: pg.PoolClient,
  { contract }: AppliedTable,
  statement: CompletingStatement,
  what: string,
): Promise<void> {
  const unfinished = await blaming(contract, () => client.query(prepared(statement)))
  if (unfinished.rows.length === 0) return
  if (contract.complete) {
    const key = Object.values(unfinished.rows[0]!).join(', ')
    throw new TableFailure(
      contract,
      `row ${key} ${what} leaves out a TOASTed value that the target does not have`,
      readAgain,
    )
  }
  await blaming(contract, () => client.query(statement.incomplete))
}

async function keepAudits(client: pg.PoolClient, messages: readonly AuditMessage[]): Promise<void> {
  await client.query(
    `insert into tidemark.audit_message (epoch, txid, lsn, committed_at, who, application, why, details)
     select m.epoch, m.txid, m.lsn, to_timestamp(m.at / 1000), m.who, m.application, m.why, m.details
     from jsonb_to_recordset($1::jsonb) as m (epoch integer, txid bigint, lsn bigint, at float8, who text, application text,
       why text, details jsonb)
     on conflict do nothing`,
    [storableJson(JSON.stringify(messages.map(auditRow)))],
  )
}

function auditRow({ position, txId, committedAtMs, text }: AuditMessage) {
  const place = { epoch: position.epoch, txid: txId ?? 0, lsn: position.lsn, at: committedAtMs }
  const { who, application, why, ...details } = membersOf(text)
  return { ...place, who, application, why, details: Object.keys(details).length === 0 ? null : details }
}

/** The message's members; anything but a JSON object is kept as its text. */
function membersOf(text: string): Record<string, unknown> {
  try {
    const parsed = parseShallow(text)
    if (isObject(parsed)) return parsed
  } catch (error) {
    if (!(error instanceof WireError)) throw error
  }
  return { text }
}
