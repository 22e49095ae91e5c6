import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { urlConfiguration } from '#adapters/postgres/session/client-of-url.ts'
import { type Engine, type EngineOptions, startEngine } from '#localstack/engine.ts'
import type { Settings } from '#localstack/settings.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'
import { type Comparison, compareDatabases } from '#verify/compare-databases.ts'

/** Servers and functions that tests kill. */
export type PipelineComponent =
  | ('connect' | 'kafka' | `kafka-${number}` | 'iceberg-catalog' | 'object-store')
  | ('apply-latest-state' | 'archive-changes' | 'commit-archive' | 'maintain-windows')

/** The whole stack on free ports, in a directory of its own. */
export type TestPipeline = {
  /** The engine that runs now; `restart` starts another one. */
  readonly engine: Engine
  readonly settings: Settings
  /** The administrator's pool of the source. */
  readonly source: pg.Pool
  /** The administrator's pool of the target. */
  readonly target: pg.Pool
  /** Compares every row of every captured table, when everything that was committed so far is visible. */
  compare(): Promise<Comparison>
  /** Stops the stack and starts it again with its data and other settings. `meanwhile` runs while it is stopped. */
  restart(changes: Partial<Settings>, meanwhile?: () => Promise<void>): Promise<void>
  /** The process id of a component, while it has a process. */
  pid(component: PipelineComponent): number | undefined
  stop(): Promise<void>
}

/**
 * Starts the stack. `existing` are databases to use instead of embedded ones, `onLog` gets every line that is logged,
 * and `startWith` starts the engine.
 */
export async function startPipeline(
  existing: Partial<Settings> = {},
  onLog: (name: string, line: string) => void = () => undefined,
  startWith: (options: EngineOptions) => Promise<Engine> = startEngine,
): Promise<TestPipeline> {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-pipeline-'))
  const settings: Settings = { directory, ...(await freePorts()), ...existing }
  const start = (changes: Partial<Settings> = {}) =>
    startWith({ settings: { ...settings, ...changes }, onProgress: () => undefined, onLog })
  let engine = await start()
  // Scripts of applications name their tables without a schema.
  const source = lastingPool({
    ...urlConfiguration(engine.endpoints.source, 'test', { search_path: 'public' }),
    max: 4,
  })
  const target = lastingPool({ ...urlConfiguration(engine.endpoints.target, 'test'), max: 4 })
  return {
    get engine() {
      return engine
    },
    settings,
    source,
    target,
    compare: () =>
      compareDatabases({ source: engine.endpoints.source, target: engine.endpoints.reader, waitMs: 120_000 }),
    async restart(changes, meanwhile) {
      await engine.stop()
      await meanwhile?.()
      engine = await start(changes)
    },
    pid: (component) => pidOf(engine, component),
    async stop() {
      await Promise.all([source.end(), target.end()])
      await engine.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Processes whose command line contains the directory. A stopped stack must leave none. */
export function processesOf(directory: string): string[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n')
  return lines.filter((line) => line.includes(directory))
}

function pidOf(engine: Engine, component: PipelineComponent): number | undefined {
  const server = engine.health().find(({ name }) => name === component)
  return server?.pid ?? engine.functions().find(({ name }) => name.endsWith(component))?.processes[0]
}

/** Ports for a stack. The broker's controller and the second database listen on the port after the first. */
export async function freePorts(): Promise<Omit<Settings, 'directory'>> {
  const ports = (await freePortPairs(7)) as [number, number, number, number, number, number, number]
  const [postgresPort, kafkaPort, connectPort, objectStorePort, catalogPort, endpointPort, localStackPort] = ports
  const servers = { postgresPort, kafkaPort, connectPort, objectStorePort, catalogPort }
  return { brokers: 1, secure: false, ...servers, endpointPort, localStackPort }
}
