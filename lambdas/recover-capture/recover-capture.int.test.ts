import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { EventSourceMappings } from '#adapters/aws/event-source-mappings.ts'
import { connectApi } from '#adapters/connect/connect-api.ts'
import { slotName, topicPrefix } from '#adapters/connect/connector-configuration.ts'
import { parseLsn } from '#core/lsn.ts'
import { type FakeConnect, running, startFakeConnect, state } from '#test-support/capture/fake-connect.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'
import { makeRecoverCapture, type RecoveryAnswer } from './recover-capture.ts'

let source: SourceDatabase
let target: TestDatabase
let asApply: pg.Pool
let worker: FakeConnect
let nowMs: number
let printed: string[]
/** Committed offsets by group, ranges of topics, and what was done to mappings. */
let groups: Record<string, (number | null)[]>
let ranges: Map<string, { first: number; end: number }[]>
let mappingStates: Record<string, string>
let done: string[]
let setFailures: Error[]

beforeEach(async () => {
  ;[source, target, worker] = await Promise.all([createSource(), createDatabase('target'), startFakeConnect()])
  asApply = lastingPool({ connectionString: target.url, options: '-c role=tidemark_apply', max: 2 })
  await source.listen()
  await source.pool.query('create table public.item (id int primary key); select tidemark.emit_beacon()')
  const { rows } = await source.pool.query(`select body ->> 'lsn' as lsn from tidemark.beacon where slot = 0`)
  const { rows: clusters } = await source.pool.query(`select system_identifier::text as id from pg_control_system()`)
  await target.pool.query(
    `insert into tidemark.progress
       (consumer, topic, topic_partition, next_offset, beacon_number, beacon_lsn, beacon_at, beacon_epoch, system_identifier)
     select 'tidemark-latest-state', 'changes', n, 10, 1, $1, clock_timestamp(), $2, $3 from generate_series(0, 1) n`,
    [rows[0].lsn, source.epoch, clusters[0].id],
  )
  worker.configuration = { 'slot.name': slotName(source.epoch), 'topic.prefix': topicPrefix(source.epoch) }
  worker.stored = [{ partition: { server: topicPrefix(source.epoch) }, offset: { lsn: parseLsn(rows[0].lsn) } }]
  nowMs = Date.now()
  printed = []
  groups = { 'tidemark-latest-state': [10, 10] }
  ranges = new Map([['changes', [range(0, 10), range(0, 10)]]])
  mappingStates = { 'tidemark-latest-state': 'Enabled', 'tidemark-archive-changes': 'Enabled' }
  done = []
  setFailures = []
})

afterEach(async () => {
  await asApply.end()
  await Promise.all([source.drop(), target.drop(), worker.stop()])
})

const range = (first: number, end: number) => ({ first, end })

/** The function that has the mapping of a group. */
const consumingFunction = (group: string): string =>
  group.includes('archive') ? 'archive-changes' : group.includes('windows') ? 'maintain-windows' : 'apply-latest-state'

/** Mappings that change their state at once. The id of each is the name of its group. */
const mappings: EventSourceMappings = {
  list: async (name) =>
    Object.keys(mappingStates)
      .filter((group) => consumingFunction(group) === name && group in groups)
      .map((group) => ({ uuid: group, group, topic: 'changes' })),
  state: async (uuid) => mappingStates[uuid]!,
  enable: async (uuid, isEnabled) => {
    mappingStates[uuid] = isEnabled ? 'Enabled' : 'Disabled'
    done.push(`${uuid} ${mappingStates[uuid]}`)
  },
}

