import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cutText, displayWidth, shortenName, visibleText, wrapText } from './display-width.ts'
import { colours } from './style.ts'

test.each([
  ['abc', 3],
  ['表', 2],
  ['public.注文', 11],
  ['ｱﾞ', 2],
  ['가나', 4],
  ['e\u0301', 1],
  ['👩‍👩‍👧', 2],
  ['❤️', 2],
  ['●…×', 3],
  [colours.bad('表'), 2],
])('%s is as wide as a terminal shows it', (text, width) => {
  expect(displayWidth(text)).toBe(width)
})

test('a text is cut between characters, and its colours end with it', () => {
  expect(cutText('表表表', 6)).toBe('表表表')
  expect(cutText('表表表', 5)).toBe('表表…')
  expect(cutText('表表表', 4)).toBe('表…')
  expect(cutText(colours.bad('abcdef'), 4)).toBe('\u001b[33mabc…\u001b[0m')
})

test('a name that is too long loses its middle', () => {
  expect(shortenName('public.orders', 13)).toBe('public.orders')
  expect(shortenName('public.orders_of_2026_part_07', 15)).toBe('public.…part_07')
})

test('a text is wrapped between words, and a word that is too long within itself', () => {
  expect(wrapText('one two three', 7)).toEqual(['one two', 'three'])
  expect(wrapText('a abcdefgh b', 4)).toEqual(['a', 'abcd', 'efgh', 'b'])
  expect(wrapText('', 4)).toEqual([''])
})

test('what moves the cursor is shown, not sent', () => {
  expect(visibleText('a\nb\u001b[2Jc\u202ed\u009be')).toBe('a␊b␛[2Jc\ufffdd\ufffde')
})

test('nothing is wider than it is asked to be, and wrapping loses nothing but spaces', () => {
  const text = fc.string({ unit: fc.constantFrom('a', ' ', '表', 'é', '😀', 'ｱ'), maxLength: 60 })

  fc.assert(
    fc.property(text, fc.integer({ min: 2, max: 20 }), (each, width) => {
      expect(displayWidth(cutText(each, width))).toBeLessThanOrEqual(width)
      expect(displayWidth(cutText(colours.bad(each), width))).toBeLessThanOrEqual(width)
      expect(displayWidth(shortenName(each, width))).toBeLessThanOrEqual(width)
      const lines = wrapText(each, width)
      for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width)
      expect(lines.join('').replaceAll(' ', '')).toBe(each.replaceAll(' ', ''))
    }),
  )
})
