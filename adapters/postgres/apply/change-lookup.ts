import type { AppliedTable } from '#core/tables/table-register.ts'
import { image, typed } from './history-table.ts'
import { rowsTable, storedName } from './latest-state-statements.ts'

/** Up to where changes of a generation may be missing in history. */
export type HistoryGap = { readonly epoch: number; readonly lsn: string }

/** What has to be looked up in the row as stored; mostly nothing. */
export type Needs = {
  /** Whether a change was kept before. */
  readonly repeated: boolean
  /** Values that changes left as they were. */
  readonly lacking: boolean
  /** Rows that changes are about may be gone by a truncate: the change before has what they were. */
  readonly hasTruncated: boolean
  /** The image before a change: reading finds it in the change before, which may be missing up to here. */
  readonly gap: HistoryGap | undefined
  /**
   * Equal keys may be written differently, and then come on different topic partitions: reading cannot tell which change is
   * the one before, so each change keeps the row before it.
   */
  readonly scattered: boolean
}

export const keepsBefore = ({ gap, scattered }: Needs): boolean => gap !== undefined || scattered

/**
 * The changes as `looked`, with the row `after`; with `is_new` and the row before them where these are needed. Rows are
 * looked up one by one: the planner would read a small table whole in each batch.
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
 * The row after a change, with values of the row as stored where it left them as they were. Another topic partition may have
 * truncated the table since and taken the row: then the change before has them.
 */
const completed = (table: AppliedTable, sent: string, left: string): string => `case
      when i.lacks is null then ${sent}
      else (
        select array_agg(case when n = any (i.lacks::integer[]) then kept.image[n] else value end order by n)
        from unnest(${image(table, 'i', false)}) with ordinality as listed (value, n)
        cross join (select case when s."tidemark$live" then ${image(table, 's', true)} else ${left} end as image) kept
      )
    end`

/** The row that the change before left, as history has it. That may be missing up to the gap, which comes after so many parameters. */
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
 * Whether a change that may have been delivered before was not. One that is not behind the row as stored was. One that is
 * behind it need not be new: in a later generation, or once the row was taken away, the row begins anew with what comes
 * again. So history itself tells.
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

/** The row as stored where its last change may be missing in history: empty where there is none. The gap comes after so many parameters. */
const storedBefore = (table: AppliedTable, gapAt: number): string => `case
      when (s."tidemark$epoch", s."tidemark$phase", s."tidemark$lsn") > ($${gapAt + 1}::integer, 1, $${gapAt + 2}::bigint)
        then null
      else coalesce(case when s."tidemark$live" then ${image(table, 's', true)} end, '{}')
    end`

/** The row as stored. One that another topic partition has truncated away is left to reading, unless changes may be missing. */
const storedAlways = (table: AppliedTable, hasGap: boolean): string => `case
      when s."tidemark$live" then ${image(table, 's', true)}
      ${hasGap ? '' : 'when s."tidemark$lsn" is null then null'}
      else '{}'
    end`
