// Which changes does a filter want? Names and keys become conditions on what history stores.

import type pg from 'pg'
import type { ChangeOp } from '#core/console/changes.ts'
import { isoOfUs } from './change-place.ts'
import { type Condition, MOST_MET } from './change-search.ts'

/** The letters of the operations in `tidemark_rows.change`. */
export const opLetters: Readonly<Record<ChangeOp, string>> = {
  insert: 'c',
  update: 'u',
  delete: 'd',
  read: 'r',
  truncate: 't',
}

export const opNames = Object.fromEntries(Object.entries(opLetters).map(([op, letter]) => [letter, op])) as Readonly<
  Record<string, ChangeOp>
>

/** What a condition is part of: whether an index finds it, and how many changes a window may look through for it. */
export type Wanted = {
  readonly byIndex: readonly Condition[]
  readonly conditions: readonly Condition[]
  readonly mostMet: number
}

export const everything: Wanted = { byIndex: [], conditions: [], mostMet: MOST_MET }

/** A relation in an epoch, of which changes are wanted. */
export type NamedRelation = { readonly epoch: number; readonly relation: string }

/** The relations that a name stands for, or stood for; none if no captured table has or had the name. */
export async function readRelations(database: pg.Pool | pg.ClientBase, table: string): Promise<NamedRelation[]> {
  const { rows } = await database.query('select epoch, relation::text from tidemark.relations_named($1)', [table])
  return rows
}

/** Changes of these relations. */
export const ofRelations = (relations: readonly NamedRelation[]): Wanted => ({
  ...everything,
  conditions: [
    (bound) => `c.relation = any (${bound.bind([...new Set(relations.map(({ relation }) => relation))], 'bigint[]')})`,
    (bound) =>
      `(c.epoch, c.relation) in (select * from unnest(${bound.bind(
        relations.map(({ epoch }) => epoch),
        'integer[]',
      )},
        ${bound.bind(
          relations.map(({ relation }) => relation),
          'bigint[]',
        )}))`,
  ],
})

/** Changes with a key, those of rows without a key that have values, and truncates of their tables. */
export type WantedKey = NamedRelation & {
  readonly hash: string
  /** 't' for truncates. */
  readonly op: string | null
  readonly key: (string | null)[] | null
  /** Of a table without a key: the columns that are compared, and the texts of their values. */
  readonly numbers: number[] | null
  readonly texts: (string | null)[] | null
}

/** What a key of a table stands for. The database raises an error if the table or the key is none. */
export async function readWantedKeys(
  database: pg.Pool | pg.ClientBase,
  table: string,
  key: string,
): Promise<WantedKey[]> {
  const { rows } = await database.query<WantedKey>(
    `select distinct w.epoch, w.relation::text, tidemark.key_hash(w.relation, w.key_values)::text as hash, w.op::text,
       w.key_values as key, w.numbers, w.row_values as texts
     from tidemark.wanted_changes($1, $2::jsonb) w`,
    [table, key],
  )
  return rows
}

/** Comparing the values of rows without a key takes a thousand times as long as looking at a key. */
const mostCompared = 5_000

/** The changes that a key stands for. The index of rows finds them. */
export function ofKeys(wanted: readonly WantedKey[]): Wanted {
  const isCompared = wanted.some(({ numbers }) => numbers !== null)
  return {
    byIndex: [(bound) => `c.key_hash = any (${bound.bind([...new Set(wanted.map(({ hash }) => hash))], 'bigint[]')})`],
    conditions: [
      (bound) => `exists (
        select
        from jsonb_to_recordset(${bound.bind(JSON.stringify(wanted), 'jsonb')}) as w (epoch integer, relation bigint,
          hash bigint, op text, key text[], numbers integer[], texts text[])
        where (w.epoch, w.relation, w.hash) = (c.epoch, c.relation, c.key_hash)
          and w.key is not distinct from c.key
          and (w.op is null or c.op = 't')
          ${isCompared ? `and (w.numbers is null or c.op = 't' or ${hasValues})` : ''}
      )`,
    ],
    mostMet: isCompared ? mostCompared : MOST_MET,
  }
}

/** SQL that the row before or after a change `c` has the values that `w` wants. */
const hasValues = `exists (
            select
            from tidemark.contract k
            cross join tidemark.image_shape(k.contract) s
            where k.relation = c.relation
              and k.version = c.version
              and k.epoch = c.epoch
              and k.topic_partition = (
                select min(first.topic_partition)
                from tidemark.contract first
                where (first.relation, first.version, first.epoch) = (k.relation, k.version, k.epoch)
              )
              and (tidemark.row_has(s.numbers, s.types, c.before, w.numbers, w.texts)
                or tidemark.row_has(s.numbers, s.types, c.after, w.numbers, w.texts))
          )`

export const ofOp =
  (op: ChangeOp): Condition =>
  (bound) =>
    `c.op = ${bound.bind(opLetters[op], '"char"')}`

export const ofTransaction =
  (transaction: string): Condition =>
  (bound) =>
    `c.txid = ${bound.bind(transaction, 'bigint')}`

/** A message has the commit time of its transaction; clocks of the two records are not compared closer than this. */
const slackUs = 60_000_000

/**
 * Changes of transactions that say this about themselves. The messages of the window are read, which are fewer than its
 * changes.
 */
export const saidBy =
  (part: string): Condition =>
  (bound, { fromUs, untilUs }) => {
    const wanted = bound.bind(part, 'text')
    const last = (column: string) =>
      `(array_agg(a.${column} order by a.lsn desc) filter (where a.${column} is not null))[1]`
    return `(c.epoch, c.txid) in (
        select a.epoch, a.txid
        from tidemark.audit_message a
        where a.committed_at >= ${bound.bind(isoOfUs(fromUs - slackUs), 'timestamptz')}
          and a.committed_at < ${bound.bind(isoOfUs(untilUs + slackUs), 'timestamptz')}
        group by a.epoch, a.txid
        having ${['who', 'application', 'why'].map((column) => `position(lower(${wanted}) in lower(${last(column)})) > 0`).join('\n          or ')}
      )`
  }
