import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { synthesize } from '#test-support/stack-template.ts'
import { withDatabaseUrls } from './database-url.ts'
import type { NetworkSettings } from './network/network.ts'
import { type Stage, stages } from './stages.ts'

const { local, prod } = stages as Record<'local' | 'prod', (typeof stages)[string]>

test('the local stage needs neither the internet nor Docker nor anything that has no local meaning', () => {
  const { types, text } = synthesize(local)

  expect(types).toEqual([
    'AWS::CloudWatch::Alarm',
    'AWS::EC2::RouteTable',
    'AWS::EC2::SecurityGroup',
    'AWS::EC2::SecurityGroupIngress',
    'AWS::EC2::Subnet',
    'AWS::EC2::SubnetRouteTableAssociation',
    'AWS::EC2::VPC',
    'AWS::ECS::Cluster',
    'AWS::ECS::Service',
    'AWS::ECS::TaskDefinition',
    'AWS::Events::Rule',
    'AWS::IAM::Policy',
    'AWS::IAM::Role',
    'AWS::Lambda::EventSourceMapping',
    'AWS::Lambda::Function',
    'AWS::Lambda::Permission',
    'AWS::Logs::LogGroup',
    'AWS::MSK::Cluster',
    'AWS::MSK::Configuration',
    'AWS::MSK::Topic',
    'AWS::RDS::DBInstance',
    'AWS::RDS::DBParameterGroup',
    'AWS::RDS::DBSubnetGroup',
    'AWS::S3Tables::TableBucket',
    'AWS::SecretsManager::Secret',
    'AWS::SecretsManager::SecretTargetAttachment',
    'AWS::ServiceDiscovery::PrivateDnsNamespace',
    'AWS::ServiceDiscovery::Service',
    'Custom::BootstrapBrokers',
    'Custom::Connector',
    'Custom::Schema',
    'Custom::Windows',
  ])
  expect(text).toContain('"Image":"quay.io/debezium/connect:3.7.0.Final"')
})

test('a stage that is deployed builds its Connect image, which runs Debezium corrected', () => {
  for (const { name, capture } of Object.values(stages)) {
    expect([name, capture.image]).toEqual([name, name === 'local' ? 'public' : 'iam'])
  }
  expect(synthesize(prod).text).not.toContain('quay.io/debezium')
  const dockerfile = readFileSync(join(import.meta.dirname, 'capture/image/Dockerfile'), 'utf8')
  expect(dockerfile).toContain('COPY target/tidemark-agent.jar target/byte-buddy.jar /kafka/agent/\n')
  expect(dockerfile).toMatch(
    /^COPY .* target\/tidemark-agent-corrections.jar \/kafka\/connect\/debezium-connector-postgres\/$/m,
  )
  expect(dockerfile).toContain('ENV KAFKA_OPTS=-javaagent:/kafka/agent/tidemark-agent.jar\n')
})

test('an existing database stands in for a new one, its address in the template and its password not', () => {
  const stage = withDatabaseUrls(local, 'postgres://app:s3cret@db.example:6432/shop', undefined)

  const { text, only, ofType } = synthesize(stage)

  const { Properties } = only('Custom::Connector')
  expect(Properties['Database']).toEqual({ Host: 'db.example', Port: 6432, Name: 'shop', Tls: 'disable' })
  expect(Object.keys(ofType('AWS::RDS::DBInstance'))).toEqual([expect.stringContaining('Target')])
  expect(text).toContain('arn:aws:secretsmanager:us-east-1:000000000000:secret:tidemark-source-url')
  expect(text).not.toContain('s3cret')
})

test('credentials of a role carry the address of an existing database', () => {
  const stage = withDatabaseUrls(local, undefined, 'postgres://app:s3cret@[::1]/stock')

  const secrets = Object.values(synthesize(stage).ofType('AWS::SecretsManager::Secret'))

  const templates = secrets.map(({ Properties }) => Properties['GenerateSecretString'].SecretStringTemplate)
  expect(templates).toContain(
    '{"engine":"postgres","host":"::1","port":5432,"dbname":"stock","username":"tidemark_read"}',
  )
})

test('production has no path to the internet and keeps its data', () => {
  const { types, ofType } = synthesize(prod)

  expect(types).not.toContain('AWS::EC2::InternetGateway')
  expect(types).not.toContain('AWS::EC2::NatGateway')
  for (const database of Object.values(ofType('AWS::RDS::DBInstance'))) {
    expect(database).toMatchObject({
      DeletionPolicy: 'Snapshot',
      Properties: { DeletionProtection: true, MultiAZ: true },
    })
  }
})

