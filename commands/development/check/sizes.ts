import { globSync, readFileSync } from 'node:fs'
import { dirname, join, matchesGlob } from 'node:path'
import { codeFiles } from './code-files.ts'

/** The most lines of a file, so that it has one subject. A test has more, because one subject has many cases. */
const mostLines = { source: 300, test: 700 }

/** The most source files of a folder, so that its list is read at a glance. Tests lie beside them and do not count. */
const mostFiles = 20

/** A test writes the dumps, and the numbered files of a schema are never moved. */
const dumps = 'sql/*/schema.sql'
const numbered = 'sql/*/tables'

/**
 * The files and folders that are too large, given the lines of each file of code by its path. Returns one line of text
 * for each.
 */
export function findTooLarge(lines: ReadonlyMap<string, number>): readonly string[] {
  const isTest = (file: string) => file.endsWith('.test.ts')
  const files = [...lines].filter(([file]) => !matchesGlob(file, dumps))
  const folders = Map.groupBy(
    files.map(([file]) => file).filter((file) => !isTest(file)),
    dirname,
  )
  return [
    ...files.flatMap(([file, count]) => {
      const most = isTest(file) ? mostLines.test : mostLines.source
      return count <= most
        ? []
        : [`${file} has ${count} lines, and at most ${most} are allowed (CONTRIBUTING.md): split it by subject`]
    }),
    ...[...folders].flatMap(([folder, { length }]) =>
      length <= mostFiles || matchesGlob(folder, numbered)
        ? []
        : [
            `${folder} has ${length} source files, and at most ${mostFiles} are allowed (CONTRIBUTING.md): move those of one subject to a folder of their own`,
          ],
    ),
  ]
}

/** Checks the length of the files of code and the number of files in each folder. */
export function checkSizes(repository: string): readonly string[] {
  const lines = globSync(codeFiles, { cwd: repository })
    .sort()
    .map((file) => [file, readFileSync(join(repository, file), 'utf8').split('\n').length - 1] as const)
  return findTooLarge(new Map(lines))
}
