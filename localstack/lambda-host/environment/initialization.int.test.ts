import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { useHostedFunctions } from '#test-support/functions/hosted-functions.ts'

// Source, unless a test names another: AWS Lambda developer guide, "Understanding the Lambda execution environment
// lifecycle", Init phase. AWS gives it ten seconds.

const hosted = useHostedFunctions({ initMs: 1_500 })
const { add, invoke } = hosted

test.each([
  [
    'throws while it is loaded',
    `throw new Error('variable TARGET is missing')`,
    { errorType: 'Error', errorMessage: 'variable TARGET is missing' },
  ],
  [
    'does not export the handler',
    'export const other = async () => null',
    { errorType: 'Runtime.HandlerNotFound', errorMessage: 'index.handler is undefined or not exported' },
  ],
  [
    'is no JavaScript',
    'export const handler = async (event',
    { errorType: 'Runtime.UserCodeSyntaxError', errorMessage: expect.stringContaining('SyntaxError') },
  ],
])('a module that %s is reported with the reason', async (_, source, error) => {
  await add('broken', source)

  const { functionError, payload } = await invoke('broken')

  expect(functionError).toBe('Unhandled')
  expect(payload).toMatchObject(error)
  expect(hosted.lines.join('\n')).toMatch(/INIT_REPORT Init Duration: .* ms\tPhase: init\tStatus: error\tError Type: /)
})

// Source: AWS re:Post, "Resolve the Runtime.ImportModuleError in Lambda".
test('a module that is not there is a Runtime.ImportModuleError', async () => {
  await add('absent', 'export const handler = async () => null', { handler: 'elsewhere.handler' })

  expect((await invoke('absent')).payload).toMatchObject({
    errorType: 'Runtime.ImportModuleError',
    errorMessage: expect.stringContaining("Cannot find module 'elsewhere'"),
  })
})

test('an initialization that fails is repeated within the invocation', async () => {
  await add(
    'second',
    `import { existsSync, writeFileSync } from 'node:fs'
    if (!existsSync('tried')) { writeFileSync('tried', ''); throw new Error('not yet') }
    export const handler = async () => 'well'`,
  )

  expect(await invoke('second')).toMatchObject({
    payload: 'well',
    logTail: expect.not.stringContaining('Init Duration'),
  })
})

const slowToLoad = `import { appendFileSync } from 'node:fs'
  appendFileSync('loads', '.')
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  export const handler = async (_, context) => context.getRemainingTimeInMillis()`

test('an initialization that takes too long is begun again, within the timeout of the invocation', async () => {
  const codeDirectory = await add('patient', slowToLoad, { timeoutSeconds: 10 })

  const { payload } = await invoke('patient')

  expect(await readFile(`${codeDirectory}/loads`, 'utf8')).toBe('..')
  expect(hosted.lines.join('\n')).toMatch(/INIT_REPORT Init Duration: \d{4,}\.\d\d ms\tPhase: init\tStatus: timeout/)
  expect(payload).toBeLessThan(7_500)
})

test('an initialization that takes longer than the timeout, too, times the invocation out', async () => {
  await add('impatient', slowToLoad, { timeoutSeconds: 1 })

  expect((await invoke('impatient')).payload).toMatchObject({
    errorType: 'Sandbox.Timedout',
    errorMessage: expect.stringMatching(/Error: Task timed out after 1\.00 seconds$/),
  })
})
