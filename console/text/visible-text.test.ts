import fc from 'fast-check'
import { expect, test } from 'vitest'
import { markText } from './visible-text.ts'

const shown = (text: string, form?: 'line' | 'block') =>
  markText(text, form)
    .map((part) => (part.kind === 'mark' ? `[${part.text}]` : part.text))
    .join('')

test('control characters are shown by their names', () => {
  expect(shown('a\u0000b\tc\nd\u007f')).toBe('a[NUL]b[TAB]c[LF]d[DEL]')
})

test('overrides of direction, characters without width and other spaces are shown by their number', () => {
  expect(shown('\u202egnp.exe\u2066\u200b\u00a0\ufeff\u2028')).toBe(
    '[U+202E]gnp.exe[U+2066][U+200B][U+00A0][U+FEFF][U+2028]',
  )
})

test('half of a character is shown by its number', () => {
  expect(shown('a\ud800b')).toBe('a[U+D800]b')
})

test('spaces at the end of a line are marked, so that "a" and "a " differ', () => {
  expect(shown('a b  ')).toBe('a b[␣␣]')
})

test('a block keeps its lines and tabs', () => {
  expect(shown('a\n\tb \n', 'block')).toBe('a\n\tb \n')
})

test('letters of all scripts and joined emoji are left as they are', () => {
  const text = 'żółć 東京 مرحبا 👩‍👩‍👧 ❤️ नमस्ते'

  expect(shown(text)).toBe(text)
})

test('a joiner after a Latin letter is shown, because it only hides there', () => {
  expect(shown('pay\u200dpal')).toBe('pay[U+200D]pal')
})

const characters = [
  'a',
  ' ',
  '\n',
  '\u0000',
  '\u202e',
  '\ud83d',
  '\udc68',
  '\u200d',
  '\ufe0f',
  '\u00a0',
  '東',
  '␊',
  '␠',
]
const texts = fc.array(fc.constantFrom(...characters), { maxLength: 6 }).map((some) => some.join(''))

test('every text that differs is shown differently', () => {
  fc.assert(
    fc.property(texts, texts, (a, b) => {
      fc.pre(a !== b)
      expect(JSON.stringify(markText(a))).not.toBe(JSON.stringify(markText(b)))
    }),
  )
})
