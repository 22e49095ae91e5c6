// Which change of history is meant? A change has no number of its own, so its place is made of what distinguishes it.

/** The place of a change, by which it is found through the index of its row and in the day of its commit. */
export type ChangePlace = {
  /** When the source committed it, in µs since 1970. */
  readonly atUs: number
  readonly epoch: number
  readonly lsn: string
  /** As in `tidemark_rows.change`: c, u, d, r or t. */
  readonly op: string
  readonly ordinal: string
  readonly relation: string
  readonly keyHash: string
}

/** The place as one text, which is the id of a change and the cursor behind it. SQL makes it with `placeText`. */
export const formatPlace = ({ atUs, epoch, lsn, op, ordinal, relation, keyHash }: ChangePlace): string =>
  [atUs, epoch, lsn, op, ordinal, relation, keyHash].join('.')

/** SQL of the same text, for a change `alias`. */
export const placeText = (alias: string): string =>
  `concat_ws('.', (extract(epoch from ${alias}.committed_at) * 1000000)::bigint, ${alias}.epoch, ${alias}.lsn, ${alias}.op,
    ${alias}.ordinal, ${alias}.relation, ${alias}.key_hash)`

const pattern = /^(-?\d{1,17})\.(\d{1,10})\.(-?\d{1,19})\.([cudrt])\.(-?\d{1,19})\.(\d{1,19})\.(-?\d{1,19})$/

/** The place that a text names; undefined if it names none. */
export function parsePlace(text: string): ChangePlace | undefined {
  const [, at, epoch, lsn, op, ordinal, relation, keyHash] = pattern.exec(text) ?? []
  if (keyHash === undefined || !isTime(Number(at)) || Number(epoch) >= 2 ** 31) return undefined
  if (![lsn!, ordinal!, relation!, keyHash].every(isBigint)) return undefined
  return { atUs: Number(at), epoch: Number(epoch), lsn: lsn!, op: op!, ordinal: ordinal!, relation: relation!, keyHash }
}

/** Where a search goes on in an instant that has too many changes to be sorted: they are in the order of `crowdOrder`. */
export type Inside = {
  readonly after: ChangePlace
  /** Only changes that are older than this one, where the search came to the instant behind a change of it. */
  readonly before: ChangePlace | undefined
}

/** Behind which change a search goes on. */
export type Behind = { readonly before: ChangePlace } | { readonly inside: Inside }

/** The text of it in a cursor. */
export function formatBehind(behind: Behind): string {
  if ('before' in behind) return formatPlace(behind.before)
  const { after, before } = behind.inside
  return `i${formatPlace(after)}${before === undefined ? '' : `~${formatPlace(before)}`}`
}

/** What the text says; undefined if it is none. */
export function parseBehind(text: string): Behind | undefined {
  if (!text.startsWith('i')) {
    const before = parsePlace(text)
    return before && { before }
  }
  const [first = '', second, ...rest] = text.slice(1).split('~')
  const [after, before] = [parsePlace(first), second === undefined ? undefined : parsePlace(second)]
  const isWhole = rest.length === 0 && (second === undefined) === (before === undefined)
  return after !== undefined && isWhole ? { inside: { after, before } } : undefined
}

/** Whether Postgres takes the number as a bigint. */
export const isBigint = (digits: string): boolean => BigInt.asIntN(64, BigInt(digits)) === BigInt(digits)

/** The years 1 to 9999, which can be written as ISO 8601 without a sign. */
const isTime = (us: number): boolean => us > -62_135_596_800_000_000 && us < 253_402_300_800_000_000

/** µs since 1970 as ISO 8601 in UTC with microseconds. */
export function isoOfUs(us: number): string {
  const ms = Math.floor(us / 1_000)
  return new Date(ms).toISOString().replace('Z', `${String(us - ms * 1_000).padStart(3, '0')}Z`)
}

/** ISO 8601 in UTC, with up to six digits of a second, as µs since 1970; undefined if it is no such time. */
export function usOfIso(text: string): number | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,6}))?Z$/.exec(text)
  if (match === null) return undefined
  const ms = Date.parse(`${match[1]}Z`)
  return Number.isNaN(ms) ? undefined : ms * 1_000 + Number((match[2] ?? '').padEnd(6, '0'))
}

/** The greatest number of changes that one statement describes. */
export const mostDescribed = 500

/** The order of changes, newest first. A key change leaves the old key before it takes the new one, at one lsn. */
export const newestFirst = (alias: string): string =>
  ['committed_at', 'epoch', 'lsn', '', 'ordinal', 'relation', 'key_hash']
    .map((column) => `${column === '' ? `(${alias}.op <> 'd')` : `${alias}.${column}`} desc`)
    .join(', ')

/** SQL of what is compared with `placeValues` by that order. */
export const placeRow = (alias: string): string =>
  `(${alias}.committed_at, ${alias}.epoch, ${alias}.lsn, (${alias}.op <> 'd'), ${alias}.ordinal, ${alias}.relation, ${alias}.key_hash)`

/** The order of the changes of a crowded instant, which is that of the index of rows. */
export const crowdOrder = (alias: string, direction: 'asc' | 'desc' = 'desc'): string =>
  [
    `${alias}.key_hash`,
    `${alias}.ordinal`,
    `${alias}.epoch`,
    `${alias}.lsn`,
    `(${alias}.op <> 'd')`,
    `${alias}.relation`,
  ]
    .map((column) => `${column} ${direction}`)
    .join(', ')
