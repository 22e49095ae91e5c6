import fc from 'fast-check'
import { expect, test } from 'vitest'
import { makeUserDeltas, type UserDelta } from './user-deltas.ts'

const options = {
  weights: { insert: 3, update: 6, delete: 1 },
  age: { min: 18, max: 90 },
  run: 7,
  now: () => 1_700_000_000_000,
}

const randomNumbers = fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }))

const fromStream = (numbers: Iterator<number>) => () => numbers.next().value as number

test('updates and deletes hit users that exist, and a delete carries what they were last', () => {
  fc.assert(
    fc.property(randomNumbers, (numbers) => {
      const next = makeUserDeltas({ ...options, random: fromStream(numbers) })
      const users = new Map<number, UserDelta>()

      for (let order = 1; order <= 200; order++) {
        const delta = next()
        const before = users.get(delta.id)
        expect(before === undefined).toBe(delta.op === 'insert')
        expect(delta).toMatchObject({ event_order: order, run: 7, ts: '2023-11-14T22:13:20.000Z' })
        expect(delta.age).toBeGreaterThanOrEqual(18)
        expect(delta.age).toBeLessThanOrEqual(90)
        if (delta.op === 'delete') {
          expect([delta.name, delta.age]).toEqual([before?.name, before?.age])
          users.delete(delta.id)
        } else users.set(delta.id, delta)
      }
    }),
    { numRuns: 50 },
  )
})

test('each kind is as frequent as its weight says', () => {
  const next = makeUserDeltas({ ...options, random: Math.random })
  const counts = { insert: 0, update: 0, delete: 0 }

  for (let i = 0; i < 20_000; i++) counts[next().op] += 1

  expect(counts.insert / 20_000).toBeCloseTo(0.3, 1)
  expect(counts.update / 20_000).toBeCloseTo(0.6, 1)
  expect(counts.delete / 20_000).toBeCloseTo(0.1, 1)
})

test('a kind of weight 0 does not occur, except an insert where nobody exists', () => {
  const next = makeUserDeltas({ ...options, weights: { insert: 0, update: 1, delete: 0 }, random: Math.random })

  const ops = Array.from({ length: 100 }, () => next().op)

  expect(ops).toEqual(['insert', ...Array(99).fill('update')])
})
