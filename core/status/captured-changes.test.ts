import { expect, test } from 'vitest'
import { countCapturedChanges } from './captured-changes.ts'

test('beacons are no changes: each is one record in every topic partition', () => {
  const ends = [
    { begin: 0, end: 40 },
    { begin: 7, end: 25 },
  ]

  expect(countCapturedChanges({ beacon: 10, topicPartitions: 2 }, new Map([['changes', ends]]))).toBe(45)
  expect(countCapturedChanges({ beacon: 10, topicPartitions: 2 }, undefined)).toBeUndefined()
})
