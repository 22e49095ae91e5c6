import pg from 'pg'
import type { BuiltDefinition, LiveDefinition, PlanColumn } from './live-definitions.ts'

/** A quoted name of a column or table. */
export const name = pg.escapeIdentifier
/** Windows are aligned to this moment. */
export const origin = `timestamp '1970-01-01'`
/** A length of time in SQL. */
export const interval = (micros: bigint): string => `interval '${micros} microseconds'`

/** A number of microseconds since 1970, which an interval multiplied by it could not hold exactly. */
export const momentOf = (micros: string): string =>
  `(${origin} + (${micros} / 86400000000)::integer * interval '1 day' + (${micros} % 86400000000) * interval '1 microsecond')`

/** The table with the image of the rows. */
export const imageTable = ({ id }: Pick<BuiltDefinition, 'id'>): string => `tidemark_window_rows.w${id}_rows`

/** The table with the groups. */
export const groupsTable = ({ id }: Pick<BuiltDefinition, 'id'>): string => `tidemark_window_rows.w${id}_groups`

/** The table of the latest state that has the rows. */
export const rowsTable = ({ relation, generation }: BuiltDefinition): string =>
  `tidemark_rows.t${relation}_${generation}`

/** Whether the table has no key. */
export const isKeyless = ({ plan }: BuiltDefinition): boolean => plan.key.length === 0

/** The columns of the key in the image. */
export const keyNames = ({ plan }: BuiltDefinition): string[] => plan.key.map((_, i) => `k${i + 1}`)
/** The columns of the keys of a group, in the image and the groups. */
export const groupNames = ({ plan }: BuiltDefinition): string[] => plan.keyTypes.map((_, i) => `g${i + 1}`)
/** The columns of the results in the groups. */
export const resultNames = ({ plan }: BuiltDefinition): string[] => plan.resultTypes.map((_, i) => `r${i + 1}`)
/** The columns of the image that the definition uses. */
export const usedNames = ({ plan }: BuiltDefinition): string[] => plan.columns.map(({ number }) => `c${number}`)
/** The name of a column in the latest state, and in the image. */
export const storedName = ({ number }: PlanColumn): string => `c${number}`

/** With a comma before each, for lists that begin with something else. */
export const also = (texts: readonly string[]): string => texts.map((text) => `, ${text}`).join('')

/** Whether rows that are later than allowed are left out of windows which still change. */
export const setsAside = ({ definition }: BuiltDefinition): boolean =>
  definition.lateRows === 'set aside' && definition.emit === 'on update'

/** Texts are built once for each version of a definition, which its plan stands for: they are long. */
const texts = new WeakMap<BuiltDefinition['plan'], Map<string, string>>()
export function cached({ plan }: BuiltDefinition, of: string, make: () => string): string {
  const known = texts.get(plan) ?? new Map<string, string>()
  texts.set(plan, known)
  const text = known.get(of) ?? make()
  known.set(of, text)
  return text
}

/** Compares rows as they are stored, so that types without equality can be compared, and 1.0 is not 1.00. */
export const differ = (one: string, other: string): string => `${one}::record *<> ${other}::record`

/** Which rows of the image a window may count; `start` is that of the window. */
export function counts({ definition }: LiveDefinition, start: string, prefix: string): string {
  const closes = definition.emit === 'on close' || definition.lateRows === 'set aside'
  const { sizeMicros } = definition.window
  const open = `${prefix}excluded_until is null or ${prefix}excluded_until < ${start} + ${interval(sizeMicros + definition.allowedLatenessMicros)}`
  return `${prefix}standing in ('counted', 'late')${closes ? ` and (${open})` : ''}`
}

/** The start of the newest window that has a moment. */
export const binOf = ({ definition }: LiveDefinition, moment: string): string =>
  `date_bin(${interval(definition.window.slideMicros)}, ${moment}, ${origin})`

/** The last number of the windows that a moment may be in: they begin so many slides before the newest one. */
export const lastWindow = ({ sizeMicros, slideMicros }: LiveDefinition['definition']['window']): bigint =>
  (sizeMicros + slideMicros - 1n) / slideMicros - 1n

/**
 * Locks the groups of a query `dirty`, those that are not there yet as well, as one more query. They are locked in one
 * order, so that two transactions never wait for each other, and stay locked until the transaction ends.
 */
export function lockedGroups(live: LiveDefinition): string {
  const columns = ['window_start', 'g_hash', ...groupNames(live)].join(', ')
  return `locked as (
  insert into ${groupsTable(live)} (${columns})
  select ${columns}
  from dirty
  order by ${columns}
  on conflict (${columns}) do update set rows = 0 where false
)`
}

/** The columns of `DirtyGroups`, of a query `dirty d`. */
export const dirtyColumns = (live: LiveDefinition): string => `array_agg(d.window_start)::text as starts,
  array_agg(d.g_hash)::text as hashes,
  array[${groupNames(live)
    .map((column) => `array_agg(d.${column}::text)::text`)
    .join(', ')}]::text[] as keys`
