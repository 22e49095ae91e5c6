import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { memoryUse } from '#localstack/processes/process-memory.ts'
import { eventually } from '#test-support/eventually.ts'
import { processAlive, useHostedFunctions } from '#test-support/functions/hosted-functions.ts'

// Source, unless a test names another: AWS Lambda developer guide, "Understanding the Lambda execution environment
// lifecycle".

const hosted = useHostedFunctions()
const { add, invoke } = hosted

// Source: AWS Lambda developer guide, "Configure Lambda function timeout".
test('a function that takes longer than its timeout is ended with all it started; the next event has a new process', async () => {
  await add(
    'endless',
    `import { spawn } from 'node:child_process'
    export const handler = async ({ hang }) => {
      if (hang) { console.log(spawn('sleep', ['600']).pid); while (true) {} }
      return process.pid }`,
    { timeoutSeconds: 1 },
  )

  const before = await invoke('endless')
  const { functionError, payload, logTail } = await invoke('endless', { hang: true })
  const after = await invoke('endless')

  expect(functionError).toBe('Unhandled')
  expect(payload.errorType).toBe('Sandbox.Timedout')
  expect(payload.errorMessage).toMatch(/^RequestId: [0-9a-f-]{36} Error: Task timed out after 1\.00 seconds$/)
  expect(logTail).toMatch(/\d{4}-\d\d-\d\dT[\d:.]+Z [0-9a-f-]{36} Task timed out after 1\.00 seconds\n/)
  expect(logTail).toMatch(/\tStatus: timeout\n$/)
  const child = Number(/\t(\d+)$/m.exec(logTail)![1])
  await eventually(() => expect(processAlive(child)).toBe(false))
  expect(after.functionError).toBeUndefined()
  expect(after.payload).not.toBe(before.payload)
})

test('a cold start reports how long it took, a warm one does not', async () => {
  await add('kept', 'let count = 0; export const handler = async () => ++count')

  const cold = await invoke('kept')
  const warm = await invoke('kept')

  expect([cold.payload, warm.payload]).toEqual([1, 2])
  expect(cold.logTail).toMatch(/\tInit Duration: \d+\.\d\d ms\n$/)
  expect(warm.logTail).not.toContain('Init Duration')
})

const resting = useHostedFunctions({ restMs: 50 })

// This is not AWS's behaviour: on AWS an idle process does not take memory from others.
test('a process that has no work gives the memory back that its last event took', async () => {
  await resting.add(
    'large',
    `let kept
    const make = (mb) => Array.from({ length: mb }, () => JSON.parse(JSON.stringify(Array(65_536).fill('some text'))))
    export const handler = async ({ mb }) => { kept = make(mb); kept = undefined; return process.memoryUsage.rss() }`,
    { memoryMb: 1024 },
  )
  await resting.invoke('large', { mb: 1 })

  const { payload: atMost } = await resting.invoke('large', { mb: 100 })

  const [pid] = resting.host.list()[0]!.processes
  await eventually(() =>
    expect(memoryUse(pid!)).resolves.toMatchObject({ held: expect.toSatisfy((held) => held < atMost / 2) }),
  )
  expect((await resting.invoke('large', { mb: 1 })).functionError).toBeUndefined()
  expect(resting.host.list()[0]!.processes).toEqual([pid])
})

// Source: AWS Lambda developer guide, "Configure Lambda function memory".
test('a function whose resident memory is clearly above its size is killed', async () => {
  await add(
    'greedy',
    `const kept = []
    export const handler = async ({ mb }) => {
      for (let each = 0; each < mb; each++) {
        kept.push(Buffer.alloc(2 ** 20, 1))
        if (each % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 50))
      }
      await new Promise((resolve) => setTimeout(resolve, mb > 128 ? 5_000 : 200)); return kept.length }`,
  )

  const within = await invoke('greedy', { mb: 60 })
  const above = await invoke('greedy', { mb: 400 })

  expect(within.payload).toBe(60)
  expect(Number(/Max Memory Used: (\d+) MB/.exec(within.logTail)![1])).toBeGreaterThan(60)
  expect(above.payload).toEqual({
    errorType: 'Runtime.ExitError',
    errorMessage: expect.stringMatching(/^RequestId: .* Error: Runtime exited with error: signal: killed$/),
  })
  expect(above.logTail).toMatch(
    /\tMax Memory Used: (1[6-9]\d|[2-9]\d\d) MB\tStatus: error\tError Type: Runtime\.ExitError\n$/,
  )
})

test('what children of a function hold counts as its memory', async () => {
  await add(
    'parent',
    `import { spawn } from 'node:child_process'
    const script = 'globalThis.kept = Buffer.alloc(300 * 2 ** 20, 1); setTimeout(() => {}, 60_000)'
    export const handler = () => new Promise(() => spawn(process.execPath, ['-e', script]))`,
  )

  expect((await invoke('parent')).payload.errorMessage).toMatch(/Runtime exited with error: signal: killed$/)
})

test('a heap that is full ends the process', async () => {
  await add(
    'heap',
    'const kept = []; export const handler = async () => { while (true) kept.push(new Array(1e5).fill(1.5)) }',
  )

  expect((await invoke('heap')).payload.errorType).toBe('Runtime.ExitError')
})

test.each([
  ['exits', 'process.exit(3)', 'with error: exit status 3'],
  ['exits without an error', 'process.exit(0)', 'without providing a reason'],
  ['is killed', `process.kill(process.pid, 'SIGKILL')`, 'with error: signal: killed'],
  [
    'leaves a rejection unhandled',
    `Promise.reject(new Error('nobody')); await new Promise((end) => setTimeout(end, 5_000))`,
    'with error: exit status 1',
  ],
])('a process that %s fails its event, and the next event has a new process', async (_, death, reason) => {
  await add('mortal', `export const handler = async ({ die }) => { if (die) { ${death} } return process.pid }`)

  const before = await invoke('mortal', {})
  const failed = await invoke('mortal', { die: true })
  const after = await invoke('mortal', {})

  expect(failed.functionError).toBe('Unhandled')
  expect(failed.payload.errorType).toBe('Runtime.ExitError')
  expect(failed.payload.errorMessage).toMatch(new RegExp(`^RequestId: .* Error: Runtime exited ${reason}$`))
  expect(after.functionError).toBeUndefined()
  expect(after.payload).not.toBe(before.payload)
})

test('a process that dies after it has answered has answered, and takes no further event', async () => {
  await add(
    'last',
    `import { ClientRequest } from 'node:http'
    export const handler = async () => {
      const { end } = ClientRequest.prototype
      ClientRequest.prototype.end = function (...args) {
        return this.path.endsWith('/next') ? process.exit(1) : end.apply(this, args)
      }
      return process.pid }`,
  )

  const first = await invoke('last')
  const second = await invoke('last')

  expect([first.functionError, second.functionError]).toEqual([undefined, undefined])
  expect(second.payload).not.toBe(first.payload)
})

test('a function that dies at once is started at growing intervals, and as before when it is well again', async () => {
  const codeDirectory = await add(
    'ill',
    `import { existsSync } from 'node:fs'
    if (!existsSync('well')) process.exit(1)
    export const handler = async () => 'well'`,
  )
  const startedAt = performance.now()

  for (let death = 0; death < 5; death++) expect((await invoke('ill')).payload.errorType).toBe('Runtime.ExitError')
  expect(performance.now() - startedAt).toBeGreaterThan(50 + 100 + 200 + 400)
  await writeFile(`${codeDirectory}/well`, '')

  expect((await invoke('ill')).payload).toBe('well')
})
