import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { describeProblem } from './definition-problem.ts'
import { parseDefinition, parseDefinitions } from './parse-definition.ts'
import { readSqlTokens } from './sql-tokens.ts'

const head = `-- source: public.green_trips
-- event time: picked_up
-- window: tumbling 1 hour
-- watermark: 1 hour
`
const select = 'select zone, count(*) as trips from green_trips group by zone'

const parsed = (text: string, file = 'windows/trips.sql') => {
  const result = parseDefinition(file, text)
  if (result.kind === 'refused') throw new Error(result.problems.map(describeProblem).join('\n'))
  return result.definition
}
const problems = (text: string, file = 'windows/trips.sql') => {
  const result = parseDefinition(file, text)
  return result.kind === 'refused' ? result.problems.map(describeProblem) : []
}
const withHeader = (line: string, without = /^$/) =>
  `${head
    .split('\n')
    .filter((each) => !without.test(each) && each !== '')
    .join('\n')}\n${line}\n${select}`

test('the definition that ships says what its file says', () => {
  const file = 'windows/trips_by_zone.sql'
  const hour = 3_600_000_000n

  const definition = parsed(readFileSync(join(import.meta.dirname, '../..', file), 'utf8'), file)

  expect(definition).toEqual({
    name: 'trips_by_zone',
    source: { schema: 'public', table: 'green_trips' },
    eventTime: 'lpep_pickup_datetime',
    window: { sizeMicros: hour, slideMicros: hour },
    boundMicros: hour,
    allowedLatenessMicros: 0n,
    lateRows: 'count',
    futureAfterMicros: 24n * hour,
    emit: 'on update',
    idleAfterMicros: 10_000_000n,
    publish: 'trips-by-zone',
    keys: [{ alias: 'zone', sql: 'pu_location_id' }],
    aggregates: [
      { alias: 'trips', sql: 'count(*)' },
      { alias: 'last_ride', sql: 'max(lpep_dropoff_datetime)' },
      { alias: 'earnings', sql: 'sum(total_amount)' },
    ],
    where: undefined,
    having: 'count(*) >= 10',
    view: 'select w.*, z.zone as zone_name, z.borough from windows w left join public.taxi_zones z on z.location_id = w.zone',
  })
})

test('a short file gets what is usual, and every header can be written in its own way', () => {
  expect(parsed(head + select)).toMatchObject({
    allowedLatenessMicros: 0n,
    lateRows: 'count',
    futureAfterMicros: undefined,
    emit: 'on update',
    idleAfterMicros: 10_000_000n,
    publish: undefined,
    having: undefined,
    view: undefined,
  })
  const minute = 60_000_000n
  expect(
    parsed(`
--  SOURCE :  "Odd.Schema" . "the ""table"""   -- quoted names keep their case
-- event   time: "At"
-- window: hopping 1 hour 30 minutes every 90s
--
-- watermark: 2 min
-- allowed lateness: 1 day
-- late rows: Set  Aside
-- future rows: set aside after 1 week 500 ms
-- emit: on close
-- idle after: 1 minute
-- publish: a.b_c-1
/* any remark */ select count(*) as n from "the ""table""" where "At" is distinct from now();
`),
  ).toMatchObject({
    source: { schema: 'Odd.Schema', table: 'the "table"' },
    eventTime: 'At',
    window: { sizeMicros: 90n * minute, slideMicros: 90_000_000n },
    boundMicros: 2n * minute,
    allowedLatenessMicros: 1_440n * minute,
    lateRows: 'set aside',
    futureAfterMicros: 7n * 1_440n * minute + 500_000n,
    emit: 'on close',
    idleAfterMicros: minute,
    publish: 'a.b_c-1',
    keys: [],
    where: '"At" is distinct from now()',
  })
})

test('a file may begin with a byte order mark, and its lines may end as those of Windows do', () => {
  expect(parsed(`\ufeff${head}${select}`.replaceAll('\n', '\r\n'))).toEqual(parsed(head + select))
})

