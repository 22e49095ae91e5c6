import { expect, test } from 'vitest'
import { readRequest } from './recover-request.ts'

test('an event of a schedule, or an empty one, is a look', () => {
  expect(readRequest({})).toEqual({})
  expect(readRequest({ source: 'aws.events', detail: {} })).toEqual({})
  expect(readRequest(undefined)).toEqual({})
})

test('a recovery that does not say otherwise is done, and begins a new epoch only where that is needed', () => {
  expect(readRequest({ recover: {} })).toEqual({ recover: { dryRun: false, newEpoch: false } })
  expect(readRequest({ recover: { dryRun: true } })).toEqual({ recover: { dryRun: true, newEpoch: false } })
})

test('a malformed request is refused, and the error says what is wrong', () => {
  expect(() => readRequest({ recover: { dryRun: 'yes' } })).toThrow('recover.dryRun: ')
})
