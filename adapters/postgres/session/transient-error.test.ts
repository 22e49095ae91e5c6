import { DatabaseError } from 'pg'
import { expect, test } from 'vitest'
import { isTransient } from './transient-error.ts'

const failure = (code: string) => Object.assign(new DatabaseError('it failed', 1, 'error'), { code, severity: 'FATAL' })

test.each([
  ['25P03', 'a transaction was idle for too long'],
  ['25P04', 'a transaction took too long'],
  ['57P05', 'a session was idle for too long'],
  ['57P01', 'the server shuts down'],
  ['08006', 'the connection is gone'],
])('%s does not count as a failure of a table or a record: %s', (code) => {
  expect(isTransient(failure(code))).toBe(true)
})

test.each(['22P02', '23505', '42P01'])('%s fails the same way each time', (code) => {
  expect(isTransient(failure(code))).toBe(false)
})

test.each(['tuple concurrently updated', 'tuple concurrently deleted'])(
  '%s passes, because another session ran DDL',
  (message) => {
    expect(isTransient(Object.assign(failure('XX000'), { message }))).toBe(true)
  },
)

test('any other internal error of Postgres is not expected to pass', () => {
  expect(isTransient(Object.assign(failure('XX000'), { message: 'cache lookup failed for type 4711' }))).toBe(false)
})

test('a row that another session has added to the catalogs does not count as a failure of a table', () => {
  expect(isTransient(Object.assign(failure('23505'), { schema: 'pg_catalog' }))).toBe(true)
  expect(isTransient(Object.assign(failure('23505'), { schema: 'public' }))).toBe(false)
})
