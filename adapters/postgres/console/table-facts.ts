// What does the target know of the captured tables, besides their status?

import type pg from 'pg'
import { parseContract, type TableContract } from '#core/contract.ts'
import { readRelations } from './change-conditions.ts'
import { readRetention } from './row-now.ts'

/** Changes of a table in the last day, by operation. */
export type DayOfChanges = { readonly inserts: number; readonly updates: number; readonly deletes: number }

/** How many changes each table had in the last day. Null until they are counted, and where they are too many for that. */
export type CountDay = () => ReadonlyMap<string, DayOfChanges> | null

/** Counting reads the last day of history, at about four million changes in a second. */
const mostCounted = 1_000_000
const countedForMs = 60_000

/**
 * Counts the changes of the last day, beside the requests: none waits for it. A count is used for a minute, and then until
 * the next one is made. One that fails is tried again a minute later.
 */
export function makeCountDay(database: pg.Pool, now: () => number): CountDay {
  let counted: ReadonlyMap<string, DayOfChanges> | null = null
  let beganMs = Number.NEGATIVE_INFINITY
  let isCounting = false
  const count = async () => {
    isCounting = true
    beganMs = now()
    try {
      counted = await countDay(database)
    } finally {
      isCounting = false
    }
  }
  return () => {
    // A target that does not answer is noticed by what the request itself reads.
    if (!isCounting && now() - beganMs > countedForMs) count().catch(() => undefined)
    return counted
  }
}

async function countDay(database: pg.Pool): Promise<ReadonlyMap<string, DayOfChanges> | null> {
  // The number is known before anything is read: of a day that was never analyzed from the size of its table partition.
  const { rows: estimated } = await database.query<{ most: number | null }>(
    `select sum(case
         when c.reltuples >= 0 then c.reltuples
         else pg_relation_size(c.oid) / 100
       end)::float8 as most
     from tidemark.change_days() d
     join pg_class c on c.oid = format('tidemark_rows.%I', d.partition)::regclass
     where d.day >= (now() at time zone 'UTC')::date - 1`,
  )
  if ((estimated[0]?.most ?? 0) > mostCounted) return null
  const { rows } = await database.query<{ name: string } & DayOfChanges>(
    `select m.schema_name || '.' || m.table_name as name, c.inserts, c.updates, c.deletes
     from (
       select c.relation, count(*) filter (where c.op = 'c')::float8 as inserts,
         count(*) filter (where c.op = 'u')::float8 as updates, count(*) filter (where c.op = 'd')::float8 as deletes
       from tidemark_rows.change c
       where c.committed_at >= now() - interval '1 day'
       group by c.relation
     ) c
     join tidemark.table_marker m on m.relation = c.relation and m.dropped_at is null`,
  )
  return new Map(rows.map(({ name, ...counts }) => [name, counts]))
}

/** How many records of each table are in quarantine. */
export async function countQuarantined(database: pg.Pool): Promise<ReadonlyMap<string, number>> {
  const { rows } = await database.query<{ name: string; records: number }>(
    `select q.table_name as name, count(*)::float8 as records
     from tidemark.quarantine q
     where q.table_name is not null
     group by q.table_name`,
  )
  return new Map(rows.map(({ name, records }) => [name, records]))
}

/** Which tables keep no history. */
export async function readUnkept(database: pg.Pool): Promise<ReadonlySet<string>> {
  const { rows } = await database.query<{ name: string }>(
    `select m.schema_name || '.' || m.table_name as name
     from tidemark.table_marker m
     cross join lateral tidemark.history_setting_of(m.relation, m.schema_name, m.table_name) s
     where m.dropped_at is null
       and not s.enabled`,
  )
  return new Set(rows.map(({ name }) => name))
}

/** A version of a contract in an epoch. */
export type KnownContract = { readonly epoch: number; readonly contract: TableContract }

/** What the target knows of one table. */
export type TableFacts = {
  /** Newest first, of the relation that has the name now. */
  readonly contracts: readonly KnownContract[]
  readonly history: { readonly isKept: boolean; readonly retention: string | null }
  readonly indexes: readonly { readonly name: string; readonly definition: string; readonly problem: string | null }[]
}

/** The most versions that are shown of a table. */
const mostContracts = 200

/** What the target knows of a table; undefined if no captured table has or had the name. */
export async function readTableFacts(database: pg.Pool, table: string): Promise<TableFacts | undefined> {
  const relations = await readRelations(database, table)
  if (relations.length === 0) return undefined
  const [contracts, history, indexes] = await Promise.all([
    readContracts(
      database,
      relations.map(({ relation }) => relation),
    ),
    readRetention(database, relations),
    readIndexes(database, table),
  ])
  return { contracts, history, indexes }
}

async function readContracts(database: pg.Pool, relations: readonly string[]): Promise<KnownContract[]> {
  const { rows } = await database.query<{ epoch: number; contract: unknown }>(
    `select distinct on (k.epoch, k.version, k.relation) k.epoch, k.contract
     from tidemark.contract k
     where k.relation = any ($1)
     order by k.epoch desc, k.version desc, k.relation desc, k.topic_partition
     limit $2`,
    [relations, mostContracts],
  )
  return rows.map(({ epoch, contract }) => ({ epoch, contract: parseContract(contract) }))
}

async function readIndexes(database: pg.Pool, table: string): Promise<TableFacts['indexes']> {
  const { rows } = await database.query<TableFacts['indexes'][number]>(
    `select u.index_name as name, min(u.definition) as definition,
       min(coalesce(u.problem, case when u.state in ('missing', 'unfinished') then 'it is not on all rows yet' end)) as problem
     from tidemark.user_index_state u
     where u.schema_name || '.' || u.table_name = $1
     group by u.index_name
     order by u.index_name`,
    [table],
  )
  return rows
}
