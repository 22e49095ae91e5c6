// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the syntax of Fn::Sub
import { expect, test } from 'vitest'
import type { StandIn } from '../stand-in.ts'
import { standInFor } from '../stand-ins.ts'
import type { Template } from './template.ts'
import { checkTemplate, UnsupportedTemplateError } from './template-check.ts'

const queue: StandIn = {
  reads: new Set(['Name', 'Size']),
  ignores: new Set(['Tags']),
  attributes: new Set(['Arn']),
  bringUp: () => ({ ref: 'q' }),
}
const known = (type: string): StandIn | undefined => (type === 'Test::Queue' ? queue : undefined)
const template = (resources: Template['Resources'], rest: Partial<Template> = {}): Template => ({
  Resources: { Q: { Type: 'Test::Queue' }, Role: { Type: 'AWS::IAM::Role' }, ...resources },
  ...rest,
})

function findings(checked: Template): string[] {
  try {
    checkTemplate(checked, known)
  } catch (error) {
    if (error instanceof UnsupportedTemplateError) return error.message.split('\n').slice(1)
    throw error
  }
  return []
}

test('a template of which everything has a stand-in or no local meaning passes', () => {
  const properties = {
    Name: { 'Fn::Join': ['', [{ Ref: 'AWS::Region' }, { 'Fn::GetAtt': ['Q', 'Arn'] }, { Ref: 'Size' }]] },
    Tags: [{ 'Fn::Cidr': { Ref: 'Nowhere' } }],
  }

  expect(
    findings(
      template(
        { A: { Type: 'Test::Queue', Properties: properties, DependsOn: 'Role' } },
        { Parameters: { Size: { Type: 'Number', Default: 1 } }, Outputs: { Arn: { Value: { Ref: 'A' } } } },
      ),
    ),
  ).toEqual([])
})

test('every reason to refuse is named at once, with logical id and type or place', () => {
  const broken = template(
    {
      Bucket: { Type: 'AWS::S3::Bucket' },
      A: {
        Type: 'Test::Queue',
        Properties: {
          Name: { 'Fn::Sub': '${Role}-${Q.Name}' },
          Size: { 'Fn::Cidr': [1] },
          Colour: 'red',
        },
      },
    },
    { Outputs: { Role: { Value: { 'Fn::GetAtt': ['Role', 'Arn'] } } } },
  )

  expect(findings(broken)).toEqual([
    'Bucket: there is no stand-in for AWS::S3::Bucket',
    'A.Properties.Colour: the stand-in for Test::Queue does not know this property',
    'A.Properties.Size: Fn::Cidr is not evaluated here',
    'A.Properties.Name: it takes a value of Role, and AWS::IAM::Role has no stand-in here',
    'A.Properties.Name: the stand-in for Test::Queue has no attribute Name',
    'Outputs.Role.Value: it takes a value of Role, and AWS::IAM::Role has no stand-in here',
  ])
})

test('custom resources of any name have a stand-in, and a type is never found by the name of a built-in', () => {
  expect(standInFor('Custom::Connector')).toBeDefined()
  expect(standInFor('AWS::CloudFormation::CustomResource')).toBeDefined()
  expect(standInFor('constructor')).toBeUndefined()
})
