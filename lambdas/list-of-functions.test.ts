import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const repository = join(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(join(repository, file), 'utf8')
const functions = globSync('lambdas/*/handler.ts', { cwd: repository }).map((file) =>
  dirname(file).slice('lambdas/'.length),
)

test('docs/architecture.md lists every function of lambdas/ and no other', () => {
  const row = /^\| functions +\|.*$/m.exec(read('docs/architecture.md'))![0]
  const listed = [...row.matchAll(/`([a-z][a-z-]+)`/g)].map(([, name]) => name!)

  expect(listed.toSorted()).toEqual(functions.toSorted())
})

test('the stack makes a function of each folder of lambdas/', () => {
  const made = globSync('cdk/**/*.ts', { cwd: repository }).flatMap((file) =>
    [...read(file).matchAll(/^ +folder: '([a-z-]+)',$/gm)].map(([, folder]) => folder!),
  )

  expect(made.toSorted()).toEqual(functions.toSorted())
})
