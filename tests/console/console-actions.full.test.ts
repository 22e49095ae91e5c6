import { Producer } from '@platformatic/kafka'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectApi } from '#adapters/connect/connect-api.ts'
import type { ActionName } from '#core/console/actions.ts'
import { connectLogin } from '#localstack/assembly/local-account.ts'
import {
  type ConsoleClient,
  openClient,
  type RunningConsole,
  startWithConsole,
} from '#test-support/console/running-console.ts'
import { until } from '#test-support/eventually.ts'

let stack: RunningConsole
let client: ConsoleClient
beforeAll(async () => {
  stack = await startWithConsole('--no-feed', '--allow-actions')
  client = await openClient(stack.url)
  await stack.source.query('create table public.orders (id integer primary key, amount integer)')
  await stack.source.query('insert into public.orders select g, g from generate_series(1, 100) g')
  await amountOf(100, 100)
})
afterAll(() => stack?.stop())

/** Waits until a row of the target has this amount. */
const amountOf = (id: number, amount: number) =>
  until(`amount ${amount} of order ${id}`, async () => {
    const { rows } = await stack.target.query(
      `select * from (select to_regclass('public.orders') as view) v where view is not null`,
    )
    if (rows.length === 0) return false
    return (await stack.target.query('select from public.orders where id = $1 and amount = $2', [id, amount])).rowCount
  })

const act = (action: ActionName, target: string, more: { reason?: string; confirmed?: boolean } = {}) =>
  client.post('POST /actions/:action', { confirmed: true, target, ...more }, { params: { action } })

/** What an action says that it will do. Nothing is changed. */
async function planOf(action: ActionName, target: string): Promise<string> {
  const { body } = await act(action, target, { confirmed: false })
  if (body.kind !== 'plan') throw new Error(`${action} of ${target} is no plan: ${JSON.stringify(body)}`)
  return body.will.join(' ')
}

const isCaptured = () =>
  until('the table is captured', async () => {
    const { body: tables } = await client.get('GET /tables')
    return tables.items?.find(({ name }) => name === 'public.orders')?.state === 'captured'
  })

const newest = async () => (await client.get('GET /actions')).body.items[0]

async function send(...values: string[]): Promise<void> {
  const producer = new Producer({ clientId: 'test', bootstrapBrokers: [stack.endpoints.kafka] })
  await producer.send({
    messages: values.map((value) => ({ topic: 'user-events', partition: 0, value: Buffer.from(value) })),
    acks: -1,
  })
  await producer.close()
}

const quarantined = () =>
  until('a record in quarantine', async () => (await client.get('GET /quarantine')).body.items?.[0])

test('a table is read again, and the action is kept with the name of its user', async () => {
  await isCaptured()
  expect(await planOf('table.resync', 'public.orders')).toContain('read again')
  const before = await newest()

  const { body } = await act('table.resync', 'public.orders', { reason: 'a test' })

  expect(before).toBeUndefined()
  expect(body).toMatchObject({ kind: 'done' })
  expect(await newest()).toMatchObject({
    ...{ action: 'table.resync', target: 'public.orders', outcome: 'done', reason: 'a test' },
    who: expect.stringMatching(/.+/),
  })
  await isCaptured()
})

test('an action that cannot be done is refused with the reason', async () => {
  const { body } = await act('table.accept', 'public.orders')

  expect(body).toMatchObject({ kind: 'refused', why: expect.stringContaining('public.orders') })
})

test('a record in quarantine is discarded for a reason only, and is gone', async () => {
  await send('this is no event')
  const { place } = await quarantined()
  const detail = (await client.get('GET /quarantine/:place', { params: { place } })).body

  expect(detail.value).toMatchObject({ kind: 'text', text: 'this is no event' })
  expect(detail.choices.map(({ action }) => action)).toContain('quarantine.discard')
  expect((await act('quarantine.discard', place)).status).toBe(400)
  expect((await act('quarantine.discard', place, { reason: 'it is no event' })).body).toMatchObject({ kind: 'done' })
  expect((await client.get('GET /quarantine')).body.items).toEqual([])
  expect(await newest()).toMatchObject({ action: 'quarantine.discard', reason: 'it is no event', outcome: 'done' })
})

test('a record is retried, and is in quarantine again if it still cannot be applied', async () => {
  await send('this is no event either')
  const { place } = await quarantined()

  expect((await act('quarantine.retry', place)).body).toMatchObject({ kind: 'done' })

  await until('the record is in quarantine again', async () => {
    const { items } = (await client.get('GET /quarantine')).body
    return items?.length === 1 && !items[0]!.isRetried
  })
  await act('quarantine.discard', place, { reason: 'a test' })
})

