import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** One SQL file, named by its path in the directory. */
export type SqlFile = { name: string; sql: string; sha256: string }

/** The SQL files of source or target; each list is in the order in which it runs. */
export type SqlFiles = { tables: SqlFile[]; functions: SqlFile[]; finish: SqlFile }

/**
 * Reads `tables/NNN-name.sql`, `functions/**` and `finish.sql` of a directory. Files of functions run in the order of
 * their names, but after those that a line `-- Runs after one.sql and another.sql.` in their first comment names.
 * Throws an Error that names the file if its number is wrong, or if a file that it names is.
 */
export async function readSqlFiles(directory: string): Promise<SqlFiles> {
  const names = (await readdir(directory, { recursive: true })).map((name) => name.replaceAll('\\', '/')).sort()
  const read = (folder: string) =>
    Promise.all(
      names
        .filter((name) => name.startsWith(folder) && name.endsWith('.sql'))
        .map(async (name) => fileOf(name, await readFile(join(directory, name), 'utf8'))),
    )
  const tables = await read('tables/')
  for (const [index, { name }] of tables.entries()) {
    if (Number(/^tables\/(\d{3})-[a-z0-9-]+\.sql$/.exec(name)?.[1]) !== index + 1) {
      throw new Error(`${join(directory, name)}: its name has to be NNN-name.sql, numbered from 001 without gaps`)
    }
  }
  const [finish] = await read('finish.sql')
  if (finish === undefined) throw new Error(`${join(directory, 'finish.sql')} is missing`)
  return { tables, functions: inOrder(await read('functions/')), finish }
}

const fileOf = (name: string, sql: string): SqlFile => ({
  name,
  sql,
  sha256: createHash('sha256').update(sql).digest('hex'),
})

function inOrder(files: SqlFile[]): SqlFile[] {
  const ordered = new Set<SqlFile>()
  const add = (file: SqlFile, following: readonly string[]) => {
    if (following.includes(file.name)) {
      throw new Error(
        `${[...following, file.name].join(' runs after ')}: files cannot run after each other in a circle`,
      )
    }
    for (const name of namedBefore(file)) {
      const before = files.find((other) => other.name === name)
      if (before === undefined) throw new Error(`${file.name} runs after ${name}, which does not exist`)
      add(before, [...following, file.name])
    }
    ordered.add(file)
  }
  for (const file of files) add(file, [])
  return [...ordered]
}

function namedBefore({ sql }: SqlFile): string[] {
  const sentence = /^-- Runs after (.+)\.$/m.exec(sql)?.[1]
  return sentence?.split(/, | and /).map((name) => `functions/${name}`) ?? []
}
