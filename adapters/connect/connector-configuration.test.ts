import { expect, test } from 'vitest'
import { UNAVAILABLE_PLACEHOLDER } from '#core/column-codec.ts'
import type { Captured } from './captured-tables.ts'
import { type ConnectorSettings, connectorConfiguration } from './connector-configuration.ts'

const everything: Captured = { schemas: ['public'], includeTables: [], excludeTables: [], excludeColumns: [] }

function configure(changed: Partial<ConnectorSettings> = {}): Record<string, string> {
  return connectorConfiguration({
    epoch: 3,
    database: { host: 'db', port: 5432, name: 'shop', tls: 'verify-full' },
    topic: 'changes',
    topicPartitions: 12,
    captured: everything,
    published: ['public.orders'],
    ...changed,
  })
}

/** Whether a list, read in the way in which Debezium reads it, names the table or column. */
function names(list: string | undefined, name: string): boolean {
  const patterns = (list ?? '').split(/(?<!\\),/)
  return patterns.some((pattern) => new RegExp(`^(?:${pattern})$`).test(name))
}

const capturing = (captured: Partial<Captured>) =>
  configure({ captured: { ...everything, ...captured } })['table.include.list']

test('contracts and beacons are read before every table', () => {
  const configuration = configure({ published: ['public.orders', 'tidemark.beacon', 'tidemark.table_contract'] })

  expect(configuration['table.include.list']).toMatch(/^tidemark\\.table_contract,tidemark\\.beacon,/)
  expect(configuration['snapshot.include.collection.list']).toBe(
    'tidemark\\.table_contract,tidemark\\.beacon,public\\.orders',
  )
})

test('a table created later in a captured schema is captured without another configuration', () => {
  const list = capturing({ schemas: ['public', 'sales-eu'] })

  expect(names(list, 'public.made_tomorrow')).toBe(true)
  expect(names(list, 'sales-eu.Order-Line')).toBe(true)
  expect(names(list, 'private.orders')).toBe(false)
  expect(names(list, 'publicXorders')).toBe(false)
})

test('an excluded table is not captured, one whose name begins like it is', () => {
  const list = capturing({ excludeTables: ['public.users', 'public.logins'] })

  expect(names(list, 'public.users')).toBe(false)
  expect(names(list, 'public.logins')).toBe(false)
  expect(names(list, 'public.users_public')).toBe(true)
})

test('named tables are captured and no others', () => {
  const list = capturing({ includeTables: ['public.orders', 'public.items'], excludeTables: ['public.items'] })

  expect(names(list, 'public.orders')).toBe(true)
  expect(names(list, 'public.items')).toBe(false)
  expect(names(list, 'public.customers')).toBe(false)
})

test('a name is matched as it is, whatever its characters mean in a pattern', () => {
  const list = configure({ published: ['public.a+b,c'] })['snapshot.include.collection.list']

  expect(names(list, 'public.a+b,c')).toBe(true)
  expect(names(list, 'public.aab,c')).toBe(false)
})

test('excluded columns never leave the source', () => {
  const captured = { ...everything, excludeColumns: ['public.users.email'] }

  const list = configure({ captured })['column.exclude.list']

  expect(names(list, 'public.users.email')).toBe(true)
  expect(names(list, 'public.users.name')).toBe(false)
})

test('with nothing to exclude there is still a list, which excludes nothing of the source', () => {
  const list = configure()['column.exclude.list']

  expect(list).not.toBe('')
  expect(names(list, 'public.orders.id')).toBe(false)
})

test('an epoch has a slot and stored offsets of its own', () => {
  const [third, fourth] = [configure({ epoch: 3 }), configure({ epoch: 4 })]

  expect(third).toMatchObject({ 'slot.name': 'tidemark_e3', 'topic.prefix': 'tidemark_e3' })
  expect(fourth).toMatchObject({ 'slot.name': 'tidemark_e4', 'topic.prefix': 'tidemark_e4' })
})

test('only contracts and beacons are routed by slot, to as many topic partitions as there are', () => {
  const configuration = configure({ epoch: 1, topicPartitions: 36 })
  const control = new RegExp(`^(?:${configuration['predicates.control.pattern']})$`)

  expect(configuration['transforms.slot.partition.topic.num']).toBe('36')
  expect(control.test('tidemark_e1.tidemark.table_contract')).toBe(true)
  expect(control.test('tidemark_e1.tidemark.beacon')).toBe(true)
  expect(control.test('tidemark_e1.tidemark.signal')).toBe(false)
  expect(control.test('tidemark_e1.public.beacon')).toBe(false)
})

