/** A day of the Gregorian calendar; months and days count from 1. */
export type CalendarDay = { readonly year: number; readonly month: number; readonly day: number }

/** Number of days from 0001-01-01 to 1970-01-01. */
const daysBefore1970 = 719_162

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)

const lengthOf = (year: number, month: number): number =>
  month === 2 ? (isLeap(year) ? 29 : 28) : month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31

/** Number of days in all years from 1 to the year before the given one. */
function daysOfYearsBefore(year: number): number {
  const years = year - 1
  return years * 365 + Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400)
}

/** Days since 1970-01-01 of a day in the years 1 to 9999; undefined when the calendar does not have the day. */
export function daysSince1970({ year, month, day }: CalendarDay): number | undefined {
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > lengthOf(year, month)) return undefined
  let days = daysOfYearsBefore(year) + day - 1
  for (let each = 1; each < month; each++) days += lengthOf(year, each)
  return days - daysBefore1970
}

/** The day that is `sinceThen` days after 1970-01-01, in the years 1 to 9999. */
export function dayOf(sinceThen: number): CalendarDay {
  const days = sinceThen + daysBefore1970
  let year = Math.floor(days / 365.2425) + 1
  while (daysOfYearsBefore(year) > days) year -= 1
  while (daysOfYearsBefore(year + 1) <= days) year += 1
  let rest = days - daysOfYearsBefore(year)
  let month = 1
  for (; rest >= lengthOf(year, month); month++) rest -= lengthOf(year, month)
  return { year, month, day: rest + 1 }
}
