import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Endpoint, startEndpoint } from '#localstack/endpoint/endpoint.ts'
import { type FunctionHost, makeFunctionHost } from '#localstack/lambda-host/function-host.ts'
import { type FunctionBundles, makeFunctionBundles } from '#test-support/functions/function-bundle.ts'
import { callFunction } from './function-call.ts'

let bundles: FunctionBundles
let host: FunctionHost
let endpoint: Endpoint

beforeAll(async () => {
  bundles = makeFunctionBundles()
  host = makeFunctionHost({ endpointUrl: '', onLog: () => undefined })
  const source = `export const handler = async (event) => {
    console.log('seen'); if (event.fail) throw new Error('as asked'); return event }`
  host.add(await bundles.write('tidemark-local-producer', source))
  host.add(await bundles.write('tidemark-local-migrate-schema', source))
  endpoint = await startEndpoint({
    port: 0,
    functions: host,
    secrets: () => undefined,
    bootstrapBrokers: () => undefined,
    pages: {},
  })
})

afterAll(async () => {
  await endpoint.stop()
  await host.stop()
  await bundles.remove()
})

const call = (name: string, event = '{}', async = false) => callFunction(endpoint.url, { name, event, async })

test.each(['producer', 'tidemark-local-producer'])('%s is called and answers', async (name) => {
  expect(await call(name, '{"a":1}')).toEqual({
    functionName: 'tidemark-local-producer',
    statusCode: 200,
    payload: '{"a":1}',
    log: expect.stringContaining('seen'),
  })
})

test('a function error comes with its log', async () => {
  const answer = await call('producer', '{"fail":true}')

  expect(answer).toMatchObject({ functionError: 'Unhandled', payload: expect.stringContaining('as asked') })
  expect(answer.log).toContain('seen')
})

test('a call that does not wait is accepted', async () => {
  expect(await call('producer', '{}', true)).toMatchObject({ statusCode: 202, payload: '' })
})

test('an unknown function is answered with those there are', async () => {
  await expect(call('produce')).rejects.toThrow(
    'There is no function produce. The functions are: tidemark-local-producer, tidemark-local-migrate-schema',
  )
})

test.each([
  ['{"a":1', /^The event is not JSON: .*position 6/],
  ['{a:1}', /^The event is not JSON: .*position 1 \(line 1 column 2\)/],
])('%s is refused with the place of the mistake', async (event, message) => {
  await expect(call('producer', event)).rejects.toThrow(message)
})
