import { expect, test } from 'vitest'
import { secondsOf } from './process-progress.ts'
import { StartProgress } from './stuck-start.ts'

const nothing = { logBytes: 100, cpuSeconds: 4, lastLine: 'waiting' }

test('a start that neither logs nor works for so long is stuck, whatever it did before', () => {
  const start = new StartProgress(0, 100_000)

  expect(start.isStuck(nothing, 2_000)).toBe(false)
  expect(start.isStuck({ ...nothing, logBytes: 200 }, 90_000)).toBe(false)
  expect(start.isStuck({ ...nothing, logBytes: 200 }, 189_000)).toBe(false)
  expect(start.isStuck({ ...nothing, logBytes: 200 }, 190_000)).toBe(true)
})

test('a start that works on a loaded machine is never stuck, however little it gets of the processor', () => {
  const start = new StartProgress(0, 100_000)

  const looks = Array.from({ length: 60 }, (_, i) => start.isStuck({ ...nothing, cpuSeconds: 4 + i }, i * 40_000))

  expect(looks).not.toContain(true)
})

test('a process that only wakes up now and then does nothing', () => {
  const start = new StartProgress(0, 100_000)

  const looks = Array.from({ length: 4 }, (_, i) => start.isStuck({ ...nothing, cpuSeconds: 4 + i * 0.5 }, i * 40_000))

  expect(looks).toEqual([false, false, false, true])
})

test.each([
  ['00:00:07', 7],
  ['1-02:03:04', 93_784],
  ['1:02.50', 62.5],
])('ps says %s, which is %d seconds', (time, seconds) => {
  expect(secondsOf(time)).toBe(seconds)
})
