import { expect, test } from 'vitest'
import { parseReadSnapshot, wasRead } from './read-snapshot.ts'

test('a snapshot saw what had committed before it, not what was running or came later', () => {
  const snapshot = parseReadSnapshot('10:20:10,14')
  expect([9, 10, 11, 14, 19, 20, 21].filter((txId) => wasRead(snapshot, txId))).toEqual([9, 11, 19])
})

test('transaction ids are compared across a wraparound of their 32 bits', () => {
  const snapshot = parseReadSnapshot(`${2 ** 32 + 5}:${2 ** 32 + 5}:`)
  expect([2 ** 32 - 3, 4, 5].map((txId) => wasRead(snapshot, txId))).toEqual([true, true, false])
  expect(wasRead(parseReadSnapshot(`${2 ** 32 - 2}:${2 ** 32 - 2}:`), 3)).toBe(false)
})

test('anything else is refused', () => {
  expect(() => parseReadSnapshot('10:20')).toThrow('is not a snapshot')
})
