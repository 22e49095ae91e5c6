import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type FencedProducer, makeFencedProducer } from '#adapters/kafka/fenced-producer.ts'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { makeWindows } from '#adapters/postgres/windows/windows.ts'
import { ChangeLog, columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, databaseUrl, type TestDatabase } from '#test-support/databases/database.ts'
import { until } from '#test-support/eventually.ts'
import { type Choice, makeChoice } from '#test-support/histories/choice.ts'
import { startTestBroker, type TestBroker } from '#test-support/kafka/kafka-broker.ts'
import { lastValues } from '#test-support/kafka/last-values.ts'
import { putWindow } from '#test-support/windows/definitions.ts'
import { makePublishWindows } from './publish-windows.ts'

let broker: TestBroker
let database: TestDatabase
let topic: string
let topics = 0
const opened: (() => Promise<void>)[] = []

beforeAll(async () => {
  broker = await startTestBroker()
})

afterAll(() => broker?.stop())

beforeEach(async () => {
  database = await createDatabase('target')
  topic = `windows-${++topics}`
})

afterEach(async () => {
  for (const close of opened.splice(0)) await close()
  await database.drop()
})

/** What a test does around the steps of a publisher. */
type Around = {
  beforeSend?: (() => Promise<void>) | undefined
  afterSend?: (() => Promise<void>) | undefined
}

type Publisher = { publish(deadlineMs?: number): ReturnType<ReturnType<typeof makePublishWindows>>; pool: pg.Pool }

/** A function instance of its own: sessions and producers that no other one uses. */
function publisher({ beforeSend, afterSend }: Around = {}): Publisher {
  const pool = new pg.Pool({ connectionString: databaseUrl(database.name), max: 4, pipeline: true })
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  const producers = new Map<string, FencedProducer>()
  const producerOf = (name: string) => {
    const known = producers.get(name) ?? around(makeProducer(name), { beforeSend, afterSend })
    producers.set(name, known)
    return known
  }
  opened.push(async () => {
    for (const producer of producers.values()) await producer.close()
    await pool.end()
  })
  const publish = makePublishWindows({ pool, producerOf, now: Date.now })
  return { pool, publish: (deadlineMs = 30_000) => publish(Date.now() + deadlineMs) }
}

const makeProducer = (name: string) =>
  makeFencedProducer({
    brokers: async () => ({
      ...{ brokers: [broker.bootstrapServers], authentication: 'none' as const, region: 'us-east-1' },
      ...{ clientId: 'test', waitMs: 20_000 },
    }),
    topic: name,
    transactionalId: `tidemark-windows-${name}`,
  })

const around = (producer: FencedProducer, { beforeSend, afterSend }: Around): FencedProducer => ({
  ...producer,
  async publish(records) {
    await beforeSend?.()
    const outcome = await producer.publish(records)
    await afterSend?.()
    return outcome
  },
})

/** Writes values into the outbox, as maintain-windows does for the groups that changed. */
async function write(values: Readonly<Record<string, string | null>>, to = topic): Promise<void> {
  await database.pool.query(
    `insert into tidemark.window_outbox (definition, topic, record_key, record_value)
     select 'trips', $1, v.key, v.value
     from unnest($2::text[], $3::text[]) as v (key, value)`,
    [to, Object.keys(values), Object.values(values)],
  )
}

const waiting = async () =>
  (await database.pool.query('select count(*)::int as rows from tidemark.window_outbox')).rows[0].rows

/** Ends the session that holds a topic, as a failover or a lost connection does. */
const loseSession = async () => {
  await database.pool.query(
    `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid = 730511006 and database = (
       select oid from pg_database where datname = current_database()
     )`,
  )
}

function gate() {
  let open: () => void = () => undefined
  let arrived: () => void = () => undefined
  const opens = new Promise<void>((resolve) => {
    open = resolve
  })
  const arrives = new Promise<void>((resolve) => {
    arrived = resolve
  })
  let isFirst = true
  const pass = async () => {
    if (!isFirst) return
    isFirst = false
    arrived()
    await opens
  }
  return { pass, open: () => open(), arrives }
}

test('what waits is published in order, the last value of each key, and then it no longer waits', async () => {
  await write({ a: '1', b: '1', c: '1' })
  await write({ a: '2', b: null })

  expect(await publisher().publish()).toEqual({ published: 5, refused: 0, problems: [] })

  expect(await lastValues(broker.bootstrapServers, topic)).toEqual({ a: '2', c: '1' })
  expect(await waiting()).toBe(0)
})

