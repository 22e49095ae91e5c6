import { expect, test } from 'vitest'
import { describeStart } from './report.ts'

test('the ratio of a start is the median of those of each turn', () => {
  const [table] = describeStart({
    aloneSeconds: [10, 20, 40],
    wholeSeconds: [12, 30, 44],
    residentMb: [1_200, 1_100, 1_300],
  })

  expect(table!.rows).toEqual([
    ['Kafka, Connect and connector alone: a change is on the topic', '20.0', '10.0 – 40.0', '1.00'],
    ['npm start: a change is visible', '30.0', '12.0 – 44.0', '1.20'],
  ])
  expect(table!.notes!.join()).toContain('1200 MB (1100 – 1300)')
})
