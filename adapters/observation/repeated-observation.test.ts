import { expect, test } from 'vitest'
import { eventually } from '#test-support/eventually.ts'
import { observeRepeatedly } from './repeated-observation.ts'

test('an observation that fails says why and leaves what was seen before', async () => {
  const answers = [() => 1, () => Promise.reject(new Error('connection refused')), () => 2]
  const seen: number[] = []
  const states: object[] = []

  const observation = observeRepeatedly(
    async () => {
      states.push(observation?.latest() ?? {})
      return (answers[states.length - 1] ?? (() => 3))()
    },
    1,
    (value) => seen.push(value),
  )
  await eventually(() => expect(states.length).toBeGreaterThan(3))
  await observation.stop()

  expect(states.slice(1, 4)).toEqual([{ value: 1 }, { value: 1, error: 'connection refused' }, { value: 2 }])
  expect(seen.slice(0, 2)).toEqual([1, 2])
})

test('once stopped, no look is under way any more', async () => {
  let underWay = 0
  let looks = 0
  const observation = observeRepeatedly(async () => {
    underWay += 1
    looks += 1
    await new Promise((resume) => setTimeout(resume, 5))
    underWay -= 1
  }, 1)

  await eventually(() => expect(underWay === 1 && looks > 1).toBe(true))
  await observation.stop()

  expect(underWay).toBe(0)
})
