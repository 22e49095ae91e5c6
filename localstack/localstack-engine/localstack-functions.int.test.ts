import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Endpoint, startEndpoint } from '#localstack/endpoint/endpoint.ts'
import { type FunctionBundles, makeFunctionBundles } from '#test-support/functions/function-bundle.ts'
import { processAlive, useHostedFunctions } from '#test-support/functions/hosted-functions.ts'
import { type FunctionVersions, makeFunctionVersions } from './function-versions.ts'
import { makeLambdaClient, makeLocalStackFunctions } from './localstack-functions.ts'

let bundles: FunctionBundles
let versions: FunctionVersions
beforeEach(() => {
  bundles = makeFunctionBundles()
  versions = makeFunctionVersions({
    endpointUrl: 'http://127.0.0.1:1',
    onLog: () => undefined,
    localVariables: (variables) => ({ ...variables, LOCAL: 'yes' }),
  })
})
afterEach(async () => {
  await versions.stop()
  await bundles.remove()
})

describe('versions of a function', () => {
  const run = async (version: string) => {
    const answer = await versions.invoke(version, { requestId: 'r', payload: Buffer.from('{}') })
    return JSON.parse(answer.payload.toString())
  }

  test('run with the variables of this machine, and the latest is listed', async () => {
    const source = (n: number) => `export const handler = async () => [${n}, process.env.LOCAL]`
    await versions.add('first', await bundles.write('f', source(1)))
    await versions.add('second', await bundles.write('f', source(2)))

    const answers = [await run('first'), await run('second')]

    expect(answers).toEqual([
      [1, 'yes'],
      [2, 'yes'],
    ])
    expect(versions.list()).toMatchObject([{ definition: { name: 'f' }, invocations: 1 }])
  })

  test('leave no process behind when they are removed, and are unknown then', async () => {
    await versions.add('only', await bundles.write('f', 'export const handler = async () => process.pid'))
    const pid = await run('only')
    const before = processAlive(pid)

    await versions.remove('only')

    expect([before, processAlive(pid)]).toEqual([true, false])
    await expect(run('only')).rejects.toThrow('there is no version only of a function')
  })
})

describe('invoked through a Lambda API, as it is in LocalStack', () => {
  const hosted = useHostedFunctions()
  let endpoint: Endpoint
  beforeEach(async () => {
    endpoint = await startEndpoint({
      port: 0,
      functions: hosted.host,
      secrets: () => undefined,
      bootstrapBrokers: () => undefined,
      pages: {},
    })
  })
  afterEach(() => endpoint.stop())

  const invoke = async (name: string, options = {}) => {
    const lambda = makeLambdaClient(endpoint.url, 'us-east-1')
    const functions = makeLocalStackFunctions(lambda, versions)
    const { payload, ...answer } = await functions.invoke(name, Buffer.from('{"a":1}'), options)
    await functions.stop()
    return { ...answer, payload: payload.toString() }
  }

  test('a function answers with its log, and an error is answered as an error', async () => {
    await hosted.add('echo', `export const handler = async (event) => { console.log('seen'); return event }`)
    await hosted.add('broken', `export const handler = async () => { throw new Error('no') }`)

    const [answer, error] = [await invoke('echo', { log: true }), await invoke('broken')]

    expect(answer).toMatchObject({ statusCode: 200, payload: '{"a":1}', logTail: expect.stringContaining('seen') })
    expect(answer).not.toHaveProperty('functionError')
    expect(error).toMatchObject({ statusCode: 200, functionError: 'Unhandled', logTail: '' })
  })

  test('an invocation that is refused is an answer, as AWS words it', async () => {
    await hosted.add('closed', 'export const handler = async () => 1', { reservedConcurrency: 0 })

    expect(await invoke('none')).toMatchObject({ statusCode: 404, errorType: 'ResourceNotFoundException' })
    expect(await invoke('closed')).toMatchObject({ statusCode: 429, errorType: 'TooManyRequestsException' })
  })
})
