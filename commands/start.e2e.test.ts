import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Status } from '#core/status/status.ts'
import { freePorts, processesOf } from '#test-support/pipeline.ts'

let directory: string
let environment: NodeJS.ProcessEnv

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-start-'))
  const { postgresPort, kafkaPort, connectPort, endpointPort } = await freePorts()
  environment = {
    ...process.env,
    TIDEMARK_DIRECTORY: directory,
    TIDEMARK_POSTGRES_PORT: String(postgresPort),
    TIDEMARK_KAFKA_PORT: String(kafkaPort),
    TIDEMARK_CONNECT_PORT: String(connectPort),
    TIDEMARK_ENDPOINT_PORT: String(endpointPort),
  }
})

afterAll(() => rm(directory, { recursive: true, force: true }))

function startCommand(...args: string[]): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, 'run.mjs'), ...args], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function run(...args: string[]): Promise<{ code: number; output: string; errors: string }> {
  const child = startCommand(...args)
  const [output, errors] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')])
  return { code: child.exitCode!, output, errors }
}

test('--once feeds, compares every row and every window, prints the figures last and leaves nothing running', async () => {
  const { code, output, errors } = await run('start', '--once', '--rows', '3000')

  expect(code, errors).toBe(0)
  expect(JSON.parse(output.trimEnd().split('\n').at(-1)!)).toEqual({
    rows: 3_000,
    compared: 3_265,
    mismatches: 0,
    windowGroups: expect.any(Number),
    windowMismatches: 0,
    firstVisibleSeconds: expect.any(Number),
    appliedPerSecond: expect.any(Number),
    commitToVisibleMs: { p50: expect.any(Number), p95: expect.any(Number), p99: expect.any(Number) },
    archivedRecords: expect.any(Number),
    archiveMismatches: 0,
  })
  expect(JSON.parse(output.trimEnd().split('\n').at(-1)!).archivedRecords).toBeGreaterThan(3_265)
  expect(JSON.parse(output.trimEnd().split('\n').at(-1)!).windowGroups).toBeGreaterThan(10)
  expect(processesOf(directory)).toEqual([])
})

test('a running stack shows its status, is compared, and ends within five seconds of Ctrl-C', async () => {
  const stack = startCommand('start', '--json', '--rows', '400', '--rate', '200')
  const errors = text(stack.stderr!)
  const status = await firstStatus(stack, ({ tables, lagRecords }) => lagRecords === 0 && rowsOf(tables) === 3_400)

  const well = await run('status', '--json')
  const shown = JSON.parse(well.output) as Status
  const equal = await run('compare')
  await changeTarget()
  const different = await run('compare')
  const troubled = await statusOnceStopped()
  const beganMs = performance.now()
  stack.kill('SIGINT')
  await once(stack, 'close')

  expect([well.code, shown.stopped, shown.quarantined]).toEqual([0, [], []])
  expect([troubled.code, troubled.output]).toEqual([
    3,
    expect.stringMatching(/^Tidemark {2}1 stopped .*\n\n● changes-0 at offset 7 /),
  ])
  expect(status.components.filter(({ state }) => state !== 'healthy' && state !== 'idle')).toEqual([])
  expect(shown.tables.map(({ name }) => name)).toEqual(['public.green_trips', 'public.taxi_zones'])
  const percentiles = { p50: expect.any(Number), p95: expect.any(Number), p99: expect.any(Number) }
  expect(shown.latency.lastDay).toEqual({
    commitToVisibleMs: percentiles,
    stagesMs: { capture: percentiles, topic: percentiles, mapping: percentiles, apply: percentiles },
  })
  expect([equal.code, equal.output]).toEqual([0, expect.stringContaining('equal: 3,665 rows in 2 tables')])
  expect([different.code, different.output]).toEqual([1, expect.stringContaining('public.taxi_zones, location_id = 7')])
  expect(stack.exitCode, await errors).toBe(0)
  expect(performance.now() - beganMs).toBeLessThan(5_000)
  expect(processesOf(directory)).toEqual([])
})

test('without a running stack status and compare say so', async () => {
  const [status, compare] = await Promise.all([run('status'), run('compare')])

  expect([status.code, compare.code]).toEqual([1, 2])
  for (const { errors } of [status, compare])
    expect(errors).toContain('Tidemark is not running here: start it with "npm start".')
})

async function firstStatus(stack: ChildProcess, isWanted: (status: Status) => boolean): Promise<Status> {
  for await (const line of createInterface({ input: stack.stdout! })) {
    const { status } = JSON.parse(line)
    if (status !== undefined && isWanted(status)) {
      // Later output has to be read, because a full pipe would block the stack.
      stack.stdout!.resume()
      return status
    }
  }
  throw new Error('the stack ended before its status was as wanted')
}

const rowsOf = (tables: Status['tables']) => tables.find(({ name }) => name === 'public.green_trips')?.target?.rows

const changeTarget = () => inTarget(`update public.taxi_zones set zone = 'Elsewhere' where location_id = 7`)

/** The status as soon as it shows a stopped topic partition. */
async function statusOnceStopped() {
  await inTarget(`insert into tidemark.stop (consumer, topic, topic_partition, at_offset, reason)
    values ('tidemark-made', 'changes', 0, 7, 'records 7 to 8 are missing')`)
  return vi.waitFor(
    async () => {
      const status = await run('status')
      expect(status.code).toBe(3)
      return status
    },
    { timeout: 60_000, interval: 200 },
  )
}

async function inTarget(sql: string): Promise<void> {
  const { endpoints } = JSON.parse(await readFile(join(directory, 'engine.json'), 'utf8'))
  const client = new pg.Client({ connectionString: endpoints.target })
  await client.connect()
  await client.query(sql)
  await client.end()
}
