import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { refuseBusyPorts } from '#localstack/processes/ports.ts'
import { brokerNodes } from '#localstack/servers/kafka/broker-nodes.ts'
import type { Settings } from '#localstack/settings.ts'
import { freePorts, processesOf } from '#test-support/pipeline.ts'

let directory: string
let settings: Omit<Settings, 'directory'>

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-interrupted-'))
  settings = await freePorts()
})
afterAll(() => rm(directory, { recursive: true, force: true }))

function start(): ChildProcess {
  const { postgresPort, kafkaPort, connectPort, endpointPort, objectStorePort, catalogPort } = settings
  const ports = {
    TIDEMARK_POSTGRES_PORT: postgresPort,
    TIDEMARK_KAFKA_PORT: kafkaPort,
    TIDEMARK_CONNECT_PORT: connectPort,
    TIDEMARK_ENDPOINT_PORT: endpointPort,
    TIDEMARK_OBJECT_STORE_PORT: objectStorePort,
    TIDEMARK_CATALOG_PORT: catalogPort,
  }
  const texts = Object.entries(ports).map(([name, port]) => [name, String(port)])
  return spawn(process.execPath, [join(import.meta.dirname, 'run.mjs'), 'start', '--json', '--no-feed'], {
    env: { ...process.env, TIDEMARK_DIRECTORY: directory, ...Object.fromEntries(texts) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

/** A line of the command: a step of the start, or the status of the running stack. */
type Line = { step?: { step: string; state: string }; status?: unknown }

async function follow(command: ChildProcess, isReached: (line: Line) => boolean): Promise<void> {
  for await (const line of createInterface({ input: command.stdout! })) {
    if (!isReached(JSON.parse(line))) continue
    command.stdout!.resume()
    return
  }
  throw new Error('the command ended before')
}

const begins =
  (name: string) =>
  ({ step }: Line): boolean =>
    step?.step.endsWith(name) === true && step.state === 'starting'

const portsOf = ({
  postgresPort,
  connectPort,
  endpointPort,
  objectStorePort,
  catalogPort,
  ...rest
}: typeof settings) => [
  ...[postgresPort, postgresPort + 1, connectPort, endpointPort, objectStorePort, catalogPort],
  ...brokerNodes(rest).flatMap(({ port, controllerPort }) => [port, controllerPort]),
]

/** The interruptions are in the order of a start. Each start continues with what the one before has left. */
test.each([
  ['while the jars are looked at', begins('jars')],
  ['while the assembly is synthesized', begins('assembly')],
  ['while databases and brokers start', begins('kafka')],
  ['while Connect starts', begins('connect')],
  ['while a function is asked', begins('register-connector Create')],
  ['right after the start', ({ status }: Line) => status !== undefined],
])('Ctrl-C %s stops everything within five seconds, and leaves no process and no port', async (_, isReached) => {
  const command = start()
  await follow(command, isReached)

  const beganMs = performance.now()
  command.kill('SIGINT')
  await once(command, 'close')

  expect(performance.now() - beganMs).toBeLessThan(5_000)
  expect(processesOf(directory)).toEqual([])
  const ports = portsOf(settings).map((number) => ({ number, usedBy: 'the stack', variable: 'NONE' }))
  await expect(refuseBusyPorts(ports)).resolves.toBeUndefined()
})
