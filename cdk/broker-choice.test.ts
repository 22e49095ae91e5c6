import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { synthesize } from '#test-support/stack-template.ts'
import { withBrokers } from './broker-choice.ts'
import { type Stage, stages } from './stages.ts'
import { type KafkaRight, RIGHTS } from './stream/kafka-rights.ts'

const local = stages['local'] as Stage

test('with three brokers every topic has three copies, two of which must have a record', () => {
  const { only, ofType } = synthesize(withBrokers(local, { TIDEMARK_BROKERS: '3' }))

  const topics = Object.values(ofType('AWS::MSK::Topic')).map(({ Properties }) => Properties)
  expect(only('AWS::MSK::Cluster').Properties['NumberOfBrokerNodes']).toBe(3)
  expect(only('AWS::MSK::Configuration').Properties['ServerProperties']).toContain('min.insync.replicas=2')
  for (const { ReplicationFactor, Configs } of topics) {
    expect(ReplicationFactor).toBe(3)
    expect(Buffer.from(Configs, 'base64').toString()).toContain('min.insync.replicas=2')
  }
})

test('nothing said is the stage as it is, and another number is refused', () => {
  expect(withBrokers(local, {})).toBe(local)
  expect(() => withBrokers(local, { TIDEMARK_BROKERS: '2' })).toThrow('TIDEMARK_BROKERS=2')
})

describe('secure brokers', () => {
  const { only, ofType, text } = synthesize(withBrokers(local, { TIDEMARK_SECURE: '1' }))

  test('are reached over TLS by name and password, and in no other way', () => {
    const { ClientAuthentication, EncryptionInfo } = only('AWS::MSK::Cluster').Properties

    expect(ClientAuthentication).toEqual({
      Sasl: { Iam: { Enabled: false }, Scram: { Enabled: true } },
      Unauthenticated: { Enabled: false },
    })
    expect(EncryptionInfo.EncryptionInTransit).toEqual({ ClientBroker: 'TLS', InCluster: true })
  })

  test('know Connect, the mappings, the producer, the recovery and the publisher of windows, each with what it needs', () => {
    const association = only('AWS::MSK::BatchScramSecret')
    const secrets = Object.values(ofType('AWS::SecretsManager::Secret')).map(({ Properties }) => Properties['Name'])

    expect(secrets.filter((name) => name?.startsWith('AmazonMSK_')).sort()).toEqual([
      'AmazonMSK_tidemark-local-connect',
      'AmazonMSK_tidemark-local-delivery',
      'AmazonMSK_tidemark-local-producer',
      'AmazonMSK_tidemark-local-recovery',
      'AmazonMSK_tidemark-local-windows',
    ])
    expect(association.Properties['SecretArnList']).toHaveLength(5)
    const rights: KafkaRight[] = association.Metadata![RIGHTS]
    const writers = rights
      .filter(({ operations }) => operations.includes('WRITE'))
      .map(({ user, name }) => [user, name])
    expect(writers).toEqual([
      ['connect', 'changes'],
      ['connect', 'connect-config'],
      ['connect', 'connect-offsets'],
      ['connect', 'connect-status'],
      ['windows', 'rides'],
      ['windows', 'tidemark-windows-rides'],
      ['producer', 'user-events'],
    ])
    const readers = rights.filter(({ operations }) => operations.includes('READ'))
    expect(new Set(readers.map(({ user }) => user))).toEqual(new Set(['connect', 'delivery', 'recovery']))
    for (const { name } of rights) expect(name).not.toContain('*')
  })

  test('are logged in to with secrets that are named in the template, and not held', () => {
    const mappings = Object.values(ofType('AWS::Lambda::EventSourceMapping')).map(({ Properties }) => Properties)

    for (const { SourceAccessConfigurations } of mappings) {
      expect(SourceAccessConfigurations).toEqual([
        { Type: 'SASL_SCRAM_512_AUTH', URI: { Ref: expect.stringMatching(/delivery/) } },
      ])
    }
    expect(text).toContain('env:KAFKA_PASSWORD')
  })
})
