import { expect, test } from 'vitest'
import { synthesize } from '#test-support/stack-template.ts'
import { stages } from '../stages.ts'

test.each(Object.values(stages))(
  '$name maintains its target every hour, once there is a schema, as the role that applies',
  (stage) => {
    const template = synthesize(stage)
    const rules = Object.values(template.ofType('AWS::Events::Rule'))
    const hourly = rules.find(({ Properties }) => Properties['ScheduleExpression'] === 'rate(1 hour)')!
    const maintain = Object.entries(template.ofType('AWS::Lambda::Function')).find(
      ([, { Properties }]) => Properties['FunctionName'] === `tidemark-${stage.name}-maintain-target`,
    )!
    const apply = Object.values(template.ofType('AWS::Lambda::Function')).find(
      ({ Properties }) => Properties['FunctionName'] === `tidemark-${stage.name}-apply-latest-state`,
    )!

    expect(hourly.Properties['Targets'][0].Arn).toEqual({ 'Fn::GetAtt': [maintain[0], 'Arn'] })
    expect(hourly.DependsOn).toEqual(expect.arrayContaining(Object.keys(template.ofType('Custom::Schema'))))
    const secretOf = ({ Properties }: typeof apply) => Properties['Environment'].Variables.TARGET_SECRET_ARN
    expect(secretOf(maintain[1])).toEqual(secretOf(apply))
  },
)
