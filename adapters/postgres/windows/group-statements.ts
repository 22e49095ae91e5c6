import pg from 'pg'
import type { Statement } from '../session/statement.ts'
import type { DirtyGroups } from './image-statement.ts'
import type { LiveDefinition } from './live-definitions.ts'
import {
  also,
  binOf,
  cached,
  counts,
  differ,
  dirtyColumns,
  groupNames,
  groupsTable,
  imageTable,
  interval,
  lastWindow,
  lockedGroups,
  momentOf,
  name,
  resultNames,
  storedName,
} from './window-columns.ts'

/** The groups of a part of the image, in the order of its index, which are locked as those of changed rows are. */
export function groupsRangeStatement(
  live: LiveDefinition,
  after: readonly string[] | undefined,
  size: number,
): Statement {
  const groups = groupNames(live)
  const { window } = live.definition
  const start = `${binOf(live, 'i.event_time')} - s.n * ${interval(window.slideMicros)}`
  return {
    text: `with part as materialized (
  select *
  from ${imageTable(live)}
  where event_time is not null${after === undefined ? '' : ' and (g_hash, event_time) > ($2::bigint, $3::timestamp)'}
  order by g_hash, event_time
  fetch first $1 rows with ties
),
dirty as materialized (
  select distinct ${start} as window_start, i.g_hash${also(groups.map((column) => `i.${column}`))}
  from part i
  cross join generate_series(0, ${lastWindow(window)}) as s (n)
  where ${start} + ${interval(window.sizeMicros)} > i.event_time
    and ${counts(live, start, 'i.')}
),
${lockedGroups(live)}
select (select array[g_hash::text, event_time::text] from part order by g_hash desc, event_time desc limit 1) as until,
  (select count(*) from part) as rows,
  ${dirtyColumns(live)}
from dirty d`,
    values: [size, ...(after ?? [])],
  }
}

/**
 * Computes groups again from the image. It is a statement of its own, after the one that locked the groups, so that it
 * sees what other transactions have committed meanwhile.
 */
export function groupsStatement(live: LiveDefinition, { starts, hashes, keys }: DirtyGroups): Statement {
  const text = cached(live, `groups ${live.stage}`, () => groupsText(live))
  return { text, values: [starts, hashes, ...keys] }
}

function groupsText(live: LiveDefinition): string {
  const { definition, plan } = live
  const groups = groupNames(live)
  const results = resultNames(live)
  const size = interval(definition.window.sizeMicros)
  const columns = ['window_start', 'g_hash', ...groups]
  const types = plan.keyTypes.map((type, i) => `u.g${i + 1}::${type} as g${i + 1}`)
  const same = (a: string, b: string) =>
    [`${a}.g_hash = ${b}.g_hash`, ...groups.map((column) => `${a}.${column} is not distinct from ${b}.${column}`)].join(
      ' and ',
    )
  const values = [...results, 'rows', 'late_rows', 'visible']
  const isEmittedOnce = definition.emit === 'on close'
  const publishes = definition.publish !== undefined && !isEmittedOnce && live.stage === 'shown'
  const groupBy = definition.keys.map(({ sql }) => `(${sql})`).join(', ')
  return `with dirty as materialized (
  select u.window_start, u.g_hash${also(types)}
  from unnest(${['$1::timestamp[]', '$2::bigint[]', ...groups.map((_, i) => `$${i + 3}::text[]`)].join(', ')}) as u (${columns.join(', ')})
),
todo as materialized (
  select ${columns.map((column) => `d.${column}`).join(', ')}${also(values.map((column) => `a.${column}`))}, g.ctid as place, g.visible as was_visible
  from dirty d
  join ${groupsTable(live)} g on g.window_start = d.window_start and ${same('g', 'd')}
  left join lateral (
    select ${[
      ...definition.aggregates.map(({ sql }, i) => `(${sql}) as r${i + 1}`),
      'count(*) as rows',
      'count(*) filter (where "tidemark$late") as late_rows',
      `coalesce((${definition.having ?? 'true'}), false) as visible`,
    ].join(', ')}
    from (
      select ${[
        ...plan.columns.map((column) => `i.${storedName(column)} as ${name(column.name)}`),
        `i.late_from >= d.window_start + ${size} as "tidemark$late"`,
      ].join(', ')}
      from ${imageTable(live)} i
      where ${same('i', 'd')}
        and i.event_time >= d.window_start
        and i.event_time < d.window_start + ${size}
        and ${counts(live, 'd.window_start', 'i.')}
    ) as ${name(definition.source.table)}
    ${groupBy === '' ? 'having count(*) > 0' : `group by ${groupBy}`}
  ) a on true
  where ${isEmittedOnce ? 'g.emitted_at is null and ' : ''}(a.rows is null or ${differ(`row(${values.map((column) => `g.${column}`).join(', ')})`, `row(${values.map((column) => `a.${column}`).join(', ')})`)})
),
removed as (
  delete from ${groupsTable(live)} g using todo t where g.ctid = t.place and t.rows is null
),
changed as (
  update ${groupsTable(live)} g
  set ${values.map((column) => `${column} = t.${column}`).join(', ')}
  from todo t
  where g.ctid = t.place
    and t.rows is not null
)${publishes ? `,\npublished as (${outboxOf(live, 'todo', 'g.visible or g.was_visible', 'g.visible')})` : ''}
select count(*) as changed${live.stage === 'shown' && !isEmittedOnce ? `, case when count(*) > 0 then pg_notify('tidemark_windows', ${pg.escapeLiteral(definition.name)})::text end as notified` : ''}
from todo t
where t.visible
  or t.was_visible`
}

/** Puts groups of a query `g` into the outbox: their value, or a tombstone where they are not in the result any more. */
function outboxOf({ definition, plan }: LiveDefinition, from: string, where: string, isShown: string): string {
  return `
  insert into tidemark.window_outbox (definition, topic, record_key, record_value)
  select ${pg.escapeLiteral(definition.name)}, ${pg.escapeLiteral(definition.publish!)}, ${plan.recordKey}, case when ${isShown} then ${plan.recordValue} end
  from ${from} g
  where ${where}
`
}

/** Emits the windows that a watermark has closed. The caller holds the definition alone, so that no row is being counted. */
export function emitStatement(live: LiveDefinition, watermark: bigint): Statement {
  const { definition } = live
  const { sizeMicros } = definition.window
  const returned = ['window_start', 'g_hash', ...groupNames(live), ...resultNames(live), 'late_rows', 'visible'].map(
    (column) => `g.${column}`,
  )
  const publishes = definition.publish !== undefined && live.stage === 'shown'
  return {
    text: `with emitted as (
  update ${groupsTable(live)} g
  set emitted_at = clock_timestamp()
  where g.emitted_at is null
    and g.window_start <= ${momentOf('$2::bigint')} - ${interval(sizeMicros + definition.allowedLatenessMicros)}
  returning ${returned.join(', ')}
),
noted as (
  update tidemark.window_definition d
  set emitted_until = greatest(d.emitted_until, ${momentOf('$2::bigint')})
  where d.id = $1::bigint
)${publishes ? `,\npublished as (${outboxOf(live, 'emitted', 'g.visible', 'true')})` : ''}
select count(*) as changed, case when count(*) > 0 then pg_notify('tidemark_windows', ${pg.escapeLiteral(definition.name)})::text end as notified
from emitted e
where e.visible`,
    values: [live.id, `${watermark}`],
  }
}