test('a table that a constraint of the target stops goes on once it is accepted', async () => {
  const relation = (await stack.source.query(`select 'public.orders'::regclass::oid::text as oid`)).rows[0].oid
  const { rows } = await stack.target.query(
    `select format('tidemark_rows.%I', relname) as rows from pg_class
     where relnamespace = 'tidemark_rows'::regnamespace and relkind = 'r' and relname like 't' || $1 || '\\_%'
     order by oid desc limit 1`,
    [relation],
  )
  const { rows: columns } = await stack.target.query(
    `select quote_ident(attname) as name from pg_attribute
     where attrelid = $1::regclass and atttypid = 'int4'::regtype and attnum > 0 order by attnum`,
    [rows[0].rows],
  )
  const constraint = `add constraint small check (${columns.at(-1)!.name} < 1000) not valid`
  await stack.target.query(`alter table ${rows[0].rows} ${constraint}`)
  await stack.source.query('update public.orders set amount = 5000 where id = 7')
  const problem = await until('the problem', async () => {
    const { problems } = (await client.get('GET /snapshot')).body
    return problems.find(({ action }) => action?.name === 'table.accept')
  })

  expect(problem).toMatchObject({ what: 'public.orders', action: { target: 'public.orders' } })
  await stack.target.query(`alter table ${rows[0].rows} drop constraint small`)
  expect(await planOf('table.accept', 'public.orders')).toContain('order')
  expect((await act('table.accept', 'public.orders')).body).toMatchObject({ kind: 'done' })
  await amountOf(7, 5_000)
})

test('connectors are created, paused, resumed, restarted and deleted', async () => {
  const source = new URL(stack.endpoints.source)
  const configuration = {
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'database.hostname': source.hostname,
    'database.port': source.port,
    'database.user': decodeURIComponent(source.username),
    'database.password': decodeURIComponent(source.password),
    'database.dbname': source.pathname.slice(1),
    'topic.prefix': 'other',
    'plugin.name': 'pgoutput',
    'slot.name': 'other',
    'publication.name': 'other',
    'publication.autocreate.mode': 'filtered',
    'table.include.list': 'public.orders',
    'snapshot.mode': 'no_data',
    'slot.drop.on.stop': 'true',
  }
  const create = (confirmed: boolean) =>
    client.post(
      'POST /actions/:action',
      { target: 'other', confirmed, configuration },
      {
        params: { action: 'connector.create' },
      },
    )
  const stateIs = (state: string) =>
    until(`the connector is ${state}`, async () => {
      const { connectors } = (await client.get('GET /connectors')).body
      return connectors?.find(({ name }) => name === 'other')?.state === state
    })

  expect((await create(false)).body).toMatchObject({ kind: 'plan' })
  expect((await create(true)).body).toMatchObject({ kind: 'done' })
  await stateIs('RUNNING')
  const shown = (await client.get('GET /connectors/:name', { params: { name: 'other' } })).body
  expect(shown.configuration['database.password']).toBe('••••••')
  expect(JSON.stringify(shown)).not.toContain(decodeURIComponent(source.password))
  for (const [action, state] of [
    ['connector.pause', 'PAUSED'],
    ['connector.resume', 'RUNNING'],
    ['connector.restart', 'RUNNING'],
  ] as const) {
    expect((await act(action, 'other')).body).toMatchObject({ kind: 'done' })
    await stateIs(state)
  }
  expect(await planOf('connector.delete', 'other')).toContain('replication slot other')
  expect((await act('connector.delete', 'other')).body).toMatchObject({ kind: 'done' })
  await until('it is gone', async () => {
    const { connectors } = (await client.get('GET /connectors')).body
    return connectors?.every(({ name }) => name !== 'other')
  })
  const recorded = (await client.get('GET /actions')).body
  expect(JSON.stringify(recorded)).not.toContain(decodeURIComponent(source.password))
})

test('source and target are compared, and a row that was changed by hand is shown side by side', async () => {
  const ended = () =>
    until('the end of the comparison', async () => {
      const { equality } = (await client.get('GET /equality')).body
      return equality !== null && (equality.state === 'done' || equality.state === 'failed') ? equality : undefined
    })
  await client.post('POST /equality', { tables: null })
  const equal = await ended()
  expect(equal).toMatchObject({ state: 'done', tables: [{ table: 'public.orders', state: 'equal', rows: 100 }] })

  await stack.target.query(`update public.orders set amount = -1 where id = 3`)
  await client.post('POST /equality', { tables: ['public.orders'] })

  const different = await ended()
  expect(different.tables[0]).toMatchObject({
    state: 'different',
    differences: [{ key: expect.stringContaining('3') }],
  })
})

test('capture whose slot is gone is recovered, and changes come again', async () => {
  const connect = connectApi(stack.endpoints.connect, async () => connectLogin(stack.endpoints.key))
  await connect.stop('tidemark')
  await until('nothing reads the slot, and it is dropped', async () => {
    const { rows } = await stack.source.query(
      `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name ~ '^tidemark' and not active`,
    )
    return rows.length > 0
  })
  await connect.resume('tidemark')
  await until('capture is down', async () => {
    const { status } = (await client.get('GET /snapshot')).body
    return status?.capture.state === 'down'
  })

  expect(await planOf('capture.recover', 'all')).toContain('slot')
  expect((await act('capture.recover', 'all')).body).toMatchObject({ kind: 'done' })
  await stack.source.query('update public.orders set amount = 77 where id = 9')

  await amountOf(9, 77)
  await until('capture is running', async () => {
    const { status } = (await client.get('GET /snapshot')).body
    return status?.capture.state === 'running'
  })
})
