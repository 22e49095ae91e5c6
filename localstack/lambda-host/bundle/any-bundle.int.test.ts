import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repository } from '#localstack/settings.ts'
import { useHostedFunctions } from '#test-support/functions/hosted-functions.ts'
import type { FunctionDefinition } from './function-definition.ts'

// Source, unless a test names another: AWS Lambda developer guide, "Define Lambda function handler in Node.js".

const hosted = useHostedFunctions()
const { invoke } = hosted

async function addFiles(files: Record<string, string>, overrides?: Partial<FunctionDefinition>): Promise<void> {
  hosted.host.add(await hosted.bundles.writeFiles('theirs', files, overrides))
}

test('a CommonJS bundle runs', async () => {
  await addFiles({
    'index.js': `const { answer } = require('./lib'); exports.handler = async () => answer`,
    'lib/index.js': 'exports.answer = 42',
  })

  expect((await invoke('theirs')).payload).toBe(42)
})

test.each([
  ['index.mjs', {}],
  ['index.js', { 'package.json': '{"type":"module"}' }],
])('an ES module %s runs', async (file, more) => {
  await addFiles({
    [file]: 'const answer = await Promise.resolve(42); export const handler = async () => answer',
    ...more,
  })

  expect((await invoke('theirs')).payload).toBe(42)
})

test.each(['nodejs22.x', 'nodejs24.x'] as const)(
  'a handler in a folder, nested in its export, runs on %s',
  async (runtime) => {
    await addFiles(
      { 'src/app.cjs': `exports.api = { get: async (event, context) => process.env._HANDLER + context.functionName }` },
      { handler: 'src/app.api.get', runtime },
    )

    expect((await invoke('theirs')).payload).toBe('src/app.api.gettheirs')
  },
)

test.each(['deflated', 'stored'])('a %s .zip runs from a directory that is removed with the host', async (name) => {
  const { codeDirectory: _, ...definition } = await hosted.bundles.writeFiles('zipped', {})
  hosted.host.add({ ...definition, codeDirectory: join(repository, 'fixtures', 'function-bundles', `${name}.zip`) })
  const { codeDirectory } = hosted.host.list()[0]!.definition

  const { payload } = await invoke('zipped', { name: 'Ada' })
  await hosted.host.stop()

  expect(payload).toEqual({ greeting: 'Hello, Ada', same: true, program: 'hello\n' })
  expect(existsSync(codeDirectory)).toBe(false)
})

test('a bundle that is not there is refused by its name', async () => {
  const definition = await hosted.bundles.writeFiles('gone', {})

  expect(() => hosted.host.add({ ...definition, codeDirectory: '/nowhere' })).toThrow(
    'function gone: there is no directory /nowhere',
  )
})

// Source: the same page, "Callback-based function handlers": Node.js 24 does not have them.
test('on nodejs24.x a handler with a callback is refused as on AWS', async () => {
  await addFiles({ 'index.js': 'exports.handler = (event, context, callback) => callback(null, 1)' })

  expect((await invoke('theirs')).payload).toMatchObject({
    errorType: 'Runtime.CallbackHandlerDeprecated',
    errorMessage: expect.stringContaining('has removed support for callback-based function handlers'),
  })
})

const before24 = (source: string, overrides: Partial<FunctionDefinition> = {}) =>
  addFiles({ 'index.js': source }, { runtime: 'nodejs22.x', ...overrides })

test('on nodejs22.x a handler answers through its callback, when nothing is left to do', async () => {
  await before24(`exports.handler = (event, context, callback) => {
    setTimeout(() => console.log('after'), 200)
    callback(null, { waits: context.callbackWaitsForEmptyEventLoop, on: process.env.AWS_EXECUTION_ENV }) }`)

  const { payload, logTail } = await invoke('theirs')

  expect(payload).toEqual({ waits: true, on: 'AWS_Lambda_nodejs22.x' })
  expect(logTail).toContain('after')
})

test('with callbackWaitsForEmptyEventLoop false the callback answers at once', async () => {
  await before24(`let open; exports.handler = (event, context, callback) => {
    context.callbackWaitsForEmptyEventLoop = false
    open ??= setInterval(() => undefined, 1_000)
    callback(null, context.getRemainingTimeInMillis()) }`)

  const first = await invoke('theirs')
  const second = await invoke('theirs')

  expect(first.payload).toBeGreaterThan(9_000)
  expect(second.payload).toBeGreaterThan(9_000)
  expect(hosted.host.list()[0]!.processes).toHaveLength(1)
})

test('with an open connection and no such wish a callback answers never', async () => {
  await before24(
    'exports.handler = (event, context, callback) => { setInterval(() => undefined, 1_000); callback(null, 1) }',
    { timeoutSeconds: 1 },
  )

  expect((await invoke('theirs')).payload.errorType).toBe('Sandbox.Timedout')
})

test.each([
  ['callback(new RangeError("no"))', { errorType: 'RangeError', errorMessage: 'no' }],
  ['callback("no")', { errorType: 'string', errorMessage: 'no' }],
  ['context.fail(new RangeError("no"))', { errorType: 'RangeError', errorMessage: 'no' }],
  ['throw new RangeError("no")', { errorType: 'RangeError', errorMessage: 'no' }],
  [
    'Promise.reject(new RangeError("no"))',
    { errorType: 'Runtime.UnhandledPromiseRejection', errorMessage: 'RangeError: no' },
  ],
  ['setTimeout(() => { throw new RangeError("no") })', { errorType: 'RangeError', errorMessage: 'no' }],
])('on nodejs22.x %s fails the invocation, and the next one is answered', async (statement, error) => {
  await before24(`exports.handler = (event, context, callback) => {
    if (event.fail) { ${statement} } else callback(null, 'well') }`)

  const failed = await invoke('theirs', { fail: true })
  const next = await invoke('theirs')

  expect(failed).toMatchObject({ functionError: 'Unhandled', payload: error })
  expect(next).toMatchObject({ payload: 'well' })
})

test.each([
  ['context.succeed(1)', 1],
  ['context.done(null, 2)', 2],
  ['return Promise.resolve(3)', 3],
  ['setTimeout(() => undefined, 50)', null],
])('on nodejs22.x a handler with %s answers', async (statement, answer) => {
  await before24(`exports.handler = (event, context, callback) => { ${statement} }`)

  expect(await invoke('theirs')).toMatchObject({ payload: answer })
})

test('on nodejs22.x what keeps a module from being loaded is named as on nodejs24.x', async () => {
  await before24('exports.other = () => undefined')

  expect((await invoke('theirs')).payload).toMatchObject({
    errorType: 'Runtime.HandlerNotFound',
    errorMessage: 'index.handler is undefined or not exported',
  })
})
