import { expect, test } from 'vitest'
import {
  archived,
  archiveGroup,
  type Changes,
  facts,
  gap,
  group,
  place,
  stopped,
} from '#test-support/capture/capture-facts.ts'
import type { BrokerFacts } from './capture-facts.ts'
import { diagnose } from './diagnosis.ts'
import { planRecovery } from './recovery-plan.ts'

test('a group whose offsets were set forward goes back to the progress of the target, because the records are still there', () => {
  const seen = facts({
    target: { stops: [stopped(gap)] },
    groups: [group([13, 20])],
    ranges: [
      [0, 15],
      [0, 20],
    ],
  })

  expect(planRecovery(diagnose(seen), seen)).toMatchObject([
    { kind: 'rewind', offsets: [{ topicPartition: 0, offset: 10 }] },
  ])
})

/** The plan by which the archive goes on after records that topic partition 0 has lost. */
const archiveGoesOnAt = (offset: number) => {
  const offsets = [{ topicPartition: 0, offset }]
  return [
    { kind: 'rebase', consumer: 'tidemark-archive', topic: 'changes', offsets },
    { kind: 'rewind', group: 'tidemark-archive-changes', topic: 'changes', offsets },
  ]
}

test('only the archive passes a gap in the middle of its records, and the lost offsets are reported', () => {
  const seen = facts({
    target: {
      progress: [place(0, 15), place(1, 20), archived(0, 10), archived(1, 20)],
      stops: [stopped(gap, 'tidemark-archive')],
    },
    groups: [group([15, 20]), archiveGroup([10, 20])],
    ranges: [
      [0, 15],
      [0, 20],
    ],
  })

  const diagnosis = diagnose(seen)

  expect(diagnosis.state).toBe('running')
  expect(diagnosis.findings[0]!.cause).toContain('offsets 10 to 12 of topic partition 0 were lost')
  expect(planRecovery(diagnosis, seen)).toEqual(archiveGoesOnAt(13))
})

test('records that expired before a consumer of plain events had any are not a loss, and it begins with the first record', () => {
  const events = { group: 'tidemark-user-events', consumer: 'tidemark-user-events', topic: 'user-events' }
  const seen = facts()
  const { topics, groups } = (seen.brokers as { value: BrokerFacts }).value
  const brokers = {
    value: {
      topics: new Map([...topics, ['user-events', [{ first: 5, end: 9 }]]]),
      groups: [...groups, { ...group([null]), ...events, isContiguous: false }],
    },
  }

  expect(diagnose({ ...seen, brokers }).findings).toEqual([])
})

test('records that the archive lost are reported with their offsets, and only the archive goes on after them', () => {
  const seen = facts({
    target: { progress: [place(0, 10), place(1, 20), archived(0, 3), archived(1, 20)] },
    groups: [group([10, 20]), archiveGroup([3, 20])],
    ranges: [
      [5, 10],
      [0, 20],
    ],
  })

  const diagnosis = diagnose(seen)

  expect(diagnosis.state).toBe('running')
  expect(diagnosis.findings[0]!.cause).toContain('tidemark-archive had them: offsets 3 to 4 of topic partition 0')
  expect(planRecovery(diagnosis, seen)).toEqual(archiveGoesOnAt(5))
})

test('the archive of a topic that was created again is not set to offsets at which it has other records', () => {
  const seen = facts({
    target: { progress: [place(0, 10), place(1, 20), archived(0, 10), archived(1, 20)] },
    groups: [group([10, 20]), archiveGroup([10, 20])],
    ranges: [
      [0, 3],
      [0, 2],
    ],
  })

  const diagnosis = diagnose(seen)

  expect(diagnosis.findings.at(-1)).toMatchObject({
    cause: expect.stringContaining('under the offsets that tidemark-archive has had, it has other records'),
    follows: expect.stringContaining('the archive table has other records under these offsets'),
    action: expect.stringContaining('Run npm run archive -- recover: it gives the archive table another name'),
    repair: null,
  })
  expect(planRecovery(diagnosis, seen).map(({ kind }) => kind)).toEqual(['new epoch'])
})

test('an archive that begins again goes on at the first records that its topics have, and is released after that', () => {
  const seen = facts({
    target: { progress: [place(0, 10), place(1, 20), archived(0, 0), archived(1, 0)], archiveRenewal: 'offsets' },
    groups: [group([10, 20]), archiveGroup([9, null])],
    ranges: [
      [4, 10],
      [0, 20],
    ],
  })
  const offsets = [
    { topicPartition: 0, offset: 4 },
    { topicPartition: 1, offset: 0 },
  ]

  const diagnosis = diagnose(seen)

  expect(diagnosis.state).toBe('running')
  expect(diagnosis.findings).toHaveLength(1)
  expect(planRecovery(diagnosis, seen)).toEqual([
    { kind: 'rebase', consumer: 'tidemark-archive', topic: 'changes', offsets },
    { kind: 'rewind', group: 'tidemark-archive-changes', topic: 'changes', offsets },
    { kind: 'release archive' },
  ])
})

test.each<[string, Changes, string]>([
  [
    'its table is not made',
    { target: { archiveRenewal: 'table' }, groups: [archiveGroup([3, 3])] },
    'npm run archive -- recover',
  ],
  [
    'its topic is gone',
    { target: { archiveRenewal: 'offsets' }, groups: [archiveGroup([])], ranges: [] },
    'the topic changes',
  ],
  ['it has no mapping', { target: { archiveRenewal: 'offsets' }, groups: [group([10, 20])] }, 'deploy the stack'],
])('an archive that begins again is not released while %s', (_, changed, action) => {
  const seen = facts(changed)
  const diagnosis = diagnose(seen)

  expect(planRecovery(diagnosis, seen).map(({ kind }) => kind)).not.toContain('release archive')
  expect(diagnosis.findings.at(-1)).toMatchObject({
    cause: expect.stringContaining('begin'),
    action: expect.stringContaining(action),
    repair: null,
  })
})
