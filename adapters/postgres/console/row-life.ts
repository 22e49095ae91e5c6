/**
 * What is the life of a row? The changes of its key, newest first. A change of the key is kept as a delete with the old
 * key and an insert with the new one, which have one commit time and one lsn: there the life goes on under the other key.
 * A row is followed forward first, so that a former key shows the life that the row has now.
 */

import type pg from 'pg'
import { rowInArchive } from '#core/console/archive-sql.ts'
import type { RowLife, ShownChange } from '#core/console/changes.ts'
import type { KeyCells } from '#core/console/values.ts'
import { within } from './answer-size.ts'
import { ofKeys, readRelations, readWantedKeys, type WantedKey } from './change-conditions.ts'
import { searchFor } from './change-list.ts'
import {
  type Behind,
  type ChangePlace,
  formatBehind,
  formatPlace,
  isoOfUs,
  parseBehind,
  parsePlace,
} from './change-place.ts'
import { behindOf, type SearchBudget } from './change-search.ts'
import { walkBack } from './change-windows.ts'
import { readRetention, readRowNow } from './row-now.ts'
import { cellOf } from './shown-cells.ts'
import { describeChanges, IN_LISTS } from './shown-changes.ts'

/** Where the life of a row goes on: changes of these keys that are older than the place. */
export type LifeCursor = { readonly wanted: readonly WantedKey[]; readonly behind: Behind }

export const formatLifeCursor = ({ wanted, behind }: LifeCursor): string =>
  Buffer.from(JSON.stringify([wanted, formatBehind(behind)])).toString('base64url')

/** The cursor of a text; undefined if it is none. */
export function parseLifeCursor(text: string): LifeCursor | undefined {
  try {
    const [wanted, place] = JSON.parse(Buffer.from(text, 'base64url').toString()) as [WantedKey[], string]
    const behind = parseBehind(String(place))
    const isValid = Array.isArray(wanted) && wanted.length > 0 && wanted.every(isWantedKey)
    return isValid && behind !== undefined ? { wanted, behind } : undefined
  } catch {
    return undefined
  }
}

const isWantedKey = ({ epoch, relation, hash, op, key, numbers, texts }: WantedKey): boolean =>
  Number.isInteger(epoch) &&
  [relation, hash].every((digits) => typeof digits === 'string' && /^-?\d{1,19}$/.test(digits)) &&
  (op === null || op === 't') &&
  [key, texts].every((list) => list === null || (Array.isArray(list) && list.every(isTextOrNull))) &&
  (numbers === null || (Array.isArray(numbers) && numbers.every(Number.isInteger)))

const isTextOrNull = (value: unknown): boolean => value === null || typeof value === 'string'

/** A row may change its key so often within one page. */
const mostKeys = 20

/** The archive that has earlier changes, as queries name its table; null if there is none. */
export type ArchiveTable = string | null

