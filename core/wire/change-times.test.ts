import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { changeTimes } from './change-times.ts'

const fixture = (name: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, '../../fixtures/envelopes', `${name}.json`), 'utf8'))

/** When Debezium had read the change of a value. */
const readAt = (value: string, sentAtMs = 2) => changeTimes(value, 1, sentAtMs)?.readAtMs

test('the time at which Debezium had read a change is that of the envelope, not that of its source', () => {
  const { value, timestamp } = fixture('default-identity-create')
  const committedAtMs = value.source.ts_us / 1000

  const times = changeTimes(JSON.stringify(value), committedAtMs, timestamp)!

  expect(times).toEqual({ committedAtMs, readAtMs: value.ts_us / 1000, sentAtMs: timestamp })
  expect([times.readAtMs - committedAtMs, timestamp - times.readAtMs].every((ms) => ms > -1 && ms < 1_000)).toBe(true)
})

test('milliseconds are used where the envelope has no microseconds', () => {
  expect(readAt('{"ts_ms":1700000000001,"ts_us":1700000000001250}')).toBe(1_700_000_000_001.25)
  expect(readAt('{"ts_ms":1700000000001}')).toBe(1_700_000_000_001)
})

test('a record that does not say its times, or says what is none, and a long one have no times', () => {
  for (const value of ['{}', '[]', '{"ts_ms":"now"}', '{"ts_ms":1e999}', '{"ts_us":-1000}']) {
    expect(readAt(value), value).toBeUndefined()
  }
  expect(readAt('{"ts_ms":1}', -1)).toBeUndefined()
  expect(readAt(`{"ts_ms":1,"after":"${'x'.repeat(65_536)}"}`)).toBeUndefined()
})
