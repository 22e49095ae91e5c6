/**
 * Which changes were applied since the answer before? Topic partitions are applied in transactions of their own, which
 * commit out of the order of the source's commits, so that no time separates what was shown from what was not. What
 * does is the snapshot of the target: a change is answered if the transaction that stored it was not visible to the
 * snapshot of the answer before and is visible to this one. So each change is in exactly one answer.
 *
 * Postgres has no index of that. Where to look follows from each topic partition by itself: it applies in the order of
 * commits, so that what comes next was not committed before what it had applied. The cursor has this time of each topic
 * partition with its offset, and only those that have moved since are looked through, each from its time on. Changes
 * that come late by more than that are those of a table that was stopped and is applied again; such tables are in the
 * cursor, and once one is not stopped any more all its changes are looked through once.
 */

import type pg from 'pg'
import type { ChangeTail } from '#core/console/changes.ts'
import { CONSUMERS } from '#core/fixed-names.ts'
import { within } from './answer-size.ts'
import { BoundValues } from './bound-values.ts'
import { everything } from './change-conditions.ts'
import { searchFor } from './change-list.ts'
import { isoOfUs, newestFirst, placeText } from './change-place.ts'
import type { SearchBudget } from './change-search.ts'
import { walkBack } from './change-windows.ts'
import { describeChanges, IN_LISTS } from './shown-changes.ts'

/** How far the target was when an answer was made. */
export type TailCursor = {
  /** The snapshot, as pg_current_snapshot writes it. */
  readonly snapshot: string
  /** Of each topic partition: the next offset, and the time before which nothing further was committed; null: unknown. */
  readonly reached: Readonly<Record<string, readonly [nextOffset: number, sinceUs: number | null]>>
  /** The relations whose changes are in quarantine, to be applied later. */
  readonly stopped: readonly string[]
}

/** `held`: the stopped tables of which nothing is applied yet. */
type Reached = TailCursor & { readonly held: readonly string[] }

const snapshotText = /^\d{1,20}:\d{1,20}:(\d{1,20}(,\d{1,20})*)?$/

export const formatTailCursor = ({ snapshot, reached, stopped }: TailCursor): string =>
  Buffer.from(JSON.stringify([snapshot, reached, stopped])).toString('base64url')

/** The cursor of a text; undefined if it is none. */
export function parseTailCursor(text: string): TailCursor | undefined {
  try {
    const [snapshot, reached, stopped] = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown[]
    const isValid =
      typeof snapshot === 'string' &&
      snapshotText.test(snapshot) &&
      typeof reached === 'object' &&
      reached !== null &&
      Object.values(reached).every(isReached) &&
      Array.isArray(stopped) &&
      stopped.every((relation) => typeof relation === 'string' && /^\d{1,18}$/.test(relation))
    return isValid ? { snapshot, reached: reached as TailCursor['reached'], stopped } : undefined
  } catch {
    return undefined
  }
}

const isReached = (entry: unknown): boolean =>
  Array.isArray(entry) && Number.isSafeInteger(entry[0]) && (entry[1] === null || Number.isSafeInteger(entry[1]))

/** Commits take their time before they take their place in the log, and clocks of two servers differ. */
const slackUs = 10_000_000
/** Behind more records than this the newest are found by walking back, and how many were left out is counted by offsets. */
const mostBehind = 50_000

/** Reads what was applied since a cursor, or, without one, the newest changes. */
export function makeChangeTail(database: pg.Pool, budget: SearchBudget) {
  return async (cursor: TailCursor | undefined, limit: number): Promise<ChangeTail> => {
    const client = await database.connect()
    let broken: Error | undefined
    try {
      // The snapshot of the answer has to be that of all its statements.
      await client.query('begin isolation level repeatable read read only')
      const now = await readCursor(client)
      const { places, total } = await newPlaces(client, cursor, now, limit, budget)
      const newest = await describeChanges(client, places, IN_LISTS)
      await client.query('commit')
      const items = within(newest)
      const skipped = cursor === undefined ? 0 : Math.max(0, total - items.length)
      return { items: items.toReversed(), cursor: formatTailCursor(now), skipped }
    } catch (error) {
      broken = await rollBack(client)
      throw error
    } finally {
      client.release(broken)
    }
  }
}

async function rollBack(client: pg.PoolClient): Promise<Error | undefined> {
  try {
    await client.query('rollback')
    return undefined
  } catch (error) {
    return error as Error
  }
}

