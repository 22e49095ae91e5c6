import { Buffer } from 'node:buffer'
import { globSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CONSUMERS } from '#core/fixed-names.ts'
import { type StackTemplate, synthesize } from '#test-support/stack-template.ts'
import { stages } from './stages.ts'

const every = Object.values(stages).map((stage) => ({ name: stage.name, stage, template: synthesize(stage) }))
const deployed = every.filter(({ name }) => name !== 'local')

const decoded = (configs: string) => Buffer.from(configs, 'base64').toString().split('\n')

describe.each(every)('$name', ({ stage, template }) => {
  test('a replica that is behind never becomes leader, and no topic comes to be by itself', () => {
    const properties = template.only('AWS::MSK::Configuration').Properties['ServerProperties'].split('\n')

    expect(properties).toContain('unclean.leader.election.enable=false')
    expect(properties).toContain('auto.create.topics.enable=false')
    expect(properties).toContain(`min.insync.replicas=${stage.stream.replicas.inSync}`)
  })

  test("the stack creates every topic, Connect's compacted and those of records not", () => {
    const topics = Object.values(template.ofType('AWS::MSK::Topic')).map(({ Properties }) => Properties)

    const summary = topics.map((topic) => [
      topic['TopicName'],
      topic['PartitionCount'],
      topic['ReplicationFactor'],
      decoded(topic['Configs'])[0],
    ])
    const replicas = stage.stream.replicas.count
    expect(summary).toEqual([
      ['changes', stage.stream.topicPartitions.changes, replicas, 'cleanup.policy=delete'],
      ['user-events', stage.stream.topicPartitions.userEvents, replicas, 'cleanup.policy=delete'],
      ['connect-config', 1, replicas, 'cleanup.policy=compact'],
      ['connect-offsets', 1, replicas, 'cleanup.policy=compact'],
      ['connect-status', 1, replicas, 'cleanup.policy=compact'],
    ])
  })

  test('topics and brokers take records as large as the connector may send', () => {
    const properties = template.only('AWS::MSK::Configuration').Properties['ServerProperties'].split('\n')
    const changes = Object.values(template.ofType('AWS::MSK::Topic'))[0]!.Properties

    expect(properties).toContain('message.max.bytes=16777216')
    expect(properties).toContain('replica.fetch.max.bytes=16777216')
    expect(decoded(changes['Configs'])).toContain('max.message.bytes=16777216')
  })

  test('nothing has a public address', () => {
    const databases = Object.values(template.ofType('AWS::RDS::DBInstance'))
    const network = template.only('AWS::ECS::Service').Properties['NetworkConfiguration']
    const brokers = template.only('AWS::MSK::Cluster').Properties['BrokerNodeGroupInfo']

    expect(databases.map(({ Properties }) => Properties['PubliclyAccessible'])).toEqual([false, false])
    expect(network.AwsvpcConfiguration.AssignPublicIp).toBe('DISABLED')
    expect(brokers.ConnectivityInfo.PublicAccess.Type).toBe('DISABLED')
    for (const { Properties } of Object.values(template.ofType('AWS::EC2::SecurityGroup')))
      expect(JSON.stringify(Properties['SecurityGroupIngress'] ?? [])).not.toContain('0.0.0.0/0')
  })

  test("Connect's interface is open to the functions that register and recover the connector and to nothing else", () => {
    const doors = Object.values(template.ofType('AWS::EC2::SecurityGroupIngress')).map(({ Properties }) => Properties)

    const guests = doors.filter(({ FromPort }) => FromPort === 8083).map((door) => door['SourceSecurityGroupId'])
    expect(guests).toEqual([
      { 'Fn::GetAtt': [expect.stringMatching(/^CaptureRegisterConnector/), 'GroupId'] },
      { 'Fn::GetAtt': [expect.stringMatching(/^RecoveryRecoverCapture/), 'GroupId'] },
    ])
  })

  test('brokers are open to Connect, the publisher of windows, the recovery, the producer and the pollers, which come from their own group', () => {
    const doors = Object.values(template.ofType('AWS::EC2::SecurityGroupIngress')).map(({ Properties }) => Properties)
    const port = stage.stream.authentication === 'iam' ? 9098 : 9092

    const guests = doors.filter(({ FromPort }) => FromPort === port).map((door) => door['SourceSecurityGroupId'])
    expect(guests.map((guest) => guest['Fn::GetAtt'][0].replace(/[0-9A-F]{8}$/, ''))).toEqual([
      'StreamBrokers',
      'CaptureConnectSecurityGroup',
      'WindowsMaintainWindowsSecurityGroup',
      'RecoveryRecoverCaptureSecurityGroup',
      'ProducerProduceSecurityGroup',
    ])
  })

  test('each topic is delivered from its beginning to a group of its own, and no batch is ever given up', () => {
    const mappings = Object.values(template.ofType('AWS::Lambda::EventSourceMapping')).map(
      ({ Properties }) => Properties,
    )

    const groups = mappings.map((mapping) => [
      mapping['Topics'],
      mapping['AmazonManagedKafkaEventSourceConfig'].ConsumerGroupId,
    ])
    expect(groups).toEqual([
      [['changes'], CONSUMERS.latestState],
      [['user-events'], CONSUMERS.userState],
      [['changes'], `${CONSUMERS.archive}-changes`],
      [['user-events'], `${CONSUMERS.archive}-user-events`],
      [['changes'], CONSUMERS.windows],
    ])
    const windows = mappings.map((mapping) => mapping['MaximumBatchingWindowInSeconds'])
    expect(windows).toEqual([0, 0, stage.archive.windowSeconds, stage.archive.windowSeconds, 0])
    for (const mapping of mappings) {
      expect(mapping).toMatchObject({ StartingPosition: 'TRIM_HORIZON', BatchSize: 10_000 })
      expect(mapping).not.toHaveProperty('DestinationConfig')
      expect(mapping).not.toHaveProperty('MaximumRetryAttempts')
      expect(mapping).not.toHaveProperty('MaximumRecordAgeInSeconds')
    }
  })

  test('every function of lambdas/ is deployed under its name, on Node 24 and arm64, for 14 minutes at most', () => {
    const root = join(import.meta.dirname, '..')
    const folders = globSync('lambdas/*/environment.ts', { cwd: root }).map((file) => basename(dirname(file)))
    const functions = Object.values(template.ofType('AWS::Lambda::Function')).map(({ Properties }) => Properties)
    const ours = functions.filter(({ FunctionName }) => FunctionName !== undefined)

    expect(ours.map(({ FunctionName }) => FunctionName).sort()).toEqual(
      folders
        .filter((folder) => folder !== 'maintain-archive' || stage.archive.maintainedBy === 'function')
        .filter((folder) => folder !== 'serve-console' || stage.console !== 'off')
        .map((folder) => `tidemark-${stage.name}-${folder}`)
        .sort(),
    )
    for (const properties of ours)
      expect(properties).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'], Handler: 'handler.handler' })
    for (const { Timeout } of functions) expect(Timeout).toBeLessThanOrEqual(840)
  })

  test('the connector is registered once databases, schema, topics and Connect are there, and before records flow', () => {
    const migrated = template.only('Custom::Schema')
    const connector = template.only('Custom::Connector')
    const service = template.only('AWS::ECS::Service')
    const [connectorId] = Object.keys(template.ofType('Custom::Connector'))
    const id = (type: string) => Object.keys(template.ofType(type))

    expect(migrated.DependsOn).toEqual(expect.arrayContaining(id('AWS::RDS::DBInstance')))
    expect(service.DependsOn).toEqual(expect.arrayContaining(id('AWS::MSK::Topic')))
    expect(connector.DependsOn).toEqual(expect.arrayContaining([...id('AWS::ECS::Service'), ...id('Custom::Schema')]))
    const mappings = Object.entries(template.ofType('AWS::Lambda::EventSourceMapping'))
    for (const [name, { DependsOn }] of mappings) {
      // The archive needs no row of the target, and archives every record of the topics.
      if (!name.startsWith('Archive')) expect(DependsOn).toContain(connectorId)
      expect(DependsOn).toEqual(expect.arrayContaining(id('AWS::MSK::Topic')))
    }
  })

  test('one Connect task runs at a time and gets its password as a container secret', () => {
    const service = template.only('AWS::ECS::Service').Properties
    const container = template.only('AWS::ECS::TaskDefinition').Properties['ContainerDefinitions'][0]

    expect(service).toMatchObject({
      DesiredCount: 1,
      DeploymentConfiguration: { MinimumHealthyPercent: 0, MaximumPercent: 100 },
    })
    expect(container.Secrets.map(({ Name }: { Name: string }) => Name)).toEqual(['SOURCE_USERNAME', 'SOURCE_PASSWORD'])
    expect(JSON.stringify(container.Environment)).not.toContain('PASSWORD"')
  })

  test('the template holds no secret: passwords are generated, and only named elsewhere', () => {
    const secrets = Object.values(template.ofType('AWS::SecretsManager::Secret')).map(({ Properties }) => Properties)

    for (const secret of secrets) {
      expect(secret).not.toHaveProperty('SecretString')
      expect(secret['GenerateSecretString'].GenerateStringKey).toBe('password')
    }
    for (const { Properties } of Object.values(template.ofType('AWS::RDS::DBInstance')))
      expect(JSON.stringify(Properties['MasterUserPassword'])).toContain('{{resolve:secretsmanager:')
  })

  test('one committer at a time, called each minute, and an alarm when what is archived is not committed', () => {
    const commit = Object.values(template.ofType('AWS::Lambda::Function')).find(({ Properties }) =>
      String(Properties['FunctionName']).endsWith('commit-archive'),
    )
    const alarm = alarmOn(template, 'OldestUncommittedSeconds')

    expect(commit!.Properties['ReservedConcurrentExecutions']).toBe(1)
    expect(alarm).toMatchObject({
      ...{ Namespace: 'Tidemark', MetricName: 'OldestUncommittedSeconds', TreatMissingData: 'breaching' },
      Dimensions: [{ Name: 'Capability', Value: 'archive' }],
    })
  })

  test('an alarm when there are records to archive and none is archived', () => {
    const alarms = Object.values(template.ofType('AWS::CloudWatch::Alarm')).map(({ Properties }) => Properties)
    const [expression, ...metrics] = alarms.find((each) => each['Metrics'] !== undefined)!['Metrics']

    expect(expression.Expression).toBe('IF(FILL(offsetLag, 0) > 0 AND FILL(archived, 0) == 0, 1, 0)')
    expect(metrics.map(({ MetricStat }: { MetricStat: object }) => MetricStat)).toMatchObject([
      { Metric: { Namespace: 'AWS/Lambda', MetricName: 'OffsetLag', Dimensions: [{ Name: 'FunctionName' }] } },
      { Metric: { Namespace: 'Tidemark', MetricName: 'ArchivedRecords' } },
    ])
  })

  test.each(['FailedTopicPartitions', 'QuarantinedRecords'])('an alarm when there are %s of apply', (metric) => {
    expect(alarmOn(template, metric)).toMatchObject({
      ...{ Namespace: 'Tidemark', Threshold: 0, ComparisonOperator: 'GreaterThanThreshold' },
      Dimensions: [{ Name: 'Capability', Value: 'latest-state' }],
    })
  })

  test('the committer alone may look for the archive table under another name, and nobody may drop it', () => {
    const policies = Object.values(template.ofType('AWS::IAM::Policy')).map(({ Properties }) =>
      (Properties['PolicyDocument'].Statement as { Action: string | string[] }[]).flatMap(({ Action }) =>
        [Action].flat(),
      ),
    )
    const looking = policies.filter((actions) =>
      actions.some((action) => ['s3tables:ListTables', 'glue:GetTables'].includes(action)),
    )

    expect(looking).toHaveLength(1)
    if (looking[0]!.includes('s3tables:ListTables')) expect(looking[0]).toContain('s3tables:RenameTable')
    expect(policies.flat().filter((action) => /^(s3tables|glue):DeleteTable/.test(action))).toEqual([])
  })

  test('no policy grants everything', () => {
    const statements = Object.values(template.ofType('AWS::IAM::Policy')).flatMap(
      ({ Properties }) => Properties['PolicyDocument'].Statement,
    )

    for (const { Action } of statements) expect([Action].flat()).not.toContain('*')
    for (const { Action } of statements)
      for (const action of [Action].flat())
        expect(action).not.toMatch(/^(kafka-cluster|secretsmanager|lambda|s3|s3tables|glue):\*$/)
  })
})