test('a publisher that is killed between sending and deleting is repeated, and newer values stay', async () => {
  await write({ a: '1', b: '1' })
  const killed = publisher({
    afterSend: async () => {
      await loseSession()
      throw new Error('killed')
    },
  })

  await killed.publish()
  expect(await lastValues(broker.bootstrapServers, topic)).toEqual({ a: '1', b: '1' })
  expect(await waiting()).toBe(2)
  await write({ a: '2', b: null })
  await database.pool.query('update tidemark.window_topic set retry_at = null')
  await publisher().publish()

  expect(await lastValues(broker.bootstrapServers, topic)).toEqual({ a: '2' })
})

test('two publishers at once: one publishes, the other leaves, and nothing that was committed meanwhile is left', async () => {
  await write({ a: '1' })
  const { pass, open, arrives } = gate()
  const first = publisher({ afterSend: pass }).publish()
  await arrives
  await write({ a: '2', b: '2' })

  expect(await publisher().publish()).toEqual({ published: 0, refused: 0, problems: [] })
  open()
  await first

  expect(await lastValues(broker.bootstrapServers, topic)).toEqual({ a: '2', b: '2' })
  expect(await waiting()).toBe(0)
})

test('rows that are committed while a publisher finds its outbox empty and ends are published by it', async () => {
  await write({ a: '1' })
  const one = publisher()
  const { query } = pg.Client.prototype
  // The rows come after the last read, and before the topic is released.
  let reads = 0
  one.pool.on('connect', (client) => {
    client.query = async function (this: pg.Client, ...given: [string, unknown[]]) {
      const text = String(given[0])
      if (text.includes('release_window_topic') && reads++ === 0) {
        await write({ a: '2' })
        expect((await publisher().publish()).published).toBe(0)
      }
      return query.apply(this, given as never)
    } as never
  })

  await one.publish()

  expect(await lastValues(broker.bootstrapServers, topic)).toEqual({ a: '2' })
})

test('a publisher that loses its session before it sends cannot send behind a newer one', async () => {
  await write({ a: '1', b: '1' })
  await publisher().publish()
  await write({ a: '2' })
  const { pass, open, arrives } = gate()
  const asleep = publisher({ beforeSend: pass }).publish()
  await arrives
  await loseSession()
  await write({ a: '3' })
  await publisher().publish()

  open()
  await asleep

  expect(await lastValues(broker.bootstrapServers, topic, 'uncommitted')).toEqual({ a: '3', b: '1' })
  expect(await waiting()).toBe(0)
})

test('a publisher that is refused does not make itself the newest and send what it had read', async () => {
  await write({ a: '1' })
  const { pass, open, arrives } = gate()
  const old = publisher({ beforeSend: pass })
  const asleep = old.publish()
  await arrives
  await loseSession()
  const newer = publisher()
  await newer.publish()
  await write({ a: '2' })
  await newer.publish()

  open()
  await asleep
  // What the old one reads from now on is of its own session, in which nothing old is left.
  await old.publish()

  expect(await lastValues(broker.bootstrapServers, topic, 'uncommitted')).toEqual({ a: '2' })
})

test('a producer that stayed connected while another instance published is refused, and publishes after it has begun again', async () => {
  const [one, other] = [publisher(), publisher()]
  for (let round = 0; round < 4; round++) {
    await write({ a: `${round}`, [`of ${round}`]: 'x' })
    expect((await (round % 2 === 0 ? one : other).publish()).problems).toEqual([])
  }

  expect(await lastValues(broker.bootstrapServers, topic)).toMatchObject({ a: '3', 'of 0': 'x', 'of 3': 'x' })
})

test('a value that the topic does not take is kept with the reason, everything else goes on, and a later value replaces it', async () => {
  await broker.createTopic(topic, 2, { 'cleanup.policy': 'compact', 'max.message.bytes': '20000' })
  const values = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`k${n}`, `${n}`]))
  await write({ ...values, k7: 'y'.repeat(50_000), k8: 'z'.repeat(60_000) })
  await write({ k8: 'y'.repeat(70_000), k9: 'after' })
  const one = publisher()

  expect((await one.publish()).problems).toEqual([])

  const { k7: _, k8: __, ...others } = values
  expect(await lastValues(broker.bootstrapServers, topic)).toEqual({ ...others, k9: 'after' })
  const { rows } = await database.pool.query('select record_key, refused from tidemark.window_outbox order by seq')
  expect(rows).toEqual([
    {
      record_key: 'k7',
      refused: expect.stringContaining('the value has 50000 bytes, which is more than max.message.bytes'),
    },
    { record_key: 'k8', refused: expect.stringContaining('the value has 70000 bytes') },
  ])
  await write({ k7: 'small' })
  await one.publish()
  expect((await lastValues(broker.bootstrapServers, topic))['k7']).toBe('small')
  expect(await waiting()).toBe(1)
})

