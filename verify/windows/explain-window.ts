import pg from 'pg'
import { groupsTable, imageTable, interval, origin } from '#adapters/postgres/windows/window-columns.ts'
import { writeDuration } from '#core/windows/duration.ts'
import { UsageError } from '#terminal/usage-error.ts'
import { type BuiltDefinition, imageColumns, imageKey, isShown, readDefinitionVersions } from './built-definitions.ts'

export type WindowQuestion = {
  readonly name: string
  /** A moment in the window; by default the newest window that has the keys. */
  readonly window: string | undefined
  /** The keys of the group by their names; others are those of any group. An empty value is a null. */
  readonly keys: Readonly<Record<string, string>>
  /** Rows at most. */
  readonly limit: number
}

/** A row of the window, and why it is in it. */
export type ExplainedRow = {
  readonly standing: 'counted' | 'late' | 'future'
  readonly eventTime: string
  /** Whether the group counts it. */
  readonly isCounted: boolean
  readonly why: string
  /** Its key and the columns that the definition uses, as texts. */
  readonly values: Readonly<Record<string, string | null>>
}

/** A group of the window as it is kept. */
export type ExplainedGroup = {
  readonly keys: Readonly<Record<string, string | null>>
  readonly results: Readonly<Record<string, string | null>>
  readonly state: 'open' | 'final' | 'revised' | 'closed'
  readonly rows: number
  readonly lateRows: number
  /** Whether the result has it. */
  readonly isShown: boolean
  readonly why: string
}

export type WindowExplanation = {
  readonly name: string
  readonly windowStart: string
  readonly windowEnd: string
  readonly watermark: string | null
  readonly groups: readonly ExplainedGroup[]
  readonly rows: readonly ExplainedRow[]
  /** How many rows there are, of which `rows` are the first. */
  readonly rowCount: number
}

const text = pg.escapeLiteral
const MOST_GROUPS = 20

/**
 * Which rows are in a window and why. The client is the target's administrator. Throws a UsageError that names what there
 * is when definition, window or key are not there.
 */
export async function explainWindow(target: pg.Client, question: WindowQuestion): Promise<WindowExplanation> {
  const version = await requireShown(target, question.name)
  const where = groupCondition(version, question.keys)
  const start = await startOfWindow(target, version, question, where)
  const { definition } = version
  const end = `(${start} + ${interval(definition.window.sizeMicros)})`
  const place = await target.query<{ start: string; end: string; watermark: string | null }>(
    `select ${start}::text as start, ${end}::text as end, tidemark.window_watermark(${version.id})::text as watermark`,
  )
  const { start: windowStart, end: windowEnd, watermark } = place.rows[0]!
  const groups = await readGroups(target, version, start, where)
  const { rows, rowCount } = await readRows(target, version, { start, end, where, limit: question.limit })
  return { name: version.name, windowStart, windowEnd, watermark, groups, rows, rowCount }
}

async function requireShown(target: pg.Client, name: string): Promise<BuiltDefinition> {
  const versions = await readDefinitionVersions(target)
  const own = versions.filter((version) => version.name === name)
  const shown = own.find(isShown)
  if (shown !== undefined) return shown
  const [first] = own
  if (first !== undefined) {
    throw new Error(`${name} has no windows yet: ${first.state}${first.reason === null ? '' : `, ${first.reason}`}`)
  }
  const names = [...new Set(versions.map((version) => version.name))]
  throw new UsageError(
    `There is no definition ${name} in the target. ${names.length === 0 ? 'There is none.' : `There are: ${names.join(', ')}.`}`,
  )
}

/** The condition that the group of a row or a group has these keys. */
function groupCondition({ definition }: BuiltDefinition, keys: Readonly<Record<string, string>>): string {
  const names = aliasesOf(definition.keys)
  return Object.entries(keys)
    .map(([name, value]) => {
      const place = names.indexOf(name)
      if (place === -1) {
        const known = names.length === 0 ? 'it has no keys' : `its keys are ${names.join(', ')}`
        throw new UsageError(`${definition.name} has no key ${name}: ${known}`)
      }
      const column = `g${place + 1}`
      return value === '' ? ` and (${column} is null or ${column}::text = '')` : ` and ${column}::text = ${text(value)}`
    })
    .join('')
}

/** SQL of the window's start. */
async function startOfWindow(
  target: pg.Client,
  version: BuiltDefinition,
  { window, keys }: WindowQuestion,
  where: string,
): Promise<string> {
  const { definition } = version
  if (window !== undefined) {
    const isZoned = version.plan.event.type.endsWith('with time zone')
    const moment = isZoned ? `(${text(window)}::timestamptz at time zone 'UTC')` : `${text(window)}::timestamp`
    const start = `date_bin(${interval(definition.window.slideMicros)}, ${moment}, ${origin})`
    try {
      const { rows } = await target.query<{ start: string }>(`select ${start}::text as start`)
      return `${text(rows[0]!.start)}::timestamp`
    } catch (error) {
      throw new UsageError(`'${window}' is not a time such as 2025-12-01T10:00: ${(error as Error).message}`)
    }
  }
  const { rows } = await target.query<{ start: string | null }>(
    `select max(window_start)::text as start from ${groupsTable(version)} where true${where}`,
  )
  const start = rows[0]?.start
  if (start === null || start === undefined) {
    const asked = Object.entries(keys).map(([name, value]) => `${name} = ${value}`)
    throw new UsageError(`${version.name} has no group${asked.length === 0 ? '' : ` with ${asked.join(', ')}`}`)
  }
  return `${text(start)}::timestamp`
}