const alarmOn = (template: StackTemplate, metric: string) =>
  Object.values(template.ofType('AWS::CloudWatch::Alarm')).find(
    ({ Properties }) => Properties['MetricName'] === metric,
  )!.Properties

describe.each(deployed)('$name', ({ stage, template }) => {
  test('clients reach the brokers over TLS as IAM principals and in no other way', () => {
    const { ClientAuthentication, EncryptionInfo } = template.only('AWS::MSK::Cluster').Properties

    expect(ClientAuthentication).toEqual({ Sasl: { Iam: { Enabled: true } }, Unauthenticated: { Enabled: false } })
    expect(EncryptionInfo.EncryptionInTransit).toEqual({ ClientBroker: 'TLS', InCluster: true })
    expect(stage.stream.replicas).toEqual({ count: 3, inSync: 2 })
  })

  test('databases are encrypted, take TLS connections only, and functions verify whom they talk to', () => {
    const databases = Object.values(template.ofType('AWS::RDS::DBInstance')).map(({ Properties }) => Properties)
    const parameters = Object.values(template.ofType('AWS::RDS::DBParameterGroup'))
    const functions = Object.values(template.ofType('AWS::Lambda::Function')).map(
      ({ Properties }) => Properties['Environment']?.Variables ?? {},
    )

    for (const database of databases) expect(database['StorageEncrypted']).toBe(true)
    for (const { Properties } of parameters) expect(Properties['Parameters']['rds.force_ssl']).toBe('1')
    for (const variables of functions.filter((each) => 'DATABASE_TLS' in each)) {
      expect(variables).toMatchObject({
        DATABASE_TLS: 'verify-full',
        NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem',
      })
    }
  })

  test('a stalled slot gives up its log before the disk is full', () => {
    const [source] = Object.values(template.ofType('AWS::RDS::DBParameterGroup')).map(({ Properties }) => Properties)
    const settings = stage.source
    if (settings.kind !== 'new') throw new Error('the stage has an existing source')

    expect(source!['Parameters']).toMatchObject({
      'rds.logical_replication': '1',
      max_slot_wal_keep_size: String(settings.slotWalKeepMiB),
    })
    expect(settings.slotWalKeepMiB).toBeLessThan((settings.storageGiB * 1024) / 2)
  })

  test('a rotated password reaches Connect by a new task', () => {
    const rule = Object.values(template.ofType('AWS::Events::Rule')).find(
      ({ Properties }) => 'EventPattern' in Properties,
    )
    const rotation = template.only('AWS::SecretsManager::RotationSchedule').Properties

    expect(rule!.Properties['EventPattern'].detail).toEqual({
      eventName: ['RotationSucceeded'],
      additionalEventData: { SecretId: [rotation['SecretId']] },
    })
  })
})
