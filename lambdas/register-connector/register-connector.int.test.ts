import type { CloudFormationCustomResourceEvent } from 'aws-lambda'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectApi } from '#adapters/connect/connect-api.ts'
import { type FakeConnect, running, startFakeConnect, state } from '#test-support/capture/fake-connect.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'
import { eventually } from '#test-support/eventually.ts'
import { registerConnector } from './register-connector.ts'

let source: TestDatabase
let worker: FakeConnect
const printed: string[] = []
/** Replication slots belong to the server, so each test has its own epoch. */
let epoch = Date.now() % 1_000_000

beforeEach(async () => {
  ;[source, worker] = await Promise.all([createDatabase('source'), startFakeConnect()])
  epoch += 2
  await configure(epoch)
})

afterEach(async () => {
  await Promise.all([source.drop(), worker.stop()])
})

/** Sets the epoch of the source, as the schema's function does. */
const configure = (to: number, knownGeneration = 0) =>
  source.pool.query('select tidemark.configure(4, $1, $2, $3)', [
    JSON.stringify({ schemas: ['public'], includeTables: [], excludeTables: [], excludeColumns: [] }),
    to,
    knownGeneration,
  ])

const properties = (changed: object = {}) => ({
  ServiceToken: 'arn',
  Epoch: String(epoch),
  Topic: 'changes',
  TopicPartitions: '4',
  Captured: { schemas: ['public'], includeTables: [], excludeTables: [], excludeColumns: [] },
  Database: { Host: '127.0.0.1', Port: '5432', Name: source.name, Tls: 'disable' },
  Code: 'digest',
  ...changed,
})

function register(
  request: { RequestType: 'Create' | 'Delete' } | { RequestType: 'Update'; OldResourceProperties: object },
  { withinMs = 10_000, resource = properties(), url = worker.url } = {},
): Promise<void> {
  const end = Date.now() + withinMs
  const event = { ...request, ResourceProperties: resource } as unknown as CloudFormationCustomResourceEvent
  return registerConnector(event, {
    connect: connectApi(url),
    openSource: () => lastingPool({ connectionString: source.url, max: 1 }),
    remainingMs: () => end - Date.now(),
    print: (line) => printed.push(line),
  })
}

const createSlot = (name: string) =>
  source.pool.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [name])

async function slots(): Promise<string[]> {
  const { rows } = await source.pool.query(
    'select slot_name from pg_replication_slots where database = current_database() order by 1',
  )
  return rows.map(({ slot_name }) => slot_name)
}

const publications = async () => (await source.pool.query('select pubname from pg_publication')).rowCount

test('it is done once the connector and its task run, not when the connector alone says so', async () => {
  worker.starting = [state('UNASSIGNED'), state('RUNNING'), state('RUNNING', 'UNASSIGNED'), running]

  await register({ RequestType: 'Create' })

  expect(worker.starting).toEqual([running])
  expect(worker.changes.at(-1)).toBe('PUT /connectors/tidemark/resume')
})

test('the initial snapshot reads the published tables, contracts and beacons before them', async () => {
  await source.pool.query('create table public.b (id int primary key); create table public.a (id int primary key)')
  await source.pool.query('alter publication tidemark add table public.a, public.b')

  await register({ RequestType: 'Create' })

  expect(worker.configuration?.['snapshot.include.collection.list']).toBe(
    'tidemark\\.table_contract,tidemark\\.beacon,public\\.a,public\\.b',
  )
})

test('a task that fails ends it with the lines of the trace that say why', async () => {
  const trace = 'org.apache.Error: slot is gone\n\tat Some.java:1\nCaused by: no such slot\n\tat Other.java:2\n'
  worker.starting = [state('RUNNING'), state('RUNNING', 'FAILED', trace)]

  const registered = register({ RequestType: 'Create' })

  await expect(registered).rejects.toThrow(
    'connector tidemark: task 0 failed: org.apache.Error: slot is gone / Caused by: no such slot',
  )
})

test('a connector whose place in the log is lost is registered, and the deployment reports the command that resolves it', async () => {
  const trace = 'org.apache.ConnectException: The replication slot is gone. Run npm run recover.\n\tat Some.java:1\n'
  worker.starting = [state('RUNNING'), state('RUNNING', 'FAILED', trace)]

  await register({ RequestType: 'Create' })

  expect(printed.at(-1)).toContain('The replication slot is gone. Run npm run recover.')
  expect(worker.configuration).toBeDefined()
})

test('a connector that does not come up in time is reported with what it last was', async () => {
  worker.starting = [state('RUNNING')]

  const registered = register({ RequestType: 'Create' }, { withinMs: 600 })

  await expect(registered).rejects.toThrow(
    'not in time: connector tidemark and its task run; last seen: connector RUNNING, no task',
  )
})

test('a configuration that Connect refuses is reported in its words', async () => {
  // The first request is the stop, which finds no connector.
  worker.refusals = [
    { status: 404, message: 'not found' },
    { status: 400, message: 'password authentication failed' },
  ]

  const registered = register({ RequestType: 'Create' })

  await expect(registered).rejects.toThrow(/PUT .*config: password authentication failed/)
})