const recoverCapture = (request: Parameters<ReturnType<typeof makeRecoverCapture>>[0]) =>
  makeRecoverCapture({
    source: source.pool,
    target: asApply,
    connect: connectApi(worker.url),
    mappings,
    openOffsets: async () => ({
      ranges: async () => ranges,
      committed: async (group) => groups[group]!,
      set: async (group, topic, offsets) => {
        const failure = setFailures.shift()
        if (failure !== undefined) throw failure
        done.push(`${group} ${topic} ${JSON.stringify(offsets)}`)
        for (const { topicPartition, offset } of offsets) groups[group]![topicPartition] = offset
      },
      close: async () => undefined,
    }),
    ...{ changesTopic: 'changes', applyFunction: 'apply-latest-state', archiveFunction: 'archive-changes' },
    windowsFunction: 'maintain-windows',
    sourceAddress: async () => ({ host: '127.0.0.1', port: 5432, dbname: source.name }),
    databaseTls: 'disable',
    now: () => nowMs,
    print: (line) => printed.push(line),
  })(request, nowMs + 20_000) as Promise<RecoveryAnswer>

const look = () => recoverCapture({})
const recover = (changes: { dryRun?: boolean; newEpoch?: boolean } = {}) =>
  recoverCapture({ recover: { dryRun: false, newEpoch: false, ...changes } })

const health = async () =>
  (await target.pool.query('select state, cause, command, restarts from tidemark.capture_health')).rows[0]

const setting = async () =>
  (await source.pool.query('select epoch, topic_partitions as "topicPartitions" from tidemark.setting')).rows[0]

async function slots(): Promise<string[]> {
  const { rows } = await source.pool.query(
    'select slot_name as name from pg_replication_slots where database = current_database() order by 1',
  )
  return rows.map(({ name }) => name)
}

const dropSlot = () => source.pool.query('select pg_drop_replication_slot($1)', [slotName(source.epoch)])

const failed = state('RUNNING', 'FAILED', 'org.Error: no such slot\n\tat Some.java:1\n')

const restarts = () => worker.changes.filter((change) => change.startsWith('POST'))

const minute = 60_000

test('a look at what runs says so, and reports it each time', async () => {
  const answer = await look()

  expect(answer).toMatchObject({ diagnosis: { state: 'running', findings: [] }, steps: [], epoch: source.epoch })
  expect(await health()).toEqual({ state: 'running', cause: null, command: null, restarts: 0 })
  expect(JSON.parse(printed[0]!)).toMatchObject({
    ...{ Capability: 'capture', CaptureNotRunning: 0, BeaconAgeSeconds: expect.any(Number) },
  })
  expect(worker.changes).toEqual([])
})

test('a task that failed is started again at once, then a minute later, then at growing intervals, until it runs', async () => {
  worker.starting = [failed]

  await look()
  nowMs += minute - 1
  await look()
  expect(restarts()).toHaveLength(1)
  expect(await health()).toMatchObject({
    ...{ state: 'down', command: 'npm run recover', restarts: 1 },
    cause: "the connector's task failed: org.Error: no such slot; it is started again in 1 min at the latest",
  })
  for (const minutes of [1, 1, 1, 1]) {
    nowMs += minutes * minute
    await look()
  }
  // The restarts are at 0, 1 and 3 minutes; the next one is due at 7.
  expect(restarts()).toHaveLength(3)
  expect(JSON.parse(printed.at(-1)!)).toMatchObject({ CaptureNotRunning: 1 })

  worker.starting = [running]
  await look()
  expect(await health()).toMatchObject({ state: 'running', restarts: 3 })
  nowMs += 15 * minute
  await look()
  expect(await health()).toMatchObject({ restarts: 0 })
})

test('a task that failed for a cause which a restart cannot change is not restarted, and the cause is reported', async () => {
  worker.starting = [failed]
  await dropSlot()

  await look()

  expect(worker.changes).toEqual([])
  expect(await health()).toMatchObject({
    ...{ state: 'down', command: 'npm run recover' },
    cause: expect.stringContaining(`the replication slot ${slotName(source.epoch)} is gone`),
  })
})

test('a problem keeps the time at which it began, however often it is observed', async () => {
  const since = async () => (await target.pool.query('select since::text from tidemark.capture_health')).rows[0].since
  await look()
  const running = await since()
  await dropSlot()
  await look()
  const down = await since()
  await look()

  expect(await since()).toBe(down)
  expect(down).not.toBe(running)
})

