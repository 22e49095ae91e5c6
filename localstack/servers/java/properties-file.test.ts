import { expect, test } from 'vitest'
import { formatProperties, parseProperties } from './properties-file.ts'

test('what Java would read otherwise is escaped', () => {
  expect(formatProperties({ 'a.b': 1, pattern: 'x\\.y', text: ' a\nb', 'odd key': true })).toBe(
    'a.b=1\npattern=x\\\\.y\ntext=\\ a\\nb\nodd\\ key=true\n',
  )
})

test('lines of key=value are read as MSK takes them', () => {
  expect(parseProperties('# brokers\na=1\n\n b.c = x=y \n')).toEqual({ a: '1', 'b.c': 'x=y' })
  expect(() => parseProperties('a=1\nnonsense')).toThrow("'nonsense' is not key=value")
})
