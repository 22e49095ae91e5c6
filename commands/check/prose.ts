import { globSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'

/** A word that documents and comments do not use, its line, and what to write instead. */
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

const inJavaScript = /\/\*.*?\*\/|(?<=^|\s)\/\/.*?$/gms
const inSql = /(?<=^|\s)-- .*?$/gms

/** How the comments of a file are written, by the ending of its name. */
const comments: Readonly<Record<string, RegExp>> = {
  '.ts': inJavaScript,
  '.mjs': inJavaScript,
  '.cjs': inJavaScript,
  '.sql': inSql,
}

/** The text with spaces in the place of everything that is no comment. */
export function commentsOf(text: string, ending: string): string {
  const blank = (code: string) => code.replace(/[^\n]/g, ' ')
  let from = 0
  let kept = ''
  for (const { index, 0: comment } of text.matchAll(comments[ending]!)) {
    kept += blank(text.slice(from, index)) + comment
    from = index + comment.length
  }
  return kept + blank(text.slice(from))
}

/** Documents, but not decisions, which stay as they were written. */
const documents = ['*.md', 'docs/*.md']
const rooms =
  '{core,adapters,lambdas,cdk,sql,localstack,terminal,watch,verify,rebuild,feed,preflight,commands,bench,test-support,tests}'

/** Checks documents, and the comments of code. Returns one line for each forbidden word. */
export function checkProse(repository: string): readonly string[] {
  const read = (file: string) => readFileSync(join(repository, file), 'utf8')
  const files = (patterns: string[]) => globSync(patterns, { cwd: repository }).sort()
  return [
    ...files(documents).flatMap((file) => describe(file, read(file))),
    ...files(Object.keys(comments).map((ending) => `${rooms}/**/*${ending}`)).flatMap((file) =>
      describe(file, commentsOf(read(file), extname(file))),
    ),
  ]
}

const describe = (file: string, prose: string): string[] =>
  findForbiddenWords(prose).map(
    ({ line, word, instead }) =>
      `${file}:${line}: '${word}' is not a word of documents and comments (CONTRIBUTING.md, Prose): write ${instead}`,
  )
