import { describe, expect, test } from 'vitest'
import { type StackTemplate, synthesize } from '#test-support/stack-template.ts'
import { stages } from '../stages.ts'
import type { ConsoleSettings } from './console.ts'

const prod = stages['prod']!
const withConsole = (console: ConsoleSettings) => synthesize({ ...prod, console })

const byIam = withConsole({ authorizer: 'iam', actions: false })
const byUsers = withConsole({ authorizer: 'cognito', actions: true })
const both = [
  { name: 'iam', template: byIam },
  { name: 'cognito', template: byUsers },
]

const serveOf = (template: StackTemplate) =>
  Object.entries(template.ofType('AWS::Lambda::Function')).find(([, { Properties }]) =>
    String(Properties['FunctionName']).endsWith('-serve-console'),
  )!

type Statement = { Action: string | string[]; Resource: unknown }

/** What the role of the function may do. */
function rightsOf(template: StackTemplate): Statement[] {
  const role = serveOf(template)[1].Properties['Role']['Fn::GetAtt'][0]
  return Object.values(template.ofType('AWS::IAM::Policy'))
    .filter(({ Properties }) => Properties['Roles'].some(({ Ref }: { Ref: string }) => Ref === role))
    .flatMap(({ Properties }) => Properties['PolicyDocument'].Statement)
}

const actionsOf = (template: StackTemplate): string[] => rightsOf(template).flatMap(({ Action }) => [Action].flat())

test.each(Object.values(stages))('$name has no console, and nothing of one', (stage) => {
  const { types, outputs, text } = synthesize(stage)

  expect(stage.console).toBe('off')
  expect(types.filter((type) => /^AWS::(ApiGatewayV2|CloudFront|Cognito)::/.test(type))).toEqual([])
  expect(outputs).not.toHaveProperty('ConsoleUrl')
  expect(text).not.toContain('tidemark_console')
})

describe.each(both)('a console for $name', ({ template }) => {
  test('has one route for each method, and none without an authorizer', () => {
    const routes = Object.values(template.ofType('AWS::ApiGatewayV2::Route')).map(({ Properties }) => Properties)

    expect(routes.map(({ RouteKey }) => RouteKey)).toEqual(['GET /api/v1/{path+}', 'POST /api/v1/{path+}'])
    const kind = template === byIam ? 'AWS_IAM' : 'JWT'
    expect(routes.map(({ AuthorizationType }) => AuthorizationType)).toEqual([kind, kind])
  })

  test('waits for no answer that the API would not deliver', () => {
    expect(serveOf(template)[1].Properties['Timeout']).toBe(29)
    expect(template.only('AWS::ApiGatewayV2::Integration').Properties).toMatchObject({
      PayloadFormatVersion: '2.0',
      TimeoutInMillis: 29_000,
    })
  })

  test('is let in by source, target, brokers and Connect, and by nothing from outside', () => {
    const doors = Object.values(template.ofType('AWS::EC2::SecurityGroupIngress')).map(({ Properties }) => Properties)
    const own = serveOf(template)[1].Properties['VpcConfig'].SecurityGroupIds[0]['Fn::GetAtt'][0]
    const opened = doors.filter((door) => door['SourceSecurityGroupId']?.['Fn::GetAtt'][0] === own)

    expect(opened).toHaveLength(4)
    expect(doors.filter((door) => door['GroupId']['Fn::GetAtt'][0] === own)).toEqual([])
  })

  test('changes nothing of the archive, of mappings and of topics', () => {
    const writing = actionsOf(template).filter((action) =>
      /Put|Create|Update|Delete|Write|Alter|Rename|\*/.test(action),
    )

    expect(writing).toEqual([])
  })

  test('logs in as roles of its own, whose passwords the migration sets', () => {
    const { Environment } = serveOf(template)[1].Properties
    const roles = Object.values(template.ofType('AWS::SecretsManager::Secret'))
      .map(({ Properties }) => String(Properties['Description']))
      .filter((description) => description.startsWith('Role tidemark_console'))
    const read = ['Role tidemark_console_read', 'Role tidemark_console_read']
    const act = ['Role tidemark_console_act', 'Role tidemark_console_act']

    expect(roles.toSorted()).toEqual(template === byIam ? read : [...act, ...read])
    expect(Environment.Variables['SOURCE_ACT_SECRET_ARN'] === '').toBe(template === byIam)
    expect(template.only('Custom::Schema').Properties['Console']).toBe(template === byIam ? 'read' : 'read and act')
  })
})

