import { daysSince1970 } from '../calendar.ts'

/** Microseconds since 1970-01-01 00:00 of the column's own kind: local for a timestamp, UTC for one with time zone. */
export type EventTime = bigint

const DAY_MICROS = 86_400_000_000n

/** `2024-02-29`, `2024-02-29 12:00:00.5`, `2024-02-29T12:00:00Z`, `12345-06-07 00:00:00+00`, `0044-03-15 BC`. */
const written = /^(\d{4,})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:Z|\+00(?::?00)?)?)?( BC)?$/

/**
 * The event time of a row, from the text that Postgres reads into a timestamp, a timestamp with time zone or a date.
 * Null and infinite times are in no window. Throws a RangeError on any other text.
 */
export function readEventTime(text: string | null): EventTime | 'null' | 'infinite' {
  if (text === null) return 'null'
  if (text === 'infinity' || text === '-infinity') return 'infinite'
  const parts = written.exec(text)
  const days = parts === null ? undefined : daysOf(parts)
  if (parts === null || days === undefined) throw new RangeError(`${JSON.stringify(text)} is no time`)
  const [hour, minute, second] = parts.slice(4, 7).map((digits = '0') => BigInt(digits)) as [bigint, bigint, bigint]
  const seconds = (hour * 60n + minute) * 60n + second
  return BigInt(days) * DAY_MICROS + seconds * 1_000_000n + BigInt((parts[7] ?? '').padEnd(6, '0'))
}

/** The calendar repeats every 400 years, and each of these has as many days. */
const YEARS_OF_CYCLE = 400
const DAYS_OF_CYCLE = 146_097

/** The calendar of `daysSince1970` has the years 1 to 9999, and Postgres has those from 4714 BC to 294276. */
function daysOf([, years, month, day, , , , , era]: RegExpExecArray): number | undefined {
  const year = era === undefined ? Number(years) : 1 - Number(years)
  const cycles = Math.floor((year - 1) / YEARS_OF_CYCLE)
  const days = daysSince1970({ year: year - cycles * YEARS_OF_CYCLE, month: Number(month), day: Number(day) })
  return days === undefined ? undefined : days + cycles * DAYS_OF_CYCLE
}
