import type { LiveDefinition } from './live-definitions.ts'
import {
  also,
  binOf,
  counts,
  differ,
  dirtyColumns,
  groupNames,
  imageTable,
  interval,
  isKeyless,
  keyNames,
  lastWindow,
  lockedGroups,
  momentOf,
  name,
  setsAside,
  storedName,
  usedNames,
} from './window-columns.ts'

/** Groups to compute again, as array literals: null, if there are none. */
export type DirtyGroups = {
  readonly starts: string | null
  readonly hashes: string | null
  readonly keys: readonly (string | null)[]
}

/** The answer of a statement that changes the image. */
export type ImageChange = DirtyGroups & {
  /** How many rows differ, and how many of these were written: fewer, if another transaction has written one meanwhile. */
  readonly changed: string
  readonly written: string
  /** The stage of the definition, and what it has emitted, once the definition was locked. */
  readonly stage: LiveDefinition['stage']
  readonly emitted: string | null
}

/**
 * Whether another transaction has come in between: it has written a row of the image, or it had the definition alone, has
 * moved it on to another stage or has emitted windows, after this transaction had read the definition.
 */
export function isDisturbed({ stage, emittedUntil }: LiveDefinition, change: ImageChange): boolean {
  const emitted = change.emitted === null ? undefined : BigInt(change.emitted)
  return change.changed !== change.written || change.stage !== stage || emitted !== emittedUntil
}

/** Where the present rows, the image and the time of the records come from. */
export type Sources = {
  readonly from: string
  /** Which of these are looked at. */
  readonly where: string
  readonly isLive: string
  /** The columns of the key of the image, in its order. */
  readonly key: readonly string[]
  /** Expressions of the epoch, the phase and the lsn of the present row; a keyless row has none. */
  readonly position: readonly [string, string, string]
  /** Whether the row has come by a record that says when; otherwise a snapshot or a reconciliation has met it. */
  readonly isOfRecord: string
  readonly watermark: string
  readonly committedAt: string
}

/**
 * The statement that makes the image of some rows equal to what they are now. The image of a row is what the definition
 * uses of it, so that the groups which it leaves are known without an image before the change on the wire. A row of the
 * image is written only if it is still the version that was read: if another transaction has changed it, its xmin differs.
 */
export function imageStatement(
  live: LiveDefinition,
  given: string | undefined,
  sources: Sources,
  parameters: number,
): string {
  const { definition, plan } = live
  const image = imageTable(live)
  const groups = groupNames(live)
  const used = usedNames(live)
  const keys = isKeyless(live) ? ['image', 'n'] : keyNames(live)
  const content = ['event_time', ...groups, ...used]
  const time = ['late_from', 'excluded_until', 'standing']
  const data = [...content, ...time, 'epoch', 'phase', 'lsn', 'g_hash']
  const hash = (of: readonly string[]) =>
    of.length === 0 ? '0::bigint' : `hash_record_extended(row(${of.join(', ')}), 0)`
  // What was emitted is final, so whatever comes behind it is late.
  const emittedUntil = definition.emit === 'on close' ? momentOf(`$${parameters + 1}::bigint`) : undefined
  const writes = writesOf(live)
  return `with ${given === undefined ? '' : `${given},\n`}changes as materialized (
  select *, ${standing(live)} as standing
  from (
    select *,
      case when is_kept then old_late_from when judged_at > event_time then least(judged_at, ${closeOf(live)}) end as late_from,
      ${excluded(live)} as excluded_until
    from (
      select ${sources.key.map((key, i) => `${key} as ${keys[i]}`).join(', ')},
        i.place, i.version, ${[...content, ...time, 'epoch', 'phase', 'lsn', 'g_hash'].map((column) => `i.${column} as old_${column}`).join(', ')},
        p.is_there, p.event_time${also([...groups, ...used].map((column) => `p.${column}`))}, ${hash(groups.map((column) => `p.${column}`))} as g_hash,
        ${sources.position[0]} as epoch, ${sources.position[1]} as phase, ${sources.position[2]} as lsn,
        i.place is not null and p.is_there and i.event_time is not distinct from p.event_time as is_same_time,
        not (${sources.isOfRecord}) and i.place is not null and p.is_there and i.event_time is not distinct from p.event_time as is_kept,
        ${emittedUntil === undefined ? judgedAt(sources) : `greatest(${judgedAt(sources)}, ${emittedUntil})`} as judged_at,
        ${sources.committedAt} as committed_at${setsAside(live) ? `, ${sources.isOfRecord === 'false' ? 'null::timestamp as entered_at, false as moved' : `case when ${sources.isOfRecord} then g.entered_at end as entered_at, g.moved`}` : ''}
      from ${sources.from}
      left join lateral (
        select true as is_there, ${eventTime(live)} as event_time${also(definition.keys.map(({ sql }, i) => `(${sql}) as g${i + 1}`))}${also(plan.columns.map((column) => `${name(column.name)} as ${storedName(column)}`))}
        from (
          select ${[...plan.columns.map((column) => `r.${storedName(column)} as ${name(column.name)}`)].join(', ')}
        ) as ${name(definition.source.table)}
        where ${sources.isLive}${definition.where === undefined ? '' : ` and (${definition.where})`}
      ) p on true
      where ${sources.where}
        and (i.place is not null or p.is_there)
    ) as met
  ) as judged
),
removed as (
  delete from ${image} i using changes c where i.ctid = c.place and i.xmin = c.version and c.is_there is null returning 1
),
updated as (
  update ${image} i
  set ${data.map((column) => `${column} = c.${column}`).join(', ')}
  from changes c
  where i.ctid = c.place
    and i.xmin = c.version
    and c.is_there
    and ${differs(live, 'c', true)}
  returning 1
),
inserted as (
  insert into ${image} (${[...keys, ...data].join(', ')})
  select ${[...keys, ...data].map((column) => `c.${column}`).join(', ')}
  from changes c
  where c.place is null
  returning 1
)${writes === 'image' ? '' : `,\n${dirtyGroups(live)}`}
select (select count(*) from changes c where c.place is null or c.is_there is null or ${differs(live, 'c', true)}) as changed,
  (select count(*) from removed) + (select count(*) from updated) + (select count(*) from inserted) as written,
  (select case when w.was_shown then 'shown' else w.phase end from tidemark.window_definition w where w.id = ${live.id}) as stage,
  (select (extract(epoch from w.emitted_until) * 1000000)::bigint::text from tidemark.window_definition w where w.id = ${live.id}) as emitted,
  ${
    writes === 'image'
      ? 'null as starts, null as hashes, null as keys'
      : `${dirtyColumns(live)}
from dirty d`
  }`
}

