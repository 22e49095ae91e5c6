import fc from 'fast-check'
import { expect, test } from 'vitest'
import { initiallyFolded, unfoldedLines } from './folded-lines.ts'
import type { JsonLines } from './json-lines.ts'
import { readJsonLines } from './json-parser.ts'
import { TextRows } from './text-rows.ts'

const rowsOf = (text: string, width: number) => {
  const rows = new TextRows(text, width)
  return Array.from({ length: rows.count }, (_, index) => rows.row(index))
}

test('a text breaks at line feeds and at its width', () => {
  expect(rowsOf('abcdef\ngh\n\ni', 4)).toEqual(['abcd', 'ef', 'gh', '', 'i'])
  expect(rowsOf('', 4)).toEqual([''])
})

test('a character of two units is not torn', () => {
  expect(rowsOf('ab😀c', 3)).toEqual(['ab', '😀c'])
})

test('nothing of a text without line feeds is lost', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a', '\u0000', '😀', '\udc00', '\ud83d'), { maxLength: 12 }),
      fc.integer({ min: 1, max: 9 }),
      (some, width) => {
        expect(rowsOf(some.join(''), width).join('')).toBe(some.join(''))
      },
    ),
  )
})

function linesOf(text: string): JsonLines {
  const steps = readJsonLines(text)
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value as JsonLines
  }
}

test('a folded bracket takes one line', () => {
  const lines = linesOf('{"a":[1,2],"b":3}')

  expect([...unfoldedLines(lines, new Set())]).toEqual([0, 1, 2, 3, 4, 5, 6])
  expect([...unfoldedLines(lines, new Set([1]))]).toEqual([0, 1, 5, 6])
  expect([...unfoldedLines(lines, new Set([0]))]).toEqual([0])
})

test('a short text begins unfolded, and a long one folded where it is deep', () => {
  const row = '{"x":{"y":{"z":1}}}'

  expect(initiallyFolded(linesOf(`[${row}]`)).size).toBe(0)
  expect(initiallyFolded(linesOf(`[${Array.from({ length: 200 }, () => row).join(',')}]`)).size).toBe(200)
})
