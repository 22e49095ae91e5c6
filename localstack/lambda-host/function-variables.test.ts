import { expect, test } from 'vitest'
import type { FunctionDefinition } from './function-definition.ts'
import { functionVariables } from './function-variables.ts'

const definition: FunctionDefinition = {
  ...{ name: 'f', arn: 'arn:aws:lambda:eu-west-1:000000000000:function:f', handler: 'handler.handler' },
  ...{ codeDirectory: '/code', environment: { OWN: 'value' }, timeoutSeconds: 3, memoryMb: 128 },
}

test('a function finds AWS at one endpoint, and services with a server of their own at theirs', () => {
  const variables = functionVariables(definition, '127.0.0.1:1', {
    endpointUrl: 'http://127.0.0.1:2',
    serviceUrls: { S3: 'http://127.0.0.1:3', GLUE: 'http://127.0.0.1:4' },
  })

  expect(Object.entries(variables).filter(([name]) => name.startsWith('AWS_ENDPOINT_URL'))).toEqual([
    ['AWS_ENDPOINT_URL', 'http://127.0.0.1:2'],
    ['AWS_ENDPOINT_URL_S3', 'http://127.0.0.1:3'],
    ['AWS_ENDPOINT_URL_GLUE', 'http://127.0.0.1:4'],
  ])
  expect(variables['OWN']).toBe('value')
})
