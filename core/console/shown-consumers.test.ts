import { expect, test } from 'vitest'
import type { ConsumerLag } from '../status/consumer-lag.ts'
import type { MappingHealth } from '../status/health.ts'
import { shownConsumers } from './shown-consumers.ts'

const arn = 'arn:aws:lambda:us-east-1:000000000000:function:tidemark-local'
const mapping: MappingHealth = { topic: 'changes', functionName: `${arn}-apply-latest-state`, state: 'Enabled' }
const lag: ConsumerLag = {
  ...{ topic: 'changes', work: 'apply', records: 2, behindMs: 100 },
  topicPartitions: [{ topicPartition: 0, nextOffset: 10, endOffset: 12, records: 2 }],
}

test('each consumer has its own lag, and the state of its mapping', () => {
  const archive: ConsumerLag = { ...lag, work: 'archive', records: 9 }
  const failing: MappingHealth = { ...mapping, functionName: `${arn}-archive-changes`, lastError: 'no disk' }

  expect(shownConsumers([archive, lag], [mapping, failing])).toEqual([
    { ...lag, function: 'apply-latest-state', mapping: { state: 'Enabled', lastError: null } },
    { ...archive, function: 'archive-changes', mapping: { state: 'Enabled', lastError: 'no disk' } },
  ])
})

test('a consumer whose topic was not observed yet is shown without topic partitions', () => {
  const [shown] = shownConsumers([], [{ ...mapping, state: 'Creating' }])

  expect(shown).toMatchObject({ topic: 'changes', work: 'apply', records: 0, topicPartitions: [] })
})
