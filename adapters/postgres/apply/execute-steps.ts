// How is each step of a batch executed in the target?

import type pg from 'pg'
import type { AppliedTruncate, HeldGeneration, KeptContract, Step } from '#core/apply/batch-steps.ts'
import { type TableWrites, withoutTruncated } from '#core/apply/row-changes.ts'
import type { TableContract } from '#core/contract.ts'
import { generationOf } from '#core/keyless/keyless-writes.ts'
import type { Position } from '#core/position.ts'
import type { RowWrite } from '#core/tables/row-write.ts'
import type { AppliedTable } from '#core/tables/table-register.ts'
import type { ProgressKey } from '../delivery/progress.ts'
import { prepared, together } from '../session/statement.ts'
import { keepAudits } from './audit-messages.ts'
import { logAndWriteStatement, logStatement } from './change-history.ts'
import type { HistoryGap } from './change-lookup.ts'
import { keepContracts } from './contract-register.ts'
import { logTruncateStatement } from './keyless-history.ts'
import { countRows, keepLedger } from './keyless-rows.ts'
import {
  type CompletedWrite,
  type CompletingStatement,
  type MovedWrite,
  rowsTable,
  writeStatements,
} from './latest-state-statements.ts'
import { type Delivered, quarantineUnapplied, stopTable } from './stopped-tables.ts'
import { blaming, readAgain, TableFailureError } from './table-failure.ts'

/** For each generation, what other transactions have noted about it. */
type Held = Map<
  string,
  {
    /** The position of the truncate, if another topic partition has truncated the generation. */
    readonly truncatedAt: Position | undefined
    /** Whether that truncate was of an earlier generation. */
    readonly isOfEarlier: boolean
    /** The position up to which changes may be missing in history. */
    readonly gap: HistoryGap | undefined
  }
>

/**
 * Steps at the beginning of a batch that are single statements and do not need each other's results. They are sent
 * together.
 */
const isSentAlong: ReadonlySet<Step['kind']> = new Set(['ensure days', 'shape', 'hold generations'] as const)

const nothingDelivered: Delivered = { records: [], quarantineLimit: undefined }

/**
 * Executes the steps in order. Throws a TableFailureError if one table cannot be written. `delivered` has the records
 * of the batch, because some of them may be kept in quarantine instead.
 */
export async function executeSteps(
  client: pg.PoolClient,
  key: ProgressKey,
  steps: readonly Step[],
  delivered: Delivered = nothingDelivered,
): Promise<void> {
  const held: Held = new Map()
  let sent: (() => Promise<void>)[] = []
  for (const step of steps) {
    if (!isSentAlong.has(step.kind)) {
      // The steps run in the order in which they were sent, so the first error names the cause.
      await together(client, sent)
      sent = []
    }
    sent.push(() => executeStep(client, key, step, held, delivered))
  }
  await together(client, sent)
}

async function executeStep(
  client: pg.PoolClient,
  key: ProgressKey,
  step: Step,
  held: Held,
  delivered: Delivered,
): Promise<void> {
  switch (step.kind) {
    case 'ensure days':
      await client.query(prepared({ text: ensureDays, values: [step.days] }))
      break
    case 'shape':
      return shape(client, step.kept)
    case 'hold generations':
      return holdGenerations(client, step.generations, held)
    case 'write rows':
      await together(
        client,
        step.tables.map((writes) => () => writeRows(client, writes, held)),
      )
      break
    case 'truncate':
      return truncate(client, step.truncated)
    case 'count rows':
      return countRows(client, step.writes)
    case 'keep audits':
      return keepAudits(client, step.messages)
    case 'drop':
      await client.query('select tidemark.drop_latest_state($1)', [step.relation])
      break
    case 'await name':
      return awaitName(client, step.relation)
    case 'keep contracts':
      return keepContracts(client, key.topic, key.topicPartition, step.contracts)
    case 'finalize':
      return finalize(client, key.topic, step.contract)
    case 'stop table':
      return stopTable(client, step.stop)
    case 'begin initial read': {
      const { epoch, lsn } = step.position
      await client.query('select tidemark.begin_initial_read($1, $2, $3)', [epoch, key.topicPartition, lsn])
      break
    }
    case 'finish initial read': {
      // When the initial snapshot is complete in all topic partitions, rows that only an interrupted attempt of it has
      // read are removed.
      const { epoch, topicPartitions } = step.beacon
      await client.query('select tidemark.finish_initial_read($1, $2, $3)', [
        epoch,
        key.topicPartition,
        topicPartitions,
      ])
      break
    }
    case 'keep ledger':
      return keepLedger(client, key, step.ledger)
    case 'quarantine':
      return quarantineUnapplied(client, key, step.records, delivered)
  }
}

const ensureDays = `select tidemark.ensure_change_days(date '1970-01-01' + day, date '1970-01-01' + day)
from unnest($1::integer[]) as day`

/** Stops a table if another table still has its name. */
export async function awaitName(client: pg.PoolClient, relation: number): Promise<void> {
  await client.query('select tidemark.await_name($1)', [relation])
}

/** Creates or changes table, columns and view as a contract needs them. */
export async function shape(
  client: pg.PoolClient,
  { contract, position }: Omit<KeptContract, 'offset'>,
): Promise<void> {
  await blaming(contract, () =>
    client.query('select tidemark.shape_latest_state($1, $2::jsonb)', [position.epoch, JSON.stringify(contract)]),
  )
}

/**
 * Finalizes a generation that is complete, so that its rows are shown. The contract which says that it is complete must
 * be stored before.
 */
