import { expect, test } from 'vitest'
import { commandFor, fullQuarantine } from './stop-reasons.ts'

test.each([
  ['tidemark-archive', 'npm run archive -- recover'],
  ['tidemark-latest-state', 'npm run recover'],
])('a stop names the command that resolves it: where the topic was created again, %s needs %s', (consumer, command) => {
  const madeAgain = 'the record at offset 3 is not the one applied before: the topic was re-created or its log diverged'
  const gap = 'records 3 to 4 are missing: they were lost, or are delivered out of order'

  expect(commandFor(consumer, madeAgain)).toBe(command)
  expect(commandFor(consumer, gap)).toBe('npm run recover')
  expect(commandFor(consumer, 'the catalog does not answer')).toBeNull()
})

test('a stop because the quarantine is full names the command that makes room', () => {
  const reason = fullQuarantine('changes-2', 1_000_000, 'the record is no change: it has no op')

  expect(commandFor('tidemark-latest-state', reason)).toBe('npm run quarantine -- discard all')
  expect(commandFor('tidemark-user-state', reason)).toBe('npm run quarantine -- discard all')
})
