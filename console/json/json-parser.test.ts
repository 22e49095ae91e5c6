import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type JsonFault, JsonLines } from './json-lines.ts'
import { readJsonLines } from './json-parser.ts'

function read(text: string): JsonLines | JsonFault {
  const steps = readJsonLines(text)
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}

/** The lines as a text, which JSON.stringify with an indent writes too. */
function written(text: string): string {
  const lines = read(text)
  if (!(lines instanceof JsonLines)) return `${lines.at}: ${lines.expected}`
  return Array.from({ length: lines.count }, (_, index) => {
    const { depth, key, text: value, hasComma } = lines.line(index)
    return `${'  '.repeat(depth)}${key === null ? '' : `${key}: `}${value}${hasComma ? ',' : ''}`
  }).join('\n')
}

test('numbers keep every digit that is written', () => {
  expect(written('{"id":9007199254740993,"price":1.10,"tiny":1E-400}')).toBe(
    '{\n  "id": 9007199254740993,\n  "price": 1.10,\n  "tiny": 1E-400\n}',
  )
})

test('every JSON is shown as it is indented', () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      const indented = JSON.stringify(JSON.parse(json), null, 2)
      // A number may be written in several ways, and is left as it is.
      expect(written(indented)).toBe(indented.replaceAll(/\{\s+\}/g, '{}'))
    }),
  )
})

test('a text is taken if and only if JSON.parse takes it', () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '1',
    '-',
    '0',
    '.5',
    'e3',
    'true',
    'null',
    ' ',
    '"\\u12"',
    '"\n"',
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 8 }), (some) => {
      const text = some.join('')
      const isJson = (() => {
        try {
          JSON.parse(text)
          return true
        } catch {
          return false
        }
      })()
      expect(read(text) instanceof JsonLines).toBe(isJson)
    }),
    { numRuns: 3_000 },
  )
})

test('a fault says where it is and what was expected', () => {
  expect(written('{"a":1,}')).toBe('7: a name in quotes')
  expect(written('[1 2]')).toBe('3: a comma or the end of what is open')
  expect(written('')).toBe('0: a value')
})

test('brackets know their partners', () => {
  const lines = read('{"a":[1,{}],"b":{"c":2}}') as JsonLines

  expect(Array.from({ length: lines.count }, (_, index) => lines.partnerOf(index))).toEqual([8, 4, 2, 3, 1, 7, 6, 5, 0])
})

test('a text of a hundred thousand brackets exhausts no stack', () => {
  expect(read('['.repeat(100_000) + ']'.repeat(100_000))).toBeInstanceOf(JsonLines)
})

test('a text of five megabytes is read in steps', () => {
  const text = `[${Array.from({ length: 250_000 }, (_, i) => `{"i":${i}}`).join(',')}]`
  const steps = readJsonLines(text)
  let pauses = 0
  while (!steps.next().done) pauses++

  expect(pauses).toBeGreaterThan(50)
})
