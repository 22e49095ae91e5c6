import { expect, test } from 'vitest'
import { eventually } from '#test-support/eventually.ts'
import { collector, records, success, useMappedTopic } from '#test-support/kafka/mapped-topic.ts'

/** Source of each test: a page of the AWS Lambda developer guide. */
const topic = useMappedTopic({ isSecure: true })

const secrets = () => {
  const { authority, user } = topic.broker.secure!
  const client = authority.issue('client')
  const pasted = `{"certificate":"${client.certificate}","privateKey":"${client.privateKey}"}`
  return {
    user: JSON.stringify({ username: user.name, password: user.password }),
    wrong: JSON.stringify({ username: user.name, password: 'wrong' }),
    authority: JSON.stringify({ certificate: authority.certificate }),
    client: pasted,
  }
}

type SecretName = keyof ReturnType<typeof secrets>

function start(servers: string, access: [type: string, secret: SecretName][]) {
  const known = secrets()
  const collected = collector()
  const started = topic.start(
    collected.invoke,
    {
      SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [servers] } },
      SourceAccessConfigurations: [
        ...access.map(([Type, URI]) => ({ Type, URI })),
        { Type: 'VPC_SUBNET', URI: 'subnet:subnet-1' },
        { Type: 'VPC_SECURITY_GROUP', URI: 'security_group:sg-1' },
      ],
    },
    { readSecret: async (arn) => known[arn as SecretName] },
  )
  return { ...started, ...collected }
}

// "Configuring cluster authentication methods in Lambda": SASL/SCRAM, SASL/PLAIN over TLS, a private CA.
test.each(['SASL_SCRAM_512_AUTH', 'SASL_SCRAM_256_AUTH', 'BASIC_AUTH'])(
  '%s logs in over TLS with the secret, trusting the CA of SERVER_ROOT_CA_CERTIFICATE',
  async (type) => {
    await topic.create(1)
    await topic.produce(records(0, 3))

    const { offsets } = start(topic.broker.secure!.saslServers, [
      [type, 'user'],
      ['SERVER_ROOT_CA_CERTIFICATE', 'authority'],
    ])

    await topic.committed([3])
    expect(offsets(0)).toEqual([0, 1, 2])
  },
)

// "Configuring cluster authentication methods in Lambda": mutual TLS, the client certificate secret.
test('CLIENT_CERTIFICATE_TLS_AUTH shows the certificate of the secret', async () => {
  await topic.create(1)
  await topic.produce(records(0, 3))

  const { offsets } = start(topic.broker.secure!.mutualTlsServers, [
    ['CLIENT_CERTIFICATE_TLS_AUTH', 'client'],
    ['SERVER_ROOT_CA_CERTIFICATE', 'authority'],
  ])

  await topic.committed([3])
  expect(offsets(0)).toEqual([0, 1, 2])
})

test.each<[string, [string, SecretName][], RegExp]>([
  [
    'a wrong password',
    [
      ['SASL_SCRAM_512_AUTH', 'wrong'],
      ['SERVER_ROOT_CA_CERTIFICATE', 'authority'],
    ],
    /SASL authentication failed/,
  ],
  ['an unknown CA', [['SASL_SCRAM_512_AUTH', 'user']], /certificate/i],
  ['a secret of another shape', [['SASL_SCRAM_512_AUTH', 'authority']], /secret authority has no username/],
])('%s is reported, and tried again', async (_, access, reason) => {
  await topic.create(1)

  const { mapping } = start(topic.broker.secure!.saslServers, access)

  await eventually(() => expect(mapping.metrics().lastError).toMatch(reason))
  expect(mapping.state()).toBe('Creating')
})

// "Configuring cluster authentication methods in Lambda" and "Using Lambda with self-managed Apache Kafka", event.
test('the event of self-managed Kafka has its name, its servers and no ARN', async () => {
  await topic.create(1)
  await topic.produce(records(0, 1))
  const events: object[] = []

  topic.start(
    async (event) => {
      events.push(event)
      return success
    },
    { SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: [topic.broker.bootstrapServers] } } },
  )

  await topic.committed([1])
  expect(Object.entries(events[0]!).slice(0, 2)).toEqual([
    ['eventSource', 'SelfManagedKafka'],
    ['bootstrapServers', topic.broker.bootstrapServers],
  ])
  expect(events[0]).not.toHaveProperty('eventSourceArn')
})

// "Configuring Amazon MSK cluster permissions", IAM: the function's role logs in.
test('an MSK cluster with IAM is reached as the local broker is logged in to', async () => {
  await topic.create(1)
  await topic.produce(records(0, 2))
  const { saslServers, authority, user } = topic.broker.secure!
  const sasl = { mechanism: 'SCRAM-SHA-512' as const, username: user.name, password: user.password }
  const { offsets, invoke } = collector()

  topic.start(invoke, {}, { bootstrapServers: saslServers, brokerAccess: { sasl, tls: { ca: authority.certificate } } })

  await topic.committed([2])
  expect(offsets(0)).toEqual([0, 1])
})

// "Configuring Amazon MSK ... authentication": SASL/SCRAM with a secret, Amazon's own certificates.
test('an MSK cluster with SASL_SCRAM_512_AUTH takes the secret, and trusts what the cluster is said to have', async () => {
  await topic.create(1)
  await topic.produce(records(0, 2))
  const { saslServers, authority } = topic.broker.secure!
  const { offsets, invoke } = collector()

  topic.start(
    invoke,
    { SourceAccessConfigurations: [{ Type: 'SASL_SCRAM_512_AUTH', URI: 'user' }] },
    {
      bootstrapServers: saslServers,
      brokerAccess: { tls: { ca: authority.certificate } },
      readSecret: async () => secrets().user,
    },
  )

  await topic.committed([2])
  expect(offsets(0)).toEqual([0, 1])
})
