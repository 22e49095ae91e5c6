import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline as pipe } from 'node:stream/promises'
import { Admin } from '@platformatic/kafka'
import { from as copyFrom } from 'pg-copy-streams'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { connectHeaders } from '#test-support/capture/stopped-capture.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { until } from '#test-support/eventually.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { isEqual } from '#verify/compare-databases.ts'

const rows = 30_000
const killed = new Set([3, 7])
const restarts = 10

let source: TestDatabase
let pipeline: TestPipeline

beforeAll(async () => {
  source = await createDatabase('empty')
  // Rows of the first table are neither compressed nor moved out of the page, and two share a page. Of the second
  // table, hundreds share one.
  await source.pool.query(`
    create table public.wide (id int primary key, filler text);
    alter table public.wide alter column filler set storage plain;
    create table public.narrow (id int primary key, filler text)`)
  const url = new URL(source.url)
  url.password ||= 'any'
  pipeline = await startPipeline({ sourceUrl: url.href })
  expect(isEqual(await pipeline.compare())).toBe(true)
})
afterAll(async () => {
  await pipeline?.stop()
  await source?.drop()
})

test.each([
  ['wide', 3_000],
  ['narrow', 20],
])('rows of a COPY are captured whole though the task is restarted and killed among them: %s', async (table, width) => {
  const before = await logged('Will restart from the first event of LSN')
  await copy(table, width)

  for (let restart = 0; restart < restarts; restart++) {
    await grows()
    if (killed.has(restart)) process.kill(pipeline.pid('connect')!, 'SIGKILL')
    else await restartTask()
    // On a busy machine a worker needs more than a minute to start again.
    await vi.waitFor(async () => expect(await taskState()).toBe('RUNNING'), { timeout: 180_000, interval: 50 })
  }

  const comparison = await pipeline.compare()
  expect(isEqual(comparison), JSON.stringify(comparison)).toBe(true)
  expect(comparison.tables.find((compared) => compared.table === `public.${table}`)!.sourceRows).toBe(rows)
  expect(await logged('Debezium 3.7.0.Final is corrected')).toBeGreaterThan(0)
  expect((await logged('Will restart from the first event of LSN')) - before).toBeGreaterThan(restarts / 2)
})

async function copy(table: string, width: number): Promise<void> {
  const lines = function* () {
    for (let id = 1; id <= rows; id++) yield `${id}\t${'x'.repeat(width)}\n`
  }
  const client = await source.pool.connect()
  try {
    await pipe(Readable.from(lines()), client.query(copyFrom(`copy public.${table} from stdin`)))
  } finally {
    client.release()
  }
}

/** Waits until new records have come, so that the task has passed the place where it started. */
async function grows(): Promise<void> {
  const start = await records()
  await until('more records', async () => (await records()) > start + 50)
}

async function records(): Promise<number> {
  const admin = new Admin({
    clientId: 'capture-restarts',
    bootstrapBrokers: [`127.0.0.1:${pipeline.settings.kafkaPort}`],
  })
  try {
    const count = (await admin.metadata({ topics: ['changes'] })).topics.get('changes')!.partitionsCount
    const partitions = Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1n }))
    const [topic] = await admin.listOffsets({ topics: [{ name: 'changes', partitions }] })
    return topic!.partitions.reduce((sum, { offset }) => sum + Number(offset), 0)
  } finally {
    await admin.close()
  }
}

async function restartTask(): Promise<void> {
  const response = await fetch(`${connectUrl()}/connectors/tidemark/tasks/0/restart`, {
    method: 'POST',
    headers: connectHeaders(pipeline),
  })
  if (!response.ok) throw new Error(`the task could not be restarted: ${response.status} ${await response.text()}`)
}

/** The task's state with the trace of its failure, or the reason why the worker does not answer. */
async function taskState(): Promise<string> {
  try {
    const response = await fetch(`${connectUrl()}/connectors/tidemark/status`, {
      signal: AbortSignal.timeout(2_000),
      headers: connectHeaders(pipeline),
    })
    const status = (await response.json()) as { tasks?: { state: string; trace?: string }[] }
    const task = status.tasks?.[0]
    return task === undefined ? 'no task' : `${task.state}${task.trace ?? ''}`
  } catch (error) {
    return String(error)
  }
}

const connectUrl = (): string => `http://127.0.0.1:${pipeline.settings.connectPort}`

/** The number of times that the worker has logged the text. */
async function logged(text: string): Promise<number> {
  const log = await readFile(join(pipeline.settings.directory, 'logs', 'connect.log'), 'utf8')
  return log.split(text).length - 1
}
