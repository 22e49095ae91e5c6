import { expect, test } from 'vitest'
import type { FunctionDefinition } from '../bundle/function-definition.ts'
import { functionArguments, functionVariables } from './function-variables.ts'

const definition: FunctionDefinition = {
  ...{ name: 'f', arn: 'arn:aws:lambda:eu-west-1:000000000000:function:f', handler: 'handler.handler' },
  ...{ codeDirectory: '/code', environment: { OWN: 'value' }, timeoutSeconds: 3, memoryMb: 128 },
}

const runtimeApi = { address: '127.0.0.1:1', token: 'token' }

test('a function finds AWS at one endpoint, and services with a server of their own at theirs', () => {
  const variables = functionVariables(definition, runtimeApi, {
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

// Source: the bootstrap of AWS's runtime. A tenth of the memory is not for the heap; the young generation gets half as
// much.
test('Node gets the shares of the memory size that it gets on AWS', () => {
  expect(functionArguments({ ...definition, memoryMb: 512 })).toEqual(
    expect.arrayContaining(['--max-old-space-size=460', '--max-semi-space-size=25']),
  )
})

test.each([
  ['nodejs24.x', 'handler.handler'],
  ['nodejs22.x', expect.stringMatching(/\/callback-handler\.handler$/)],
] as const)('a function for %s says so, and its handler is %s', (runtime, handler) => {
  const variables = functionVariables({ ...definition, runtime }, runtimeApi, { endpointUrl: 'http://127.0.0.1:2' })

  expect(variables['AWS_EXECUTION_ENV']).toBe(`AWS_Lambda_${runtime}`)
  expect(variables['_HANDLER']).toEqual(handler)
})
