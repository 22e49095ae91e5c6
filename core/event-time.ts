import { dayOf, daysSince1970 } from './calendar.ts'
import { describe, Malformed, type Reader } from './event-values.ts'
import { isWrittenNumber, readDecimal, wholePart } from './exact-json.ts'

/**
 * Numbers from here on are milliseconds since 1970, and smaller ones are seconds. It is the year 5138 in seconds, and
 * March 1973 in milliseconds.
 */
export const firstMilliseconds = 100_000_000_000n

const firstMicros = -62_135_596_800_000_000n // 0001-01-01
const lastMicros = 253_402_300_799_999_999n // 9999-12-31

const date = String.raw`(\d{4})-(\d\d)-(\d\d)`
const time = String.raw`(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?`
const zone = String.raw`(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)`
const calendar = new RegExp(`^${date}(?:[T ]${time}(?: ?${zone})?)?$`, 'i')

/** Text of 8 or 14 digits may be a date or a time without separators, so neither is read as a number since 1970. */
const epochText = /^-?\d{9,13}(\.\d{1,20})?$/

/**
 * Reads a time that a producer wrote, and returns it as ISO 8601 in UTC with six digits of fraction. The time may be
 * ISO 8601 with T or a space, with a zone or without one (UTC), or seconds or milliseconds since 1970, as a number or
 * as text.
 */
export const readTime: Reader<string> = (value) => {
  const micros = isWrittenNumber(value)
    ? microsOfEpoch(value.rawJSON)
    : typeof value === 'string'
      ? (microsOfCalendar(value) ?? (epochText.test(value) ? microsOfEpoch(value) : undefined))
      : undefined
  return micros === undefined
    ? new Malformed(
        `must be a time of the years 1 to 9999: ISO 8601, or seconds or milliseconds since 1970; it is ${describe(value)}`,
      )
    : writeTime(micros)
}

/**
 * Reads milliseconds since 1970, as a number or text, and returns them with their instant. A fraction of a millisecond
 * is left out of both.
 */
export const readMilliseconds: Reader<{ readonly milliseconds: string; readonly instant: string }> = (value) => {
  const written = isWrittenNumber(value) ? value.rawJSON : typeof value === 'string' ? value : ''
  const decimal = readDecimal(written)
  const milliseconds = decimal && wholePart(decimal).whole
  if (milliseconds === undefined || !isInRange(milliseconds * 1000n)) {
    return new Malformed(`must be milliseconds since 1970, and is ${describe(value)}`)
  }
  return { milliseconds: `${milliseconds}`, instant: writeTime(milliseconds * 1000n) }
}

const isInRange = (micros: bigint): boolean => micros >= firstMicros && micros <= lastMicros

function microsOfEpoch(written: string): bigint | undefined {
  const decimal = readDecimal(written)
  if (decimal === undefined) return undefined
  const { whole } = wholePart(decimal)
  const isSeconds = whole < firstMilliseconds && whole > -firstMilliseconds
  const micros = wholePart(decimal, isSeconds ? 6 : 3).whole
  return isInRange(micros) ? micros : undefined
}

function microsOfCalendar(text: string): bigint | undefined {
  const parts = calendar.exec(text)
  if (parts === null) return undefined
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map((part) => Number(part ?? 0)) as Parts
  const [fraction = '', zoneText = 'Z'] = parts.slice(7)
  const days = daysSince1970({ year, month, day })
  const ahead = minutesAhead(zoneText)
  if (days === undefined || ahead === undefined || hour > 23 || minute > 59 || second > 59) return undefined
  const seconds = days * 86_400 + (hour * 60 + minute - ahead) * 60 + second
  const micros = BigInt(seconds) * 1_000_000n + BigInt(fraction.slice(0, 6).padEnd(6, '0'))
  return isInRange(micros) ? micros : undefined
}

type Parts = [year: number, month: number, day: number, hour: number, minute: number, second: number]

/** Minutes that a zone is ahead of UTC; undefined for 16 hours or more, which Postgres does not accept. */
function minutesAhead(zone: string): number | undefined {
  const parts = /^([+-])(\d\d):?(\d\d)?$/.exec(zone)
  if (parts === null) return 0
  const [, sign, hours, minutes = '0'] = parts
  if (Number(hours) > 15 || Number(minutes) > 59) return undefined
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
}

/** `2026-11-29T08:11:59.000000Z`. */
function writeTime(micros: bigint): string {
  const ofDay = ((micros % microsOfDay) + microsOfDay) % microsOfDay
  const { year, month, day } = dayOf(Number((micros - ofDay) / microsOfDay))
  const seconds = Number(ofDay / 1_000_000n)
  const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map((part) => pad(part, 2))
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}T${clock.join(':')}.${pad(Number(ofDay % 1_000_000n), 6)}Z`
}

const microsOfDay = 86_400_000_000n

const pad = (part: number, digits: number): string => `${part}`.padStart(digits, '0')
