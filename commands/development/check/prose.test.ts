import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkProse, findForbiddenWords, proseOf } from './prose.ts'

test('a forbidden word is found with its line and what to write instead', () => {
  expect(findForbiddenWords('# Title\n\nThe function reads\nit anew.')).toEqual([
    { line: 4, word: 'anew', instead: 'again' },
  ])
})

test('words are found in the order of the text, in any case', () => {
  const words = findForbiddenWords('Whoever asks is told\nfor want of an unkeyed table.').map(({ line, word }) => [
    line,
    word,
  ])

  expect(words).toEqual([
    [1, 'Whoever'],
    [1, 'told'],
    [2, 'for want of'],
    [2, 'unkeyed'],
  ])
})

test('code and quoted text of a document are not prose', () => {
  const markdown = '`unkeyed-ledger.ts` and "It is told anew."\n\n```\nnpm run whoever\n```\nIt is told.\n'

  expect(findForbiddenWords(proseOf(markdown)).map(({ line, word }) => [line, word])).toEqual([[6, 'told']])
})

test('a part of a longer word is not the word', () => {
  expect(findForbiddenWords('A teller foretold renewal.')).toEqual([])
})

test('no document, comment, message or title of a test has a forbidden word', () => {
  expect(checkProse(join(import.meta.dirname, '../../..'))).toEqual([])
})
