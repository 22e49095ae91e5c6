import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type FunctionBundles, makeFunctionBundles } from '#test-support/function-bundle.ts'
import type { FunctionDefinition } from './function-definition.ts'
import { type FunctionHost, makeFunctionHost } from './function-host.ts'

let bundles: FunctionBundles
let host: FunctionHost
let lines: string[]

beforeEach(() => {
  lines = []
  bundles = makeFunctionBundles()
  host = makeFunctionHost({
    endpointUrl: 'http://127.0.0.1:1',
    onLog: (name, line) => lines.push(`${name} ${line}`),
    retryDelaysMs: [10, 10],
  })
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await host.stop()
  await bundles.remove()
})

async function add(name: string, source: string, overrides?: Partial<FunctionDefinition>): Promise<void> {
  host.add(await bundles.write(name, source, overrides))
}

async function invoke(name: string, event: unknown = {}) {
  const answer = await host.invoke(name, Buffer.from(JSON.stringify(event)), { log: true })
  return { ...answer, payload: JSON.parse(answer.payload.toString()) }
}

/** A zombie that nobody waits for has ended, too. */
const alive = (pid: number) => /^[^Z]/.test(spawnSync('ps', ['-o', 'stat=', '-p', String(pid)]).stdout.toString())

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

test('a process is used again; more run at once up to the reserved concurrency, then AWS throttles', async () => {
  await add(
    'slow',
    `export const handler = async ({ ms }) => {
    await new Promise((resolve) => setTimeout(resolve, ms)); return process.pid }`,
    { reservedConcurrency: 2 },
  )

  const first = await invoke('slow', { ms: 0 })
  const again = await invoke('slow', { ms: 0 })
  const both = [invoke('slow', { ms: 500 }), invoke('slow', { ms: 500 })]
  const third = await invoke('slow', { ms: 0 })

  expect(again.payload).toBe(first.payload)
  expect(third).toMatchObject({ statusCode: 429, errorType: 'TooManyRequestsException' })
  expect(third.payload).toMatchObject({ Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded', Type: 'User' })
  const pids = (await Promise.all(both)).map(({ payload }) => payload)
  expect(new Set(pids).size).toBe(2)
  expect(host.list()[0]).toMatchObject({ invocations: 4, errors: 0, processes: expect.arrayContaining(pids) })
})

test('what a handler throws is reported with its type, its message and its log', async () => {
  await add(
    'thrower',
    `export const handler = async () => { console.log('about to'); throw new TypeError('no such row') }`,
  )

  const { statusCode, functionError, payload, logTail } = await invoke('thrower')

  expect({ statusCode, functionError }).toEqual({ statusCode: 200, functionError: 'Unhandled' })
  expect(payload).toMatchObject({ errorType: 'TypeError', errorMessage: 'no such row' })
  expect(logTail).toMatch(
    /^START RequestId: .*\n.*about to\n(.*\n)*END RequestId: .*\nREPORT RequestId: .*\tMemory Size: 128 MB\n$/,
  )
  expect(lines.filter((line) => line.startsWith('thrower ')).join()).toContain('about to')
})

test('a module that cannot be loaded is reported with the reason', async () => {
  await add('broken', `throw new Error('variable TARGET is missing')`)

  const { functionError, payload } = await invoke('broken')

  expect(functionError).toBe('Unhandled')
  expect(payload).toMatchObject({ errorType: 'Error', errorMessage: 'variable TARGET is missing' })
})

test('a handler that is not there is reported as AWS does', async () => {
  await add('nameless', 'export const other = async () => null')

  expect((await invoke('nameless')).payload).toMatchObject({
    errorType: 'Runtime.HandlerNotFound',
    errorMessage: 'index.handler is undefined or not exported',
  })
})

test.each([
  ['exits', 'process.exit(3)', 'exit status 3'],
  ['is killed', `process.kill(process.pid, 'SIGKILL')`, 'signal: killed'],
])('a process that %s fails its event, and the next event has a new process', async (_, death, reason) => {
  await add('mortal', `export const handler = async ({ die }) => { if (die) { ${death} } return process.pid }`)

  const before = await invoke('mortal', {})
  const failed = await invoke('mortal', { die: true })
  const after = await invoke('mortal', {})

  expect(failed.functionError).toBe('Unhandled')
  expect(failed.payload.errorType).toBe('Runtime.ExitError')
  expect(failed.payload.errorMessage).toMatch(new RegExp(`^RequestId: .* Error: Runtime exited with error: ${reason}$`))
  expect(after.functionError).toBeUndefined()
  expect(after.payload).not.toBe(before.payload)
})

test('a function that dies at once is started less and less often, and as before when it is well again', async () => {
  await add(
    'ill',
    `import { existsSync } from 'node:fs'
    if (!existsSync('well')) process.exit(1)
    export const handler = async () => 'well'`,
  )
  const { codeDirectory } = host.list()[0]!.definition
  const startedAt = performance.now()

  for (let death = 0; death < 5; death++) expect((await invoke('ill')).payload.errorType).toBe('Runtime.ExitError')
  expect(performance.now() - startedAt).toBeGreaterThan(50 + 100 + 200 + 400)
  await writeFile(`${codeDirectory}/well`, '')

  expect((await invoke('ill')).payload).toBe('well')
})

test('a function that takes longer than its timeout is ended with all it started', async () => {
  await add(
    'endless',
    `import { spawn, spawnSync } from 'node:child_process'
    export const handler = async () => { console.log(spawn('sleep', ['600']).pid); while (true) {} }`,
    { timeoutSeconds: 1 },
  )

  const { functionError, payload, logTail } = await invoke('endless')

  expect(functionError).toBe('Unhandled')
  expect(payload.errorType).toBe('Sandbox.Timedout')
  expect(payload.errorMessage).toMatch(/Error: Task timed out after 1\.00 seconds$/)
  expect(logTail).toContain('Task timed out after 1.00 seconds')
  const child = Number(/\t(\d+)$/m.exec(logTail)![1])
  await vi.waitFor(() => expect(alive(child)).toBe(false))
})

test('a function that needs more memory than its size dies of it', async () => {
  await add(
    'greedy',
    `const kept = []; export const handler = async () => { while (true) kept.push(new Array(1e5).fill(1.5)) }`,
  )

  expect((await invoke('greedy')).payload.errorType).toBe('Runtime.ExitError')
})

test('6 MB arrive whole; a larger event and a larger response are refused', async () => {
  await add('size', 'export const handler = async (event) => event.wants ? "y".repeat(event.wants) : event.text.length')
  const limit = 6 * 1024 * 1024
  const frame = JSON.stringify({ text: '' }).length

  expect((await invoke('size', { text: 'x'.repeat(limit - frame) })).payload).toBe(limit - frame)
  expect(await invoke('size', { text: 'x'.repeat(limit - frame + 1) })).toMatchObject({
    statusCode: 413,
    errorType: 'RequestTooLargeException',
  })
  expect((await invoke('size', { wants: limit + 100 })).payload).toEqual({
    errorType: 'Function.ResponseSizeTooLarge',
    errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
  })
})

test('an Event is answered at once, waits for concurrency, and is tried three times', async () => {
  await add(
    'counter',
    `import { appendFileSync } from 'node:fs'
    export const handler = async ({ n }) => { appendFileSync('calls', n); if (n === 'b') throw new Error('again') }`,
    {
      reservedConcurrency: 1,
    },
  )
  const { codeDirectory } = host.list()[0]!.definition

  for (const n of ['a', 'b', 'c']) {
    const answer = await host.invoke('counter', Buffer.from(JSON.stringify({ n })), { type: 'Event' })
    expect(answer).toMatchObject({ statusCode: 202, payload: Buffer.alloc(0) })
  }

  await vi.waitFor(() => expect(lines.join()).toContain('event discarded, the function failed 3 times'), 5_000)
  const calls = await readFile(`${codeDirectory}/calls`, 'utf8')
  expect([...calls].sort().join('')).toBe('abbbc')
})

test('DryRun only looks the function up', async () => {
  await add('known', 'export const handler = async () => null')

  expect((await host.invoke('known', Buffer.from('{}'), { type: 'DryRun' })).statusCode).toBe(204)
  expect((await host.invoke('unknown', Buffer.from('{}'), { type: 'DryRun' })).statusCode).toBe(404)
  expect(host.list()[0]!.processes).toEqual([])
})

test('a process without work ends after a while', async () => {
  const idle = makeFunctionHost({ endpointUrl: '', onLog: () => undefined, idleMs: 50 })
  idle.add(await bundles.write('rare', 'export const handler = async () => process.pid'))

  const first = await idle.invoke('rare', Buffer.from('{}'))
  await vi.waitFor(() => expect(idle.list()[0]!.processes).toEqual([]), 5_000)
  const second = await idle.invoke('rare', Buffer.from('{}'))

  expect(second.functionError).toBeUndefined()
  expect(second.payload).not.toEqual(first.payload)
  await idle.stop()
})

test('functions end with their host, also when both are busy and the host is killed', async () => {
  const busy = await bundles.write(
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
  expect(alive(pid)).toBe(true)

  owner.kill('SIGKILL')

  await vi.waitFor(() => expect(alive(pid)).toBe(false), 5_000)
})
