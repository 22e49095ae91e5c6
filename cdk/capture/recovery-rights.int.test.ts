import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { Admin, Producer } from '@platformatic/kafka'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openGroupOffsets } from '#adapters/kafka/group-offsets.ts'
import { setPasswords, setRights } from '#localstack/servers/kafka/broker-rights.ts'
import { type SecureBroker, startSecureBroker } from '#test-support/kafka/secure-broker.ts'
import { synthesize } from '#test-support/stack-template.ts'
import { withBrokers } from '../broker-choice.ts'
import { stages } from '../stages.ts'
import { type KafkaRight, RIGHTS } from '../stream/kafka-rights.ts'

let broker: SecureBroker

const login = { username: 'recovery', password: 'recovery-secret' }

beforeAll(async () => {
  broker = await startSecureBroker()
  setDefaultCACertificates([...getCACertificates('default'), broker.ca])
  const template = synthesize(withBrokers(stages['local']!, { TIDEMARK_SECURE: '1' }))
  const rights: KafkaRight[] = template.only('AWS::MSK::BatchScramSecret').Metadata![RIGHTS]
  await setPasswords(broker.administration, [{ name: login.username, password: login.password }])
  await setRights(broker.administration, rights)
  const connection = { clientId: 'test', bootstrapBrokers: broker.administration.bootstrapBrokers }
  const admin = new Admin({ ...connection, ...broker.administration.access })
  await admin.createTopics({ topics: ['changes', 'secret'], partitions: 1, replicas: 1 })
  await admin.close()
  const producer = new Producer({ ...connection, ...broker.administration.access })
  await producer.send({ messages: [{ topic: 'changes', value: Buffer.from('a') }], acks: -1 })
  await producer.close()
})

afterAll(() => broker?.stop())

const open = (waitMs: number) =>
  openGroupOffsets({
    ...{ brokers: broker.administration.bootstrapBrokers, authentication: 'scram', region: 'us-east-1' },
    ...{ readLogin: async () => login, clientId: 'test', waitMs },
  })

test('the function that recovers reads where our topics and groups are, sets the offsets of these, and sees nothing else', async () => {
  const offsets = await open(20_000)

  expect([...(await offsets.ranges(['changes', 'secret']))]).toEqual([['changes', [{ first: 0, end: 1 }]]])
  await offsets.set('tidemark-latest-state', 'changes', [{ topicPartition: 0, offset: 1 }])
  expect(await offsets.committed('tidemark-latest-state', 'changes')).toEqual([1])
  await offsets.close()

  const impatient = await open(1_000)
  await expect(impatient.committed('somebody-else', 'changes')).rejects.toThrow('Failed to find group coordinator')
  await impatient.close()
})