test('parts are cut where Postgres cuts them, whatever strings, names, brackets and comments contain', () => {
  const definition = parsed(`${head}
select
  case when note = 'it''s from, group by' then $q$ -- view ; $q$ else E'\\'; from' end as "group", -- from here, to there
  coalesce(zone, (array[1, 2])[1]) /* nested /* having */ comment */ as zone,
  count(*) filter (where fare > 0 /* , */) as paid,
  percentile_cont(0.5) within group (order by fare) as median,
  cast(max(picked_up) as timestamp with time zone) as newest,
  (extract(epoch from max(picked_up)))--the last
  as seconds
from public.green_trips
where flag is distinct from 'x' and "having" <> ';'
group by "group", zone
having count(*) > 1 -- and not more
;
-- View
with big as (select * from windows where paid > 3) select ';' as semicolon, big.* from big; -- the end
`)

  expect(definition).toMatchObject({
    keys: [
      {
        alias: 'group',
        sql: "case when note = 'it''s from, group by' then $q$ -- view ; $q$ else E'\\'; from' end",
      },
      { alias: 'zone', sql: 'coalesce(zone, (array[1, 2])[1])' },
    ],
    aggregates: [
      { alias: 'paid', sql: 'count(*) filter (where fare > 0 )' },
      { alias: 'median', sql: 'percentile_cont(0.5) within group (order by fare)' },
      { alias: 'newest', sql: 'cast(max(picked_up) as timestamp with time zone)' },
      { alias: 'seconds', sql: '(extract(epoch from max(picked_up)))' },
    ],
    where: `flag is distinct from 'x' and "having" <> ';'`,
    having: 'count(*) > 1',
    view: "with big as (select * from windows where paid > 3) select ';' as semicolon, big.* from big",
  })
})

test.each([
  ['-- watermark: 1 hour', /^-- watermark/, ''],
  ['-- watermark: 1 hour\n-- watermark: 2 hours', /^-- watermark/, 'watermark: … comes a second time'],
  ['', /^-- watermark/, '-- watermark: … is missing: how much later'],
  ['', /^-- source/, '-- source: … is missing'],
  ['', /^-- event/, '-- event time: … is missing'],
  ['', /^-- window/, '-- window: … is missing'],
  ['-- watermak: 1 hour', /^$/, "'watermak' is not one of source, event time, window, watermark"],
  ['-- what this counts', /^$/, "'what this counts' is not one of"],
  ['-- constructor: 1', /^$/, "'constructor' is not one of"],
  ['-- source: green_trips', /^-- source/, "source: 'green_trips' is not a table with its schema"],
  ['-- source: a.b.c', /^-- source/, 'is not a table with its schema'],
  ['-- source: public.green_trips; drop table x', /^-- source/, 'is not a table with its schema'],
  ['-- source: public."green_trips', /^-- source/, 'is not a table with its schema'],
  ['-- event time: date(picked_up)', /^-- event/, 'is not the name of one column'],
  [`-- event time: ${'x'.repeat(64)}`, /^-- event/, 'is not the name of one column'],
  ['-- window: 1 hour', /^-- window/, 'is neither tumbling 1 hour nor hopping'],
  ['-- window: hopping 1 hour', /^-- window/, 'is neither tumbling 1 hour nor hopping'],
  ['-- window: tumbling 1 hour every 1 minute', /^-- window/, 'is neither tumbling 1 hour nor hopping'],
  ['-- window: sliding 1 hour', /^-- window/, 'is neither tumbling 1 hour nor hopping'],
  ['-- window: tumbling 1 month', /^-- window/, 'a month has no fixed length: write it in days'],
  ['-- window: tumbling 1 parsec', /^-- window/, "'parsec' is not a unit of time"],
  ['-- window: tumbling 1 constructor', /^-- window/, "'constructor' is not a unit of time"],
  ['-- window: tumbling -1 hour', /^-- window/, 'is not a length of time'],
  ['-- window: tumbling 1.5 hours', /^-- window/, 'is not a length of time'],
  ['-- window: tumbling 0 hours', /^-- window/, 'a window lasts at least 1 second'],
  ['-- window: tumbling 1 ms', /^-- window/, 'a window lasts at least 1 second'],
  ['-- window: tumbling 999999999999999 weeks', /^-- window/, 'is longer than ten years'],
  [`-- window: tumbling ${'9'.repeat(1_000)} weeks`, /^-- window/, 'is not a length of time'],
  ['-- window: hopping 1 minute every 1 hour', /^-- window/, 'windows that hop further than they are long'],
  ['-- window: hopping 300 days every 1 second', /^-- window/, 'in more than 1440 windows'],
  ['-- allowed lateness: soon', /^$/, "allowed lateness: 'soon' is not a length of time"],
  ['-- late rows: drop', /^$/, "late rows: 'drop' is neither count nor set aside"],
  ['-- future rows: set aside', /^$/, 'is neither count nor set aside after 1 day'],
  ['-- emit: sometimes', /^$/, 'is neither on update nor on close'],
  ['-- publish: trips by zone', /^$/, 'is not the name of a topic'],
  ['-- publish: ..', /^$/, 'is not the name of a topic'],
  ['-- publish: changes', /^$/, 'publish: changes has another writer'],
  ['-- publish: __consumer_offsets', /^$/, 'has another writer'],
])('the header %j is read or refused with its reason', (line, without, reason) => {
  const found = problems(withHeader(line, without))

  if (reason === '') expect(found).toEqual([])
  else expect(found).toEqual([expect.stringContaining(reason)])
})

