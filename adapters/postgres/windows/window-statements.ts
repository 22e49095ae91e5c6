import pg from 'pg'
import type { TouchedRow, TouchedRows } from '#core/windows/touched-rows.ts'
import { literal } from '../apply/latest-state-statements.ts'
import type { Statement } from '../session/statement.ts'
import type { BuiltDefinition, LiveDefinition, PlanColumn } from './live-definitions.ts'

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

/** A range of keys of the table, as texts: all behind `after`, up to and including `until`. */
export type KeyRange = { readonly after: readonly string[] | undefined; readonly until: readonly string[] | undefined }

const name = pg.escapeIdentifier
const origin = `timestamp '1970-01-01'`
const interval = (micros: bigint): string => `interval '${micros} microseconds'`

/** A number of microseconds since 1970, which an interval multiplied by it could not hold exactly. */
const momentOf = (micros: string): string =>
  `(${origin} + (${micros} / 86400000000)::integer * interval '1 day' + (${micros} % 86400000000) * interval '1 microsecond')`

/** The table with the image of the rows. */
export const imageTable = ({ id }: Pick<BuiltDefinition, 'id'>): string => `tidemark_window_rows.w${id}_rows`

/** The table with the groups. */
export const groupsTable = ({ id }: Pick<BuiltDefinition, 'id'>): string => `tidemark_window_rows.w${id}_groups`

const rowsTable = ({ relation, generation }: BuiltDefinition): string => `tidemark_rows.t${relation}_${generation}`

const isKeyless = ({ plan }: BuiltDefinition): boolean => plan.key.length === 0

const keyNames = ({ plan }: BuiltDefinition): string[] => plan.key.map((_, i) => `k${i + 1}`)
const groupNames = ({ plan }: BuiltDefinition): string[] => plan.keyTypes.map((_, i) => `g${i + 1}`)
const resultNames = ({ plan }: BuiltDefinition): string[] => plan.resultTypes.map((_, i) => `r${i + 1}`)
const usedNames = ({ plan }: BuiltDefinition): string[] => plan.columns.map(({ number }) => `c${number}`)
const storedName = ({ number }: PlanColumn): string => `c${number}`

/** With a comma before each, for lists that begin with something else. */
const also = (texts: readonly string[]): string => texts.map((text) => `, ${text}`).join('')

/** Brings the image up to the present rows that records have named, and locks the groups that change. */
export function recordsStatement(live: LiveDefinition, { table, rows }: TouchedRows): Statement {
  const text = cached(live, `records ${live.stage} ${contractName(table)}`, () => {
    const first = isKeyless(live) ? table.columns.map((_, i) => `v${i + 1}`) : keyNames(live)
    const places = [
      'e integer',
      'p smallint',
      'l bigint',
      'live boolean',
      'read boolean',
      'watermark bigint',
      'at double precision',
      ...(setsAside(live) ? ['entered bigint', 'moved boolean'] : []),
    ]
    const parameters = [...first.map((column) => `${column} text`), ...places].map((column, i) => {
      const [, type] = / (.*)$/.exec(column)!
      return `$${i + 1}::${type}[]`
    })
    const key = isKeyless(live)
      ? `md5(row(${table.columns.map(({ carried }, i) => `v${i + 1}::${carried}`)})::text)::uuid as image`
      : live.plan.key.map(({ type }, i) => `k${i + 1}::${type} as k${i + 1}`).join(', ')
    const given = `given as materialized (
  select ${isKeyless(live) ? 'distinct on (1) ' : ''}${key}, e, p, l, live, read, ${momentOf('watermark')} as watermark,
    to_timestamp(at / 1000) at time zone 'UTC' as committed_at${setsAside(live) ? `, ${momentOf('entered')} as entered_at, moved` : ''}
  from unnest(${parameters.join(', ')}) as u (${[...first, ...places.map((place) => place.split(' ')[0])].join(', ')})
)`
    return imageStatement(live, given, isKeyless(live) ? keylessRecords(live) : keyedRecords(live), parameters.length)
  })
  const columns = rows[0]!.values.map((_, i) =>
    literal(
      rows.map(({ values }) => values[i]!),
      false,
    ),
  )
  const list = (of: (row: TouchedRow) => string | number | boolean | bigint) => `{${rows.map(of).join(',')}}`
  return {
    text,
    values: [
      ...columns,
      list(({ position }) => position.epoch),
      list(({ position }) => position.phase),
      list(({ position }) => position.lsn),
      list((row) => row.live),
      list((row) => row.read),
      list(({ watermark }) => watermark ?? 'null'),
      list(({ committedAtMs }) => committedAtMs),
      ...(setsAside(live) ? [list(({ entered }) => entered ?? 'null'), list(({ hasMoved }) => hasMoved)] : []),
      ...untilEmitted(live),
    ],
  }
}