test('a refused value is tried again once the topic takes it, and never over a newer one', async () => {
  await broker.createTopic(topic, 1, { 'cleanup.policy': 'compact', 'max.message.bytes': '20000' })
  await write({ a: 'y'.repeat(50_000), b: 'y'.repeat(50_000) })
  const one = publisher()
  await one.publish()
  await write({ a: 'newer' })
  const admin = await adminOf()
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: 2, name: topic, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] }],
  })
  await admin.disconnect()
  await database.pool.query(
    `update tidemark.window_outbox set refused_at = now() - interval '1 hour' where refused_at is not null`,
  )

  await one.publish()

  expect(await lastValues(broker.bootstrapServers, topic)).toEqual({ a: 'newer', b: 'y'.repeat(50_000) })
  expect(await waiting()).toBe(0)
})

test('a topic that cannot be published to is noted with the reason, and keeps no other topic', async () => {
  await broker.createTopic(topic, 1, { 'cleanup.policy': 'delete' })
  const other = `${topic}-other`
  await write({ a: '1' })
  await write({ a: '1' }, other)
  const one = publisher()

  const { problems } = await one.publish()

  expect(problems).toMatchObject([{ topic, reason: { message: expect.stringContaining('cleanup.policy=delete') } }])
  expect(await lastValues(broker.bootstrapServers, other)).toEqual({ a: '1' })
  const noted = async () =>
    (await database.pool.query('select problem from tidemark.window_topic where topic = $1', [topic])).rows[0]
  expect(await noted()).toEqual({ problem: expect.stringContaining('set it to compact') })
  expect((await one.publish()).problems).toEqual([])

  const admin = await adminOf()
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: 2, name: topic, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] }],
  })
  await admin.disconnect()
  await database.pool.query('update tidemark.window_topic set retry_at = now()')
  await one.publish()

  expect(await lastValues(broker.bootstrapServers, topic)).toEqual({ a: '1' })
  expect(await noted()).toEqual({ problem: null })
})

test('whatever is killed, lost or asleep, the last value of each key is that of the table', async () => {
  const seed = Number(process.env['TIDEMARK_SEED'] ?? Date.now() % 1_000_000)
  const choice = makeChoice(seed)
  await broker.createTopic(topic, 3, { 'cleanup.policy': 'compact' })
  await database.pool.query('create table public.result (key text primary key, value text)')
  const publishers = Array.from({ length: 4 }, () => {
    const disturb = async () => {
      if (choice.chance(20)) await loseSession()
      if (choice.chance(30)) await pause(choice.below(300))
      if (choice.chance(8)) throw new Error('killed')
    }
    return publisher({ beforeSend: disturb, afterSend: disturb })
  })
  let areWriting = true
  const publishing = publishers.map(async (each) => {
    while (areWriting) {
      await each.publish(200).catch(() => undefined)
      await database.pool.query('update tidemark.window_topic set retry_at = null')
      await pause(choice.below(20))
    }
  })

  await Promise.all(Array.from({ length: 3 }, () => writeAtRandom(choice, 60)))
  areWriting = false
  await Promise.all(publishing)
  await database.pool.query('update tidemark.window_topic set retry_at = null')
  expect((await publisher().publish()).problems).toEqual([])

  const { rows } = await database.pool.query(
    'select key, value from public.result where value is not null order by key collate "C"',
  )
  const table = Object.fromEntries(rows.map(({ key, value }) => [key, value]))
  const message = `seed ${seed}`
  expect(await lastValues(broker.bootstrapServers, topic, 'committed'), message).toEqual(table)
  expect(await lastValues(broker.bootstrapServers, topic, 'uncommitted'), message).toEqual(table)
  expect(await waiting(), message).toBe(0)
})

