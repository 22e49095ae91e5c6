import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeFiles, codeFolders } from './code-files.ts'

/** A word that documents and code do not use, its line, and what to write instead. */
export type ForbiddenWord = { readonly line: number; readonly word: string; readonly instead: string }

/** The list stays short. CONTRIBUTING.md has the rules, and these are the words that broke them most often. */
const forbidden: readonly { readonly words: RegExp; readonly instead: string }[] = [
  { words: /\b(?:tells?|told)\b/gi, instead: 'say, show, give or distinguish' },
  { words: /\banew\b/gi, instead: 'again' },
  { words: /\bby now\b/gi, instead: 'the time that is meant' },
  { words: /\bwhoever\b/gi, instead: 'the role, user or function that is meant' },
  { words: /\bfor want of\b/gi, instead: 'because there is no …' },
  { words: /\bbecomes? of\b/gi, instead: 'the consequence' },
  { words: /\bunkeyed\b/gi, instead: 'keyless' },
  { words: /\bcarr(?:y|ies|ied) out\b/gi, instead: 'execute' },
  { words: /\bheld for dead\b/gi, instead: 'zombie' },
  { words: /\bpark(?:s|ed|ing)?\b/gi, instead: 'quarantine' },
]

/** Text that is not prose: blocks and spans of code, and quoted text, such as an example of what not to write. */
const notProse = /^```.*?^```|`[^`\n]*`|"[^"\n]*"/gms

/** The text of a document with spaces in the place of everything that is not prose. */
export const proseOf = (markdown: string): string => markdown.replace(notProse, (code) => code.replace(/[^\n]/g, ' '))

/** The forbidden words of a text, in the order of the text. */
export function findForbiddenWords(text: string): readonly ForbiddenWord[] {
  const found = forbidden.flatMap(({ words, instead }) =>
    [...text.matchAll(words)].map((match) => ({ index: match.index, word: match[0], instead })),
  )
  return found
    .sort((a, b) => a.index - b.index)
    .map(({ index, word, instead }) => ({ line: text.slice(0, index).split('\n').length, word, instead }))
}

/** Documents, but not decisions, which stay as they were written. */
const documents = ['*.md', 'docs/*.md', `${codeFolders}/**/README.md`, 'fixtures/**/README.md']

/** Code is checked as a whole: its comments, messages, names and titles of tests. These two files need the words. */
const exceptions = ['commands/development/check/prose.ts', 'commands/development/check/prose.test.ts']

/** Checks documents and code. Returns one line for each forbidden word. */
export function checkProse(repository: string): readonly string[] {
  const read = (file: string) => readFileSync(join(repository, file), 'utf8')
  const files = (patterns: string | string[]) => globSync(patterns, { cwd: repository, exclude: exceptions }).sort()
  return [
    ...files(documents).flatMap((file) => describe(file, proseOf(read(file)))),
    ...files(codeFiles).flatMap((file) => describe(file, read(file))),
  ]
}

const describe = (file: string, text: string): string[] =>
  findForbiddenWords(text).map(
    ({ line, word, instead }) =>
      `${file}:${line}: '${word}' is not a word of this project (CONTRIBUTING.md, Prose): write ${instead}`,
  )
