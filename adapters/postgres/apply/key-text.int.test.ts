import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { columnCodec } from '#core/column-codec.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { readCorpus } from '#test-support/type-corpus/corpus.ts'
import { isOneText, keyText } from './key-text.ts'

let target: TestDatabase
beforeAll(async () => {
  target = await createDatabase('target')
  await target.pool.query('create extension citext; create extension hstore; create extension ltree')
})
afterAll(() => target.drop())

/** Values that are equal or nearly equal to others of the corpus, but are written differently. */
const more: Readonly<Record<string, readonly string[]>> = {
  numeric: ['1.00', '-0.0', '1.01'],
  interval: [
    '1 mon -30 days',
    '29 days 24:00:00',
    '-24:00:00',
    '-1 day',
    '12 mons',
    '360 days',
    '1 mon -1 day',
    '29 days',
  ],
  jsonb: ['{"a":1.00,"b":1}', '{"a":"1.00","b":1}', '0', '[1.0,[2,{"x":null}]]', '-1.50', '-1.5', '{"a\\"1.0":1}'],
  numrange: ['[1,2.5]', '[1,2.5)', '[1.0,2.50)', '(1.50,)', '[0.00,0]'],
  nummultirange: ['{[1,2.5],(3.0,)}', '{[1,2.5),(3,)}'],
  citext: ['STRASSE', 'strasse', 'straße'],
  'character(5)': ['a  '],
}

/**
 * The types of the corpus that a key can have, with their values. Arrays are left out because their texts are those of
 * their elements, and geometric types because they have no order.
 */
const types = readCorpus().flatMap(({ type, values, keyStops }) => {
  const codec = columnCodec({ carried: type, wire: 'value' }) ?? columnCodec({ carried: type, wire: 'text' })
  if (codec === undefined || /\[\]$|^(point|line|lseg|box|path|polygon|circle)$/.test(type)) return []
  const short = [...values, ...(more[type] ?? [])].filter((text) => text.length < 1_000 && !keyStops.includes(text))
  return [{ type, codec, values: [...new Set(short)] }]
})

/** An interval in the form in which Debezium sends it, which is therefore its text as `sent`. */
const isoInterval = `format('P%sY%sM%sDT%sH%sM%sS', extract(year from v), extract(month from v), extract(day from v),
  extract(hour from v), extract(minute from v), extract(second from v))`

test.each(types)('keys of $type that Postgres holds equal have one text, the same in all three places', async (of) => {
  const { type, codec, values } = of
  const isInterval = type.startsWith('interval')
  const carried = isInterval ? values.filter((text) => !/infinity|2562047788/.test(text)) : values
  const given = type === 'jsonb' ? 'to_jsonb(v)' : 'to_jsonb(v::text)'
  const statement = `with value as materialized (
      select n, t::${type} as v from unnest(array[${carried.map(pg.escapeLiteral)}]::text[]) with ordinality as u (t, n)
    )
    select ${isInterval ? isoInterval : 'v::text'} as sent, ${keyText(type, 'v::text', 'v')} as kept,
      (tidemark.key_texts(array[1], array[$1], jsonb_build_object('1', ${given})))[1] as asked,
      array(select o.n::integer - 1 from value o where o.v = value.v order by o.n) as equals
    from value order by n`
  const { rows } = await target.pool.query(statement, [type]).catch((error: pg.DatabaseError) => {
    // The type has no equality operator, so it cannot be the type of a key.
    if (error.code === '42883' && error.message.includes(' = ')) return { rows: [] }
    throw error
  })

  for (const row of rows) {
    const same = (text: (other: typeof row) => string) =>
      rows.flatMap((other, place) => (text(other) === text(row) ? [place] : []))
    expect(same(({ kept }) => kept)).toEqual(row.equals)
    expect(same(({ sent }) => codec.canonical(sent))).toEqual(row.equals)
    expect(row.asked).toBe(row.kept)
    if (isOneText(type)) expect(same(({ sent }) => sent)).toEqual(row.equals)
  }
})

test('an interval that is too long to be written in months, days and hours has one text as well', async () => {
  const longest = [
    '178956970 years 7 mons 2147483647 days',
    '178956970 years 6 mons 2147483647 days 720:00:00',
    'infinity',
    '-infinity',
  ]

  const { rows } = await target.pool.query<{ kept: string }>(
    `select ${keyText('interval', 't', 't::interval')} as kept from unnest($1::text[]) as u (t)`,
    [longest],
  )

  const [first, second, ...infinite] = rows.map(({ kept }) => kept)
  expect(second).toBe(first)
  expect(infinite).toEqual(['infinity', '-infinity'])
})

test('the types of keys that can be written in several ways are among those that are compared', () => {
  expect(types.map(({ type }) => type)).toEqual(expect.arrayContaining(Object.keys(more)))
})
