import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ADVISORY_LOCKS, LOCK_CLASSES } from '#adapters/postgres/session/advisory-locks.ts'
import { CONSUMERS, EPOCH_PREFIX } from '#core/fixed-names.ts'

const repository = join(import.meta.dirname, '..')

const read = (pattern: string) =>
  globSync(pattern, { cwd: repository })
    .filter((file) => !file.endsWith('.test.ts'))
    .map((file) => ({ file, text: readFileSync(join(repository, file), 'utf8') }))

/** What one group of the pattern matches in the SQL of both sides, each once. */
function inSql(pattern: RegExp): string[] {
  const texts = read('sql/*/{finish.sql,{tables,functions}/**/*.sql}').map(({ text }) => text)
  return [...new Set(texts.flatMap((text) => [...text.matchAll(pattern)].map((match) => match[1]!)))].sort()
}

test('SQL names the consumers as they are called', () => {
  expect(inSql(/'(tidemark-[^']*)'/g)).toEqual([CONSUMERS.archive, CONSUMERS.latestState, CONSUMERS.windows].sort())
})

test('SQL calls the replication slot of an epoch as the connector does', () => {
  expect(inSql(/'([^']*)' \|\| s\.epoch/g)).toEqual([EPOCH_PREFIX])
})

test('the numbers of advisory locks in SQL are those of the list, and each means one thing', () => {
  const numbers = [...Object.values(ADVISORY_LOCKS), ...Object.values(LOCK_CLASSES)]

  expect(inSql(/advisory_(?:xact_)?lock(?:_shared)?\((\d+)/g).map(Number)).toEqual(Object.values(LOCK_CLASSES))
  expect(new Set(numbers).size).toBe(numbers.length)
})

test('TypeScript has the names of consumers and the numbers of locks from one place', () => {
  const literals = [
    ...Object.values(CONSUMERS).map((name) => `'${name}'`),
    `'${EPOCH_PREFIX}`,
    `\`${EPOCH_PREFIX}`,
    '7_305_110',
    '730_511',
  ]

  const others = read('{core,adapters,lambdas,commands}/**/*.ts')
    .filter(({ file }) => !/^(core\/fixed-names|adapters\/postgres\/session\/advisory-locks)\.ts$/.test(file))
    .filter(({ text }) => literals.some((literal) => text.includes(literal)))
    .map(({ file }) => file)

  expect(others).toEqual([])
})
