import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkDefinitions, readDefinitionFiles } from './definition-files.ts'

let project: string

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'tidemark-definitions-'))
})

afterEach(() => rmSync(project, { recursive: true }))

const good = `-- source: public.ride
-- event time: at
-- window: tumbling 1 hour
-- watermark: 1 hour
select count(*) as rides from ride
`

function write(files: Record<string, string>) {
  mkdirSync(join(project, 'windows'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(project, 'windows', name), text)
}

test('the definitions of a project are the SQL files of its folder windows, in the order of their names', () => {
  write({ 'rides.sql': good, 'fares.sql': good, '.rides.sql': 'a swap file', 'README.md': 'what these are' })

  const files = readDefinitionFiles(project)

  expect(files.map(({ name, text }) => [name, text])).toEqual([
    ['fares', good],
    ['rides', good],
  ])
})

test('a project without the folder has no definitions', () => {
  expect(readDefinitionFiles(project)).toEqual([])
})

test('a wrong file fails with file, line and reason, and so do all others that are wrong', () => {
  write({ 'rides.sql': good, 'fares.sql': good.replace('as rides', ''), 'Zones.sql': good })

  expect(() => readDefinitionFiles(project)).toThrow(
    /^windows\/Zones\.sql:1: the name of the file .*\nwindows\/fares\.sql:5: an item has no name: write count\(\*\) as name$/,
  )
})

test('more text than a resource can have is refused', () => {
  const files = Array.from({ length: 10 }, (_, index) => ({
    file: `windows/rides_${index}.sql`,
    text: `${good}-- ${'x'.repeat(20_000)}`,
  }))

  expect(() => checkDefinitions(files)).toThrow('definitions are deployed with at most 150000')
})
