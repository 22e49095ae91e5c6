import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A word that documents do not use, its line, and what to write instead. */
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
]

/** Text that is not prose: blocks and spans of code, and quoted text, such as an example of what not to write. */
const notProse = /^```.*?^```|`[^`\n]*`|"[^"\n]*"/gms

/** The forbidden words in the prose of a Markdown text, in the order of the text. */
export function findForbiddenWords(markdown: string): readonly ForbiddenWord[] {
  const prose = markdown.replace(notProse, (code) => code.replace(/[^\n]/g, ' '))
  const found = forbidden.flatMap(({ words, instead }) =>
    [...prose.matchAll(words)].map((match) => ({ index: match.index, word: match[0], instead })),
  )
  return found
    .sort((a, b) => a.index - b.index)
    .map(({ index, word, instead }) => ({ line: prose.slice(0, index).split('\n').length, word, instead }))
}

/**
 * Checks the documents at the root and in docs, but not decisions, which stay as they were written. Returns one line
 * for each forbidden word.
 */
export function checkProse(repository: string): readonly string[] {
  return globSync(['*.md', 'docs/*.md'], { cwd: repository })
    .sort()
    .flatMap((file) =>
      findForbiddenWords(readFileSync(join(repository, file), 'utf8')).map(
        ({ line, word, instead }) =>
          `${file}:${line}: '${word}' is not a word of the documents (CONTRIBUTING.md, Prose): write ${instead}`,
      ),
    )
}