/** Transactions that change groups and write the outbox, under the lock of each group as maintain-windows does. */
async function writeAtRandom({ below, chance }: Choice, transactions: number) {
  const client = await database.pool.connect()
  for (let done = 0; done < transactions; done++) {
    const keys = [...new Set(Array.from({ length: 1 + below(4) }, () => `k${below(60)}`))].sort()
    await client.query('begin')
    for (const key of keys) {
      const value = chance(25) ? null : `${below(1_000_000)}`
      await client.query('insert into public.result values ($1, $2) on conflict (key) do update set value = $2', [
        key,
        value,
      ])
      await client.query(
        `insert into tidemark.window_outbox (definition, topic, record_key, record_value) values ('trips', $1, $2, $3)`,
        [topic, key, value],
      )
      if (chance(30)) await pause(below(5))
    }
    await client.query(chance(10) ? 'rollback' : 'commit')
  }
  client.release()
}

test('the topic has what the view shows, also after groups fall below their threshold, a deleted topic and a dropped definition', async () => {
  const log = new ChangeLog().contract(rides)
  await feed(log, 0)
  const sql = 'select zone, count(*) as trips, sum(fare) as earnings from rides group by zone having count(*) >= 2'
  await putWindow(database, 'by_zone', `${header}-- publish: ${topic}\n${sql};`)
  await feed(log, 0)
  const one = publisher()
  const ride = (id: number, zone: number | null, minute: number) =>
    [
      { id, at: Date.UTC(2024, 0, 1, 10, minute) * 1000, zone, fare: '2.50' },
      { table: 'rides', committedAtMs: Date.UTC(2024, 0, 1, 12), lsn: 10 + id },
    ] as const
  for (const [id, zone] of [
    [1, 7],
    [2, 7],
    [3, 8],
    [4, null],
    [5, null],
  ] as const)
    log.create(...ride(id, zone, id))
  await feed(log, 1)
  await one.publish()
  expect(await lastValues(broker.bootstrapServers, topic)).toEqual(await shown())
  expect(Object.keys(await shown())).toHaveLength(2)

  log.delete({ id: 1 }, { table: 'rides', committedAtMs: Date.UTC(2024, 0, 1, 12), lsn: 20 })
  await feed(log, 6)
  await one.publish()
  expect(Object.keys(await shown())).toHaveLength(1)
  expect(await lastValues(broker.bootstrapServers, topic)).toEqual(await shown())

  const admin = await adminOf()
  await admin.deleteTopics({ topics: [topic] })
  await until('the topic to be gone', async () => !(await admin.listTopics()).includes(topic))
  await admin.disconnect()
  log.create(...ride(6, 8, 40))
  await feed(log, 7)
  await publisher().publish()
  expect(Object.keys(await shown())).toHaveLength(2)
  expect(await lastValues(broker.bootstrapServers, topic)).toEqual(await shown())

  await database.pool.query(`select tidemark.remove_window('by_zone')`)
  await publisher().publish()
  expect(await lastValues(broker.bootstrapServers, topic)).toEqual({})
})

const header = `-- source: public.rides
-- event time: at
-- window: tumbling 1 hour
-- watermark: 1 hour
`

const rides = ordersContract({
  table: 'rides',
  columns: [
    columnContract(1, 'id', 'bigint', { key: 1, nullable: false }),
    columnContract(2, 'at', 'timestamp without time zone'),
    columnContract(3, 'zone', 'integer'),
    columnContract(4, 'fare', 'numeric(12,2)'),
  ],
})

/** Applies records to the latest state and to windows. */
async function feed(log: ChangeLog, from: number): Promise<void> {
  const place = { topic: 'changes', topicPartition: 0 }
  const records = log.records.slice(from)
  await makeLatestState(database.pool).apply({ consumer: 'tidemark-latest-state', ...place }, records)
  const windows = makeWindows(database.pool)
  await windows.apply(place, records)
  await windows.maintain(5_000)
}

/** The view as the topic has it: by key, as JSON. */
async function shown(): Promise<Record<string, string>> {
  const { rows } = await database.pool.query(
    `select g.record_key, g.record_value from tidemark_windows.by_zone w
     cross join lateral (
       select
         jsonb_build_object('window_start', w.window_start, 'zone', w.zone)::text as record_key,
         jsonb_build_object('window_start', w.window_start, 'window_end', w.window_end, 'zone', w.zone, 'trips', w.trips, 'earnings', w.earnings, 'late_rows', w.late_rows)::text as record_value
     ) g`,
  )
  return Object.fromEntries(rows.map((row) => [row.record_key, row.record_value]))
}

async function adminOf() {
  const { Kafka, logLevel } = await import('kafkajs')
  const admin = new Kafka({ brokers: [broker.bootstrapServers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  return admin
}
