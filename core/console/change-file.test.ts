import { expect, test } from 'vitest'
import { csvHeader, csvLine, type FiledChange, jsonLine } from './change-file.ts'

const change: FiledChange = {
  committedAt: '2026-11-21T12:00:01.000001Z',
  table: 'public.o"r,d',
  op: 'update',
  key: '{"id": 9223372036854775807}',
  before: null,
  after: '{"n": 1.5000000000000000001, "t": "a\\u0000\\n"}',
  changed: '{}',
  transaction: '18446744073709551615',
  lsn: '0/65',
  epoch: 1,
  who: '=cmd()',
  application: '',
  why: 'line\r\nline',
  details: '{"a": "\u202e"}',
}

test('a line of CSV has a field for each column, quoted where it has to be, and alters nothing', () => {
  expect(csvLine(change)).toBe(
    '2026-11-21T12:00:01.000001Z,"public.o""r,d",update,"{""id"": 9223372036854775807}",,' +
      '"{""n"": 1.5000000000000000001, ""t"": ""a\\u0000\\n""}",{},18446744073709551615,0/65,1,=cmd(),"","line\r\nline",' +
      '"{""a"": ""\u202e""}"\r\n',
  )
  expect(csvHeader.split(',')).toHaveLength(14)
})

test('a line of JSON has numbers with all digits, and one line', () => {
  const line = jsonLine(change)

  expect(line).toContain('"after":{"n": 1.5000000000000000001, ')
  expect(line).toContain('"key":{"id": 9223372036854775807}')
  expect(line.trimEnd()).not.toContain('\n')
  expect(JSON.parse(line)).toMatchObject({
    who: '=cmd()',
    application: '',
    before: null,
    epoch: 1,
    why: 'line\r\nline',
  })
})
