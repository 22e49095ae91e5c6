import { expect, test } from 'vitest'
import { count } from './test.ts'

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map((each) => ({ status: each })),
})

test('tests are counted by how they ended; pending, skipped and todo ones as skipped', () => {
  const report = {
    testResults: [file('passed', 'passed', 'passed', 'skipped'), file('failed', 'failed', 'todo', 'pending')],
  }

  expect(count(report)).toEqual({ passed: 2, failed: 1, skipped: 3 })
})

test('a file that could not be loaded counts as failed, though none of its tests ran', () => {
  expect(count({ testResults: [file('failed'), file('failed', 'passed')] })).toEqual({
    passed: 1,
    failed: 2,
    skipped: 0,
  })
})
