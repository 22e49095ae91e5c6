import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkProse, commentsOf, findForbiddenWords } from './prose.ts'

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

test('code and quoted text are not prose', () => {
  expect(findForbiddenWords('`unkeyed-ledger.ts` and "It is told anew."\n\n```\nnpm run whoever\n```\n')).toEqual([])
})

test('a part of a longer word is not the word', () => {
  expect(findForbiddenWords('A teller foretold renewal.')).toEqual([])
})

test.each([
  // Written with another sign, so that it is no comment of this file.
  {
    ending: '.ts',
    text: "§** It reads\n * anew. *§\nconst told = 'https:§§by.now' §§ whoever asks\n".replaceAll('§', '/'),
  },
  { ending: '.sql', text: "-- It reads\n-- anew.\nselect 'told --by now'; -- whoever asks\n" },
])('of code in $ending files, comments are prose and nothing else', ({ ending, text }) => {
  const found = findForbiddenWords(commentsOf(text, ending))

  expect(found.map(({ line, word }) => [line, word])).toEqual([
    [2, 'anew'],
    [3, 'whoever'],
  ])
})

test('no document at the root or in docs, and no comment, has a forbidden word', () => {
  expect(checkProse(join(import.meta.dirname, '../..'))).toEqual([])
})
