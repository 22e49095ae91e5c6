// Which changes are there? Lists of changes by a filter, one change, and the changes of a transaction.

import type pg from 'pg'
import type { FiledChange } from '#core/console/change-file.ts'
import type { ChangeFilter, ChangePage, ShownChange, TransactionChanges } from '#core/console/changes.ts'
import { within } from './answer-size.ts'
import { BoundValues } from './bound-values.ts'
import {
  everything,
  ofKeys,
  ofOp,
  ofRelations,
  ofTransaction,
  readRelations,
  readWantedKeys,
  saidBy,
  type Wanted,
} from './change-conditions.ts'
import {
  type Behind,
  type ChangePlace,
  formatBehind,
  isoOfUs,
  parseBehind,
  placeRow,
  placeText,
  usOfIso,
} from './change-place.ts'
import {
  behindOf,
  type ChangeSearch,
  placeBound,
  type SearchBudget,
  type SearchEnd,
  type TimeWindow,
} from './change-search.ts'
import { walkBack } from './change-windows.ts'
import { describeChanges, exportChanges, IN_LISTS, WHOLE } from './shown-changes.ts'

/** Where a list goes on: behind a change, or before a time up to which the search has come. */
export type ChangeCursor = Behind | { readonly untilUs: number; readonly spanUs: number }

/** The cursor of a text; undefined if it is none. */
export function parseCursor(text: string): ChangeCursor | undefined {
  const [, until, span] = /^t(-?\d{1,15}|-?[12]\d{15})\.([1-9]\d{0,15})$/.exec(text) ?? []
  if (span !== undefined) return { untilUs: Number(until), spanUs: Number(span) }
  return parseBehind(text)
}

/** The days of which there is history, and the newest commit that was applied: where searches begin and end. */
export async function readKnownTimes(database: pg.Pool | pg.ClientBase): Promise<TimeWindow & { newestUs: number }> {
  const { rows } = await database.query<{ from: string | null; until: string | null; newest: string | null }>(
    `select (extract(epoch from min(d.day)) * 1000000)::bigint as "from",
       (extract(epoch from max(d.day) + 1) * 1000000)::bigint as "until",
       (select (extract(epoch from max(p.committed_at)) * 1000000)::bigint from tidemark.progress p) as newest
     from tidemark.change_days() d`,
  )
  const { from, until, newest } = rows[0]!
  const untilUs = Number(until ?? 0)
  return { fromUs: Number(from ?? 0), untilUs, newestUs: newest === null ? untilUs : Number(newest) }
}

/** What a filter wants. Undefined if no captured table has or had the name. Errors of the database say what is no key. */
export async function wantedBy(database: pg.Pool | pg.ClientBase, filter: ChangeFilter): Promise<Wanted | undefined> {
  const ofTable = filter.table === undefined ? everything : await wantedOfTable(database, filter.table, filter.key)
  if (ofTable === undefined) return undefined
  const conditions = [
    ...ofTable.conditions,
    ...(filter.op === undefined ? [] : [ofOp(filter.op)]),
    ...(filter.transaction === undefined ? [] : [ofTransaction(filter.transaction)]),
    ...(filter.who === undefined || filter.who === '' ? [] : [saidBy(filter.who)]),
  ]
  return { ...ofTable, conditions }
}

async function wantedOfTable(
  database: pg.Pool | pg.ClientBase,
  table: string,
  key: string | undefined,
): Promise<Wanted | undefined> {
  const relations = await readRelations(database, table)
  if (relations.length === 0) return undefined
  return key === undefined ? ofRelations(relations) : ofKeys(await readWantedKeys(database, table, key))
}

/** The search for what is wanted, behind a cursor. */
export async function searchFor(
  database: pg.Pool | pg.ClientBase,
  wanted: Wanted,
  filter: Pick<ChangeFilter, 'since' | 'until'>,
  cursor: ChangeCursor | undefined,
  limit: number,
): Promise<ChangeSearch> {
  const known = await readKnownTimes(database)
  const since = filter.since === undefined ? undefined : usOfIso(filter.since)
  const until = filter.until === undefined ? undefined : usOfIso(filter.until)
  const reached = cursor !== undefined && 'untilUs' in cursor ? cursor.untilUs : known.untilUs
  return {
    ...wanted,
    fromUs: Math.max(known.fromUs, since ?? known.fromUs),
    untilUs: Math.min(known.untilUs, reached, until ?? known.untilUs),
    newestUs: known.newestUs,
    before: beforeOf(cursor),
    ...(cursor !== undefined && 'inside' in cursor && { inside: cursor.inside }),
    limit,
    ...(cursor !== undefined && 'spanUs' in cursor && { firstSpanUs: cursor.spanUs }),
  }
}