/** A definition that is not shown gets its image first, so that each group is computed only once. */
const writesOf = ({ stage }: LiveDefinition): 'image' | 'image and groups' =>
  stage === 'rows' ? 'image' : 'image and groups'

/** Reading a row again does not make it late. Only a record that says when the row came does. */
const judgedAt = ({ isOfRecord, watermark }: Sources): string =>
  isOfRecord === 'false' ? watermark : `case when ${isOfRecord} then ${watermark} end`

/** When the newest window closes that has the event time of a row. */
const closeOf = (live: LiveDefinition): string => {
  const { window, allowedLatenessMicros } = live.definition
  return `${binOf(live, 'event_time')} + ${interval(window.sizeMicros + allowedLatenessMicros)}`
}

/** Whether a row is counted, late, ahead of its commit, or has no time. */
function standing(live: LiveDefinition): string {
  const { definition } = live
  const late = setsAside(live) ? 'excluded_until' : 'late_from'
  const { futureAfterMicros } = definition
  const close = closeOf(live)
  const ahead =
    futureAfterMicros === undefined
      ? ''
      : `
    when is_kept then case when old_standing = 'future' then 'future' when ${late} >= ${close} then 'late' else 'counted' end
    when event_time > committed_at + ${interval(futureAfterMicros)} then 'future'`
  return `case
    when event_time is null then 'no time'${ahead}
    when ${late} >= ${close} then 'late'
    else 'counted'
  end`
}

/** Until when windows that end do not count the row. A correction of a row that its window counts is no late row. */
function excluded(live: LiveDefinition): string {
  const { definition } = live
  const judged = (at: string) => `case when ${at} > event_time then least(${at}, ${closeOf(live)}) end`
  if (definition.emit === 'on close') return `case when is_kept then old_excluded_until else ${judged('judged_at')} end`
  if (!setsAside(live)) return 'null::timestamp'
  return `case
        when not moved and place is not null and old_standing <> 'future' and ${binOf(live, 'old_event_time')} = ${binOf(live, 'event_time')} then old_excluded_until
        else ${judged('entered_at')}
      end`
}

/** Whether the image changes; with the position, whether it has to be written. */
function differs(live: LiveDefinition, alias: string, withPosition: boolean): string {
  const compared = ['event_time', ...groupNames(live), ...usedNames(live), 'late_from', 'excluded_until', 'standing']
  if (withPosition) compared.push('epoch', 'phase', 'lsn')
  const row = (prefix: string) => `row(${compared.map((column) => `${alias}.${prefix}${column}`).join(', ')})`
  return differ(row('old_'), row(''))
}

function eventTime({ plan, definition }: LiveDefinition): string {
  const column = name(definition.eventTime)
  const moment = plan.event.type.endsWith('with time zone') ? `${column} at time zone 'UTC'` : `${column}::timestamp`
  return `case when isfinite(${column}) then ${moment} end`
}

/** The groups that a changed row has left or entered, which are locked. */
function dirtyGroups(live: LiveDefinition): string {
  const groups = groupNames(live)
  const { window } = live.definition
  const { sizeMicros, slideMicros } = window
  const windowsOf = (prefix: string): string => {
    const event = `c.${prefix}event_time`
    const first = binOf(live, event)
    const columns = also(groups.map((column) => `c.${prefix}${column} as ${column}`))
    const some = `c.${prefix === '' ? 'is_there' : 'place is not null'} and (c.place is null or c.is_there is null or ${differs(live, 'c', false)})`
    if (sizeMicros === slideMicros) {
      return `select ${first} as window_start, c.${prefix}g_hash as g_hash${columns}
  from changes c
  where ${some} and ${counts(live, first, `c.${prefix}`)}`
    }
    const start = `${first} - s.n * ${interval(slideMicros)}`
    return `select ${start} as window_start, c.${prefix}g_hash as g_hash${columns}
  from changes c
  cross join generate_series(0, ${lastWindow(window)}) as s (n)
  where ${some} and ${start} + ${interval(sizeMicros)} > ${event} and ${counts(live, start, `c.${prefix}`)}`
  }
  return `dirty as materialized (
  ${windowsOf('old_')}
  union
  ${windowsOf('')}
),
${lockedGroups(live)}`
}