/** Reads lives of rows, for a role that may read history. */
export function makeRowLife(database: pg.Pool, budget: SearchBudget, archive: ArchiveTable) {
  /** Errors of the database say which table or key is none. */
  return async (table: string, key: string, cursor: LifeCursor | undefined, limit: number): Promise<RowLife> => {
    const begin = cursor ?? { wanted: await newestKey(await readWantedKeys(database, table, key)), behind: undefined }
    const { places, behinds, next } = await readLife(begin.wanted, begin.behind, limit)
    const described = await describeChanges(database, places, IN_LISTS)
    const changes = within(described)
    const isCut = changes.length < described.length
    const { now, key: values } = await readRowNow(database, begin.wanted)
    const oldest = changes.at(-1)?.committedAt
    return {
      table,
      keys: keysOf(begin.wanted, changes),
      changes,
      next: isCut ? cutCursor(changes, behinds, next, begin.wanted) : next && formatLifeCursor(next),
      retention: (await readRetention(database, await readRelations(database, table))).retention,
      archiveSql: archive === null ? null : rowInArchive(archive, table, values, oldest),
      now,
    }
  }

  /** Follows a row whose key was changed to the key that it has now. */
  async function newestKey(wanted: readonly WantedKey[]): Promise<readonly WantedKey[]> {
    let current = wanted
    for (let hops = 0; hops < mostKeys; hops++) {
      const search = await searchFor(database, ofKeys(current.filter(({ op }) => op === null)), {}, undefined, 1)
      const [last] = (await walkBack(database, search, budget)).places
      const place = last === undefined ? undefined : parsePlace(last)
      if (place?.op !== 'd') return current
      const other = (await otherHalves([place])).get(formatPlace(place))
      if (other === undefined) return current
      current = moved(current, other)
    }
    return current
  }

  async function readLife(
    from: readonly WantedKey[],
    behindFirst: Behind | undefined,
    limit: number,
  ): Promise<{ places: string[]; behinds: Behind[]; next: LifeCursor | null }> {
    const places: string[] = []
    const behinds: Behind[] = []
    let [wanted, behind] = [from, behindFirst]
    for (let keys = 0; keys < mostKeys; keys++) {
      const search = await searchFor(database, ofKeys(wanted), {}, behind, limit + 1 - places.length)
      const found = await walkBack(database, search, { ...budget, budgetMs: Number.POSITIVE_INFINITY })
      const parsed = found.places.map((text) => parsePlace(text)!)
      const others = await otherHalves(parsed.filter(({ op }) => op === 'c'))
      const came = parsed.findIndex((place) => others.has(formatPlace(place)))
      const here = came === -1 ? parsed : parsed.slice(0, came + 1)
      const texts = here.map(formatPlace)
      places.push(...texts)
      behinds.push(...texts.map((text) => behindOf(text, found, search)))
      if (places.length > limit)
        return { places: places.slice(0, limit), behinds, next: { wanted, behind: behinds[limit - 1]! } }
      if (came === -1) return { places, behinds, next: null }
      const half = parsed[came]!
      behind = { before: half }
      wanted = moved(wanted, others.get(formatPlace(half))!)
    }
    return { places, behinds, next: behind === undefined ? null : { wanted, behind } }
  }

  /** By the place of one half of a key change: the key of the other half. Changes that are no such half have none. */
  async function otherHalves(halves: readonly ChangePlace[]): Promise<Map<string, OtherHalf>> {
    if (halves.length === 0) return new Map()
    const { rows } = await database.query<OtherHalf & { place: string }>(otherHalf, [
      halves.map(({ atUs }) => isoOfUs(atUs)),
      halves.map(({ epoch }) => epoch),
      halves.map(({ relation }) => relation),
      halves.map(({ lsn }) => lsn),
      halves.map(({ op }) => op),
      halves.map(({ keyHash }) => keyHash),
      halves.map(formatPlace),
    ])
    return new Map(rows.map(({ place, ...half }) => [place, half]))
  }
}

type OtherHalf = {
  readonly epoch: number
  readonly relation: string
  readonly hash: string
  readonly key: (string | null)[]
}

/** The commit time of a half is that of the other one, so that few blocks of its day are read. */
const otherHalf = `
select w.place, c.epoch, c.relation::text, c.key_hash::text as hash, c.key
from unnest($1::timestamptz[], $2::integer[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::text[])
  as w (committed_at, epoch, relation, lsn, op, key_hash, place)
cross join lateral (
  select o.*
  from tidemark_rows.change o
  where o.committed_at = w.committed_at
    and (o.epoch, o.relation, o.lsn) = (w.epoch, w.relation, w.lsn)
    and o.op = case w.op when 'c' then 'd' else 'c' end::"char"
    and o.key_hash <> w.key_hash
    and o.key is not null
  limit 1
) c`

/** The key of the other half, and the truncates of the table as before. */
const moved = (wanted: readonly WantedKey[], other: OtherHalf): WantedKey[] => [
  { ...other, op: null, numbers: null, texts: null },
  ...wanted.filter(({ op }) => op === 't'),
]

/** Behind the last change that fits, under the key that it has. Keys are the same text in each part of a life. */
function cutCursor(
  changes: readonly ShownChange[],
  behinds: readonly Behind[],
  next: LifeCursor | null,
  first: readonly WantedKey[],
): string {
  const last = parsePlace(changes.at(-1)!.id)!
  const { keyHash, epoch, relation } = last
  const known = [...first, ...(next?.wanted ?? [])].find(({ hash }) => hash === keyHash)
  const key = changes.at(-1)!.key?.map(({ cell }) => ('text' in cell ? cell.text : null)) ?? null
  const wanted = known ?? { epoch, relation, hash: keyHash, op: null, key, numbers: null, texts: null }
  return formatLifeCursor({
    wanted: [wanted, ...first.filter(({ op }) => op === 't')],
    behind: behinds[changes.length - 1]!,
  })
}

/** The keys that the row had in these changes, newest first. */
function keysOf(wanted: readonly WantedKey[], changes: readonly ShownChange[]): KeyCells[] {
  const keys = new Map<string, KeyCells>()
  for (const { key } of changes) if (key !== null) keys.set(JSON.stringify(key), key)
  if (keys.size > 0) return [...keys.values()]
  return wanted.flatMap(({ key }) =>
    key === null ? [] : [key.map((value, i) => ({ name: `${i + 1}`, cell: cellOf(value, 2_000) }))],
  )
}