/** Whether rows that are later than allowed are left out of windows which still change. */
const setsAside = ({ definition }: BuiltDefinition): boolean =>
  definition.lateRows === 'set aside' && definition.emit === 'on update'

const untilEmitted = ({ definition, emittedUntil }: LiveDefinition): (string | null)[] =>
  definition.emit === 'on close' ? [emittedUntil === undefined ? null : `${emittedUntil}`] : []

/** Texts are built once for each version of a definition, which its plan stands for: they are long. */
const texts = new WeakMap<BuiltDefinition['plan'], Map<string, string>>()
function cached({ plan }: BuiltDefinition, of: string, make: () => string): string {
  const known = texts.get(plan) ?? new Map<string, string>()
  texts.set(plan, known)
  const text = known.get(of) ?? make()
  known.set(of, text)
  return text
}

const contractName = ({ contract }: TouchedRows['table']): string => `${contract.relation} ${contract.version}`

/** Where the present rows, the image and the time of the records come from. */
type Sources = {
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

const position = ['r."tidemark$epoch"', 'r."tidemark$phase"', 'r."tidemark$lsn"'] as const
const noPosition = ['null::integer', 'null::smallint', 'null::bigint'] as const

function keyedRecords(live: LiveDefinition): Sources {
  const same = (alias: string, columns: readonly string[]) =>
    columns.map((column, i) => `${alias}.${column} = g.k${i + 1}`).join(' and ')
  return {
    from: `given g
    left join ${rowsTable(live)} r on ${same('r', live.plan.key.map(storedName))}
    left join (select ctid as place, xmin as version, * from ${imageTable(live)}) i on ${same('i', keyNames(live))}`,
    // If the stored row is newer, its own record comes in this topic partition. A version that the image has came before.
    where: `(
      r."tidemark$live" is null
      or g.read
      or (${position}, r."tidemark$live") <= (g.e, g.p, g.l, g.live)
        and (not r."tidemark$live" or i.place is null or (i.epoch, i.phase, i.lsn) < (${position}))
    )`,
    isLive: 'coalesce(r."tidemark$live", false)',
    key: keyNames(live).map((column) => `g.${column}`),
    position,
    isOfRecord: 'not g.read',
    watermark: 'g.watermark',
    committedAt: 'g.committed_at',
  }
}

/** Of a keyless table the image has one row for each of its equal rows: those that are more than before have come now. */
function keylessRecords(live: LiveDefinition): Sources {
  return {
    from: `given g
    left join ${rowsTable(live)} r on r."tidemark$image" = g.image
    cross join lateral generate_series(1, greatest(r."tidemark$count",
      (select max(n) from ${imageTable(live)} old where old.image = g.image))::integer) as c (n)
    left join (select ctid as place, xmin as version, * from ${imageTable(live)}) i on i.image = g.image and i.n = c.n`,
    where: '(i.place is null or c.n > coalesce(r."tidemark$count", 0))',
    isLive: 'c.n <= coalesce(r."tidemark$count", 0)',
    key: ['g.image', 'c.n'],
    position: noPosition,
    isOfRecord: 'not g.read',
    watermark: 'g.watermark',
    committedAt: 'g.committed_at',
  }
}

/** Brings the image up to the present rows of a range of keys, and locks the groups that change. */
export function rangeStatement(live: LiveDefinition, range: KeyRange): Statement {
  const values = [...(range.after ?? []), ...(range.until ?? [])]
  const bound = (columns: readonly string[], sign: string, first: number) =>
    `(${columns.join(', ')}) ${sign} (${tableKey(live).map(({ type }, i) => `$${first + i}::${type}`)})`
  const within = (columns: readonly string[]) =>
    [range.after && bound(columns, '>', 1), range.until && bound(columns, '<=', 1 + (range.after?.length ?? 0))]
      .filter((one) => one !== undefined)
      .map((one) => ` and ${one}`)
      .join('')
  const image = `(select ctid as place, xmin as version, * from ${imageTable(live)} where true${within(isKeyless(live) ? ['image'] : keyNames(live))}) i`
  const columns = tableKey(live).map(({ stored }) => stored)
  const from = isKeyless(live)
    ? `(select r.*, c.n from ${rowsTable(live)} r, generate_series(1, r."tidemark$count"::integer) as c (n) where true${within(columns)}) r
    full join ${image} on i.image = r."tidemark$image" and i.n = r.n`
    : `(select * from ${rowsTable(live)} where "tidemark$live"${within(columns)}) r
    full join ${image} on ${keyNames(live)
      .map((column, i) => `i.${column} = r.${columns[i]}`)
      .join(' and ')}`
  const text = imageStatement(
    live,
    undefined,
    {
      from,
      where: 'true',
      isLive: isKeyless(live) ? 'r.n is not null' : 'coalesce(r."tidemark$live", false)',
      key: isKeyless(live)
        ? ['coalesce(r."tidemark$image", i.image)', 'coalesce(r.n, i.n)']
        : keyNames(live).map((column, i) => `coalesce(r.${columns[i]}, i.${column})`),
      position: isKeyless(live) ? noPosition : position,
      isOfRecord: 'false',
      watermark: 'null::timestamp',
      committedAt: `(now() at time zone 'UTC')`,
    },
    values.length,
  )
  return { text, values: [...values, ...untilEmitted(live)] }
}

/** The key of the table in the latest state: its columns, or the hash of a keyless row. */
const tableKey = (live: BuiltDefinition): { readonly stored: string; readonly type: string }[] =>
  isKeyless(live)
    ? [{ stored: '"tidemark$image"', type: 'uuid' }]
    : live.plan.key.map((column) => ({ stored: storedName(column), type: column.type }))

/** The key of the last row of a range of `$1` rows, as texts. No row: the range is the last one. */
export function rangeEndStatement(
  live: BuiltDefinition,
  after: readonly string[] | undefined,
  size: number,
): Statement {
  const columns = tableKey(live)
  const names = columns.map(({ stored }) => stored).join(', ')
  const behind = after && `where (${names}) > (${columns.map(({ type }, i) => `$${i + 2}::${type}`)})`
  return {
    text: `select array[${columns.map(({ stored }) => `${stored}::text`)}] as until
from ${rowsTable(live)}
${behind ?? ''}
order by ${names}
offset $1
limit 1`,
    values: [size - 1, ...(after ?? [])],
  }
}

/**
 * The statement that makes the image of some rows equal to what they are now. The image of a row is what the definition
 * uses of it, so that the groups which it leaves are known without an image before the change on the wire. A row of the
 * image is written only if it is still the version that was read: if another transaction has changed it, its xmin differs.
 */
function imageStatement(live: LiveDefinition, given: string | undefined, sources: Sources, parameters: number): string {
  const { definition, plan } = live
  const { window, allowedLatenessMicros } = definition
  const image = imageTable(live)
  const groups = groupNames(live)
  const used = usedNames(live)
  const keys = isKeyless(live) ? ['image', 'n'] : keyNames(live)
  const content = ['event_time', ...groups, ...used]
  const time = ['late_from', 'excluded_until', 'standing']
  const data = [...content, ...time, 'epoch', 'phase', 'lsn', 'g_hash']
  const hash = (of: readonly string[]) =>
    of.length === 0 ? '0::bigint' : `hash_record_extended(row(${of.join(', ')}), 0)`
  const closeOf = (event: string) =>
    `date_bin(${interval(window.slideMicros)}, ${event}, ${origin}) + ${interval(window.sizeMicros + allowedLatenessMicros)}`
  // What was emitted is final, so whatever comes behind it is late.
  const emittedUntil = definition.emit === 'on close' ? momentOf(`$${parameters + 1}::bigint`) : undefined
  const writes = writesOf(live)
  return `with ${given === undefined ? '' : `${given},\n`}changes as materialized (
  select *, ${standing(live)} as standing
  from (
    select *,
      case when is_kept then old_late_from when judged_at > event_time then least(judged_at, ${closeOf('event_time')}) end as late_from,
      ${excluded(live, closeOf)} as excluded_until
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
      : `array_agg(d.window_start)::text as starts, array_agg(d.g_hash)::text as hashes,
  array[${groups.map((column) => `array_agg(d.${column}::text)::text`).join(', ')}]::text[] as keys
from dirty d`
  }`
}

/** A definition that is not shown gets its image first, so that each group is computed only once. */
const writesOf = ({ stage }: LiveDefinition): 'image' | 'image and groups' =>
  stage === 'rows' ? 'image' : 'image and groups'

/** Reading a row again does not make it late. Only a record that says when the row came does. */
const judgedAt = ({ isOfRecord, watermark }: Sources): string =>
  isOfRecord === 'false' ? watermark : `case when ${isOfRecord} then ${watermark} end`

/** Whether a row is counted, late, ahead of its commit, or has no time. */
function standing(live: LiveDefinition): string {
  const { definition } = live
  const late = setsAside(live) ? 'excluded_until' : 'late_from'
  const { window, allowedLatenessMicros, futureAfterMicros } = definition
  const close = `date_bin(${interval(window.slideMicros)}, event_time, ${origin}) + ${interval(window.sizeMicros + allowedLatenessMicros)}`
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
function excluded(live: LiveDefinition, closeOf: (event: string) => string): string {
  const { definition } = live
  const judged = (at: string) => `case when ${at} > event_time then least(${at}, ${closeOf('event_time')}) end`
  if (definition.emit === 'on close') return `case when is_kept then old_excluded_until else ${judged('judged_at')} end`
  if (!setsAside(live)) return 'null::timestamp'
  const { slideMicros } = definition.window
  const bin = (column: string) => `date_bin(${interval(slideMicros)}, ${column}, ${origin})`
  return `case
        when not moved and place is not null and old_standing <> 'future' and ${bin('old_event_time')} = ${bin('event_time')} then old_excluded_until
        else ${judged('entered_at')}
      end`
}

/** Compares rows as they are stored, so that types without equality can be compared, and 1.0 is not 1.00. */
const differ = (one: string, other: string): string => `${one}::record *<> ${other}::record`

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

/** Which rows of the image a window may count; `start` is that of the window. */
function counts({ definition }: LiveDefinition, start: string, prefix: string): string {
  const closes = definition.emit === 'on close' || definition.lateRows === 'set aside'
  const { sizeMicros } = definition.window
  const open = `${prefix}excluded_until is null or ${prefix}excluded_until < ${start} + ${interval(sizeMicros + definition.allowedLatenessMicros)}`
  return `${prefix}standing in ('counted', 'late')${closes ? ` and (${open})` : ''}`
}

/** The groups that a changed row has left or entered. They are locked in one order, so that two transactions never wait for
 * each other, and stay locked until both the image and the groups are committed. */
function dirtyGroups(live: LiveDefinition): string {
  const groups = groupNames(live)
  const { sizeMicros, slideMicros } = live.definition.window
  const windowsOf = (prefix: string): string => {
    const event = `c.${prefix}event_time`
    const first = `date_bin(${interval(slideMicros)}, ${event}, ${origin})`
    const columns = also(groups.map((column) => `c.${prefix}${column} as ${column}`))
    const some = `c.${prefix === '' ? 'is_there' : 'place is not null'} and (c.place is null or c.is_there is null or ${differs(live, 'c', false)})`
    if (sizeMicros === slideMicros) {
      return `select ${first} as window_start, c.${prefix}g_hash as g_hash${columns}
  from changes c
  where ${some} and ${counts(live, first, `c.${prefix}`)}`
    }
    const count = (sizeMicros + slideMicros - 1n) / slideMicros
    const start = `${first} - s.n * ${interval(slideMicros)}`
    return `select ${start} as window_start, c.${prefix}g_hash as g_hash${columns}
  from changes c
  cross join generate_series(0, ${count - 1n}) as s (n)
  where ${some} and ${start} + ${interval(sizeMicros)} > ${event} and ${counts(live, `${start}`, `c.${prefix}`)}`
  }
  const columns = ['window_start', 'g_hash', ...groups].join(', ')
  return `dirty as materialized (
  ${windowsOf('old_')}
  union
  ${windowsOf('')}
),
locked as (
  insert into ${groupsTable(live)} (${columns})
  select ${columns}
  from dirty
  order by ${columns}
  on conflict (${columns}) do update set rows = 0 where false
)`
}

/** The groups of a part of the image, in the order of its index, which are locked as those of changed rows are. */
export function groupsRangeStatement(
  live: LiveDefinition,
  after: readonly string[] | undefined,
  size: number,
): Statement {
  const groups = groupNames(live)
  const { sizeMicros, slideMicros } = live.definition.window
  const start = `date_bin(${interval(slideMicros)}, i.event_time, ${origin}) - s.n * ${interval(slideMicros)}`
  const columns = ['window_start', 'g_hash', ...groups].join(', ')
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
  cross join generate_series(0, ${(sizeMicros + slideMicros - 1n) / slideMicros - 1n}) as s (n)
  where ${start} + ${interval(sizeMicros)} > i.event_time
    and ${counts(live, start, 'i.')}
),
locked as (
  insert into ${groupsTable(live)} (${columns})
  select ${columns}
  from dirty
  order by ${columns}
  on conflict (${columns}) do update set rows = 0 where false
)
select (select array[g_hash::text, event_time::text] from part order by g_hash desc, event_time desc limit 1) as until,
  (select count(*) from part) as rows,
  array_agg(d.window_start)::text as starts, array_agg(d.g_hash)::text as hashes,
  array[${groups.map((column) => `array_agg(d.${column}::text)::text`).join(', ')}]::text[] as keys
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
