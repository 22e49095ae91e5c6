import { expect, test } from 'vitest'
import { countOf, describeSpans, missingOf, spansOf, unite } from './offset-spans.ts'

const span = (from: number, to: number) => ({ from, to })

test('offsets become spans, and offsets that come twice are reported', () => {
  expect(unite([...spansOf([3, 4, 5, 9]), ...spansOf([0, 1, 4])])).toEqual({
    spans: [span(0, 2), span(3, 6), span(9, 10)],
    repeated: [span(4, 5)],
  })
  expect(unite(spansOf([1, 1, 1]))).toEqual({ spans: [span(1, 2)], repeated: [span(1, 2)] })
})

test('the missing parts of a span are returned, and nothing else', () => {
  const spans = [span(0, 2), span(4, 6), span(8, 20)]

  expect(missingOf(span(1, 10), spans)).toEqual([span(2, 4), span(6, 8)])
  expect(missingOf(span(8, 20), spans)).toEqual([])
  expect(missingOf(span(18, 25), spans)).toEqual([span(20, 25)])
  expect(missingOf(span(3, 4), [])).toEqual([span(3, 4)])
})

test('a span is described by its first and last offset', () => {
  expect(describeSpans([span(3, 6), span(9, 10)])).toBe('3 to 5, 9')
  expect(describeSpans(spansOf(Array.from({ length: 12 }, (_, i) => 2 * i)))).toMatch(/18 and 2 more$/)
  expect(countOf([span(3, 6), span(9, 10)])).toBe(4)
})