async function readGroups(
  target: pg.Client,
  version: BuiltDefinition,
  start: string,
  where: string,
): Promise<ExplainedGroup[]> {
  const { definition } = version
  const closes = definition.emit === 'on close' || definition.lateRows === 'set aside'
  const { rows } = await target.query(
    `select ${textsOf(definition.keys.map((_, i) => `g${i + 1}`))} as keys,
      ${textsOf(definition.aggregates.map((_, i) => `r${i + 1}`))} as results,
      tidemark.window_state(window_start + ${interval(definition.window.sizeMicros)},
        ${interval(definition.allowedLatenessMicros)}, ${closes}, tidemark.window_watermark(${version.id}), late_rows) as state,
      rows::float8 as rows, late_rows::float8 as "lateRows", visible, emitted_at is not null as "isEmitted"
    from ${groupsTable(version)}
    where window_start = ${start}${where}
    order by rows desc, 1
    limit ${MOST_GROUPS}`,
  )
  return rows.map(({ keys, results, state, rows: count, lateRows, visible, isEmitted }) => {
    const waits = definition.emit === 'on close' && !isEmitted
    return {
      keys: named(aliasesOf(definition.keys), keys),
      results: named(aliasesOf(definition.aggregates), results),
      ...{ state, rows: count, lateRows, isShown: visible && !waits },
      why: !visible
        ? `not in the result: having ${definition.having} does not hold`
        : waits
          ? 'not in the result yet: it is emitted when its window closes'
          : 'in the result',
    }
  })
}

async function readRows(
  target: pg.Client,
  version: BuiltDefinition,
  { start, end, where, limit }: { start: string; end: string; where: string; limit: number },
): Promise<Pick<WindowExplanation, 'rows' | 'rowCount'>> {
  const { definition } = version
  const columns = imageColumns(version)
  const names = columns.map(({ name }) => name)
  const closes = `${end} + ${interval(definition.allowedLatenessMicros)}`
  const excludes = definition.emit === 'on close' || definition.lateRows === 'set aside'
  const { rows } = await target.query(
    `select standing, event_time::text as "eventTime", late_from::text as "lateFrom",
      (extract(epoch from late_from - event_time) * 1000)::bigint::text as "behindMs",
      coalesce(late_from >= ${end}, false) and standing <> 'future' as "isLate",
      standing <> 'future'${excludes ? ` and (excluded_until is null or excluded_until < ${closes})` : ''} as "isCounted",
      ${textsOf(columns.map(({ stored }) => stored))} as values,
      count(*) over ()::float8 as count
    from ${imageTable(version)}
    where event_time >= ${start}
      and event_time < ${end}${where}
    order by event_time, ${imageKey(version).join(', ')}
    limit $1`,
    [limit],
  )
  return {
    rowCount: rows[0]?.count ?? 0,
    rows: rows.map(({ standing, eventTime, lateFrom, behindMs, isLate, isCounted, values }) => ({
      standing: standing === 'future' ? 'future' : isLate ? 'late' : 'counted',
      ...{ eventTime, isCounted, values: named(names, values) },
      why: reasonOf(version, { standing, isLate, isCounted, lateFrom, behindMs }),
    })),
  }
}

function reasonOf(
  { definition }: BuiltDefinition,
  row: { standing: string; isLate: boolean; isCounted: boolean; lateFrom: string | null; behindMs: string | null },
): string {
  if (row.standing === 'future') {
    return `set aside: its event time is more than ${writeDuration(definition.futureAfterMicros ?? 0n)} ahead of its commit`
  }
  if (!row.isLate) return row.isCounted ? 'counted: it came while the window was open' : 'set aside'
  // The image keeps the watermark only up to the end of the window: a later one makes no difference.
  const behind = writeDuration(BigInt(row.behindMs!) * 1_000n)
  return `${row.isCounted ? 'counted' : 'set aside'}: at least ${behind} late, the watermark had passed ${row.lateFrom}`
}

/** Columns as an array of texts. */
const textsOf = (columns: readonly string[]): string =>
  `array[${columns.map((column) => `${column}::text`).join(', ')}]::text[]`

const named = (names: readonly string[], values: readonly (string | null)[]) =>
  Object.fromEntries(names.map((name, index) => [name, values[index] ?? null]))

const aliasesOf = (items: readonly { readonly alias: string }[]): string[] => items.map(({ alias }) => alias)
