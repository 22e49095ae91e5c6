import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeUserState } from '#adapters/postgres/user-state/user-state.ts'
import { makeApplyLatestState } from '#lambdas/apply-latest-state/apply-latest-state.ts'
import { runToEnd } from '#localstack/processes/finished-process.ts'
import { findPython, openPythonEnvironment } from '#test-support/archive-readers/python-environment.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { eventually } from '#test-support/eventually.ts'
import { success, useMappedTopic } from '#test-support/kafka/mapped-topic.ts'
import { readTopicEnds } from '#watch/topic-records.ts'

const scripts = join(import.meta.dirname, 'python-producers')
const seed = process.env['TIDEMARK_SEED'] ?? '1'
const count = 1_000
const kinds = ['deltas', 'row changes'] as const

type Model = { state: unknown[]; logged: unknown[]; bad: (string | null)[] }

const topic = useMappedTopic()
let target: TestDatabase
let directory: string
const producers = new Set<ChildProcess>()

beforeEach(async () => {
  target = await createDatabase('target')
  directory = await mkdtemp(join(tmpdir(), 'python-producers-'))
})
afterEach(async () => {
  for (const producer of producers) producer.kill('SIGKILL')
  await target.drop()
  await rm(directory, { recursive: true })
})

test('producers of both formats in Python, killed and started again, give the state of a model in Python', async (context) => {
  const found = await findPython()
  if (!found.found) return context.skip(found.reason)
  const requirements = join(scripts, 'requirements.txt')
  const home = await openPythonEnvironment({ what: 'kafka-python', requirements, onProgress: console.log })
  const python = join(home, 'bin/python')
  await topic.create(3)
  startApplying()

  await Promise.all(kinds.map((kind) => produceKilled(python, kind)))

  const ends = (await readTopicEnds({ bootstrapServers: topic.broker.bootstrapServers, access: {} }, [topic.name])).get(
    topic.name,
  )!
  const records = ends.reduce((sum, end) => sum + end)
  console.log(`${records} records for ${2 * count} events, seed ${seed}`)
  expect(records, 'some were sent again').toBeGreaterThan(2 * count)
  await eventually(async () => {
    expect(await rows('select sum(next_offset)::int from tidemark.progress')).toEqual([[records]])
  })
  const model = await readModel(python)
  expect(model.bad.length).toBeGreaterThan(2 * count * 0.03)
  expect(await rows(shownState)).toEqual(model.state)
  const counted = 'select (select count(*) from tidemark.user_event_log) + (select count(*) from tidemark.quarantine)'
  expect(await rows(`${counted} = ${records}`), 'each record is in one of both').toEqual([[true]])
  expect(
    distinct(await rows(`select id::int, event_order::float8, name, age, op <> 'delete' from tidemark.user_event_log`)),
  ).toEqual(distinct(model.logged))
  expect(distinct((await rows('select record_value from tidemark.quarantine')).flat())).toEqual(distinct(model.bad))
  expect(await rows('select reason from tidemark.stop')).toEqual([])
})

const shownState = `select id::int, name, age, event_order::float8, (extract(epoch from ts) * 1000000)::float8,
  (more -> 'balance')::int
from tidemark.latest_user_state order by id`

const rows = async (text: string): Promise<unknown[][]> => (await target.pool.query({ text, rowMode: 'array' })).rows

const distinct = (values: readonly unknown[]): string[] =>
  [...new Set(values.map((each) => JSON.stringify(each)))].sort()

function startApplying(): void {
  const apply = makeApplyLatestState({
    consumers: new Map([[topic.name, { consumer: 'tidemark-user-state', ...makeUserState(target.pool) }]]),
    waiting: async () => [],
    countNotCaptured: async () => 0,
    requestCapture: async () => undefined,
    now: Date.now,
    print: () => undefined,
  })
  topic.start(
    async (_event, payload) => {
      const response = await apply(JSON.parse(payload.toString()))
      return { ...success, payload: Buffer.from(JSON.stringify(response)) }
    },
    {
      BatchSize: 100,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ProvisionedPollerConfig: { MinimumPollers: 1, MaximumPollers: 1 },
    },
  )
}

/** Runs a producer to its end. It is killed when it has sent a third of its events, and again after two thirds. */
async function produceKilled(python: string, kind: (typeof kinds)[number]): Promise<void> {
  const position = join(directory, `${kind}.position`)
  const args = [
    join(scripts, 'produce.py'),
    topic.broker.bootstrapServers,
    topic.name,
    kind,
    seed,
    `${count}`,
    position,
  ]
  for (const killedAt of [count / 3, (2 * count) / 3, Number.POSITIVE_INFINITY]) {
    const producer = spawn(python, args, { stdio: ['ignore', 'inherit', 'inherit'], env: environment })
    producers.add(producer)
    const exited = once(producer, 'exit')
    if (killedAt < count) {
      const sent = async () => expect(Number(await readFile(position, 'utf8'))).toBeGreaterThan(killedAt)
      await vi.waitFor(sent, { timeout: 300_000, interval: 10 })
      producer.kill('SIGKILL')
    }
    const [code] = await exited
    if (killedAt > count) expect(code).toBe(0)
  }
}

const environment = { PATH: process.env['PATH'], PYTHONDONTWRITEBYTECODE: '1', PYTHONUTF8: '1' }

async function readModel(python: string): Promise<Model> {
  const { code, output } = await runToEnd(python, [join(scripts, 'model.py'), seed, `${count}`], { env: environment })
  expect(code, output).toBe(0)
  return JSON.parse(output)
}
