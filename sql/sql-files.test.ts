import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readSqlFiles, type SqlFile } from '#adapters/postgres/migration/sql-files.ts'

describe.each(['source', 'target'])('the SQL of the %s', async (side) => {
  const { tables, functions, finish } = await readSqlFiles(join(import.meta.dirname, side))

  test('defines each function, view and event trigger once, in a file of functions', () => {
    const defined = functions.flatMap((file) =>
      // Functions of one name have different parameters.
      namesIn(file, /^ *create (?:or replace )?(?:function|view|event trigger) ([\w.]+(?:\([^)]*\))?)/gm),
    )

    expect(defined.length).toBeGreaterThan(50)
    expect(defined.filter((name, place) => defined.indexOf(name) !== place)).toEqual([])
    expect(
      tables.concat(finish).flatMap((file) => namesIn(file, /\bcreate (?:or replace )?(?:function|view) ([\w.]+)/g)),
    ).toEqual([])
  })

  test('makes tables, roles and schemas in files of tables only', () => {
    const made = functions
      .concat(finish)
      .flatMap((file) =>
        namesIn(file, /^(create (?:table|type|role|schema|index|unique index)|alter (?:table|role)) /gm),
      )

    expect(made).toEqual([])
  })

  test('sets owners and rights in finish.sql only', () => {
    const set = functions
      .concat(tables)
      .flatMap((file) => namesIn(file, /^(revoke|alter .* owner to|grant .* on tidemark)/gm))

    expect(set).toEqual([])
  })

  test.each(functions.concat(tables, finish))('$name begins with what it is for', ({ sql }) => {
    expect(sql).toMatch(/^-- [A-Z]/)
  })
})

const namesIn = ({ sql }: SqlFile, pattern: RegExp): string[] => [...sql.matchAll(pattern)].map((match) => match[1]!)
