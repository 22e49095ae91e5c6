import fc from 'fast-check'
import type { QueryConfig } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseDefinition } from '#core/windows/parse-definition.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createDatabase('empty')
  await database.pool.query('create table rides (zone integer, at timestamp, note text)')
})

afterAll(() => database.drop())

/** Pieces of SQL in which something could hide, or end too early. */
const piece = fc.constantFrom(
  ...[
    "'",
    '"',
    '$$',
    '$a$',
    '--',
    '/*',
    '*/',
    '\n',
    '\r',
    ';',
    '(',
    ')',
    '[',
    ']',
    ',',
    '\\',
    'E',
    "E'",
    'n',
    '\u000b',
  ],
  ...[
    ' as ',
    ' from rides',
    ' is distinct from ',
    ' 1',
    'zone',
    'note',
    "''",
    "'a'",
    '||',
    '::text',
    '1e',
    '+',
    '-',
    '.',
  ],
  ...['; drop table rides', 'select', "'\n'", '$', 'ü', '\u00a0'],
)
const soup = fc.array(piece, { minLength: 1, maxLength: 12 }).map((pieces) => pieces.join(''))

const definition = (item: string) => `-- source: public.rides
-- event time: at
-- window: tumbling 1 hour
-- watermark: 1 hour
select ${item} as item, count(*) as rides
from rides
group by item`

/** The names of the columns that a query has, or why Postgres refuses it. */
const columnsOf = (text: string): Promise<string[] | string> =>
  database.pool.query({ text, queryMode: 'extended' } as QueryConfig).then(
    ({ fields }) => fields.map(({ name }) => name),
    ({ message }: Error) => message,
  )

test('what is read as one expression is one for Postgres too: nothing reaches beyond the brackets around it', async () => {
  let accepted = 0
  await fc.assert(
    fc.asyncProperty(soup, async (item) => {
      const parsed = parseDefinition('windows/rides.sql', definition(item))
      if (parsed.kind === 'refused') return
      for (const { sql } of parsed.definition.keys) {
        const columns = await columnsOf(`select 1 as before, (${sql}) as item, 2 as behind from rides`)
        if (typeof columns === 'string') expect(columns).not.toMatch(/unterminated|multiple commands|end of input/)
        else {
          accepted++
          expect(columns).toEqual(['before', 'item', 'behind'])
        }
      }
    }),
    { numRuns: 3_000 },
  )
  expect(accepted).toBeGreaterThan(50)
  expect(await columnsOf('select note from rides')).toEqual(['note'])
})