test('a worker that is rebalancing is asked again', async () => {
  worker.refusals = [{ status: 409, message: 'rebalance in progress' }]

  await register({ RequestType: 'Create' })

  expect(worker.configuration).toBeDefined()
})

test('a Connect that is not there yet is waited for', async () => {
  const { url } = worker
  await worker.stop()

  const registered = register({ RequestType: 'Create' }, { withinMs: 600, url })

  await expect(registered).rejects.toThrow('not in time: Connect answers; last seen: Connect does not answer')
})

test('a change stops the old task before the new configuration, so that its status is not taken for the new one', async () => {
  await register({ RequestType: 'Create' })
  worker.changes.length = 0
  const resource = properties({ TopicPartitions: '8' })

  await register({ RequestType: 'Update', OldResourceProperties: properties() }, { resource })

  expect(worker.changes).toEqual([
    'PUT /connectors/tidemark/stop',
    'PUT /connectors/tidemark/config',
    'PUT /connectors/tidemark/resume',
  ])
})

test('a connector that runs with the same configuration is left alone, tables published since included', async () => {
  await register({ RequestType: 'Create' })
  worker.changes.length = 0
  await source.pool.query('create table public.later (id int primary key)')
  await source.pool.query('alter publication tidemark add table public.later')

  await register({ RequestType: 'Update', OldResourceProperties: properties() })

  expect(worker.changes).toEqual([])
})

test('a new epoch drops the slot of the one before and keeps its own', async () => {
  await register({ RequestType: 'Create' })
  await createSlot(`tidemark_e${epoch}`)
  await createSlot(`tidemark_e${epoch + 1}`)
  await configure(epoch + 1)
  const resource = properties({ Epoch: String(epoch + 1) })

  await register({ RequestType: 'Update', OldResourceProperties: properties() }, { resource })

  expect(worker.configuration?.['slot.name']).toBe(`tidemark_e${epoch + 1}`)
  expect(await slots()).toEqual([`tidemark_e${epoch + 1}`])
})

test('in an epoch after the first one the initial snapshot reads no table: each is read by a signal', async () => {
  await source.pool.query('create table public.a (id int primary key)')
  await source.pool.query('alter publication tidemark add table public.a')
  await configure(epoch + 1)

  await register({ RequestType: 'Create' })

  expect(worker.configuration?.['snapshot.include.collection.list']).toBe('tidemark\\.table_contract,tidemark\\.beacon')
})

test('a deployment with an epoch before the one that a recovery began keeps the later epoch', async () => {
  await configure(epoch + 1)
  await register({ RequestType: 'Create' })
  await createSlot(`tidemark_e${epoch + 1}`)
  worker.changes.length = 0

  await register({ RequestType: 'Update', OldResourceProperties: properties() })

  expect(worker.changes).toEqual([])
  expect(worker.configuration?.['slot.name']).toBe(`tidemark_e${epoch + 1}`)
  expect(await slots()).toEqual([`tidemark_e${epoch + 1}`])
})

test('removal leaves no connector, no offsets, no slot and no publication', async () => {
  await register({ RequestType: 'Create' })
  await createSlot(`tidemark_e${epoch}`)

  await register({ RequestType: 'Delete' })

  expect(worker).toMatchObject({ configuration: undefined, offsets: false })
  expect(await slots()).toEqual([])
  expect(await publications()).toBe(0)
})

test('removal of what never came to be succeeds', async () => {
  await register({ RequestType: 'Delete' })

  expect(await publications()).toBe(0)
})

test('removal without Connect drops a slot that nobody reads', async () => {
  await createSlot(`tidemark_e${epoch}`)
  await worker.stop()

  await register({ RequestType: 'Delete' })

  expect(await slots()).toEqual([])
})

test('removal without Connect says which session still reads the slot', async () => {
  await createSlot(`tidemark_e${epoch}`)
  const reader = await readSlot(`tidemark_e${epoch}`)
  await worker.stop()

  const removed = register({ RequestType: 'Delete' }, { withinMs: 600 })

  await expect(removed).rejects.toThrow(`slot tidemark_e${epoch} is free; last seen: process ${reader.pid} reads it`)
  await reader.stop()
})

/** Reads a slot as Debezium does, until it is stopped. */
async function readSlot(name: string): Promise<{ pid: number; stop(): Promise<void> }> {
  const client = new pg.Client({ connectionString: `${source.url}?replication=database` })
  await client.connect()
  // The server ends a connection that is closed in the middle of a stream, which is an error event here.
  client.on('error', () => undefined)
  const options = `proto_version '1', publication_names 'tidemark'`
  const ended = client.query(`START_REPLICATION SLOT ${name} LOGICAL 0/0 (${options})`).catch(() => undefined)
  const activePid = async (): Promise<number | null> => {
    const { rows } = await source.pool.query('select active_pid from pg_replication_slots where slot_name = $1', [name])
    return rows[0].active_pid
  }
  await eventually(async () => expect(await activePid()).not.toBeNull())
  const pid = await activePid()
  return {
    pid: pid!,
    stop: async () => {
      await source.pool.query('select pg_terminate_backend($1, 10000)', [pid])
      await ended
    },
  }
}