test('an advanced slot, an invalidated slot and a log that went back are distinguished', async () => {
  worker.starting = [failed]
  worker.stored[0]!.offset = { lsn: 1 }
  expect((await look()).diagnosis.findings[0]!.cause).toContain('was advanced, or dropped and created again')

  worker.starting = [running]
  worker.stored[0]!.offset = { lsn: 2 ** 50 }
  expect((await look()).diagnosis.findings[0]!.cause).toContain('the source was restored to an earlier state')
})

test('a dry run lists the steps and executes none of them', async () => {
  worker.starting = [failed]
  await dropSlot()

  const answer = await recover({ dryRun: true })

  const next = source.epoch + 1
  expect(answer).toMatchObject({
    steps: [{ what: `begin epoch ${next} with a new snapshot of every captured table`, done: false }],
    epoch: next,
  })
  expect(worker.changes).toEqual([])
  expect((await setting()).epoch).toBe(source.epoch)
})

test('a new epoch is ordered in the target, begun in the source and given to the connector; earlier slots are gone', async () => {
  worker.starting = [failed]
  const probe = 'select pg_create_logical_replication_slot($1, $2)'
  await source.pool.query(probe, [slotName(source.epoch - 1), 'pgoutput'])
  await dropSlot()
  const next = source.epoch + 1
  // The task runs once it has the new configuration.
  worker.starting = [failed, running]

  const answer = await recover()

  expect(answer).toMatchObject({ steps: [{ done: true }], epoch: next })
  expect((await setting()).epoch).toBe(next)
  expect(await slots()).toEqual([])
  expect(worker.configuration).toMatchObject({
    'slot.name': slotName(next),
    'topic.prefix': topicPrefix(next),
    'snapshot.include.collection.list': 'tidemark\\.table_contract,tidemark\\.beacon',
    'database.dbname': source.name,
  })
  const { rows } = await target.pool.query('select epoch, reason from tidemark.epoch')
  expect(rows).toEqual([{ epoch: next, reason: expect.stringContaining('is gone') }])
})

test('a recovery that is interrupted goes on with the same epoch', async () => {
  worker.starting = [failed]
  await dropSlot()
  const next = source.epoch + 1
  // Connect accepts the stop, but not the new configuration.
  worker.refusals = [undefined as never, { status: 400, message: 'the worker ends' }]

  expect(await recover()).toMatchObject({ steps: [{ done: false, error: expect.stringContaining('the worker ends') }] })
  expect((await setting()).epoch).toBe(next)
  expect(await recover({ dryRun: true })).toMatchObject({
    diagnosis: { findings: [{ cause: expect.stringContaining(`epoch ${next} was begun and not finished`) }] },
  })
  worker.starting = [running]

  expect(await recover()).toMatchObject({ steps: [{ done: true }], epoch: next })
  expect(worker.configuration!['slot.name']).toBe(slotName(next))
})

test('a new epoch begins for somebody who asks for it, whatever the diagnosis is', async () => {
  await dropSlot()
  worker.stored = []

  expect(await recover({ newEpoch: true })).toMatchObject({ diagnosis: { findings: [] }, epoch: source.epoch + 1 })
  expect((await setting()).epoch).toBe(source.epoch + 1)
})

test('a connector that was deleted is registered again with the epoch of the source', async () => {
  worker.configuration = undefined

  expect(await recover()).toMatchObject({ steps: [{ what: 'register the connector again and start it', done: true }] })
  expect(worker.configuration).toMatchObject({ 'slot.name': slotName(source.epoch) })
  expect(await slots()).toEqual([slotName(source.epoch)])
})