test('a console that only shows may invoke no function, and one that acts those of its actions', () => {
  const invoked = (template: StackTemplate) => [
    ...new Set(
      rightsOf(template)
        .filter(({ Action }) => [Action].flat().includes('lambda:InvokeFunction'))
        .flatMap(({ Resource }) => JSON.stringify(Resource).match(/"Fn::GetAtt":\["(\w+?)[0-9A-F]{8}"/g) ?? []),
    ),
  ]

  expect(invoked(byIam)).toEqual([])
  expect(invoked(byUsers)).toHaveLength(3)
})

test('for principals there is no page on AWS, so nothing is public', () => {
  expect(byIam.types.filter((type) => /^AWS::(CloudFront|Cognito|S3)::/.test(type))).toEqual([])
})

test('the page is in a private bucket that CloudFront alone reads, over TLS', () => {
  const { BucketEncryption, PublicAccessBlockConfiguration } = byUsers.only('AWS::S3::Bucket').Properties
  const statements = byUsers.only('AWS::S3::BucketPolicy').Properties['PolicyDocument'].Statement as {
    Effect: string
    Principal: unknown
    Condition?: object
  }[]
  const { DefaultCacheBehavior, CacheBehaviors, ViewerCertificate } = byUsers.only('AWS::CloudFront::Distribution')
    .Properties['DistributionConfig']

  expect(BucketEncryption).toBeDefined()
  expect(Object.values(PublicAccessBlockConfiguration)).toEqual([true, true, true, true])
  for (const { Effect, Principal, Condition } of statements.filter(({ Effect }) => Effect === 'Allow')) {
    const isOfDeployment = JSON.stringify(Principal).includes('AWS')
    expect([Effect, isOfDeployment || JSON.stringify(Condition).includes('AWS:SourceArn')]).toEqual(['Allow', true])
  }
  expect(DefaultCacheBehavior['ViewerProtocolPolicy']).toBe('redirect-to-https')
  expect(CacheBehaviors[0]).toMatchObject({ PathPattern: '/api/*', ViewerProtocolPolicy: 'https-only' })
  expect(ViewerCertificate ?? {}).not.toHaveProperty('MinimumProtocolVersion', 'TLSv1')
})

test('users are added by an administrator, and sign in with a second factor', () => {
  const pool = byUsers.only('AWS::Cognito::UserPool')
  const client = byUsers.only('AWS::Cognito::UserPoolClient').Properties

  expect(pool.Properties).toMatchObject({
    AdminCreateUserConfig: { AllowAdminCreateUserOnly: true },
    MfaConfiguration: 'ON',
    EnabledMfas: ['SOFTWARE_TOKEN_MFA'],
    DeletionProtection: 'ACTIVE',
  })
  expect(client).toMatchObject({
    AllowedOAuthFlows: ['code'],
    AllowedOAuthScopes: ['openid', 'email'],
    GenerateSecret: false,
  })
})

test('an alarm when the function fails', () => {
  const alarms = Object.values(byUsers.ofType('AWS::CloudWatch::Alarm')).map(({ Properties }) => Properties)
  const [id] = serveOf(byUsers)

  expect(alarms.find(({ Dimensions }) => JSON.stringify(Dimensions ?? []).includes(id))).toMatchObject({
    MetricName: 'Errors',
    TreatMissingData: 'notBreaching',
  })
})
