import { expect, test } from 'vitest'
import { ConnectUnreachableError } from '#adapters/connect/connect-api.ts'
import { BrokersUnreachableError } from '#adapters/kafka/topics/topic-session.ts'
import { isUnreachable } from './unreachable-error.ts'

const withCode = (code: string) => Object.assign(new Error('failed'), { code })

test.each([
  ['a refused connection', withCode('ECONNREFUSED')],
  ['a refused connection at each of several addresses', new AggregateError([withCode('ECONNREFUSED')])],
  ['a server that shuts down', withCode('57P01')],
  ['a server that starts', new Error('cannot read', { cause: withCode('57P03') })],
  ['a connection that takes too long', new Error('timeout exceeded when trying to connect')],
  ['a connection that was closed', new Error('Connection terminated unexpectedly')],
  ['a fetch without an answer', new TypeError('fetch failed', { cause: withCode('UND_ERR_CONNECT_TIMEOUT') })],
  ['brokers', new BrokersUnreachableError('the brokers do not answer')],
  ['Connect', new ConnectUnreachableError('Connect does not answer')],
])('%s is a part that does not answer', (_what, error) => {
  expect(isUnreachable(error)).toBe(true)
})

test.each([
  ['a missing right', withCode('42501')],
  ['an error of the code', new TypeError('undefined is not a function')],
  ['no error', 'ECONNREFUSED'],
])('%s is none', (_what, error) => {
  expect(isUnreachable(error)).toBe(false)
})
