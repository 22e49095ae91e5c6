import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatLsn, parseLsn } from './lsn.ts'

test('an lsn reads as Postgres writes it', () => {
  expect(parseLsn('16/B374D848')).toBe(0x16 * 2 ** 32 + 0xb374d848)
  fc.assert(
    fc.property(fc.maxSafeNat(), (lsn) => {
      expect(parseLsn(formatLsn(lsn))).toBe(lsn)
    }),
  )
})

test('anything that is no exact lsn is refused', () => {
  for (const text of ['', '16', '16/', '16/XYZ', 'FFFFFFFF/FFFFFFFF']) expect(() => parseLsn(text)).toThrow(RangeError)
})
