import { setTimeout as pause } from 'node:timers/promises'
import type { MSKRecord } from 'aws-lambda'
import type pg from 'pg'
import { archiveTableName, openArchiveTable } from '#adapters/iceberg/archive/archive-catalog.ts'
import type { RestCatalog } from '#adapters/iceberg/catalog/rest-catalog.ts'
import type { ObjectStore } from '#adapters/object-store/object-store.ts'
import { type ArchiveLedger, asCommitter } from '#adapters/postgres/archive/archive-ledger.ts'
import { makeArchiveProgress } from '#adapters/postgres/archive/archive-progress.ts'
import { makeTableLedger } from '#adapters/postgres/archive/archive-table-ledger.ts'
import { readWaiting } from '#adapters/postgres/archive/archive-waiting.ts'
import { makeCommitArchive } from '#lambdas/commit-archive/commit-archive.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'
import { makeDelivery } from './archive-run.ts'
import { type ReadRow, readArchivedRows } from './archived-rows.ts'
import { type MemoryCatalog, makeMemoryCatalog } from './memory-catalog.ts'
import { makeMemoryStore } from './memory-store.ts'

/** The result of a fault run. */
export type ArchiveFaultRun = {
  /** `topic-partition@offset` of every record that was delivered, and of every row of the table, sorted. */
  readonly delivered: string[]
  readonly archived: string[]
  /** The number of faults, and of commits. */
  readonly faults: number
  readonly commits: number
}

type Random = () => number
type Ledger = Parameters<Parameters<typeof asCommitter>[1]>[0]

const place = { catalog: 's3tables', warehouse: 'memory', namespace: 'tidemark_test', location: '' } as const
const table = archiveTableName(place)
const DAY_MS = 86_400_000
const START_MS = Date.UTC(2026, 10, 27, 23, 59)

/**
 * Archives random records with two writers and two committers at once. All of them crash before and after each of their
 * steps, lose answers, meet conflicts and other committers, and have their sessions ended. The seed decides what
 * happens, but not when.
 */
export async function runArchiveUnderFaults(seed: number, database: pg.Pool): Promise<ArchiveFaultRun> {
  const random = randomOf(seed)
  const victims = lastingPool({ ...database.options, max: 8, application_name: `victim ${seed}` })
  const faults = makeFaults(random, database, `victim ${seed}`)
  const store = makeMemoryStore()
  const catalog = makeMemoryCatalog()
  const world = { random, faults, store, catalog, victims, database }
  const topics = [
    { topic: 'changes', topicPartition: 0 },
    { topic: 'changes', topicPartition: 1 },
    { topic: 'user-events', topicPartition: 0 },
  ].map((key) => ({ ...key, records: recordsOf(random, key) }))

  let writing = true
  const committers = [0, 1].map(() => commitUntil(world, () => !writing))
  await Promise.all(topics.map(({ records }) => deliver(world, records)))
  writing = false
  await Promise.all(committers)
  faults.end()
  await eventuallyCommit(world)
  await victims.end()

  const rows = await readArchivedRows(store, catalog.table()!)
  return {
    delivered: topics.flatMap(({ records }) => records.map(placeOf)).sort(),
    archived: rows.map(rowPlaceOf).sort(),
    faults: faults.count(),
    commits: Number(catalog.table()!.properties['tidemark.commit-number']),
  }
}

type World = {
  random: Random
  faults: Faults
  store: ObjectStore
  catalog: MemoryCatalog
  victims: pg.Pool
  database: pg.Pool
}

/**
 * Delivers records in batches, each until it succeeds. Sometimes an earlier batch is delivered again, or a batch twice
 * at once.
 */
async function deliver(world: World, records: MSKRecord[]): Promise<void> {
  const { random } = world
  const archive = writer(world)
  for (let from = 0; from < records.length; ) {
    const to = from + 1 + Math.floor(random() * 12)
    const batch = records.slice(from, to)
    const early = records.slice(Math.max(0, from - Math.floor(random() * 20)), to)
    const twice = random() < 0.2 ? [archive(random() < 0.5 ? early : batch)] : []
    const [delivered] = await Promise.allSettled([archive(random() < 0.2 ? early : batch), ...twice])
    if (delivered!.status === 'fulfilled') from = to
  }
}

function writer({ faults, store, catalog, victims }: World) {
  const ledger = faults.around(makeTableLedger(victims))
  return makeDelivery({
    topics: new Map([
      ['changes', 'contiguous'],
      ['user-events', 'sparse'],
    ]),
    progress: faults.around(makeArchiveProgress(victims)),
    store: faults.around({ put: store.put }),
    location: async () => (await openArchiveTable(catalog, place, ledger)).metadata.location,
    requestCommit: async () => undefined,
    commit: { afterMs: 60_000, afterBytes: 1 << 30 },
    now: Date.now,
  })
}

async function commitUntil(world: World, done: () => boolean): Promise<void> {
  const { catalog, random } = world
  while (!done()) {
    // The run tests the state that a crash leaves. The next committer continues from it.
    await committer(world)({}, Date.now() + 5_000).catch((error: Error) => {
      if (!isExpected(error)) throw error
    })
    if (random() < 0.1 && catalog.table() !== undefined) catalog.interfere()
    await pause(random() * 8)
  }
}