async function readCursor(client: pg.ClientBase): Promise<Reached> {
  const { rows } = await client.query<{
    snapshot: string
    reached: Record<string, [number, number | null]> | null
    stopped: string[]
    held: string[]
  }>(
    // A clock that was set back lets later commits have earlier times; the fence of the topic partition says by how much.
    `select pg_current_snapshot()::text as snapshot,
       (
         select jsonb_object_agg(p.topic_partition, jsonb_build_array(p.next_offset,
           (extract(epoch from greatest(p.committed_at, p.beacon_at)) * 1000000
             - coalesce((p.fence ->> 'backMs')::float8, 0)::numeric * 1000)::bigint - $2::bigint))
         from tidemark.progress p
         where p.consumer = $1
           and p.topic = 'changes'
       ) as reached,
       array(select s.relation::text from tidemark.stopped_table s where s.relation <> 0 order by 1) as stopped,
       array(
         select s.relation::text
         from tidemark.stopped_table s
         where s.relation <> 0 and s.accepted_at is null
       ) as held`,
    [CONSUMERS.latestState, slackUs],
  )
  const { reached, ...rest } = rows[0]!
  return { ...rest, reached: reached ?? {} }
}

type NewPlaces = { readonly places: string[]; readonly total: number }

async function newPlaces(
  client: pg.ClientBase,
  cursor: TailCursor | undefined,
  now: Reached,
  limit: number,
  budget: SearchBudget,
): Promise<NewPlaces> {
  if (cursor === undefined) {
    const { places } = await walkBack(client, await searchFor(client, everything, {}, undefined, limit), budget)
    return { places, total: places.length }
  }
  const moved = Object.entries(now.reached).filter(([name, [next]]) => next !== cursor.reached[name]?.[0])
  const resumed = cursor.stopped.filter((relation) => !now.held.includes(relation))
  if (moved.length === 0 && resumed.length === 0) return { places: [], total: 0 }
  const sinceUs = moved.reduce((least, [name]) => Math.min(least, cursor.reached[name]?.[1] ?? -Infinity), Infinity)
  const behind = moved.reduce((sum, [name, [next]]) => sum + Math.abs(next - (cursor.reached[name]?.[0] ?? 0)), 0)
  if (behind > mostBehind && resumed.length === 0)
    return await newestOf(client, { cursor, now, sinceUs, limit }, behind, budget)
  return await allSince(client, { cursor, now, sinceUs, limit }, resumed)
}

/** SQL that a change `c` was not visible to a snapshot. A row has the low half of the number of its transaction. */
function isUnseen(bound: BoundValues, { snapshot }: TailCursor, now: TailCursor): string {
  const next = BigInt(now.snapshot.split(':')[1]!)
  const low = next & 0xffff_ffffn
  const high = bound.bind(`${next - low}`, 'bigint')
  const xmin = 'c.xmin::text::bigint'
  return `not pg_visible_in_snapshot(
    greatest(${xmin} + ${high} - case when ${xmin} > ${bound.bind(`${low}`, 'bigint')} then 4294967296 else 0 end, 3)::text::xid8,
    ${bound.bind(snapshot, 'pg_snapshot')})`
}

/** What the cursor has not seen, from a commit time on. */
type Unseen = { readonly cursor: TailCursor; readonly now: Reached; readonly sinceUs: number; readonly limit: number }

async function newestOf(
  client: pg.ClientBase,
  { cursor, now, sinceUs, limit }: Unseen,
  behind: number,
  budget: SearchBudget,
): Promise<NewPlaces> {
  const unseen = { ...everything, conditions: [(bound: BoundValues) => isUnseen(bound, cursor, now)] }
  const search = await searchFor(client, unseen, {}, undefined, limit)
  const { places } = await walkBack(client, { ...search, fromUs: Math.max(search.fromUs, sinceUs) }, budget)
  return { places, total: Math.max(behind, places.length) }
}

async function allSince(
  client: pg.ClientBase,
  { cursor, now, sinceUs, limit }: Unseen,
  resumed: readonly string[],
): Promise<NewPlaces> {
  const bound = new BoundValues()
  const late = resumed.length === 0 ? '' : ` or c.relation = any (${bound.bind(resumed, 'bigint[]')})`
  const { rows } = await client.query<{ place: string; total: number }>(
    `select ${placeText('c')} as place, c.total
     from (
       select c.committed_at, c.epoch, c.lsn, c.op, c.ordinal, c.relation, c.key_hash, (count(*) over ())::float8 as total
       from tidemark_rows.change c
       where (c.committed_at >= ${bound.bind(timeOf(sinceUs), 'timestamptz')}${late})
         and ${isUnseen(bound, cursor, now)}
       order by ${newestFirst('c')}
       limit ${bound.bind(limit, 'bigint')}
     ) c
     order by ${newestFirst('c')}`,
    bound.values,
  )
  return { places: rows.map(({ place }) => place), total: rows[0]?.total ?? 0 }
}

const timeOf = (us: number): string => (Number.isFinite(us) ? isoOfUs(us) : us > 0 ? 'infinity' : '-infinity')