test('group offsets go back to the progress of the target while their mapping is disabled, and the mapping is enabled again in any case', async () => {
  groups['tidemark-latest-state'] = [14, 10]
  ranges.set('changes', [range(0, 15), range(0, 10)])
  setFailures = [new Error('the group has members')]

  expect(await recover()).toMatchObject({ steps: [{ done: true }] })
  expect(done).toEqual([
    'tidemark-latest-state Disabled',
    'tidemark-latest-state changes [{"topicPartition":0,"offset":10}]',
    'tidemark-latest-state Enabled',
  ])

  groups['tidemark-latest-state'] = [14, 10]
  setFailures = Array.from({ length: 10_000 }, () => new Error('no broker answers'))
  const late = recover()
  const stopClock = setInterval(() => (nowMs += minute), 50)
  expect(await late).toMatchObject({ steps: [{ done: false, error: expect.stringContaining('no broker answers') }] })
  clearInterval(stopClock)
  expect(mappingStates['tidemark-latest-state']).toBe('Enabled')
})

test('a mapping that an interrupted recovery left disabled is enabled', async () => {
  mappingStates['tidemark-latest-state'] = 'Disabled'

  expect(await recover()).toMatchObject({ steps: [{ done: true }] })
  expect(mappingStates['tidemark-latest-state']).toBe('Enabled')
})

test('the archive goes on after records that are gone, with their offsets said', async () => {
  groups['tidemark-archive-changes'] = [null, 10]
  ranges.set('changes', [range(4, 10), range(0, 10)])
  await target.pool.query(
    `insert into tidemark.progress (consumer, topic, topic_partition, next_offset)
     values ('tidemark-archive', 'changes', 1, 10)`,
  )

  const answer = await recover()

  expect(answer.diagnosis.findings[0]!.cause).toContain('offsets 0 to 3 of topic partition 0')
  expect(answer.steps.map(({ done }) => done)).toEqual([true, true])
  const { rows } = await target.pool.query(
    `select topic_partition, next_offset::int from tidemark.progress where consumer = 'tidemark-archive' order by 1`,
  )
  expect(rows).toEqual([
    { topic_partition: 0, next_offset: 4 },
    { topic_partition: 1, next_offset: 10 },
  ])
  expect(await recover({ dryRun: true })).toMatchObject({ steps: [] })
})

test('windows go on after records that are gone, which is no reason for a new epoch', async () => {
  groups['tidemark-windows'] = [5, 10]
  mappingStates['tidemark-windows'] = 'Disabled'
  ranges.set('changes', [range(8, 10), range(0, 10)])
  await target.pool.query(
    `insert into tidemark.progress (consumer, topic, topic_partition, next_offset)
     select 'tidemark-windows', 'changes', n, 5 + 5 * n from generate_series(0, 1) n`,
  )

  const answer = await recover()

  expect(answer.diagnosis).toMatchObject({
    state: 'running',
    findings: [
      { cause: expect.stringContaining('the consumer group tidemark-windows is disabled') },
      {
        cause: expect.stringContaining('before tidemark-windows had them: offsets 5 to 7 of topic partition 0'),
        readers: 'Readers of tables notice nothing; windows are as they were.',
      },
    ],
  })
  expect(answer.steps.map(({ done }) => done)).toEqual([true, true, true])
  expect(groups['tidemark-windows']).toEqual([8, 10])
  expect(mappingStates['tidemark-windows']).toBe('Enabled')
  expect(await recover({ dryRun: true })).toMatchObject({ steps: [] })
})

/** Makes the state in which the archive's recovery ends. */
async function beginArchiveAgain(): Promise<void> {
  groups['tidemark-archive-changes'] = [9, 8]
  ranges.set('changes', [range(4, 10), range(0, 10)])
  await target.pool.query(
    `insert into tidemark.progress (consumer, topic, topic_partition) values ('tidemark-archive', 'changes', 1);
     insert into tidemark.archive_renewal (former_name, is_ledger_new) values ('changes_until_20261129140500', true);
     insert into tidemark.archive_problem (kind, reason, command) values ('renewal', 'it begins', 'npm run recover')`,
  )
}
const archiveState = async () => {
  const { rows } = await target.pool.query(
    `select array_agg(next_offset::int order by topic_partition) as offsets,
       (select count(*)::int from tidemark.archive_renewal) as renewals,
       (select count(*)::int from tidemark.archive_problem) as problems
     from tidemark.progress
     where consumer = 'tidemark-archive'`,
  )
  return rows[0]
}

