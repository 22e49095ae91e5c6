import { expect, test } from 'vitest'
import { describeCold } from './report.ts'

test('what the first invocation costs is the difference from the one before it', () => {
  const [invocation, memory] = describeCold({
    warmMs: [100, 90, 80],
    coldMs: [600, 500, 700],
    memory: { rows: { large: 150, small: 200_000 }, ofLargeRows: 400e6, ofSmallRows: 450.4e6 },
  })

  expect(invocation!.rows).toEqual([
    ['a process is there', '90', '80 – 100'],
    ['its processes have just been killed', '600', '500 – 700'],
    ['the first invocation more than the one before', '500', '410 – 620'],
  ])
  expect(memory!.rows).toEqual([
    ['150 rows of 1 MB', '400'],
    ['200,000 small rows as well', '450'],
  ])
})
