import { setTimeout as pause } from 'node:timers/promises'
import { LambdaClient } from '@aws-sdk/client-lambda'
import pg from 'pg'
import { eventSourceMappings } from '#adapters/aws/event-source-mappings.ts'
import { type ConnectApi, connectApi } from '#adapters/connect/connect-api.ts'
import { progressOf } from '#adapters/connect/connector-states.ts'
import { CONNECTOR, makeWithin, stopConnector } from '#adapters/connect/running-connector.ts'
import { CONNECT_USER } from '#localstack/stack-key.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { openSession } from '#verify/database-session.ts'
import { waitUntilVisible } from '#verify/watermark.ts'
import { stopWhenInterrupted } from './interruption.ts'
import type { Grouping } from './machine/processes.ts'
import { createTables, type WorkloadTable } from './workloads/workload.ts'

/** A stack for the benchmark alone. Each part of it can be held while another is measured. */
export type MeasuredStack = {
  readonly pipeline: TestPipeline
  /** The administrator's connections. */
  readonly source: pg.Client
  readonly target: pg.Client
  readonly capture: {
    /** Resolves when everything that was committed so far is on the topic. */
    caughtUp(): Promise<void>
    /** Resolves when Connect has no task. */
    stop(): Promise<void>
    start(): Promise<void>
    configuration(): Promise<Record<string, string>>
  }
  readonly apply: Held
  readonly archive: Held
  /** Held from the start, so that only the measurement of windows has their function running. */
  readonly windows: Held
  /** Resolves when everything that was committed so far is visible. */
  visible(): Promise<void>
  /** Creates tables in the source. Resolves when they are in the target. */
  createTables(tables: readonly WorkloadTable[]): Promise<void>
  /** The groups of the stack's processes, by what they do. */
  readonly grouping: Grouping
  /** Adds a process to a group. The returned function removes it. */
  count(group: string, pid: () => number | undefined): () => void
  stop(): Promise<void>
}

/** The mappings of a consumer, which can be held and released. */
type Held = { hold(): Promise<void>; release(): Promise<void> }

type OnLog = (name: string, line: string) => void

const WAIT_MS = 300_000
/** It is longer than anything that happens between two measurements. */
const WARM_MS = 3_600_000

/**
 * `keepsFunctionsWarm`: the functions' processes stay as they are between the measurements, as the processes of peers
 * do. `onLog` gets every line that is logged.
 */
export async function startMeasuredStack(
  onProgress: (what: string) => void,
  { keepsFunctionsWarm = false, onLog }: { keepsFunctionsWarm?: boolean; onLog?: OnLog } = {},
): Promise<MeasuredStack> {
  onProgress('starting the stack')
  const pipeline = await startPipeline(keepsFunctionsWarm ? { functionsWarmMs: WARM_MS } : {}, onLog)
  const { endpoints } = pipeline.engine
  const source = await connectTo(endpoints.source)
  const target = await connectTo(endpoints.target)
  const connect = connectApi(endpoints.connect, async () => ({ username: CONNECT_USER, password: endpoints.key.token }))
  const counted = new Map<string, () => number | undefined>()
  const windows = held(pipeline, 'maintain-windows')
  await windows.hold()
  return {
    ...{ pipeline, source, target },
    capture: {
      caughtUp: () => slotCaughtUp(source, 'tidemark_e1'),
      stop: () => stopConnector(connect, within()),
      start: () => startConnector(connect),
      configuration: async () => (await connect.configuration(CONNECTOR))!,
    },
    apply: held(pipeline, 'apply-latest-state'),
    archive: held(pipeline, 'archive-changes'),
    windows,
    visible: () => everythingVisible(pipeline),
    async createTables(tables) {
      await source.query(createTables(tables))
      await everythingVisible(pipeline)
      await within()('the tables are in the target', async () => {
        const names = tables.map(({ name }) => `public.${name}`)
        const { rowCount } = await target.query('select from unnest($1::text[]) n where to_regclass(n) is null', [
          names,
        ])
        return rowCount === 0 ? { done: undefined } : { state: `${rowCount} are missing` }
      })
    },
    grouping: { roots: () => rootsOf(pipeline, counted), refine: refineGroup },
    count(group, pid) {
      counted.set(group, pid)
      return () => counted.delete(group)
    },
    stop: stopWhenInterrupted(async () => {
      await Promise.all([source.end(), target.end()])
      await pipeline.stop()
    }),
  }
}

