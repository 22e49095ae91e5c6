import { quoted } from './definition-problem.ts'

/** Microseconds of each unit that always lasts equally long. Months and years do not. */
const MICROS = new Map([
  ['millisecond', 1_000n],
  ['second', 1_000_000n],
  ['minute', 60_000_000n],
  ['hour', 3_600_000_000n],
  ['day', 86_400_000_000n],
  ['week', 604_800_000_000n],
])

const abbreviations = new Map([
  ['ms', 'millisecond'],
  ['s', 'second'],
  ['min', 'minute'],
  ['h', 'hour'],
  ['d', 'day'],
])

/** Ten years of 366 days: everything that waits for an event time ends before it is forgotten. */
export const LONGEST_MICROS = 3_660n * MICROS.get('day')!

/**
 * Reads a length of time such as `1 hour`, `90 seconds` or `1 hour 30 minutes`, in microseconds. Returns a reason
 * instead when it is no such text, has no fixed length or is longer than ten years.
 */
export function readDuration(text: string): bigint | string {
  const parts = /^(?:\d{1,15} ?[a-z]{1,20}(?: |$))+$/i.test(text.trim()) ? text.trim().split(/(?<=[a-z]) +/i) : []
  if (parts.length === 0) return `${quoted(text)} is not a length of time such as 1 hour 30 minutes`
  let micros = 0n
  for (const part of parts) {
    const [, count, written] = /^(\d+) ?([a-z]+)$/i.exec(part)!
    const unit = nameOfUnit(written!)
    if (/^(month|year)$/.test(unit)) return `a ${unit} has no fixed length: write it in days`
    const each = MICROS.get(unit)
    if (each === undefined) return `'${written}' is not a unit of time: ${[...MICROS.keys()].join(', ')}`
    micros += BigInt(count!) * each
  }
  return micros > LONGEST_MICROS ? `${quoted(text)} is longer than ten years` : micros
}

/** The unit in the singular, whatever it is. */
function nameOfUnit(written: string): string {
  const lower = written.toLowerCase()
  return abbreviations.get(lower) ?? lower.replace(/s$/, '')
}

/** A length of time as a definition has it, e.g. `1 hour 30 minutes`, without fractions of a millisecond. */
export function writeDuration(micros: bigint): string {
  const parts: string[] = []
  let left = micros < 0n ? -micros : micros
  for (const unit of ['day', 'hour', 'minute', 'second', 'millisecond']) {
    const count = left / MICROS.get(unit)!
    left %= MICROS.get(unit)!
    if (count > 0n) parts.push(`${count} ${unit}${count === 1n ? '' : 's'}`)
  }
  return parts.length === 0 ? '0 seconds' : parts.join(' ')
}
