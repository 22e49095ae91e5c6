import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ConsolePart } from '#core/console/values.ts'
import {
  type ConsoleClient,
  openClient,
  type RunningConsole,
  startWithConsole,
} from '#test-support/console/running-console.ts'
import { until } from '#test-support/eventually.ts'
import { processesOf } from '#test-support/pipeline.ts'

let stack: RunningConsole
let client: ConsoleClient
beforeAll(async () => {
  stack = await startWithConsole('--no-feed')
  client = await openClient(stack.url)
  await stack.source.query('create table public.orders (id integer primary key, amount integer)')
  await stack.source.query('insert into public.orders values (1, 1)')
  await until('the first change', async () => (await client.get('GET /changes')).body.items?.length)
})
afterAll(() => stack?.stop())

/** The server that is stopped for each part, as its command line has it. */
const servers: readonly (readonly [ConsolePart, RegExp])[] = [
  ['target', /postgres.*\/target(\/|$| )/],
  ['source', /postgres.*\/source(\/|$| )/],
  ['kafka', /kafka\.Kafka/],
  ['connect', /ConnectDistributed/],
  ['archive', /IcebergCatalog/],
]

/** Stops a server as a machine does that hangs: it keeps its connections, and answers nothing. */
function signal(pattern: RegExp, name: 'SIGSTOP' | 'SIGCONT'): void {
  const found = processesOf(stack.directory).filter((line) => pattern.test(line))
  if (found.length === 0) throw new Error(`no process of the stack is like ${pattern}`)
  // Each server leads a process group, in which its other processes are.
  for (const line of found) process.kill(-Number(line.trim().split(' ')[0]), name)
}

test.each(servers)(
  'while the %s hangs the console answers, says so and since when, and recovers by itself',
  async (part, pattern) => {
    const beganMs = Date.now()
    signal(pattern, 'SIGSTOP')
    try {
      const unreachable = await until(`the ${part} is shown as down`, async () => {
        const { status, body } = await client.get('GET /snapshot')
        expect(status).toBe(200)
        return body.unreachable.find((each) => each.part === part)
      })

      expect(Date.parse(unreachable.since)).toBeGreaterThanOrEqual(beganMs - 1_000)
      expect(unreachable.why).not.toBe('')
      expect((await fetch(stack.url)).status).toBe(200)
      const again = (await client.get('GET /snapshot')).body.unreachable.find((each) => each.part === part)
      expect(again?.since ?? unreachable.since).toBe(unreachable.since)
    } finally {
      signal(pattern, 'SIGCONT')
    }
    await until(`the ${part} is back`, async () => {
      const { unreachable } = (await client.get('GET /snapshot')).body
      return unreachable.every((each) => each.part !== part)
    })
  },
)

test('after all of that every route answers as before', async () => {
  const routes = [
    ...(['GET /tables', 'GET /changes', 'GET /topics', 'GET /connectors', 'GET /consumers'] as const),
    ...(['GET /archive', 'GET /windows', 'GET /quarantine', 'GET /actions'] as const),
  ]

  for (const route of routes) {
    await until(`${route} answers`, async () => (await client.get(route)).status === 200)
  }
})
