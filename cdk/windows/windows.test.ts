import { expect, test } from 'vitest'
import { withBrokers } from '#cdk/broker-choice.ts'
import { synthesize } from '#test-support/stack-template.ts'
import { stages } from '../stages.ts'
import { type KafkaRight, RIGHTS } from '../stream/kafka-rights.ts'
import { checkDefinitions } from './definition-files.ts'

const rides = (select: string, publish = 'rides') =>
  checkDefinitions([
    {
      file: 'windows/rides.sql',
      text: `-- source: public.ride
-- event time: at
-- window: tumbling 1 hour
-- watermark: 1 hour
-- publish: ${publish}
${select}`,
    },
  ])
const counted = rides('select count(*) as rides from ride')
const every = Object.values(stages).map((stage) => ({ name: stage.name, stage, template: synthesize(stage, counted) }))
const local = stages['local']!

const resourcesOf = (template: ReturnType<typeof synthesize>): Record<string, unknown> =>
  JSON.parse(template.text).Resources

test('a changed definition changes the resource of the definitions and no other', () => {
  const before = resourcesOf(synthesize(local, counted))
  const after = resourcesOf(synthesize(local, rides("select count(*) as rides, 'ü' || max(name) as last from ride")))

  const changed = Object.keys(after).filter((id) => JSON.stringify(after[id]) !== JSON.stringify(before[id]))
  expect(Object.keys(after)).toEqual(Object.keys(before))
  expect(changed.map((id) => (after[id] as { Type: string }).Type)).toEqual(['Custom::Windows'])
})

test('the text of a definition is sent to the schema function in characters that CloudFormation keeps', () => {
  const [definition] = rides(`select count(*) as "Fahrten, größte 🚕" from ride`)
  const template = synthesize(local, [definition!])
  const { Properties, DependsOn } = template.only('Custom::Windows')

  expect(JSON.stringify(Properties['Definitions'])).toMatch(/^[\x20-\x7e]*$/)
  expect(JSON.parse(Properties['Definitions'].rides)).toBe(definition!.text)
  expect(Properties['ServiceToken']['Fn::GetAtt'][0]).toMatch(/^SchemaMigrateSchema/)
  expect(DependsOn).toEqual(expect.arrayContaining(Object.keys(template.ofType('Custom::Schema'))))
})

test('a project without definitions deploys the function without rights to any topic', () => {
  const template = synthesize(local, [])

  expect(template.only('Custom::Windows').Properties['Definitions']).toEqual({})
  expect(JSON.stringify(policyOf(template))).not.toContain('kafka-cluster:WriteData"')
})

/** The statements of the function's policy. */
const policyOf = (template: ReturnType<typeof synthesize>) =>
  Object.entries(template.ofType('AWS::IAM::Policy')).find(([id]) => id.startsWith('WindowsMaintainWindows'))![1]
    .Properties['PolicyDocument'].Statement

test('the function may create and write the topics that definitions publish to, and no others', () => {
  const writing = (policyOf(synthesize(stages['prod']!, counted)) as { Action: string | string[]; Resource: unknown }[])
    .filter(({ Action }) =>
      [Action].flat().some((action) => /:(WriteData|CreateTopic|AlterTransactionalId)$/.test(action)),
    )
    .flatMap(({ Resource }) => [Resource].flat())
    .map((resource) => JSON.stringify(resource))

  expect(writing.some((arn) => arn.includes(':topic/tidemark-prod/*/rides'))).toBe(true)
  expect(writing.some((arn) => arn.includes(':transactional-id/tidemark-prod/*/tidemark-windows-rides'))).toBe(true)
  expect(writing.some((arn) => /changes|user-events|connect-/.test(arn))).toBe(false)
})

test('where clients log in by name and password, the function has a user of its own with the same rights', () => {
  const template = synthesize(withBrokers(local, { TIDEMARK_SECURE: '1' }), counted)
  const rights: KafkaRight[] = template.only('AWS::MSK::BatchScramSecret').Metadata![RIGHTS]

  const own = rights.filter(({ user }) => user === 'windows')
  expect([...new Set(own.map(({ resource, name }) => `${resource} ${name}`))].sort()).toEqual([
    'topic rides',
    'transactional-id tidemark-windows-rides',
  ])
})

test.each(every)('$name closes windows each minute, also where no record comes', ({ stage, template }) => {
  const [maintain] = Object.entries(template.ofType('AWS::Lambda::Function')).find(
    ([, { Properties }]) => Properties['FunctionName'] === `tidemark-${stage.name}-maintain-windows`,
  )!
  const rules = Object.values(template.ofType('AWS::Events::Rule')).filter(
    ({ Properties }) => Properties['Targets'][0].Arn['Fn::GetAtt']?.[0] === maintain,
  )

  expect(rules.map(({ Properties }) => [Properties['ScheduleExpression'], Properties['Targets'][0].Input])).toEqual([
    ['rate(1 minute)', '{"records":{}}'],
  ])
})

test.each(every)('$name has an alarm when windows are not maintained, and when a definition stops', ({ template }) => {
  const alarms = Object.values(template.ofType('AWS::CloudWatch::Alarm'))
    .map(({ Properties }) => Properties)
    .filter(({ Dimensions }) => Dimensions?.[0]?.Value === 'windows')

  expect(alarms.map(({ MetricName, Threshold }) => [MetricName, Threshold])).toEqual([
    ['FailedTopicPartitions', 0],
    ['StoppedDefinitions', 0],
  ])
})
