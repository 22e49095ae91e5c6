import { codec, codecWithKey, type Decode } from './codec.ts'
import { refuse } from './value-error.ts'

// Debezium sends dates as days, and times and timestamps as microseconds, since 1970. Of its modes, only this one
// distinguishes 24:00 from 00:00. It sends timestamptz and timetz as text in every mode.

const DAY = 86_400_000_000

/** The days that Postgres has, from 4713 BC to 5874897. Debezium writes infinity as a day outside this range. */
const FIRST_DAY = -2_440_588
const LAST_DAY = 2_145_042_905

/**
 * Each infinity has two entries: the day that a snapshot sends, which the worker's time zone may shift by a day, and
 * the day that streaming sends.
 */
const infiniteDays: readonly (readonly [days: number, text: string])[] = [
  [-622_191_234, 'infinity'],
  [2_146_033_979, 'infinity'],
  [-625_821_272, '-infinity'],
  [-2_147_472_691, '-infinity'],
]

const decodeDate: Decode = (wire) => {
  if (typeof wire !== 'number' || !Number.isInteger(wire)) return refuse('date', wire)
  if (wire >= FIRST_DAY && wire <= LAST_DAY) return dateText(wire)
  const infinite = infiniteDays.find(([days]) => Math.abs(wire - days) <= 1)
  return infinite === undefined ? refuse('date', wire) : infinite[1]
}

/** `2024-02-29`, `12345-06-07`, `0044-03-15 BC`. */
function dateText(days: number): string {
  const { year, text } = calendarDay(days)
  return year > 0 ? text : `${text} BC`
}

type CalendarDay = { readonly year: number; readonly text: string }
const knownDays = new Map<number, CalendarDay>()

/** The day without its era. Most values of a batch are on few different days, so computed days are cached. */
function calendarDay(days: number): CalendarDay {
  let day = knownDays.get(days)
  if (day === undefined) {
    if (knownDays.size >= 10_000) knownDays.clear()
    day = computeDay(days)
    knownDays.set(days, day)
  }
  return day
}

/**
 * Uses the Gregorian calendar for all days, as Postgres does. The year begins in March, so that the leap day is its
 * last.
 */
function computeDay(days: number): CalendarDay {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const ofEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1_460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  )
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * ofYear + 2) / 153)
  const day = ofYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  const counted = year > 0 ? year : 1 - year
  return { year, text: `${`${counted}`.padStart(4, '0')}-${two(month)}-${two(day)}` }
}

const two = (n: number): string => (n < 10 ? `0${n}` : `${n}`)

/** `23:59:59.999999`, `24:00:00`. */
function timeText(micros: number): string {
  const fraction = micros % 1_000_000
  const seconds = (micros - fraction) / 1_000_000
  const whole = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  return fraction === 0 ? whole : `${whole}.${`${fraction}`.padStart(6, '0')}`
}

const decodeTime: Decode = (wire) =>
  typeof wire === 'number' && Number.isInteger(wire) && wire >= 0 && wire <= DAY ? timeText(wire) : refuse('time', wire)

const decodeTimestamp: Decode = (wire) => {
  if (typeof wire === 'number' && Number.isSafeInteger(wire)) {
    const ofDay = wire % DAY
    return ofDay < 0 ? timestampText((wire - ofDay) / DAY - 1, ofDay + DAY) : timestampText((wire - ofDay) / DAY, ofDay)
  }
  // Integers that a JavaScript number cannot hold exactly arrive as their digits, so a number this large was rounded.
  if (typeof wire === 'number' && Number.isInteger(wire)) return refuse('timestamp', wire)
  if (typeof wire !== 'string' || !/^-?\d+$/.test(wire)) return refuse('timestamp', wire)
  if (wire === '9223372036854775807') return 'infinity'
  if (wire === '-9223372036854775808') return '-infinity'
  return distantTimestamp(BigInt(wire), wire)
}

function distantTimestamp(micros: bigint, wire: string): string {
  const day = BigInt(DAY)
  const ofDay = ((micros % day) + day) % day
  const days = Number((micros - ofDay) / day)
  // Timestamps after the year 294246 overflow the number that Debezium uses, and arrive as days before the first one.
  return days < FIRST_DAY ? refuse('timestamp', wire) : timestampText(days, Number(ofDay))
}

function timestampText(days: number, micros: number): string {
  const { year, text } = calendarDay(days)
  return year > 0 ? `${text} ${timeText(micros)}` : `${text} ${timeText(micros)} BC`
}

/** For the years 0001 to 9999, the wire text is Postgres's input text. */
const usual = /^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/
const unusual = /^([+-]?)(\d{4,6})(-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d{1,6})?)Z$/

const decodeTimestampWithZone: Decode = (wire) => {
  if (typeof wire !== 'string') return refuse('timestamp with time zone', wire)
  if (usual.test(wire) || wire === 'infinity' || wire === '-infinity') return wire
  const parts = unusual.exec(wire)
  if (parts === null) return refuse('timestamp with time zone', wire)
  const [, sign, digits, day, time] = parts
  // The year before 0001 is 0000 on the wire and 0001 BC in Postgres.
  if (sign === '+') return `${digits}${day} ${time}+00`
  return `${`${Number(digits) + 1}`.padStart(4, '0')}${day} ${time}+00 BC`
}

/** Debezium sends these times in UTC, so only a column whose values are all in UTC is carried exactly. */
const decodeTimeWithZone: Decode = (wire) =>
  typeof wire === 'string' && /^\d\d:\d\d:\d\d(\.\d{1,6})?Z$/.test(wire)
    ? `${wire.slice(0, -1)}+00`
    : refuse('time with time zone', wire)

const iso = /^P(-?\d+)Y(-?\d+)M(-?\d+)DT(-?\d+)H(-?\d+)M(-?)(\d+)(?:\.(\d{1,6}))?S$/

const decodeInterval: Decode = (wire) => (typeof wire === 'string' && iso.test(wire) ? wire : refuse('interval', wire))

/**
 * When Postgres compares intervals, a day has 24 hours and a month 30 days. The result is the total in microseconds.
 */
function canonicalInterval(text: string): string {
  const [, years, months, days, hours, minutes, sign, seconds, fraction = ''] =
    iso.exec(text) ?? refuse('interval', text)
  const number = (digits: string | undefined) => BigInt(digits!)
  const allDays = (number(years) * 12n + number(months)) * 30n + number(days)
  const micros = number(seconds) * 1_000_000n + number(fraction.padEnd(6, '0'))
  const ofDay = (number(hours) * 60n + number(minutes)) * 60_000_000n + (sign === '-' ? -micros : micros)
  return `${allDays * BigInt(DAY) + ofDay}`
}

export const date = codec(decodeDate, true)
export const time = codec(decodeTime, true)
export const timestamp = codec(decodeTimestamp, true)
export const timestampWithZone = codec(decodeTimestampWithZone, true)
export const timeWithZone = codec(decodeTimeWithZone, true)
export const interval = codecWithKey(decodeInterval, canonicalInterval, true)
