import { expect, test } from 'vitest'
import { batchesOf, TOPIC_PARTITIONS } from './filled-topic.ts'

const RECORDS = 10_001
const batches = Array.from(batchesOf('changes', RECORDS))
const messages = batches.flat()

test('a topic is filled with as many records as were asked for, of all topic partitions, one of them in each batch', () => {
  expect(messages).toHaveLength(RECORDS)
  expect(new Set(messages.map(({ partition }) => partition)).size).toBe(TOPIC_PARTITIONS)
  expect(batches.every((batch) => new Set(batch.map(({ partition }) => partition)).size === 1)).toBe(true)
})

test('every record has a time that a broker takes', () => {
  const times = messages.map(({ timestamp }) => new Date(Number(timestamp)).getUTCFullYear())

  expect(new Set(times)).toEqual(new Set([2026]))
})

test('values are those of the archive benchmark: some 632 bytes each, tombstones among them', () => {
  const values = messages.flatMap(({ value }) => value ?? [])
  const bytes = values.reduce((sum, { length }) => sum + length, 0)

  expect(values.length).toBeLessThan(RECORDS)
  expect(bytes / RECORDS).toBeGreaterThan(550)
  expect(bytes / RECORDS).toBeLessThan(700)
})
