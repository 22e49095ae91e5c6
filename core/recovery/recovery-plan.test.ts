import { expect, test } from 'vitest'
import { facts, failed, gap, group, stopped } from '#test-support/capture/capture-facts.ts'
import { diagnose } from './diagnosis.ts'
import { epochToBegin, planNewEpoch, planRecovery } from './recovery-plan.ts'

test('a new epoch is above every one that is known, and one that was ordered and never had is taken up again', () => {
  const lost = { connector: failed, source: { slot: null } }

  expect(epochToBegin(facts(lost))).toBe(2)
  expect(epochToBegin(facts({ ...lost, connector: { ...failed, epoch: 4 } }))).toBe(5)
  expect(epochToBegin(facts({ ...lost, target: { epochs: [{ epoch: 3, hasBegun: true }] } }))).toBe(4)
  expect(epochToBegin(facts({ ...lost, target: { epochs: [{ epoch: 3, hasBegun: false }] } }))).toBe(3)
  expect(epochToBegin(facts({ ...lost, source: { slot: null, setting: { epoch: 2, topicPartitions: 2 } } }))).toBe(2)
  expect(epochToBegin(facts({ ...lost, connector: null, source: { setting: { epoch: 2, topicPartitions: 2 } } }))).toBe(
    3,
  )
})

test('a topic with more topic partitions is captured with that number', () => {
  const seen = facts({
    ranges: [
      [0, 10],
      [0, 20],
      [0, 0],
    ],
  })

  expect(planRecovery(diagnose(seen), seen)).toMatchObject([{ kind: 'new epoch', topicPartitions: 3, epoch: 2 }])
})

test('a new epoch that a user asks for goes on after missing records, like one that the diagnosis asks for', () => {
  const healthy = facts()
  const broken = facts({
    target: { stops: [stopped(gap)] },
    ranges: [
      [0, 15],
      [0, 20],
    ],
  })
  const disabled = facts({ connector: failed, groups: [{ ...group([10, 20]), isEnabled: false }] })

  expect(planNewEpoch(diagnose(healthy), healthy)).toMatchObject([
    { kind: 'new epoch', reason: 'somebody asked for it', losses: [] },
  ])
  expect(planNewEpoch(diagnose(broken), broken)).toMatchObject([
    { kind: 'new epoch', losses: [{ topicPartition: 0, from: 10, to: 13 }] },
  ])
  expect(planNewEpoch(diagnose(disabled), disabled).map(({ kind }) => kind)).toEqual(['enable mapping', 'new epoch'])
})
