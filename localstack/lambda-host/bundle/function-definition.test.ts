import { expect, test } from 'vitest'
import { functionNameOf } from './function-definition.ts'

test.each([
  'apply',
  'apply:$LATEST',
  '123456789012:function:apply',
  'function:apply',
  'arn:aws:lambda:eu-central-1:123456789012:function:apply',
  'arn:aws-cn:lambda:cn-north-1:123456789012:function:apply:$LATEST',
])('%s names the function apply', (nameOrArn) => {
  expect(functionNameOf(nameOrArn)).toBe('apply')
})

test.each(['', 'apply:7', 'arn:aws:lambda:eu-central-1:123456789012:function:apply:live', 'arn:aws:s3:::apply', 'a/b'])(
  '%s names no function that can be run',
  (nameOrArn) => {
    expect(functionNameOf(nameOrArn)).toBeUndefined()
  },
)
