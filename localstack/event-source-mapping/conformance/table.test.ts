import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const read = (file: string) => readFileSync(join(import.meta.dirname, '..', file), 'utf8')

/** References in the README's table: a test file, and the beginning of the name of a test or group in it. */
const references = [
  ...read('README.md').matchAll(/`(conformance\/[\w.-]+\.test\.ts)`(?: › ([^|`,]+?)(?= \||,|\n))?/g),
].map(([, file, name]) => ({ file: file!, name: name?.trim() ?? '' }))

test('every test that the table of conformance names is there', () => {
  expect(references.length).toBeGreaterThan(40)
  for (const { file, name } of references) expect(read(file).replace(/\s+/g, ' '), file).toContain(name)
})
