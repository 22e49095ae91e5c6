/** In which zone times are shown. */
export type Zone = 'local' | 'utc'

/** What decides how a time is shown: `digits` of the second's fraction, and the present, whose day is left out. */
export type TimeForm = { readonly zone: Zone; readonly nowMs: number; readonly digits: 0 | 3 | 6 }

const two = (value: number): string => String(value).padStart(2, '0')

/** Date and time of day, each with two digits. Postgres also has years beyond 9999, which Date shows with a sign. */
function partsOf(date: Date, zone: Zone): { day: string; time: string } {
  const isUtc = zone === 'utc'
  const year = isUtc ? date.getUTCFullYear() : date.getFullYear()
  const month = isUtc ? date.getUTCMonth() : date.getMonth()
  const day = isUtc ? date.getUTCDate() : date.getDate()
  const clock = isUtc
    ? [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
    : [date.getHours(), date.getMinutes(), date.getSeconds()]
  return { day: `${String(year).padStart(4, '0')}-${two(month + 1)}-${two(day)}`, time: clock.map(two).join(':') }
}

/** The fraction of the second as it is written, because Date would round microseconds. */
function fractionOf(iso: string, digits: number): string {
  if (digits === 0) return ''
  const written = /T\d\d:\d\d:\d\d\.(\d+)/.exec(iso)?.[1] ?? ''
  return `.${written.slice(0, digits).padEnd(digits, '0')}`
}

/** For example `14:05:03.120` today, and `2026-11-29 14:05:03.120` on any other day. What is no time is returned as it is. */
export function formatTime(iso: string, { zone, nowMs, digits }: TimeForm): string {
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return iso
  const { day, time } = partsOf(date, zone)
  const shown = `${time}${fractionOf(iso, digits)}`
  return day === partsOf(new Date(nowMs), zone).day ? shown : `${day} ${shown}`
}

/** Day, time and microseconds in UTC, for the one who needs to know exactly. */
export function formatExactTime(iso: string): string {
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return iso
  const { day, time } = partsOf(date, 'utc')
  return `${day} ${time}${fractionOf(iso, 6)} UTC`
}

/** For example `now`, `12 s ago`, `2 min ago`, `3 h ago`, `5 days ago`. */
export function formatAgo(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000
  if (seconds < 2) return 'now'
  if (seconds < 60) return `${Math.floor(seconds)} s ago`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h ago`
  return `${Math.floor(seconds / 86_400)} days ago`
}

/** The value of an `<input type="datetime-local">` for a time; empty for what is no time. */
export function inputOfTime(iso: string, zone: Zone): string {
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return ''
  const { day, time } = partsOf(date, zone)
  return `${day}T${time}`
}

/** The time that such an input says, in UTC; null while it is empty or incomplete. */
export function timeOfInput(input: string, zone: Zone): string | null {
  const date = new Date(zone === 'utc' ? `${input}Z` : input)
  return input === '' || Number.isNaN(date.getTime()) ? null : date.toISOString()
}
