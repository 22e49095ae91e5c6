import { expect, test } from 'vitest'
import { type Cut, parseCut, schemaOf } from './cut.ts'

const noon = Date.UTC(2026, 10, 27, 12) * 1000

test.each([
  ['2026-11-27T12:00:00Z', noon],
  ['2026-11-27 12:00', noon],
  ['2026-11-27T14:00:00+02', noon],
  ['2026-11-27T08:30:00-03:30', noon],
  ['2026-11-27T14:00:00.000001+0200', noon + 1],
  ['2026-11-27T12:00:00.25Z', noon + 250_000],
  ['2026-11-27', noon - 12 * 3_600_000_000],
])('%s is a time to the microsecond, UTC where it names no zone', (text, us) => {
  expect(parseCut(text)).toEqual({ kind: 'time', us, text })
})

test('a whole number is a beacon', () => {
  expect(parseCut('42')).toEqual({ kind: 'beacon', number: 42 })
})

test.each(['yesterday', '2026-13-01', '2026-02-30', '2025-02-29T12:00', '2026-11-27T25:00', '12:00', '-3', ''])(
  '%j is refused',
  (text) => {
    expect(() => parseCut(text)).toThrow('is neither the number of a beacon nor a time')
  },
)

test.each<[Cut, string]>([
  [{ kind: 'beacon', number: 42 }, 'tidemark_beacon_42'],
  [{ kind: 'time', us: noon, text: '' }, 'tidemark_20261127t120000z'],
  [{ kind: 'time', us: noon + 1, text: '' }, 'tidemark_20261127t120000_000001z'],
])('a cut has a schema of its own name', (cut, name) => {
  expect(schemaOf(cut)).toBe(name)
})
