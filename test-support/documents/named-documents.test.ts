import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const repository = join(import.meta.dirname, '../..')
const files = globSync('*/**/*.{ts,mjs,sql,java,py}', {
  cwd: repository,
  exclude: ['node_modules/**', 'bench/peers/**'],
})

/**
 * Matches a document in comments and messages, such as docs/types.md, but not the end of a URL and not an extension
 * alone.
 */
const document = /(?<![\w./:-])(?:[\w.-]+\/)*[\w-]+\.md(?!\w)/gi

/**
 * Whether the document exists: from the root, from the file itself or, for a file that writes a document, from docs.
 * `Docs/…` begins a sentence.
 */
const isThere = (name: string, file: string): boolean =>
  [name, name.replace(/^Docs\//, 'docs/'), join(dirname(file), name), join('docs', name)].some((path) =>
    existsSync(join(repository, path)),
  )

test('every document that a comment or a message names is in the repository', () => {
  const missing = files.flatMap((file) => {
    const text = readFileSync(join(repository, file), 'utf8')
    return [...text.matchAll(document)].filter(([name]) => !isThere(name, file)).map(([name]) => `${file}: ${name}`)
  })

  expect(files.map((file) => basename(file))).toContain('change.ts')
  expect(missing).toEqual([])
})