test('an archive that begins again with a new table is set to the first records by a look, without being asked', async () => {
  await beginArchiveAgain()

  const answer = await look()

  expect(answer.steps.map(({ done }) => done)).toEqual([true, true, true])
  expect(done).toEqual([
    'tidemark-archive-changes Disabled',
    'tidemark-archive-changes changes [{"topicPartition":0,"offset":4},{"topicPartition":1,"offset":0}]',
    'tidemark-archive-changes Enabled',
  ])
  expect(await archiveState()).toEqual({ offsets: [4, 0], renewals: 0, problems: 0 })
  expect(await recover({ dryRun: true })).toMatchObject({ steps: [] })
})

test('a look that sets the archive back starts a failed task as well', async () => {
  worker.starting = [failed]
  await beginArchiveAgain()

  await look()

  expect(restarts()).toHaveLength(1)
  expect(await archiveState()).toEqual({ offsets: [4, 0], renewals: 0, problems: 0 })
})

test('an archive that begins again is not released before its groups are set, and the next look goes on', async () => {
  await beginArchiveAgain()
  setFailures = Array.from({ length: 10_000 }, () => new Error('no broker answers'))
  const late = look()
  const stopClock = setInterval(() => (nowMs += minute), 50)

  expect((await late).steps.map(({ done }) => done)).toEqual([true, false, false])
  clearInterval(stopClock)
  expect(mappingStates['tidemark-archive-changes']).toBe('Enabled')
  expect(await archiveState()).toEqual({ offsets: [4, 0], renewals: 1, problems: 1 })

  setFailures = []
  expect((await look()).steps.map(({ done }) => done)).toEqual([true, true, true])
  expect(groups['tidemark-archive-changes']).toEqual([4, 0])
  expect(await archiveState()).toEqual({ offsets: [4, 0], renewals: 0, problems: 0 })
})

test('records of changes that are gone begin a new epoch, in an empty target too', async () => {
  await target.pool.query('delete from tidemark.progress')
  ranges.set('changes', [range(4, 10), range(0, 10)])
  groups['tidemark-latest-state'] = [10, null]
  worker.stored = []
  await dropSlot()

  expect(await recover()).toMatchObject({ steps: [{ done: true }], epoch: source.epoch + 1 })

  const { rows } = await target.pool.query('select topic_partition, rebased from tidemark.progress order by 1')
  expect(rows).toEqual([
    { topic_partition: 0, rebased: true },
    { topic_partition: 1, rebased: true },
  ])
})

test('a publication that was dropped and created again is found, since the log between cannot be decoded', async () => {
  await source.pool.query('drop publication tidemark')
  expect(await recover({ dryRun: true })).toMatchObject({
    diagnosis: { state: 'down', findings: [{ cause: expect.stringContaining('publication tidemark is gone') }] },
  })
  await source.pool.query('select tidemark.restore_publication()')

  const answer = await recover()

  expect(answer.diagnosis.findings[0]!.cause).toContain('the publication tidemark was dropped, and created again at')
  expect(answer).toMatchObject({ steps: [{ done: true }], epoch: source.epoch + 1 })
})

