import { expect, test } from 'vitest'
import { queryResultOf, refusalOf } from './query-result.ts'

const answer = (data: unknown[][]) => JSON.stringify({ meta: [{ name: 'n', type: 'Int64' }], data, rows: data.length })

test('values are texts with all their digits, and null stays null', () => {
  expect(queryResultOf(answer([['9223372036854775807'], [null], [1.5], [['a', null]], ['x']]), 12.3)).toEqual({
    columns: [{ name: 'n', type: 'Int64' }],
    rows: [['9223372036854775807'], [null], ['1.5'], ['["a",null]'], ['x']],
    isCut: false,
    tookMs: 12,
  })
})

test('there are 500 rows at most, and less of long ones', () => {
  const many = queryResultOf(answer(Array(501).fill(['x'])), 0)
  expect([many.rows.length, many.isCut]).toEqual([500, true])
  expect(queryResultOf(answer(Array(500).fill(['x'])), 0).isCut).toBe(false)

  const long = queryResultOf(answer(Array(500).fill(Array(10).fill('x'.repeat(10_000)))), 0)
  expect(long.rows[0]![0]).toHaveLength(4_097)
  expect(long.isCut).toBe(true)
  expect(JSON.stringify(long).length).toBeLessThan(3_500_000)
})

test('a statement without an answer has no rows', () => {
  expect(queryResultOf('', 0)).toMatchObject({ columns: [], rows: [] })
})

test.each([
  `select 1 into outfile '/tmp/x'`,
  `select 1 INTO /* comment */ OUTFILE '/tmp/x'`,
  `select 1 into -- comment\noutfile '/tmp/x'`,
  'select 1 format TSV',
  'select 1 FORMAT JSON ; ',
])('%s is not run', (sql) => {
  expect(refusalOf(sql)).toBeDefined()
})

test.each(['select format from archive', `select formatDateTime(now(), '%Y') x`, 'select * from archive limit 5'])(
  '%s is run',
  (sql) => {
    expect(refusalOf(sql)).toBeUndefined()
  },
)
