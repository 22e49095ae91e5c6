import { beforeEach, expect, test, vi } from 'vitest'
import type { Connectors } from '#adapters/connect/connector-listing.ts'
import type { ActionRequest } from '#core/console/actions.ts'
import type { ConnectorDetail } from '#core/console/connectors.ts'
import { connectorActions } from './connector-actions.ts'

const configuration = {
  'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
  'topic.prefix': 'shop',
  'slot.name': 'shop',
  'database.hostname': 'db',
  'database.dbname': 'shop',
  'database.password': 'hunter2',
  'table.include.list': 'public.orders',
}
const request = (changes: Partial<ActionRequest> = {}): ActionRequest => ({
  ...{ target: 'shop', confirmed: true, configuration, ...changes },
})
const present: ConnectorDetail = {
  ...{ name: 'shop', isOwn: false, class: 'c', state: 'RUNNING', tasks: [], trace: null, offsets: [], configuration },
}

let found: ConnectorDetail | undefined
let errors: string[]
const change = vi.fn(async () => undefined)
const connectors: Connectors = {
  list: async () => [],
  read: async () => found,
  validate: async () => errors,
  ...{ create: change, restart: change, pause: change, resume: change, delete: change },
}
const actions = connectorActions({
  ...{ connectors, hasOwnTopicsOnly: false },
  parts: { ask: (_, work) => work() },
})

beforeEach(() => {
  found = undefined
  errors = []
  change.mockClear()
})

test('the plan of a new connector says what it makes where, and changes nothing', async () => {
  const will = (await actions['connector.create'].plan(request())).join('\n')

  expect(will).toContain('makes the replication slot shop in shop at db')
  expect(will).toContain('reads all rows of public.orders')
  expect(will).toContain('topics whose names begin with shop. Tidemark does not apply them')
  expect(will).toContain('password is stored as it is')
  expect(will).not.toContain('hunter2')
  expect(change).not.toHaveBeenCalled()
})

test('a source gets what creates its topics, unless its configuration says how', async () => {
  await actions['connector.create'].execute(request())
  const broker = { 'topic.creation.default.replication.factor': '-1', 'topic.creation.default.partitions': '-1' }
  expect(change).toHaveBeenLastCalledWith('shop', { ...broker, ...configuration })

  const own = { ...configuration, 'topic.creation.default.partitions': '3' }
  await actions['connector.create'].execute(request({ configuration: own }))
  expect(change).toHaveBeenLastCalledWith('shop', { ...broker, ...own })

  const sink = { 'connector.class': 'a.Sink', topics: 'changes' }
  await actions['connector.create'].execute(request({ configuration: sink }))
  expect(change).toHaveBeenLastCalledWith('shop', sink)
})

test.each<[string, Partial<ActionRequest>, string]>([
  ['without a class', { configuration: { 'topic.prefix': 'x' } }, 'no connector.class'],
  ['with the name of our own', { target: 'tidemark' }, "Tidemark's own connector"],
  ['with a name that is a path', { target: '../x' }, 'letters, digits'],
  ['with our slot', { configuration: { ...configuration, 'slot.name': 'tidemark_e1' } }, 'slot.name tidemark_e1'],
  [
    'with our prefix',
    { configuration: { ...configuration, 'topic.prefix': 'tidemark_e2' } },
    'topic.prefix tidemark_e2',
  ],
  ['of another name', { configuration: { ...configuration, name: 'y' } }, 'of a connector y'],
])('a connector %s is not created', async (_, changes, message) => {
  await expect(actions['connector.create'].execute(request(changes))).rejects.toThrow(message)
  expect(change).not.toHaveBeenCalled()
})

test('what Connect says of a configuration is the answer, and nothing is created', async () => {
  errors = ['database.hostname: A value is required']

  await expect(actions['connector.create'].plan(request())).rejects.toThrow('database.hostname: A value is required')
  await expect(actions['connector.create'].execute(request())).rejects.toMatchObject({ status: 400 })
  expect(change).not.toHaveBeenCalled()
})

test('a connector that is there is not created again', async () => {
  found = present

  await expect(actions['connector.create'].execute(request())).rejects.toMatchObject({ status: 409 })
})

test.each([
  ['connector.restart', 'connector shop was restarted, with its tasks'],
  ['connector.pause', 'connector shop was paused'],
  ['connector.resume', 'connector shop was resumed'],
  ['connector.delete', 'connector shop was deleted'],
] as const)('%s says what was done, and an unknown connector is refused', async (name, result) => {
  await expect(actions[name].execute(request())).rejects.toMatchObject({ status: 404 })
  expect(change).not.toHaveBeenCalled()

  found = present
  expect(await actions[name].execute(request())).toBe(result)
  expect(change).toHaveBeenCalledWith('shop')
})

test('deleting our own connector says that capture ends, and which slot stays', async () => {
  found = { ...present, isOwn: true, configuration: { ...configuration, 'slot.name': "a'b" } }

  const will = (await actions['connector.delete'].plan(request())).join('\n')

  expect(will).toContain('Capture of all tables ends')
  expect(will).toContain("select pg_drop_replication_slot('a''b')")
})

test('where brokers give Connect its own topics only, a connector is refused before anything is asked or created', async () => {
  const ask = vi.fn()
  const secured = connectorActions({ connectors, hasOwnTopicsOnly: true, parts: { ask } })['connector.create']

  for (const step of [secured.plan, secured.execute]) {
    await expect(step(request())).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining('nothing was created'),
      hint: expect.stringContaining('a Connect of its own'),
    })
  }
  expect(ask).not.toHaveBeenCalled()
  expect(change).not.toHaveBeenCalled()
})