/** A connection that does not end the process when its server stops. */
export async function connectTo(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

export function within(ms = WAIT_MS) {
  const deadline = Date.now() + ms
  return makeWithin(() => deadline - Date.now())
}

async function startConnector(connect: ConnectApi): Promise<void> {
  await connect.resume(CONNECTOR)
  await untilConnectorRuns(connect, CONNECTOR)
}

/** Resolves when the connector and its tasks run. Throws an Error that says why it failed, or what it was doing. */
export async function untilConnectorRuns(connect: ConnectApi, name: string): Promise<void> {
  await within()(`connector ${name} runs`, async () => {
    const progress = progressOf(await connect.status(name))
    if (progress.kind === 'failed') throw new Error(`connector ${name}: ${progress.reason}`)
    return progress.kind === 'running' ? { done: undefined } : { state: progress.state }
  })
}

/**
 * Waits until the slot has confirmed everything that was committed so far. Debezium confirms a place of the log when
 * everything before it is on the topic.
 */
export async function slotCaughtUp(source: pg.Client, slot: string): Promise<void> {
  // pg_current_wal_lsn is not used, because a commit that did not wait for the disk may come after it.
  const { rows } = await source.query<{ lsn: string }>('select pg_current_wal_insert_lsn() as lsn')
  const statement = 'select from pg_replication_slots where slot_name = $1 and confirmed_flush_lsn >= $2'
  await within()(`slot ${slot} catches up`, async () => {
    const { rowCount } = await source.query(statement, [slot, rows[0]!.lsn])
    return rowCount === 1 ? { done: undefined } : { state: 'behind' }
  })
}

function held(pipeline: TestPipeline, functionName: string): Held {
  const { endpoint, key } = pipeline.engine.endpoints
  const mappings = eventSourceMappings(
    new LambdaClient({ endpoint, region: 'us-east-1', credentials: key, maxAttempts: 1 }),
  )
  const { name } = pipeline.engine.functions().find((each) => each.name.endsWith(functionName))!
  const set = async (isEnabled: boolean) => {
    const listed = await mappings.list(name)
    for (const { uuid } of listed) await mappings.enable(uuid, isEnabled)
    const wanted = isEnabled ? 'Enabled' : 'Disabled'
    await within()(`the mappings of ${name} are ${wanted}`, async () => {
      const states = await Promise.all(listed.map(({ uuid }) => mappings.state(uuid)))
      return states.every((state) => state === wanted) ? { done: undefined } : { state: states.join(', ') }
    })
  }
  return { hold: () => set(false), release: () => set(true) }
}

async function everythingVisible({ engine: { endpoints } }: TestPipeline): Promise<void> {
  const source = await openSession('source', endpoints.source)
  const target = await openSession('target', endpoints.target)
  try {
    await waitUntilVisible({ source, target, deadline: Date.now() + WAIT_MS, onWait: () => undefined })
  } finally {
    await Promise.all([source.close(), target.close()])
  }
}

const functionGroups = [
  ['apply-latest-state', 'apply function'],
  ['maintain-windows', 'windows function'],
] as const

/** The processes at the root of each group. The engine with its pollers is this process itself. */
function rootsOf(
  { engine }: TestPipeline,
  counted: ReadonlyMap<string, () => number | undefined>,
): Map<number, string> {
  const roots = new Map([[process.pid, 'engine']])
  for (const { name, pid } of engine.health()) if (pid !== undefined) roots.set(pid, name)
  for (const { name, processes } of engine.functions()) {
    const group = functionGroups.find(([end]) => name.endsWith(end))?.[1] ?? 'other functions'
    for (const pid of processes) roots.set(pid, group)
  }
  for (const [group, pid] of counted) roots.set(pid() ?? -1, group)
  return roots
}

/**
 * Separates the backends of consumers from the processes that a server runs by itself, and from the backends that
 * measure.
 */
function refineGroup(group: string, _pid: number, titleOf: () => string): string {
  if (!group.startsWith('postgres ')) return group
  const side = group.slice('postgres '.length)
  const title = titleOf()
  if (/^postgres: (walsender|logical replication)/.test(title)) return `${side} replication`
  if (!/^postgres: \S+ \S+ [\d.:[\]a-z]+(\(\d+\))?/.test(title)) return `${side} server`
  if (title.startsWith('postgres: tidemark_windows ')) return 'windows backends'
  if (title.startsWith('postgres: tidemark_console_')) return 'console backends'
  return title.startsWith('postgres: postgres ') ? 'measurement' : `${side} backends`
}

/**
 * Waits until the number of sessions that wait for a lock stays the same, so that all consumers are up before a drain
 * begins.
 */
export async function untilConsumersWait(
  target: pg.Client,
  failure?: () => Promise<string | undefined>,
): Promise<void> {
  const statement = `select count(*)::int as waiting from pg_stat_activity where wait_event_type = 'Lock'`
  const deadline = Date.now() + WAIT_MS
  let [last, since] = [0, Date.now()]
  for (;;) {
    const { waiting } = (await target.query<{ waiting: number }>(statement)).rows[0]!
    if (waiting !== last) [last, since] = [waiting, Date.now()]
    if (waiting > 0 && Date.now() - since > SETTLED_MS) return
    const reason = await failure?.()
    if (reason !== undefined) throw new Error(reason)
    if (Date.now() > deadline) throw new Error('no consumer has begun to write within five minutes')
    await pause(100)
  }
}

const SETTLED_MS = 2_000
