import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { eventually } from '#test-support/eventually.ts'
import { processAlive, useHostedFunctions } from '#test-support/functions/hosted-functions.ts'
import { makeFunctionHost } from './function-host.ts'

const hosted = useHostedFunctions()
const { add, invoke } = hosted

afterEach(() => void vi.unstubAllEnvs())

// Source: AWS Lambda developer guide, "Working with Lambda environment variables".
test('a function runs under its own variables and those of nodejs24.x, and nothing of ours', async () => {
  vi.stubEnv('SECRET_OF_THE_HOST', 'x')
  await add(
    'mirror',
    `export const handler = async (event, context) => ({ event, variables: process.env, cwd: process.cwd(),
    node: process.version, remaining: context.getRemainingTimeInMillis(), arn: context.invokedFunctionArn })`,
    {
      environment: { GREETING: 'hello' },
    },
  )

  const { statusCode, functionError, payload } = await invoke('mirror', { a: [1, 'ü'] })

  expect({ statusCode, functionError }).toEqual({ statusCode: 200, functionError: undefined })
  expect(payload.event).toEqual({ a: [1, 'ü'] })
  expect(payload.variables).toMatchObject({
    GREETING: 'hello',
    AWS_REGION: 'eu-central-1',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: 'mirror',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
    AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
    LAMBDA_TASK_ROOT: payload.cwd,
  })
  expect(payload.variables).not.toHaveProperty('SECRET_OF_THE_HOST')
  expect(payload.node).toMatch(/^v24\./)
  expect(payload.remaining).toBeGreaterThan(8_000)
  expect(payload.arn).toBe('arn:aws:lambda:eu-central-1:000000000000:function:mirror')
})

// Source: Lambda API reference, "Invoke" (ClientContext), and the developer guide, "Using the Lambda context object".
test('the id of the invocation and the client context reach the handler', async () => {
  await add(
    'context',
    'export const handler = async (_, { awsRequestId, clientContext }) => ({ awsRequestId, clientContext })',
  )
  const requestId = '8476a536-e9f4-11e8-9739-2dfe598c3fcd'

  const answer = await hosted.host.invoke('context', Buffer.from('{}'), {
    requestId,
    clientContext: '{"custom":{"a":1}}',
  })

  expect(JSON.parse(answer.payload.toString())).toEqual({
    awsRequestId: requestId,
    clientContext: { custom: { a: 1 } },
  })
})

const slow = `export const handler = async ({ ms }) => {
  await new Promise((resolve) => setTimeout(resolve, ms)); return process.pid }`

