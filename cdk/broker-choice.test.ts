import { Buffer } from 'node:buffer'
import { expect, test } from 'vitest'
import { synthesize } from '#test-support/stack-template.ts'
import { withBrokers } from './broker-choice.ts'
import { type Stage, stages } from './stages.ts'

const local = stages['local'] as Stage

test('with three brokers every topic has three copies, two of which must have a record', () => {
  const { only, ofType } = synthesize(withBrokers(local, '3'))

  const topics = Object.values(ofType('AWS::MSK::Topic')).map(({ Properties }) => Properties)
  expect(only('AWS::MSK::Cluster').Properties['NumberOfBrokerNodes']).toBe(3)
  expect(only('AWS::MSK::Configuration').Properties['ServerProperties']).toContain('min.insync.replicas=2')
  for (const { ReplicationFactor, Configs } of topics) {
    expect(ReplicationFactor).toBe(3)
    expect(Buffer.from(Configs, 'base64').toString()).toContain('min.insync.replicas=2')
  }
})

test('nothing said is the stage as it is, and another number is refused', () => {
  expect(withBrokers(local, undefined)).toBe(local)
  expect(() => withBrokers(local, '2')).toThrow('TIDEMARK_BROKERS=2')
})