test.each([
  ['', 'there is no SELECT'],
  ['delete from green_trips', "the SQL begins with 'delete' instead of select"],
  ['with x as (select 1) select 1', 'WITH is not possible here'],
  ['select count(*) as n', 'FROM and the source table are missing'],
  ['select count(*) from green_trips', 'an item has no name: write count(*) as name'],
  ['select count(*) n from green_trips', 'an item has no name'],
  ['select * from green_trips', 'name the columns instead of *'],
  ['select count(*) as n, from green_trips', 'an item is empty'],
  ['select distinct zone from green_trips', 'SELECT DISTINCT is not possible'],
  ['select zone from green_trips group by zone', 'nothing is computed of a group'],
  ['select zone, count(*) as zone from green_trips group by zone', "two items have the name 'zone'"],
  ['select count(*) as "Zone", zone as "Zone" from green_trips', "two items have the name 'Zone'"],
  ['select count(*) as window_start from green_trips', "'window_start' is a column that every result has"],
  ['select count(*) as state from green_trips', "'state' is a column that every result has"],
  [`select count(*) as ${'é'.repeat(32)} from green_trips`, 'longer than the 63 bytes'],
  ['select count(*) as n from green_trips t', 'after FROM comes green_trips alone, without another name'],
  ['select count(*) as n from green_trips as t', 'after FROM comes green_trips alone'],
  ['select count(*) as n from only green_trips', 'after FROM comes green_trips alone'],
  ['select count(*) as n from other.green_trips', 'after FROM comes green_trips alone'],
  ['select count(*) as n from "Green_trips"', 'FROM names another table than the source public.green_trips'],
  ['select count(*) as n from green_trips, zones', 'FROM has one table, the source'],
  ['select count(*) as n from green_trips join zones on true', 'FROM has one table, the source'],
  ['select count(*) as n from green_trips g cross join zones', 'FROM has one table, the source'],
  ['select count(*) as n from (select 1) x', 'subqueries are not possible here'],
  ['select (select secret from vault) as s, count(*) as n from green_trips', 'subqueries are not possible here'],
  ['select (table vault) as s, count(*) as n from green_trips', 'subqueries are not possible here'],
  ['select count(*) as n from green_trips where zone in (values (1))', 'subqueries are not possible here'],
  ['select count(*) over () as n from green_trips', 'window functions (over) are not possible here'],
  ['select count(*) as n from green_trips order by n', 'ORDER BY belongs in the part after -- view'],
  ['select count(*) as n from green_trips limit 1', 'LIMIT belongs in the part after -- view'],
  ['select count(*) as n from green_trips union select 1', 'UNION is not possible'],
  ['select count(*) as n into t from green_trips', 'INTO is not possible'],
  ['select count(*) as n from green_trips for update', 'FOR is not possible'],
  ['select count(*) as n from green_trips window w as ()', 'window functions are not possible here'],
  ['select count(*) as n from green_trips where true where false', 'where comes in the wrong place, or a second time'],
  ['select count(*) as n from green_trips having true group by n', 'group by comes in the wrong place'],
  ['select count(*) as n from green_trips where', 'where is followed by one condition'],
  ['select count(*) as n from green_trips having true, false', 'having is followed by one condition'],
  ['select zone, count(*) as n from green_trips group by 1', 'group by has the names of items'],
  ['select zone, count(*) as n from green_trips group by rollup (zone)', 'group by has the names of items'],
  ['select zone, count(*) as n from green_trips group by borough', "group by 'borough': no item of the SELECT"],
  ['select zone, count(*) as n from green_trips group by zone, zone', "group by has 'zone' twice"],
  ['select count(*) as n from green_trips; drop table green_trips', 'a definition has one SELECT'],
  ['select count(*) as n from green_trips; select * from windows', 'comes after a line -- view'],
  ['select count(*)) as n from green_trips; drop table x; --(', 'a definition has one SELECT'],
  ['select count(*)) as n from (green_trips', ') closes no bracket of its kind'],
  ['select array[1) as n from green_trips', ') closes no bracket of its kind'],
  ['select count((*) as n from green_trips', '( is not closed'],
  ["select 'a as n from green_trips", 'a string has no end'],
  ["select E'a\\' as n from green_trips", 'a string has no end'],
  ['select "a as n from green_trips', 'a name in double quotes has no end'],
  ['select "" as n from green_trips', 'a name in double quotes is empty'],
  ['select $tag$ a as n from green_trips', 'a string that begins with $tag$ has no end'],
  ['select count(*) as n /* /* */ from green_trips', 'a comment that begins with /* has no end'],
  ['select $1 as n from green_trips', 'parameters such as $1'],
  [`select U&"d\\0061t" as n from green_trips`, 'U& escapes are not understood here'],
  [`select U&'\\0027' as n from green_trips`, 'U& escapes are not understood here'],
  ["select E'a'\n  'b\\' ' as n from green_trips", 'a string that goes on in a line below'],
  ['select count(*) as n from green_trips\u0000', 'the control character 0'],
  ['select count(*) as n from green_trips \\gexec', 'the character \\ has no meaning'],
])('the SELECT %j is refused with its reason', (sql, reason) => {
  expect(problems(head + sql).join('\n')).toContain(reason)
})

