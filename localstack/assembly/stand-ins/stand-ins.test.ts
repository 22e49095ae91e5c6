import { expect, test } from 'vitest'
import { onLoopback } from './functions.ts'
import { parseRate } from './schedules.ts'

test('names of the network in a function’s variables become addresses on loopback, with their port', () => {
  const addresses = new Map([['connect.tidemark-local.internal:8083', '127.0.0.1:18083']])
  const variables = { CONNECT_URL: 'http://connect.tidemark-local.internal:8083/', OTHER: 'connect.elsewhere:8083' }

  expect(onLoopback(variables, addresses)).toEqual({
    CONNECT_URL: 'http://127.0.0.1:18083/',
    OTHER: 'connect.elsewhere:8083',
  })
})

test.each([
  ['rate(1 minute)', 60_000],
  ['rate(5 minutes)', 300_000],
  ['rate(2 hours)', 7_200_000],
  ['rate(1 day)', 86_400_000],
])('%s', (expression, everyMs) => {
  expect(parseRate(expression)).toBe(everyMs)
})

test.each(['cron(0 12 * * ? *)', 'rate(0 minutes)', 'rate(1 fortnight)', 'every minute'])(
  '%s is refused',
  (expression) => {
    expect(() => parseRate(expression)).toThrow(`${expression} is not evaluated here`)
  },
)
