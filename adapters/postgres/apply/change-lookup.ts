// How does history find out whether it has a change already, and what the row was before it?

import type { AppliedTable } from '#core/tables/table-register.ts'
import { image, typed } from './history-table.ts'
import { rowsTable, storedName } from './latest-state-statements.ts'

/** The position up to which changes of a generation may be missing in history. */
export type HistoryGap = { readonly epoch: number; readonly lsn: string }

/** What a statement has to look up in the stored rows. Usually this is nothing. */
export type Needs = {
  /** Whether some change may have been stored before, by an earlier delivery. */
  readonly repeated: boolean
  /** Whether some change leaves out values, so that those of the stored row are needed. */
  readonly lacking: boolean
  /**
   * Whether a truncate may have removed stored rows, so that the values have to come from the change before, in
   * history.
   */
  readonly hasTruncated: boolean
  /**
   * Up to this gap the change before may be missing in history, so the image before a change is stored with it. Without
   * a gap, readers find that image in the change before.
   */
  readonly gap: HistoryGap | undefined
  /**
   * Whether equal keys may be written differently. Their records can be in different topic partitions, and a reader
   * cannot know which change was the one before, so each change is stored with the row before it.
   */
  readonly scattered: boolean
}

export const keepsBefore = ({ gap, scattered }: Needs): boolean => gap !== undefined || scattered

/**
 * The changes as `looked`, with the row `after`, and if they are needed with `is_new` and the row before. Each row is
 * looked up by its key, because a join lets the planner read a small table as a whole for each batch.
 */
export function lookedUp(table: AppliedTable, needs: Needs, sent: string, parameters: number): string {
  const { repeated, lacking, hasTruncated, gap, scattered } = needs
  const same = table.keyPlaces.map((place) => `stored.${storedName(table, place)} = ${typed(table, place)}`)
  const when = [
    ...(repeated ? ['i.known is null'] : []),
    ...(lacking ? ['i.lacks is not null'] : []),
    ...(keepsBefore(needs) ? [`${repeated ? '' : 'i.prior is null and '}i.op in ('u', 'd')`] : []),
  ]
  const columns = [
    'i.*',
    `${lacking ? completed(table, sent, hasTruncated ? imageLeft(table, gap && parameters) : 'null') : sent} as after`,
    ...(repeated ? [`${isNew(table)} as is_new`] : []),
    ...(keepsBefore(needs)
      ? [`${scattered ? storedAlways(table, gap !== undefined) : storedBefore(table, parameters)} as stored_before`]
      : []),
  ]
  return `looked as materialized (
  select ${columns.join(',\n    ')}
  from incoming i
  left join lateral (
    select *
    from ${rowsTable(table)} stored
    where (${when.join(' or ')})
      and ${same.join(' and ')}
    limit 1
  ) s on true
)`
}

/**
 * The row after a change, in which values that the change leaves out come from the stored row. If another topic
 * partition has truncated the table since, the stored row is gone, and they come from the change before, in history.
 */
const completed = (table: AppliedTable, sent: string, left: string): string => `case
      when i.lacks is null then ${sent}
      else (
        select array_agg(case when n = any (i.lacks::integer[]) then kept.image[n] else value end order by n)
        from unnest(${image(table, 'i', false)}) with ordinality as listed (value, n)
        cross join (select case when s."tidemark$live" then ${image(table, 's', true)} else ${left} end as image) kept
      )
    end`

/**
 * The row after the change before, as history has it. Up to the gap, that change may be missing. Epoch and lsn of the
 * gap are the two parameters after number `gapAt`.
 */
function imageLeft({ contract }: AppliedTable, gapAt: number | undefined): string {
  const { relation, generation, version } = contract
  const left = `tidemark.image_by_version(p.relation, p.epoch, p.version, ${version}, p.after)`
  const isKnown = `(p.epoch, p.lsn) > ($${(gapAt ?? 0) + 1}::integer, $${(gapAt ?? 0) + 2}::bigint)`
  return `(
          select ${gapAt === undefined ? left : `case when ${isKnown} then ${left} end`}
          from tidemark_rows.change p
          where p.key_hash = tidemark.key_hash(${relation}, i.key)
            and p.ordinal < i.ordinal
            and (p.relation, p.epoch, p.generation) = (${relation}, i.e, ${generation})
            and p.key = i.key
          order by p.ordinal desc
          limit 1)`
}

/**
 * Whether a change that may have been delivered before is new. A change that is not newer than the stored row is not
 * new. One that is newer may still be a repetition: in a later generation, and after the row was removed, the row is
 * written again from changes that are delivered again. So history itself is searched for it.
 */
const isNew = (table: AppliedTable): string => `coalesce(i.known,
      (s."tidemark$phase" = 1 and not i.moved and (s."tidemark$epoch", s."tidemark$lsn", s."tidemark$live") >= (i.e, i.l, i.op <> 'd')) is not true
      and not exists (
        select
        from tidemark_rows.change known
        where known.key_hash = tidemark.key_hash(${table.contract.relation}, i.key)
          and known.committed_at = to_timestamp(i.at / 1000)
          and (known.relation, known.epoch, known.lsn) = (${table.contract.relation}, i.e, i.l)
          and (known.op = 'd') = (i.op = 'd')
          and known.key = i.key
      ))`

/**
 * The stored row if its last change may be missing in history; an empty array if there is no row. Epoch and lsn of the
 * gap are the two parameters after number `gapAt`.
 */
const storedBefore = (table: AppliedTable, gapAt: number): string => `case
      when (s."tidemark$epoch", s."tidemark$phase", s."tidemark$lsn") > ($${gapAt + 1}::integer, 1, $${gapAt + 2}::bigint)
        then null
      else coalesce(case when s."tidemark$live" then ${image(table, 's', true)} end, '{}')
    end`

/**
 * The stored row, or an empty array if it is a delete marker. If there is no row, another topic partition may have
 * truncated it: the result is null, and readers use the change before, unless changes may be missing in history.
 */
const storedAlways = (table: AppliedTable, hasGap: boolean): string => `case
      when s."tidemark$live" then ${image(table, 's', true)}
      ${hasGap ? '' : 'when s."tidemark$lsn" is null then null'}
      else '{}'
    end`