/** Whether a fault causes this error: an invented crash, a lost session, or a turn that another committer took. */
const isExpected = (error: Error): boolean =>
  /^crash|terminat|ECONNRESET|Connection|archive_commit_prepared|archive_commit_pkey|hold \d+ records, their ranges|is gone before|not made in/i.test(
    error.message,
  )

async function eventuallyCommit(world: World): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { busy } = await committer(world)({}, Date.now() + 60_000)
      if (!busy && (await readWaiting(world.database)).files === 0) return
    } catch (error) {
      if (attempt === 20) throw error
    }
    await pause(20)
  }
}

function committer({ faults, store, catalog, victims, database }: World) {
  const { get, put, has, remove } = store
  const pool = faults.active() ? victims : database
  return makeCommitArchive({
    catalog: faults.catalog(catalog),
    table,
    store: faults.around({ get, put, has }),
    removeSpent: faults.around({ remove }).remove,
    asCommitter: (work) => asCommitter(pool, (ledger) => work(faults.around(ledger as Ledger) as ArchiveLedger<never>)),
    openTable: (ledger) => openArchiveTable(catalog, place, ledger, { isOnlyCommitter: true }),
    commit: { afterMs: 0, afterBytes: 0 },
    now: Date.now,
    pause: () => pause(1),
    print: () => undefined,
  })
}

type Faults = ReturnType<typeof makeFaults>
// biome-ignore lint/suspicious/noExplicitAny: whatever the port's methods take
type Port = Record<string, (...args: any[]) => Promise<any>>

function makeFaults(random: Random, database: pg.Pool, application: string) {
  let active = true
  let count = 0
  const strikes = (likely: number): boolean => {
    if (!active || random() >= likely) return false
    count++
    return true
  }
  /** Makes each method crash before it does anything, crash after it did it, or lose its session. */
  const around = <P extends object>(port: P): P => {
    const methods = Object.entries(port as Port).map(([name, method]) => [
      name,
      async (...args: unknown[]) => {
        if (strikes(0.01)) throw new Error(`crash before ${name}`)
        if (strikes(0.005)) await endSessions(database, application)
        const result = await method(...args)
        if (strikes(0.02)) throw new Error(`crash after ${name}`)
        return result
      },
    ])
    return Object.fromEntries(methods) as P
  }
  return {
    around,
    active: () => active,
    count: () => count,
    end: () => {
      active = false
    },
    catalog: (catalog: RestCatalog): RestCatalog => ({
      ...catalog,
      loadTable: around({ loadTable: catalog.loadTable }).loadTable,
      async commit(...commit) {
        if (strikes(0.1)) return { kind: 'conflict', message: 'an invented conflict' }
        if (strikes(0.05)) return { kind: 'unknown', cause: new Error('an invented loss of the request') }
        if (strikes(0.05)) {
          // The request arrives after its caller has stopped waiting.
          void pause(random() * 30).then(() => catalog.commit(...commit))
          return { kind: 'unknown', cause: new Error('an invented timeout') }
        }
        const outcome = await catalog.commit(...commit)
        if (strikes(0.1)) return { kind: 'unknown', cause: new Error('an invented loss of the answer') }
        if (strikes(0.03)) throw new Error('crash after commit')
        return outcome
      },
    }),
  }
}

async function endSessions(database: pg.Pool, application: string): Promise<void> {
  await database.query('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [
    application,
  ])
}

/** The mulberry32 generator, which makes the same numbers for the same seed. */
function randomOf(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function recordsOf(random: Random, { topic, topicPartition }: { topic: string; topicPartition: number }): MSKRecord[] {
  const records: MSKRecord[] = []
  let offset = 0
  for (let i = 20 + Math.floor(random() * 60); i > 0; i--) {
    const id = Math.floor(random() * 10)
    const value = topic === 'changes' ? envelopeOf(id, offset) : { id, op: 'update', event_order: offset }
    records.push({
      ...{ topic, partition: topicPartition, offset, timestampType: 'CREATE_TIME', headers: [] },
      timestamp: START_MS + Math.floor(random() * 120_000) - (random() < 0.1 ? DAY_MS : 0),
      key: Buffer.from(JSON.stringify({ id })).toString('base64'),
      value: random() < 0.05 ? (null as never) : Buffer.from(JSON.stringify(value)).toString('base64'),
    })
    // Offsets of a topic that is written in transactions have holes.
    offset += topic === 'changes' ? 1 : 1 + Math.floor(random() * 3)
  }
  return records
}

const envelopeOf = (id: number, lsn: number) => ({
  before: null,
  after: { id, name: `row ${lsn}` },
  source: { name: 'tidemark_e1', ts_us: START_MS * 1000, schema: 'public', table: 'orders', txId: lsn, lsn },
  transaction: null,
  op: 'u',
  ts_ms: START_MS,
})

const placeOf = ({ topic, partition, offset, value }: MSKRecord): string =>
  `${topic}-${partition}@${offset} ${value === null ? '' : Buffer.from(value, 'base64').toString()}`

function rowPlaceOf(row: ReadRow): string {
  const { topic, kafka_partition, kafka_offset, before, after, source, envelope_tail, value } = row
  const whole =
    envelope_tail === undefined
      ? (value ?? '')
      : `{"before":${before ?? 'null'},"after":${after ?? 'null'},"source":${source}${envelope_tail}`
  return `${topic}-${kafka_partition}@${kafka_offset} ${whole}`
}
