// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the syntax of Fn::Sub
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { resolve, type Scope, UnresolvedIntrinsicError } from './intrinsics.ts'

const scope: Scope = {
  template: {
    Mappings: { Regions: { 'us-east-1': { Name: 'Virginia' } } },
    Conditions: {
      IsLocal: { 'Fn::Equals': [{ Ref: 'Stage' }, 'local'] },
      IsProd: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] },
      Either: { 'Fn::Or': [{ Condition: 'IsLocal' }, { Condition: 'IsProd' }] },
      Both: { 'Fn::And': [{ Condition: 'IsLocal' }, { Condition: 'IsProd' }] },
      Neither: { 'Fn::Not': [{ Condition: 'Either' }] },
      Circular: 'yes',
    },
  },
  ref: (id) => {
    const values: Record<string, unknown> = { Stage: 'local', Queue: 'queue-1', 'AWS::Region': 'us-east-1', Count: 3 }
    if (!(id in values)) throw new Error(`${id} is nothing here`)
    return values[id]
  },
  attribute: (id, attribute) => {
    if (`${id}.${attribute}` === 'Database.Endpoint.Port') return '5432'
    if (`${id}.${attribute}` === 'Database.Zones') return ['a', 'b']
    throw new Error(`${id} has no attribute ${attribute}`)
  },
  exported: (name) => {
    if (name === 'shared-vpc') return 'vpc-1'
    throw new Error(`no other stack exports ${name}`)
  },
  dynamic: (service, reference) => {
    if (service === 'secretsmanager') return `<${reference}>`
    throw new Error(`${service} is not known`)
  },
}

const at = (value: unknown): unknown => resolve(value, scope, 'Function.Properties.X')

describe('every function gives what CloudFormation gives', () => {
  test.each([
    ['Ref of a resource', { Ref: 'Queue' }, 'queue-1'],
    ['Ref of a number keeps it a number', { Ref: 'Count' }, 3],
    ['GetAtt as a list', { 'Fn::GetAtt': ['Database', 'Endpoint.Port'] }, '5432'],
    ['GetAtt as text, split at the first dot', { 'Fn::GetAtt': 'Database.Endpoint.Port' }, '5432'],
    ['Join', { 'Fn::Join': ['-', ['a', { Ref: 'Queue' }, { Ref: 'Count' }]] }, 'a-queue-1-3'],
    ['Join of a list another function gives', { 'Fn::Join': ['+', { 'Fn::GetAtt': ['Database', 'Zones'] }] }, 'a+b'],
    ['Sub', { 'Fn::Sub': 'x-${AWS::Region}-${Database.Endpoint.Port}' }, 'x-us-east-1-5432'],
    ['Sub with variables of its own', { 'Fn::Sub': ['${a}${Queue}', { a: { Ref: 'Stage' } }] }, 'localqueue-1'],
    ['Sub with a variable whose value looks like another', { 'Fn::Sub': ['${a}', { a: '${Queue}' }] }, '${Queue}'],
    ['Sub leaves ${!x} as ${x}', { 'Fn::Sub': '${!Queue}' }, '${Queue}'],
    ['Select', { 'Fn::Select': ['1', ['a', 'b']] }, 'b'],
    ['Split', { 'Fn::Select': [2, { 'Fn::Split': [':', 'arn:aws:kafka'] }] }, 'kafka'],
    ['FindInMap', { 'Fn::FindInMap': ['Regions', { Ref: 'AWS::Region' }, 'Name'] }, 'Virginia'],
    ['ImportValue', { 'Fn::ImportValue': 'shared-vpc' }, 'vpc-1'],
    ['Base64', { 'Fn::Base64': 'hé' }, 'aMOp'],
    ['ToJsonString', { 'Fn::ToJsonString': { port: { Ref: 'Count' } } }, '{"port":3}'],
    ['If', { 'Fn::If': ['IsLocal', { Ref: 'Queue' }, 'none'] }, 'queue-1'],
    ['If evaluates the chosen branch alone', { 'Fn::If': ['IsProd', { Ref: 'Missing' }, 'none'] }, 'none'],
    ['Or', { 'Fn::If': ['Either', 1, 2] }, 1],
    ['And', { 'Fn::If': ['Both', 1, 2] }, 2],
    ['Not', { 'Fn::If': ['Neither', 1, 2] }, 2],
    [
      'a dynamic reference in text',
      'pw={{resolve:secretsmanager:arn:SecretString:password::}}',
      'pw=<arn:SecretString:password::>',
    ],
    [
      'a dynamic reference that Join has put together',
      { 'Fn::Join': ['', ['{{resolve:secretsmanager:', { Ref: 'Queue' }, ':SecretString}}']] },
      '<queue-1:SecretString>',
    ],
    ['NoValue removes a property', { a: 1, b: { Ref: 'AWS::NoValue' } }, { a: 1 }],
    ['NoValue removes an item', [1, { 'Fn::If': ['IsProd', 2, { Ref: 'AWS::NoValue' }] }, 3], [1, 3]],
    ['an object whose key only looks like a function', { Ref: 'a', Other: 'b' }, { Ref: 'a', Other: 'b' }],
    [
      'Condition as a property of its own is data',
      { Condition: { StringEquals: 1 } },
      { Condition: { StringEquals: 1 } },
    ],
  ])('%s', (_name, value, expected) => {
    expect(at(value)).toEqual(expected)
  })

  test('plain data comes back as it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
        fc.pre(!/Ref|Fn::|Condition|\{\{resolve/.test(JSON.stringify(value)))
        expect(at(value)).toEqual(value)
      }),
    )
  })
})

describe('what has no value is an error that names its place', () => {
  test.each([
    [
      'a missing resource',
      { Env: { HOST: { Ref: 'Missing' } } },
      'Function.Properties.X.Env.HOST.Ref: Missing is nothing here',
    ],
    [
      'a missing attribute',
      [{ 'Fn::GetAtt': ['Queue', 'Arn'] }],
      'Function.Properties.X[0].Fn::GetAtt: Queue has no attribute Arn',
    ],
    ['a missing name in Sub', { 'Fn::Sub': 'a${Nowhere}' }, 'Function.Properties.X.Fn::Sub: Nowhere is nothing here'],
    ['an index past the end', { 'Fn::Select': [5, ['a']] }, 'Function.Properties.X.Fn::Select: there is no item 5'],
    ['a missing map entry', { 'Fn::FindInMap': ['Regions', 'x', 'Name'] }, 'the mapping Regions has no x.Name'],
    ['a missing export', { 'Fn::ImportValue': 'x' }, 'no other stack exports x'],
    ['a missing condition', { 'Fn::If': ['Nope', 1, 2] }, 'there is no condition Nope'],
    ['a condition that is none', { 'Fn::If': ['Circular', 1, 2] }, '"yes" is not a condition'],
    ['a list where text belongs', { 'Fn::Join': ['', [['a']]] }, '["a"] is not text'],
    [
      'an unknown function',
      { 'Fn::Cidr': ['10.0.0.0/16', 1, 8] },
      'Function.Properties.X: Fn::Cidr is not evaluated here',
    ],
    ['another dynamic reference', '{{resolve:ssm:/a}}', 'Function.Properties.X: ssm is not known'],
  ])('%s', (_name, value, message) => {
    expect(() => at(value)).toThrow(UnresolvedIntrinsicError)
    expect(() => at(value)).toThrow(message)
  })
})