export async function finalize(client: pg.PoolClient, topic: string, contract: TableContract): Promise<void> {
  const { rows } = await blaming(contract, () =>
    client.query<{ gap: string | null }>('select tidemark.settle_latest_state($1, $2) as gap', [
      topic,
      contract.relation,
    ]),
  )
  if (rows[0]!.gap !== null) throw new TableFailureError(contract, rows[0]!.gap, readAgain)
}

/**
 * Locks the generations until the transaction ends, so that neither a truncate by another topic partition nor
 * maintenance of their history comes in between, and adds the facts of each to `held`. For generations whose changes
 * are not stored in history now, it notes that changes may be missing there.
 */
async function holdGenerations(
  client: pg.PoolClient,
  generations: readonly HeldGeneration[],
  held: Held,
): Promise<void> {
  const { rows } = await client.query<{
    generation_of: string
    truncated_epoch: number
    truncated_lsn: string
    truncated_earlier: boolean
    gap_epoch: number
    gap_lsn: string
  }>(
    prepared({
      text: `select h.relation || ' ' || h.generation as generation_of, h.*
       from tidemark.hold_generations($1, $2, $3) h`,
      values: [
        generations.map(({ contract }) => contract.relation),
        generations.map(({ contract }) => contract.generation),
        generations.map(({ unlogged }) => unlogged),
      ],
    }),
  )
  for (const row of rows) {
    const { truncated_epoch: epoch, truncated_lsn: lsn } = row
    held.set(row.generation_of, {
      truncatedAt: lsn === '0' ? undefined : { epoch, phase: 1, lsn: Number(lsn) },
      isOfEarlier: row.truncated_earlier,
      gap: row.gap_epoch > 0 ? { epoch: row.gap_epoch, lsn: row.gap_lsn } : undefined,
    })
  }
}

/**
 * Removes the rows that are older than a truncate. The topic partitions do this one after the other, because each locks
 * the generation.
 */
async function truncate(client: pg.PoolClient, truncated: AppliedTruncate): Promise<void> {
  const { table, truncate: change, logged } = truncated
  const { contract } = table
  const { epoch, lsn } = change.position
  if (logged) await client.query(logTruncateStatement(truncated))
  if (table.keyPlaces.length === 0) return
  const { rows: noted } = await client.query<{ later: number | null }>(
    `update tidemark.generation
     set truncated_epoch = $3, truncated_lsn = $4, truncated_earlier = generation > $2
     where relation = $1
       and generation >= $2
       and (truncated_epoch, truncated_lsn) < ($3, $4)
     returning case when generation > $2 and not keyless then generation end as later`,
    [contract.relation, contract.generation, epoch, lsn],
  )
  await blaming(contract, () =>
    client.query(
      `delete from ${rowsTable(table)}
       where ("tidemark$epoch", "tidemark$phase", "tidemark$lsn") < ($1::integer, 1::smallint, $2::bigint)`,
      [epoch, lsn],
    ),
  )
  for (const { later } of noted) if (later !== null) await deleteSentAgain(client, table, later, change)
}

/** Deletes rows of a later generation whose changes are from before the truncate and were sent again. */
async function deleteSentAgain(
  client: pg.PoolClient,
  { contract }: AppliedTable,
  generation: number,
  { position: { epoch, lsn } }: AppliedTruncate['truncate'],
): Promise<void> {
  await blaming({ ...contract, generation }, () =>
    client.query(
      `delete from tidemark_rows.t${contract.relation}_${generation}
       where "tidemark$phase" = 1
         and ("tidemark$epoch", "tidemark$lsn") < ($1::integer, $2::bigint)`,
      [epoch, lsn],
    ),
  )
}

/** Writes rows of one table and the history of their changes, by a single statement if possible. */
async function writeRows(client: pg.PoolClient, planned: TableWrites, held: Held): Promise<void> {
  const { truncatedAt, isOfEarlier, gap } = held.get(generationOf(planned.table)) ?? {}
  const writes = truncatedAt === undefined ? planned : withoutTruncated(planned, truncatedAt, isOfEarlier)
  const { table, rows, log } = writes
  const { contract } = table
  const atOnce = log.length === 0 ? undefined : logAndWriteStatement(writes, gap)
  if (atOnce !== undefined) {
    await blaming(contract, () => client.query(prepared(atOnce)))
    return
  }
  const { moves, writes: statements, updates } = writeStatements(table, rows.values())
  const areNew = new Map<RowWrite, boolean | null>()
  for (const move of moves) {
    const moved = await complete<MovedWrite>(client, table, move, 'whose key was changed')
    for (const { place, is_new } of moved) areNew.set(move.moves[place]!, is_new)
  }
  if (log.length > 0) await blaming(contract, () => client.query(prepared(logStatement(writes, gap, areNew))))
  for (const statement of statements) await blaming(contract, () => client.query(prepared(statement)))
  for (const update of updates) await complete(client, table, update, 'that was updated')
}

/**
 * Runs a statement that may need values of stored rows, and returns its result. If such a row is missing, the table is
 * read again. While a snapshot of the table is under way, that is expected: the writes are stored as incomplete
 * until the snapshot brings the rest.
 */
async function complete<W extends CompletedWrite>(
  client: pg.PoolClient,
  { contract }: AppliedTable,
  statement: CompletingStatement,
  what: string,
): Promise<W[]> {
  const { rows } = await blaming(contract, () => client.query<W>(prepared(statement)))
  const missing = rows.find(({ unfinished }) => unfinished)
  if (missing === undefined) return rows
  if (contract.complete) {
    throw new TableFailureError(
      contract,
      `row ${missing.key.join(', ')} ${what} leaves out a TOASTed value that the target does not have`,
      readAgain,
    )
  }
  await blaming(contract, () => client.query(statement.incomplete))
  return rows
}
