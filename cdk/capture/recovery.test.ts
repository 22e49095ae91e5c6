import { expect, test } from 'vitest'
import { synthesize } from '#test-support/stack-template.ts'
import { stages } from '../stages.ts'

const every = Object.values(stages).map((stage) => ({ name: stage.name, template: synthesize(stage) }))

const recoverFunction = (template: ReturnType<typeof synthesize>) =>
  Object.entries(template.ofType('AWS::Lambda::Function')).find(([, { Properties }]) =>
    Properties['FunctionName']?.endsWith('-recover-capture'),
  )!

test.each(every)('$name looks at capture each minute, once a connector is registered', ({ template }) => {
  const [id] = recoverFunction(template)
  const rule = Object.values(template.ofType('AWS::Events::Rule')).find(
    ({ Properties }) => Properties['Targets'][0].Arn['Fn::GetAtt'][0] === id,
  )!

  expect(rule.Properties['ScheduleExpression']).toBe('rate(1 minute)')
  expect(rule.Properties['Targets'][0].Input).toBe('{}')
  expect(rule.DependsOn).toEqual(expect.arrayContaining(Object.keys(template.ofType('Custom::Connector'))))
})

test.each(every)('$name may change the mappings of our three consumers and no others', ({ template }) => {
  const statements = Object.values(template.ofType('AWS::IAM::Policy')).flatMap(
    ({ Properties }) => Properties['PolicyDocument'].Statement,
  )
  const updating = statements.filter(({ Action }) => [Action].flat().includes('lambda:UpdateEventSourceMapping'))

  expect(updating).toHaveLength(1)
  const functions = updating[0].Condition.ArnEquals['lambda:FunctionArn']
  expect(functions.map((arn: { 'Fn::GetAtt': string[] }) => arn['Fn::GetAtt'][0])).toEqual([
    expect.stringMatching(/^LatestStateApplyLatestState/),
    expect.stringMatching(/^ArchiveArchiveChanges/),
    expect.stringMatching(/^WindowsMaintainWindows/),
  ])
})

test.each(every)(
  '$name has an alarm for capture that is down, silence included, and for a beacon that is overdue',
  ({ template }) => {
    const alarms = Object.values(template.ofType('AWS::CloudWatch::Alarm')).map(({ Properties }) => Properties)

    expect(alarms.find(({ MetricName }) => MetricName === 'CaptureNotRunning')).toMatchObject({
      ...{ Threshold: 0, EvaluationPeriods: 3, TreatMissingData: 'breaching' },
    })
    expect(alarms.find(({ MetricName }) => MetricName === 'BeaconAgeSeconds')).toMatchObject({
      ...{ Threshold: 30, EvaluationPeriods: 3, TreatMissingData: 'notBreaching' },
    })
  },
)