test('records of changes that are lost in the middle of the topic begin a new epoch, which goes on after them', async () => {
  const key = ['tidemark-latest-state', 'changes', 0]
  ranges.set('changes', [range(0, 20), range(0, 10)])
  await target.pool.query(
    `insert into tidemark.stop (consumer, topic, topic_partition, at_offset, reason, deliveries)
     values ($1, $2, $3, 10, 'records 10 to 14 are missing: they were lost, or are delivered out of order', 2)`,
    key,
  )

  const answer = await recover()

  expect(answer.diagnosis.findings[0]!.cause).toBe(
    'records are missing in the middle of changes: offsets 10 to 14 of topic partition 0 were lost by the brokers, or deleted, before tidemark-latest-state had them',
  )
  expect(answer).toMatchObject({ steps: [{ done: true }], epoch: source.epoch + 1 })
  const { rows } = await target.pool.query(
    `select next_offset::int, skips_before_epoch = $4 as skips, rebased from tidemark.progress
     where (consumer, topic, topic_partition) = ($1, $2, $3)`,
    [...key, source.epoch + 1],
  )
  expect(rows).toEqual([{ next_offset: 15, skips: true, rebased: false }])
  expect((await target.pool.query('select from tidemark.stop')).rows).toEqual([])
})

test('a view that somebody dropped in the target is created again at once, and dropped rows come back by a snapshot', async () => {
  await source.pool.query(`select tidemark.publish_table('public.item'::regclass)`)
  await source.pool.query(`select tidemark.await_writers('public.item'::regclass)`)
  await source.pool.query('create table public.log (id int primary key)')
  for (const table of ['public.item', 'public.log']) {
    const { rows } = await source.pool.query(
      `select tidemark.describe_table($1::regclass) || '{"version": 1, "complete": true}' as contract`,
      [table],
    )
    await target.pool.query('select tidemark.shape_latest_state(1, $1)', [rows[0].contract])
  }
  const { rows } = await target.pool.query(
    `select tidemark.rows_name(g.relation, g.generation) as name
     from tidemark.generation g
     join tidemark.table_marker m using (relation)
     where m.table_name = 'item'`,
  )
  await target.pool.query(`drop view public.log; drop table tidemark_rows.${rows[0].name} cascade`)
  const generation = async () =>
    (await source.pool.query(`select generation from tidemark.captured_table where table_name = 'item'`)).rows[0]
  const before = await generation()

  const answer = await recover()

  expect(answer.diagnosis.state).toBe('running')
  expect(answer.steps).toEqual([
    { what: 'create the view public.log again', done: true },
    { what: 'resync public.item', done: true },
  ])
  expect((await target.pool.query(`select to_regclass('public.log') is not null as there`)).rows).toEqual([
    { there: true },
  ])
  expect((await generation()).generation).toBe(before.generation + 1)
  // A table that is about to be read is not begun again when it is asked for once more.
  expect((await recover()).steps).toEqual([{ what: 'resync public.item', done: true }])
  expect((await generation()).generation).toBe(before.generation + 1)
})

test('while somebody recovers, a look does nothing', async () => {
  const client = await asApply.connect()
  await client.query(`select pg_advisory_lock(hashtextextended('tidemark.recover-capture', 0))`)

  expect(await look()).toEqual({ busy: true })
  client.release(true)
})

test('what does not answer is noted as starting, not as down: nobody has to do anything', async () => {
  await worker.stop()

  expect((await look()).diagnosis.state).toBe('starting')
  expect(await health()).toMatchObject({
    state: 'starting',
    cause: expect.stringContaining('Kafka Connect is out of reach'),
  })
  worker = await startFakeConnect()
})

test('a worker that has not joined its group yet is not taken for one without a connector', async () => {
  worker.hasNoApiYet = true

  expect((await look()).diagnosis).toMatchObject({
    state: 'starting',
    findings: [{ cause: `Kafka Connect is out of reach: the Connect worker at ${worker.url} is starting` }],
  })
  expect(await recover()).toMatchObject({ steps: [] })
  expect(await recover({ newEpoch: true })).toMatchObject({
    steps: [{ done: false, error: expect.stringContaining('is starting') }],
  })
  expect(worker.changes).toEqual([])
  expect(await slots()).toEqual([slotName(source.epoch)])

  worker.hasNoApiYet = false
  expect((await look()).diagnosis).toMatchObject({ state: 'running', findings: [] })
})