test('every record goes to the one topic, except heartbeats', () => {
  const configuration = configure({ epoch: 1 })
  const dropped = new RegExp(`^(?:${configuration['predicates.heartbeat.pattern']})$`)

  expect(configuration).toMatchObject({
    'transforms.route.topic.regex': '.*',
    'transforms.route.topic.replacement': 'changes',
  })
  expect(dropped.test('__debezium-heartbeat.tidemark_e1')).toBe(true)
  expect(dropped.test('tidemark_e1.public.orders')).toBe(false)
  expect(dropped.test('tidemark_e1.message')).toBe(false)
})

test('notifications lose their key before the record of every other kind is wrapped, so they travel with records without one', () => {
  const configuration = configure()
  const noKey = new RegExp(`^(?:${configuration['predicates.notification.pattern']})$`)

  expect(configuration['notification.enabled.channels']).toBe('sink')
  expect(noKey.test(configuration['notification.sink.topic.name']!)).toBe(true)
  expect(noKey.test('tidemark_e3.tidemark.beacon')).toBe(false)
  expect(configuration['transforms']).toBe('drop,partition,unkey,slot,route,hoist')
  expect(configuration['transforms.partition.partition.field']).toBe(configuration['transforms.unkey.field'])
  expect(configuration['transforms.hoist.field']).toBe('key')
  expect(configuration).not.toHaveProperty('transforms.hoist.predicate')
})

test('a snapshot says in its beacons which transactions it sees', () => {
  const override = configure()['snapshot.select.statement.overrides.tidemark.beacon']

  expect(configure()['snapshot.select.statement.overrides']).toBe('tidemark.beacon')
  expect(override).toContain("jsonb_build_object('snapshot', pg_current_snapshot()::text)")
  expect(configure()['database.initial.statements']).toMatch(/isolation level repeatable read$/)
})

test('credentials are named, not held', () => {
  const configuration = configure()

  expect(configuration['database.user']).toMatch(/^\$\{env:SOURCE_USERNAME\}$/)
  expect(configuration['database.password']).toMatch(/^\$\{env:SOURCE_PASSWORD\}$/)
})

test('nothing is lost without a word: each default of Debezium that drops or guesses is set', () => {
  expect(configure()).toMatchObject({
    'skipped.operations': 'none',
    'event.converting.failure.handling.mode': 'fail',
    'event.processing.failure.handling.mode': 'fail',
    'include.unknown.datatypes': 'true',
    'time.precision.mode': 'microseconds',
    'interval.handling.mode': 'string',
    'binary.handling.mode': 'bytes',
    'offset.mismatch.strategy': 'trust_offset',
    'publication.autocreate.mode': 'disabled',
    'producer.override.enable.idempotence': 'true',
    'producer.override.acks': 'all',
  })
})

test('an unchanged TOASTed value is marked by a word that does not occur as a value', () => {
  expect(configure()['unavailable.value.placeholder']).toBe(UNAVAILABLE_PLACEHOLDER)
  expect(UNAVAILABLE_PLACEHOLDER).not.toBe('__debezium_unavailable_value')
})

test("on AWS the source's certificate is verified, on loopback there is none", () => {
  const database = { host: '127.0.0.1', port: 5432, name: 'shop', tls: 'disable' } as const

  expect(configure()).toMatchObject({
    'database.sslmode': 'verify-full',
    'database.sslrootcert': '/kafka/rds-ca.pem',
  })
  expect(configure({ database })).toMatchObject({ 'database.sslmode': 'disable' })
  expect(configure({ database })).not.toHaveProperty('database.sslrootcert')
})

test('every connection of Debezium writes values in one way and has no timeout, whatever is set in the database', () => {
  const options = configure()['driver.options']

  for (const setting of ['IntervalStyle=postgres', 'lc_monetary=C', 'default_transaction_read_only=off']) {
    expect(options).toContain(`-c ${setting}`)
  }
  expect(options).toContain('-c statement_timeout=0')
})