test.each([
  ['', 'after -- view comes a SELECT from windows'],
  ['drop view windows', 'begins with SELECT or WITH'],
  ['select * from windows; drop table x', 'after -- view comes one query'],
  ['select * from other', 'does not read windows'],
  ['select * from windows)) as x; --', ') closes no bracket'],
  ['select (1 from windows', '( is not closed'],
  ["select ' from windows", 'a string has no end'],
])('the view %j is refused with its reason', (view, reason) => {
  expect(problems(`${head}${select}\n-- view\n${view}`)).toEqual([expect.stringContaining(reason)])
})

test.each([
  'Trips.sql',
  '1.sql',
  '.sql',
  'a b.sql',
  'a";drop.sql',
  'trips.txt',
  `${'a'.repeat(49)}.sql`,
  'é.sql',
  '../x',
])('a file called %j is refused, because its name is the name of a view', (file) => {
  expect(problems(head + select, file)).toEqual([expect.stringContaining('the name of the file is the name')])
})

test('every problem of a file is named with its own line', () => {
  const text = `-- source: public.green_trips
-- event time: picked_up
-- windows: tumbling 1 hour
-- watermark: 1 fortnight

select
  zone,
  count(*)
from green_trips
group by borough`

  expect(problems(text)).toEqual([
    expect.stringMatching(/^windows\/trips.sql:3: 'windows' is not one of/),
    expect.stringMatching(/^windows\/trips.sql:4: -- window: … is missing/),
    expect.stringMatching(/^windows\/trips.sql:4: watermark: 'fortnight' is not a unit of time/),
    expect.stringMatching(/^windows\/trips.sql:8: an item has no name/),
    expect.stringMatching(/^windows\/trips.sql:10: group by 'borough'/),
  ])
})

test('a huge file is refused before it is read, and a large one is read in one pass', () => {
  expect(problems(head + '('.repeat(10_000_000))).toEqual([expect.stringContaining('a definition has at most 32768')])
  const deep = `${head}select count(${'('.repeat(15_000)}1${')'.repeat(15_000)}) as n from green_trips`
  expect(parsed(deep).aggregates[0]!.sql).toHaveLength(30_008)
})

test('two definitions do not have one name or one topic', () => {
  const text = withHeader('-- publish: results')

  expect(
    parseDefinitions([
      { file: 'a/trips.sql', text: head + select },
      { file: 'b/trips.sql', text },
      { file: 'b/rides.sql', text },
    ]),
  ).toEqual({
    kind: 'refused',
    problems: [
      { file: 'b/trips.sql', line: 1, reason: 'the name trips is already that of a/trips.sql' },
      { file: 'b/rides.sql', line: 5, reason: 'the topic results is already that of b/trips.sql' },
    ],
  })
})

/** Pieces of SQL in which something could hide. */
const piece = fc.constantFrom(
  ...["'", '"', '$$', '$a$', '--', '/*', '*/', '\n', '\r', ';', '(', ')', '[', ']', ',', '\\', "E'", 'U&"', '\u0000'],
  ...[
    ' as ',
    ' from ',
    ' group by ',
    ' having ',
    ' where ',
    ' select ',
    '-- view\n',
    'zone',
    'count(*)',
    '.',
    '1',
    '::',
  ],
)
const soup = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''))

