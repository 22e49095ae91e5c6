import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

const repository = join(import.meta.dirname, '../..')
const read = (file: string): string => readFileSync(join(repository, file), 'utf8')
const section = /## The path of a change\n(.*?)\n## /s.exec(read('docs/architecture.md'))![1]!
const path = [...section.matchAll(/^\| \d+ \| `([^`]+)` \|/gm)].map(([, file]) => file!)

/** The files that a file imports, from the root of the repository. */
const importsOf = (file: string): string[] =>
  [...read(file).matchAll(/ from '([#.][^']+)'/g)].map(([, name]) =>
    name!.startsWith('#') ? name!.slice(1) : normalize(join(dirname(file), name!)),
  )

test('the path of a change as docs/architecture.md lists it has at most 12 files, each imported by one before it', () => {
  expect(path.length).toBeGreaterThan(1)
  expect(path.length).toBeLessThanOrEqual(12)
  // The handler passes the consumer to the function, so what the handler imports counts as well.
  const reached = new Set([path[0]!, ...importsOf('lambdas/apply-latest-state/handler.ts')])
  for (const file of path) {
    expect(reached).toContain(file)
    for (const imported of importsOf(file)) reached.add(imported)
  }
})

test('every file of the folders that plan and apply is listed as on the path of a change or beside it', () => {
  const files = globSync('{core/{tables,keyless,apply},adapters/postgres/apply}/*.ts', { cwd: repository }).filter(
    (file) => !/\.test\.ts$/.test(file),
  )
  const named = new Set(
    [...section.matchAll(/`([a-z/-]+\.ts)`/g)].map(([, file]) => file!.slice(file!.lastIndexOf('/') + 1)),
  )
  expect(files.filter((file) => !named.has(file.slice(file.lastIndexOf('/') + 1)))).toEqual([])
})
