import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decideDelivery, gapOf, notedTimestamp, type Progress } from './delivery.ts'

const record = (offset: number) => ({ offset, timestampMs: 1000 + offset, digest: () => `digest ${offset}` })
const records = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => record(from + i))
const appliedUpTo = (nextOffset: number): Progress => ({
  nextOffset,
  lastDigest: nextOffset === 0 ? null : `digest ${nextOffset - 1}`,
  newestTimestampMs: nextOffset === 0 ? null : 1000 + nextOffset - 1,
})

test('every record is applied once however deliveries overlap and repeat', () => {
  const deliveries = fc.array(fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 20 })), { maxLength: 60 })
  fc.assert(
    fc.property(deliveries, (list) => {
      let progress = appliedUpTo(0)
      const applied: number[] = []
      for (const [start, length] of list) {
        const delivery = records(start, start + length)
        const decision = decideDelivery(progress, delivery, 'contiguous')
        if (decision.kind !== 'apply') continue
        const fresh = delivery.slice(decision.from)
        applied.push(...fresh.map(({ offset }) => offset))
        progress = appliedUpTo(fresh.at(-1)!.offset + 1)
      }
      expect(applied).toEqual(applied.map((_, i) => i))
    }),
  )
})

test('a gap stops where offsets are contiguous and passes where they are sparse', () => {
  const delivery = [record(3), record(5)]
  expect(decideDelivery(appliedUpTo(3), delivery, 'contiguous')).toMatchObject({ kind: 'stop', atOffset: 4 })
  expect(decideDelivery(appliedUpTo(3), delivery, 'sparse')).toEqual({ kind: 'apply', from: 0 })
})

test('a stop for a gap says which offsets are missing, and how many records precede them', () => {
  const gaps = ([from, delivery]: [number, ReturnType<typeof record>[]]) => {
    const decision = decideDelivery(appliedUpTo(from), delivery, 'contiguous')
    if (decision.kind !== 'stop') throw new Error('it does not stop')
    return [decision.applicable, gapOf(decision.reason)]
  }

  expect(gaps([0, [record(4)]])).toEqual([0, { from: 0, to: 4 }])
  expect(gaps([3, [record(5)]])).toEqual([0, { from: 3, to: 5 }])
  expect(gaps([3, [record(2), record(3), record(6)]])).toEqual([2, { from: 4, to: 6 }])
  expect(gaps([4, [record(2), record(3), record(6)]])).toEqual([0, { from: 4, to: 6 }])
  expect(gapOf('the source went back: it emits beacon 7')).toBeUndefined()
})

test('a record of a time that no database has is known when it comes again', () => {
  const far = [5, 6, 7].map((offset) => ({ ...record(offset), timestampMs: Number.MAX_SAFE_INTEGER - offset }))
  const progress = { ...appliedUpTo(8), newestTimestampMs: notedTimestamp(Number.MAX_SAFE_INTEGER - 5) }
  expect(decideDelivery(progress, far, 'contiguous')).toEqual({ kind: 'duplicate' })
})

test('another record at an applied offset stops', () => {
  const other = { ...record(4), digest: () => 'another' }
  expect(decideDelivery(appliedUpTo(5), [other, record(5)], 'contiguous')).toMatchObject({ kind: 'stop', atOffset: 4 })
  const newer = { ...record(2), timestampMs: 9999 }
  expect(decideDelivery(appliedUpTo(5), [newer], 'sparse')).toMatchObject({ kind: 'stop', atOffset: 2 })
})
