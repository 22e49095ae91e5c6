import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'

let source: SourceDatabase

const run = (sql: string) => source.pool.query(sql)

beforeEach(async () => {
  source = await createSource()
  await run(`
    create type mood as enum ('good', 'b,"ad');
    create domain spirit as mood;
    create type pair as (a int, m mood);
    create type trip as (first pair, day date)`)
})

afterEach(() => source.drop())

/** Whether the definitions of two columns' types differ by no more than added labels. */
async function onlyAddsLabels(type: string, ddl: string): Promise<boolean> {
  const define = async () =>
    (await run(`select definition from tidemark.column_type('${type}'::regtype, -1)`)).rows[0].definition
  const before = await define()
  await run(ddl)
  const after = await define()
  expect(after).not.toBe(before)
  const { rows } = await source.pool.query('select tidemark.only_adds_labels($1, $2) as only', [before, after])
  return rows[0].only
}

const TYPES = ['mood', 'spirit', 'mood[]', 'pair', 'trip', 'trip[]']

test.each(TYPES)('labels added to an enum change no stored value of %s', async (type) => {
  const added = `
    alter type mood add value 'best' before 'good';
    alter type mood add value 'x, 16384 y' after 'good';
    alter type mood add value '"<worst>"'`

  expect(await onlyAddsLabels(type, added)).toBe(true)
})

test.each(TYPES)('a renamed label changes stored values of %s', async (type) => {
  expect(
    await onlyAddsLabels(type, `alter type mood add value 'best'; alter type mood rename value 'good' to 'fine'`),
  ).toBe(false)
})

test.each(
  ['pair', 'trip', 'trip[]'].flatMap((type) => [
    [type, 'add attribute c int'],
    [type, 'drop attribute a'],
    [type, 'rename attribute a to b'],
  ]),
)('a %s has other values after "alter type pair %s"', async (type, change) => {
  expect(await onlyAddsLabels(type!, `alter type pair ${change}`)).toBe(false)
})

test.each([
  ['alter type mood rename value $$good$$ to $$fine$$', ['a', 'b', 'c', 'd']],
  ['alter type pair rename attribute a to x', ['c', 'd']],
  ['alter type trip add attribute more int', ['d']],
  ['alter type trip drop attribute day', ['d']],
])('"%s" is seen in every table with such a column', async (ddl, tables) => {
  await source.listen()
  await run(`
    create table a (id int primary key, v mood);
    create table b (id int primary key, v spirit[]);
    create table c (id int primary key, v pair);
    create table d (id int primary key, v trip[]);
    create table e (id int primary key, v text)`)

  await run(ddl.replaceAll('$$', "'"))

  const { rows } = await run(`
    select contract ->> 'table' as name from tidemark.table_contract where slot = 0 and version = 2 order by 1`)
  expect(rows.map(({ name }) => name)).toEqual(tables)
})
