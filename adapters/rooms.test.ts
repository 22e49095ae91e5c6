import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

const repository = join(import.meta.dirname, '..')
const sourcesOf = (folder: string): string[] =>
  globSync(`${folder}/**/*.ts`, { cwd: repository }).filter((file) => !file.endsWith('.test.ts'))

/** For each room of a folder, the rooms that it imports. */
function importsOfRooms(folder: string): Map<string, Set<string>> {
  const roomOf = (file: string) => /^([^/]+)\//.exec(file.slice(folder.length + 1))?.[1]
  const imports = new Map<string, Set<string>>()
  for (const file of sourcesOf(folder)) {
    const room = roomOf(file)
    if (room === undefined) continue
    const imported = imports.get(room) ?? new Set()
    imports.set(room, imported)
    for (const [, name] of readFileSync(join(repository, file), 'utf8').matchAll(/ from '([#.][^']+)'/g)) {
      const path = name!.startsWith('#') ? name!.slice(1) : normalize(join(dirname(file), name!))
      const other = path.startsWith(`${folder}/`) ? roomOf(path) : undefined
      if (other !== undefined && other !== room) imported.add(other)
    }
  }
  return imports
}

/**
 * The rooms that import each other in a circle. A room is removed once all rooms that it imports are removed, and those
 * that stay are returned.
 */
function inCircles(imports: Map<string, Set<string>>): string[] {
  const left = new Set(imports.keys())
  for (let before = -1; before !== left.size; ) {
    before = left.size
    for (const room of left) if (![...imports.get(room)!].some((other) => left.has(other))) left.delete(room)
  }
  return [...left]
}

test.each(['core', 'adapters/iceberg', 'adapters/postgres'])('imports between the rooms of %s go one way', (folder) => {
  const imports = importsOfRooms(folder)

  expect(imports.size).toBeGreaterThan(3)
  expect(inCircles(imports)).toEqual([])
})

test('functions have no statements of their own: what they ask of a database is in adapters/postgres', () => {
  const asking = sourcesOf('lambdas').filter((file) => readFileSync(join(repository, file), 'utf8').includes('.query('))

  expect(asking).toEqual([])
})
