import { expect, test } from 'vitest'
import { failureOf, firstLines } from './java-trace.ts'

test('the message of the connector is shown without its class and without the command, which is shown separately', () => {
  const trace = 'org.apache.kafka.connect.errors.ConnectException: The slot is gone. Run npm run recover.\n\tat X\n'

  expect(failureOf(trace)).toBe('The slot is gone')
  expect(firstLines(trace)).toContain('Run npm run recover')
})

test('a cause whose message the exception has already is not said twice', () => {
  const cause = 'org.postgresql.util.PSQLException: FATAL: no login'
  const trace = `org.apache.kafka.connect.errors.ConnectException: ${cause}\n\tat X\nCaused by: ${cause}\n\tat Y\n`

  expect(failureOf(trace)).toBe(cause)
})

test('the exception and its causes are said, and where they were thrown is not', () => {
  expect(failureOf('org.Error: no\n\tat X\nCaused by: it\n')).toBe('org.Error: no / Caused by: it')
  expect(failureOf(undefined)).toBe('without a trace')
})