// Source: AWS Lambda developer guide, "Configuring reserved concurrency for a function"; API reference, "Invoke" (429).
test('a process is used again; more run at once up to the reserved concurrency, then AWS throttles', async () => {
  // Neither of two invocations ends before both run.
  const meeting = `import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
  export const handler = async ({ place }) => {
    if (place === undefined) return process.pid
    mkdirSync(place, { recursive: true })
    writeFileSync(place + '/' + process.pid, '')
    while (readdirSync(place).length < 2) await new Promise((resolve) => setTimeout(resolve, 10))
    return process.pid }`
  await add('slow', meeting, { reservedConcurrency: 2 })
  const place = join(await mkdtemp(join(tmpdir(), 'meeting-')), 'pids')

  const first = await invoke('slow')
  const again = await invoke('slow')
  const both = [invoke('slow', { place }), invoke('slow', { place })]
  const third = await invoke('slow')

  expect(again.payload).toBe(first.payload)
  expect(third).toMatchObject({ statusCode: 429, errorType: 'TooManyRequestsException' })
  expect(third.payload).toMatchObject({ Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded', Type: 'User' })
  const pids = (await Promise.all(both)).map(({ payload }) => payload)
  expect(new Set(pids).size).toBe(2)
  expect(hosted.host.list()[0]).toMatchObject({ invocations: 4, errors: 0, processes: expect.arrayContaining(pids) })
})

// Source: AWS Lambda developer guide, "Understanding the Lambda execution environment lifecycle" (proactive initialization).
test('an event that finds all processes busy runs in the first that becomes free, while another one starts', async () => {
  const startsOnce = `import { existsSync, writeFileSync } from 'node:fs'
  if (existsSync(process.env.STARTED)) await new Promise((resolve) => setTimeout(resolve, 60_000))
  writeFileSync(process.env.STARTED, '')
  export const handler = async ({ ms }) => { await new Promise((resolve) => setTimeout(resolve, ms)); return process.pid }`
  const started = join(await mkdtemp(join(tmpdir(), 'started-')), 'once')
  await add('growing', startsOnce, { environment: { STARTED: started }, timeoutSeconds: 30 })
  const first = await invoke('growing', { ms: 0 })

  const [busy, next] = await Promise.all([invoke('growing', { ms: 200 }), invoke('growing', { ms: 0 })])

  expect([busy.payload, next.payload]).toEqual([first.payload, first.payload])
  expect(hosted.host.list()[0]!.processes).toHaveLength(2)
})

test('an event whose process has died in another event gets one that is started for it', async () => {
  await add('dying', `export const handler = async ({ dies }) => { if (dies) process.exit(3); return 'alive' }`)

  const [dead, alive] = await Promise.all([invoke('dying', { dies: true }), invoke('dying', { dies: false })])

  expect([dead.functionError, alive.payload]).toEqual(['Unhandled', 'alive'])
})

test('a function whose newest invocation failed says why and since when, until one succeeds', async () => {
  await add('moody', `export const handler = async ({ ok }) => { if (!ok) throw new Error('the catalog is away') }`)
  const failing = () => hosted.host.list().find(({ definition }) => definition.name.endsWith('moody'))!.failing

  await invoke('moody', { ok: false })
  const first = failing()
  await invoke('moody', { ok: false })

  expect(first).toEqual({ error: 'the catalog is away', since: expect.any(Date) })
  expect(failing()).toEqual(first)
  await invoke('moody', { ok: true })
  expect(failing()).toBeUndefined()
})

// Source: the same page: "To throttle a function, set the reserved concurrency to zero".
test('a reserved concurrency of 0 throttles every invocation', async () => {
  await add('none', slow, { reservedConcurrency: 0 })

  expect(await invoke('none')).toMatchObject({
    statusCode: 429,
    errorType: 'TooManyRequestsException',
    payload: { message: 'Rate Exceeded.', Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded' },
  })
  expect(hosted.host.list()[0]).toMatchObject({ invocations: 0, processes: [] })
})

// Source: AWS Lambda developer guide, "Understanding Lambda function scaling".
test('functions that reserve nothing are throttled by what the account allows', async () => {
  const host = makeFunctionHost({ endpointUrl: '', onLog: () => undefined, unreservedConcurrency: 1 })
  host.add(await hosted.bundles.write('slow', slow))

  const first = host.invoke('slow', Buffer.from('{"ms":200}'))
  const second = await host.invoke('slow', Buffer.from('{"ms":0}'))

  expect(second.statusCode).toBe(429)
  expect(JSON.parse(second.payload.toString()).Reason).toBe('ConcurrentInvocationLimitExceeded')
  expect((await first).statusCode).toBe(200)
  await host.stop()
})

// Source: AWS Lambda API reference, "Invoke" (FunctionError).
test('an error that a handler throws is reported with its type, its message and its log', async () => {
  await add(
    'thrower',
    `export const handler = async () => { console.log('about to'); throw new TypeError('no such row') }`,
  )

  const { statusCode, functionError, payload, logTail } = await invoke('thrower')

  expect({ statusCode, functionError }).toEqual({ statusCode: 200, functionError: 'Unhandled' })
  expect(payload).toMatchObject({ errorType: 'TypeError', errorMessage: 'no such row' })
  expect(logTail).toMatch(
    /^START RequestId: .*\n.*about to\n(.*\n)*END RequestId: .*\nREPORT RequestId: .*\tMemory Size: 128 MB\t.*\n$/,
  )
  expect(hosted.lines.filter((line) => line.startsWith('thrower ')).join()).toContain('about to')
})

// Source: AWS Lambda developer guide, "Lambda quotas" (invocation payload).
test('6 MB arrive whole; a larger event and a larger response are refused', async () => {
  await add('size', 'export const handler = async (event) => event.wants ? "y".repeat(event.wants) : event.text.length')
  const limit = 6 * 1024 * 1024
  const frame = JSON.stringify({ text: '' }).length

  expect((await invoke('size', { text: 'x'.repeat(limit - frame) })).payload).toBe(limit - frame)
  expect(await invoke('size', { text: 'x'.repeat(limit - frame + 1) })).toMatchObject({
    statusCode: 413,
    errorType: 'RequestEntityTooLargeException',
    payload: { message: 'Request must be smaller than 6291456 bytes for the InvokeFunction operation' },
  })
  expect((await invoke('size', { wants: limit + 100 })).payload).toEqual({
    errorType: 'Function.ResponseSizeTooLarge',
    errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
  })
})

// Source: Lambda API reference, "Invoke" (InvocationType, ResourceNotFoundException).
test('DryRun only looks the function up', async () => {
  await add('known', 'export const handler = async () => null')

  expect((await hosted.host.invoke('known', Buffer.from('{}'), { type: 'DryRun' })).statusCode).toBe(204)
  expect(await hosted.host.invoke('unknown', Buffer.from('{}'), { type: 'DryRun' })).toMatchObject({
    statusCode: 404,
    payload: Buffer.from(
      '{"Message":"Function not found: arn:aws:lambda:eu-central-1:000000000000:function:unknown","Type":"User"}',
    ),
  })
  expect(hosted.host.list()[0]!.processes).toEqual([])
})

test('a process without work ends after a while', async () => {
  const idle = makeFunctionHost({ endpointUrl: '', onLog: () => undefined, idleMs: 50 })
  idle.add(await hosted.bundles.write('rare', 'export const handler = async () => process.pid'))

  const first = await idle.invoke('rare', Buffer.from('{}'))
  await eventually(() => expect(idle.list()[0]!.processes).toEqual([]))
  const second = await idle.invoke('rare', Buffer.from('{}'))

  expect(second.functionError).toBeUndefined()
  expect(second.payload).not.toEqual(first.payload)
  await idle.stop()
})

test('functions end with their host, also when both are busy and the host is killed', async () => {
  const busy = await hosted.bundles.write(
    'busy',
    'console.log("pid", process.pid); export const handler = () => { while (true) {} }',
  )
  const owner = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `
    import { makeFunctionHost } from '${import.meta.resolve('./function-host.ts')}'
    const host = makeFunctionHost({ endpointUrl: '', onLog: (_, line) => console.log(line) })
    host.add(${JSON.stringify({ ...busy, timeoutSeconds: 600 })})
    await host.invoke('busy', Buffer.from('{}'))`,
  ])
  const [chunk] = await once(owner.stdout, 'data')
  const pid = Number(/pid (\d+)/.exec(String(chunk))![1])
  expect(processAlive(pid)).toBe(true)

  owner.kill('SIGKILL')

  await eventually(() => expect(processAlive(pid)).toBe(false))
})
