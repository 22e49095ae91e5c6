import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'

const repository = join(import.meta.dirname, '../..')
const read = (file: string): string => readFileSync(join(repository, file), 'utf8')
/**
 * The documents that explain the repository. Decisions are not among them, because they record their time and are not
 * kept up to date.
 */
const documents = globSync(['*.md', 'docs/*.md'], { cwd: repository })

const folders = readdirSync(repository, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && /^[a-z]/.test(entry.name))
  .map(({ name }) => name)
  .join('|')

/** Paths in code spans, such as `core/delivery.ts` or `adapters/iceberg/*.test.ts`. */
const pathsOf = (document: string): string[] =>
  [...read(document).matchAll(new RegExp(`\`((?:${folders})/[^\`\\s<>…]*)\``, 'g'))].map(([, path]) => path!)

/** Targets of links to files, without the heading. */
const linksOf = (document: string): string[] =>
  [...read(document).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, target]) => join(dirname(document), target!))

/** Links to a heading, of the document itself or of another one, as file and anchor. */
const anchorsOf = (document: string): { file: string; anchor: string }[] =>
  [...read(document).matchAll(/\]\((?!https?:)([^)#\s]*\.md)?#([^)\s]+)\)/g)].map(([, file, anchor]) => ({
    file: file === undefined ? document : join(dirname(document), file),
    anchor: anchor!,
  }))

/** The anchor that GitHub gives to a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')

const hasHeading = ({ file, anchor }: { file: string; anchor: string }): boolean =>
  [...read(file).matchAll(/^#+ (.+)$/gm)].some(([, heading]) => anchorOf(heading!) === anchor)

const exists = (path: string): boolean =>
  /[*{]/.test(path) ? globSync(path, { cwd: repository }).length > 0 : existsSync(join(repository, path))

describe.each(documents)('%s', (document) => {
  test('names only files that exist', () => {
    expect([...pathsOf(document), ...linksOf(document)].filter((path) => !exists(path))).toEqual([])
  })

  test('links only to headings that exist', () => {
    expect(anchorsOf(document).filter((link) => !hasHeading(link))).toEqual([])
  })
})

test('every npm command that a document names is a script of package.json', () => {
  const scripts = JSON.parse(read('package.json')).scripts
  const named = documents.flatMap((document) =>
    [...read(document).matchAll(/\bnpm (?:run )?(start|test|(?<=run )[a-z:]+)/g)].map(([, script]) => script!),
  )

  expect(named.filter((script) => scripts[script] === undefined)).toEqual([])
})

test('the invariants of SPEC.md are numbered in their order', () => {
  const numbers = [...read('SPEC.md').matchAll(/^(\d+)\. \*\*/gm)].map(([, number]) => Number(number))

  expect(numbers.length).toBeGreaterThan(40)
  expect(numbers).toEqual(numbers.map((_, index) => index + 1))
})

test('docs/map.md answers at least ten questions, each with a file', () => {
  const questions = [...read('docs/map.md').matchAll(/^\| [^|]+\? \| `([^`]+)` \|/gm)].map(([, file]) => file!)

  expect(questions.length).toBeGreaterThanOrEqual(10)
  expect(questions.filter((file) => !existsSync(join(repository, file)))).toEqual([])
})