/** Every part must mean the same between the brackets that are put around it. */
function expectClosed(sql: string) {
  const tokens = readSqlTokens(`(${sql})`)
  let depth = 0
  const depths = tokens.map(({ kind, value }) => {
    if (kind === 'sign') depth += /^[([]$/.test(value) ? 1 : /^[)\]]$/.test(value) ? -1 : 0
    return depth
  })
  expect(depths.slice(0, -1).every((each) => each > 0)).toBe(true)
  expect(depths.at(-1)).toBe(0)
  expect(tokens.some(({ kind, value }) => kind === 'remark' || (kind === 'sign' && value === ';'))).toBe(false)
}

test('whatever a file contains, it is read or refused, and what is read cannot leave its brackets', () => {
  const places = ['ITEM', 'KEY', 'WHERE', 'HAVING', 'VIEW', 'END'] as const
  const template = `${head}select zone KEY, count(*) ITEM as trips from green_trips where true WHERE group by zone having true HAVING
;
-- view
select * from windows VIEW; END`
  let read = 0

  fc.assert(
    fc.property(fc.constantFrom(...places), fc.oneof(soup, fc.string({ unit: 'binary' })), (place, text) => {
      const full = template.replace(/\b[A-Z]+\b/g, (word) =>
        word === place ? text : (places as readonly string[]).includes(word) ? '' : word,
      )
      const result = parseDefinition('windows/trips.sql', full)
      if (result.kind === 'refused') {
        expect(result.problems.length).toBeGreaterThan(0)
        return
      }
      read++
      const { keys, aggregates, where, having, view } = result.definition
      for (const sql of [...[...keys, ...aggregates].map((item) => item.sql), where, having, view]) {
        if (sql !== undefined) expectClosed(sql)
      }
    }),
    { numRuns: 5_000 },
  )
  expect(read).toBeGreaterThan(50)
})

test('any text at all is read or refused', () => {
  fc.assert(
    fc.property(fc.oneof(soup, fc.string({ unit: 'binary', maxLength: 200 })), (text) => {
      expect(['parsed', 'refused']).toContain(parseDefinition('windows/trips.sql', text).kind)
    }),
    { numRuns: 2_000 },
  )
})

/** A definition as a user means it, and as one may write it. */
const expression = fc.constantFrom(
  'zone',
  'count(*)',
  "coalesce(note, ', from ')",
  'sum(fare) filter (where fare > 0)',
  '"group by"',
  "$x$ ; -- $x$ || ''''",
  '(array[1, 2])[1]',
  'a is not distinct from b',
)
const gap = fc.constantFrom(' ', '\n', '\t ', ' -- remark, from\n', ' /* ; /* from */ */ ', '\r\n')

test('a definition is read as it was meant, in any arrangement of white space, comments and case', () => {
  const meant = fc.record({
    expressions: fc.array(expression, { minLength: 1, maxLength: 6 }),
    keys: fc.nat(5),
    where: fc.option(fc.constantFrom("note <> 'x;'", 'a is distinct from b'), { nil: undefined }),
    having: fc.option(fc.constantFrom('count(*) >= 10', 'sum(fare) > 0'), { nil: undefined }),
    gaps: fc.infiniteStream(gap),
    upper: fc.boolean(),
  })
  fc.assert(
    fc.property(meant, ({ expressions, keys, where, having, gaps, upper }) => {
      const take = () => gaps.next().value as string
      const keyword = (word: string) => (upper ? word.toUpperCase() : word)
      const items = expressions.map((sql, index) => ({ alias: `c${index}`, sql }))
      const grouped = items.slice(0, Math.min(keys, items.length - 1))
      const lines = [
        keyword('select'),
        items.map(({ alias, sql }) => `${sql}${take()}${keyword('as')}${take()}${alias}`).join(`${take()},${take()}`),
        keyword('from'),
        'green_trips',
        ...(where === undefined ? [] : [keyword('where'), where]),
        ...(grouped.length === 0 ? [] : [keyword('group'), keyword('by'), grouped.map(({ alias }) => alias).join(',')]),
        ...(having === undefined ? [] : [keyword('having'), having]),
      ]
      const text = head + lines.map((line) => line + take()).join('')

      expect(parsed(text)).toMatchObject({ keys: grouped, aggregates: items.slice(grouped.length), where, having })
    }),
    { numRuns: 1_000 },
  )
})
