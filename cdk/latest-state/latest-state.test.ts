import { expect, test } from 'vitest'
import { synthesize } from '#test-support/stack-template.ts'
import { stages } from '../stages.ts'

test('a table that is not captured any more is an alarm after ten minutes', () => {
  const alarms = Object.values(synthesize(stages['prod']!).ofType('AWS::CloudWatch::Alarm')).map(
    ({ Properties }) => Properties,
  )

  expect(alarms.find((alarm) => alarm['MetricName'] === 'NotCapturedTables')).toMatchObject({
    ...{ Statistic: 'Sum', Period: 300, EvaluationPeriods: 2, Threshold: 0, TreatMissingData: 'notBreaching' },
  })
})

test.each(Object.values(stages))(
  '$name applies what was said to be applied again within a minute, also where no record comes',
  (stage) => {
    const template = synthesize(stage)
    const [apply] = Object.entries(template.ofType('AWS::Lambda::Function')).find(
      ([, { Properties }]) => Properties['FunctionName'] === `tidemark-${stage.name}-apply-latest-state`,
    )!

    const rules = Object.values(template.ofType('AWS::Events::Rule')).filter(
      ({ Properties }) => Properties['Targets'][0].Arn['Fn::GetAtt']?.[0] === apply,
    )

    expect(rules.map(({ Properties }) => [Properties['ScheduleExpression'], Properties['Targets'][0].Input])).toEqual([
      ['rate(1 minute)', '{"records":{}}'],
    ])
    expect(rules[0]!.DependsOn).toEqual(expect.arrayContaining(Object.keys(template.ofType('Custom::Schema'))))
  },
)