test('production delivers with pollers that are always there', () => {
  const mappings = Object.values(synthesize(prod).ofType('AWS::Lambda::EventSourceMapping'))

  const pollers = mappings.map(({ Properties }) => Properties['ProvisionedPollerConfig'])
  const group = { MaximumPollers: 12, PollerGroupName: 'tidemark-prod' }
  const [latestState, archive] = [
    { MinimumPollers: 2, ...group },
    { MinimumPollers: 1, ...group },
  ]
  expect(pollers).toEqual([latestState, latestState, archive, archive, latestState])
})

test.each(Object.entries(stages))(
  'in stage %s a topic partition that fails does not hold the others',
  (_name, stage) => {
    const mappings = Object.values(synthesize(stage).ofType('AWS::Lambda::EventSourceMapping'))

    expect(mappings).toHaveLength(5)
    for (const { Properties } of mappings) {
      expect(Properties).toMatchObject({
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        BisectBatchOnFunctionError: true,
        ProvisionedPollerConfig: { MinimumPollers: expect.any(Number) },
      })
      expect(Properties).not.toHaveProperty('DestinationConfig')
    }
  },
)

test('an existing network is used as it is', () => {
  const network = {
    kind: 'existing' as const,
    vpcId: 'vpc-1',
    availabilityZones: ['us-east-1a', 'us-east-1b', 'us-east-1c'],
    subnetIds: ['subnet-a', 'subnet-b', 'subnet-c'],
  } satisfies NetworkSettings

  const { types, only } = synthesize({ ...prod, network })

  expect(types).not.toContain('AWS::EC2::VPC')
  expect(only('AWS::MSK::Cluster').Properties['BrokerNodeGroupInfo'].ClientSubnets).toEqual(network.subnetIds)
})

test('another number of topic partitions asks for a new topic of the same name, which CloudFormation refuses', () => {
  const more = { ...local.stream, topicPartitions: { changes: 8, userEvents: 4 } }
  const topics = (stage: Stage) => Object.entries(synthesize(stage).ofType('AWS::MSK::Topic'))

  const [before, after] = [topics(local)[0]!, topics({ ...local, stream: more })[0]!]

  expect(after[1].Properties['TopicName']).toBe(before[1].Properties['TopicName'])
  expect(after[0]).not.toBe(before[0])
})

test('the archive is kept by S3 Tables or, by one word, in a bucket of its own with the Glue catalog', () => {
  const variablesOf = ({ ofType }: ReturnType<typeof synthesize>) =>
    Object.values(ofType('AWS::Lambda::Function'))
      .map(({ Properties }) => Properties['Environment']?.Variables ?? {})
      .filter((variables) => 'ARCHIVE_CATALOG' in variables)
  const tables = synthesize(prod)
  const glue = synthesize({ ...prod, archive: { ...prod.archive, catalog: 'glue', maintainedBy: 'function' } })

  expect(tables.only('AWS::S3Tables::TableBucket')).toMatchObject({
    DeletionPolicy: 'Retain',
    Properties: { EncryptionConfiguration: { SSEAlgorithm: 'aws:kms' } },
  })
  expect(glue.types).not.toContain('AWS::S3Tables::TableBucket')
  expect(glue.only('AWS::S3::Bucket')).toMatchObject({
    DeletionPolicy: 'Retain',
    Properties: { PublicAccessBlockConfiguration: { BlockPublicAcls: true, RestrictPublicBuckets: true } },
  })
  for (const variables of variablesOf(tables)) {
    expect(variables).toMatchObject({ ARCHIVE_CATALOG: 's3tables', ARCHIVE_LOCATION: '' })
  }
  const [first] = variablesOf(glue)
  expect(first).toMatchObject({ ARCHIVE_CATALOG: 'glue', ARCHIVE_NAMESPACE: { Ref: expect.any(String) } })
  expect(JSON.stringify(first!['ARCHIVE_LOCATION'])).toContain('s3://')
})

test.each([17, 18] as const)(
  'a new database is Postgres %i where the stage says so, its parameter group too',
  (postgresMajor) => {
    const { ofType } = synthesize({
      ...prod,
      source: { ...(prod.source as Extract<Stage['source'], { kind: 'new' }>), postgresMajor },
      target: { ...(prod.target as Extract<Stage['target'], { kind: 'new' }>), postgresMajor },
    })

    const versions = Object.values(ofType('AWS::RDS::DBInstance')).map(({ Properties }) => Properties['EngineVersion'])
    const families = Object.values(ofType('AWS::RDS::DBParameterGroup')).map(({ Properties }) => Properties['Family'])
    expect(versions).toEqual([
      expect.stringMatching(`^${postgresMajor}\\.`),
      expect.stringMatching(`^${postgresMajor}\\.`),
    ])
    expect(families).toEqual([`postgres${postgresMajor}`, `postgres${postgresMajor}`])
  },
)