function beforeOf(cursor: ChangeCursor | undefined): ChangePlace | undefined {
  if (cursor === undefined) return undefined
  return 'inside' in cursor ? cursor.inside.before : 'before' in cursor ? cursor.before : undefined
}

/** Reads lists of changes, for a role that may read history. */
export function makeChangeList(database: pg.Pool, budget: SearchBudget) {
  return {
    /** Undefined if no captured table has or had the name. */
    async list(filter: ChangeFilter, cursor: ChangeCursor | undefined, limit: number): Promise<ChangePage | undefined> {
      const wanted = await wantedBy(database, filter)
      if (wanted === undefined) return undefined
      const search = await searchFor(database, wanted, filter, cursor, limit + 1)
      const found = await walkBack(database, search, budget)
      const { places, searched } = found
      const changes = await describeChanges(database, places.slice(0, limit), IN_LISTS)
      const items = within(changes)
      const isWhole = places.length <= limit && items.length === changes.length
      const last = items.at(-1)?.id ?? places.at(limit - 1)
      const searchedUntil = searched === null || !isWhole ? null : isoOfUs(searched.untilUs)
      return {
        items,
        searchedUntil,
        next: isWhole ? reachedAs(searched) : formatBehind(behindOf(last!, found, search)),
      }
    },

    /** One change with all its columns; undefined if history does not have it. */
    async one(place: ChangePlace, id: string): Promise<ShownChange | undefined> {
      return (await describeChanges(database, [id], WHOLE)).find((change) => change.committedAt === isoOfUs(place.atUs))
    },

    /** The changes of a transaction in their order; undefined if history has none of it at this commit time. */
    async transaction(
      { epoch, transaction, at }: { epoch: number; transaction: string; at: string },
      after: ChangePlace | undefined,
      limit: number,
    ): Promise<TransactionChanges | undefined> {
      const places = await readTransaction(database, { epoch, transaction, at }, after, limit + 1)
      const changes = await describeChanges(database, places.slice(0, limit), IN_LISTS)
      const items = within(changes)
      const [first] = items
      if (first === undefined) return undefined
      const { committedAt, who, application, why } = first
      const isWhole = places.length <= limit && items.length === changes.length
      return {
        epoch,
        transaction,
        committedAt,
        who,
        application,
        why,
        changes: items,
        next: isWhole ? null : items.at(-1)!.id,
      }
    },

    /** The next changes of an export, and where it goes on. Undefined if no captured table has or had the name. */
    async exported(
      filter: ChangeFilter,
      cursor: ChangeCursor | undefined,
      limit: number,
    ): Promise<{ changes: FiledChange[]; next: string | null } | undefined> {
      const wanted = await wantedBy(database, filter)
      if (wanted === undefined) return undefined
      const search = await searchFor(database, wanted, filter, cursor, limit)
      const found = await walkBack(database, search, budget)
      const { places, searched } = found
      const next = places.length < limit ? reachedAs(searched) : formatBehind(behindOf(places.at(-1)!, found, search))
      return { changes: await exportChanges(database, places), next }
    },
  }
}

function reachedAs(end: SearchEnd | null): string | null {
  if (end === null) return null
  return 'inside' in end ? formatBehind(end) : `t${end.untilUs}.${end.spanUs}`
}

/** All changes of a transaction have its commit time, by which few blocks of history are read. */
async function readTransaction(
  database: pg.Pool,
  { epoch, transaction, at }: { epoch: number; transaction: string; at: string },
  after: ChangePlace | undefined,
  limit: number,
): Promise<string[]> {
  const bound = new BoundValues()
  const ascending = ['committed_at', 'lsn', '', 'ordinal', 'relation', 'key_hash']
    .map((column) => (column === '' ? `(c.op <> 'd')` : `c.${column}`))
    .join(', ')
  const conditions = [
    `c.committed_at = ${bound.bind(at, 'timestamptz')}`,
    `c.epoch = ${bound.bind(epoch, 'integer')}`,
    `c.txid = ${bound.bind(transaction, 'bigint')}`,
    ...(after === undefined ? [] : [`${placeRow('c')} > ${placeBound(bound, after)}`]),
  ]
  const { rows } = await database.query<{ place: string }>(
    `select ${placeText('c')} as place
     from tidemark_rows.change c
     where ${conditions.join('\n       and ')}
     order by ${ascending}
     limit ${bound.bind(limit, 'bigint')}`,
    bound.values,
  )
  return rows.map(({ place }) => place)
}
