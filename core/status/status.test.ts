import { expect, test } from 'vitest'
import { describeStatus, isAllWell, type StatusParts } from './status.ts'

const mapping: StatusParts['mappings'][number] = {
  functionName: 'arn:aws:lambda:us-east-1:000000000000:function:tidemark-local-apply-latest-state',
  topic: 'changes',
  state: 'Enabled',
}

const archive = {
  ...{ rows: 900, files: 4, bytes: 50_000, tableSnapshots: 3 },
  ...{ waitingRecords: 12, oldestWaitingMs: 800, committedMsAgo: 2_500 },
}

const latest = { consumer: 'tidemark-latest-state', topic: 'changes' }

const millisecond = { p50: 1, p95: 2, p99: 3 }
const stagesMs = { capture: millisecond, topic: millisecond, mapping: millisecond, apply: null }
const latencyOfDay = {
  lastDay: { commitToVisibleMs: { p50: 12, p95: 40, p99: 80 }, stagesMs },
  series: [{ atMs: 1_795_939_200_000, p50: 12, p95: 40, p99: 80, changes: 9_000 }],
}

const table = (name: string, rows: number) => ({ name, rows, isEstimate: false, writes: rows })

const parts = (changes: Partial<StatusParts> = {}): StatusParts => ({
  nowMs: 61_000,
  startedMs: 1_000,
  services: [{ name: 'kafka', state: 'healthy', restarts: 0 }],
  functions: [],
  mappings: [mapping],
  connector: { value: { connector: { state: 'RUNNING' }, tasks: [{ id: 0, state: 'RUNNING' }] } },
  source: {
    value: {
      beacon: 9,
      topicPartitions: 2,
      isSlotRead: true,
      retainedWalBytes: 4_096,
      tables: [{ ...table('public.trip', 200), state: 'captured' }],
      uncaptured: [],
    },
  },
  target: {
    value: {
      progress: [
        { ...latest, topicPartition: 0, nextOffset: 10, beacon: 9, behindMs: 300, beaconAgeMs: 300 },
        { ...latest, topicPartition: 1, nextOffset: 3, beacon: 8, behindMs: 1_300, beaconAgeMs: 1_300 },
      ],
      topics: new Map([
        [
          'changes',
          [
            { begin: 0, end: 10 },
            { begin: 0, end: 10 },
          ],
        ],
        ['user-events', [{ begin: 5, end: 9 }]],
      ]),
      stops: [],
      stopped: [],
      notCaptured: [],
      quarantined: [],
      archiveProblems: [],
      emptyViews: [],
      indexProblems: [],
      missing: [],
      captureHealth: null,
      tables: [table('public.trip', 150)],
    },
  },
  topics: {},
  archive: { value: archive },
  windows: { value: [] },
  activity: {
    ...{ changes: 500, changesPerSecond: 50, quarantined: 0 },
    ...{ commitToVisibleMs: { p50: 9, p95: 20, p99: 30 }, stagesMs },
  },
  latencyOfDay,
  capturedPerSecond: 60,
  changedAtMs: new Map([['public.trip', 59_000]]),
  residentBytes: 1_000,
  ...changes,
})

test('the status has rates, lag and freshness, and a lag only of topic partitions that have one', () => {
  expect(describeStatus(parts())).toMatchObject({
    uptimeSeconds: 60,
    capturedPerSecond: 60,
    appliedPerSecond: 50,
    lagRecords: 7,
    lagMs: 1_300,
    visibleUntilMsAgo: 1_300,
    commitToVisibleMs: { p50: 9, p95: 20, p99: 30 },
    retainedWalBytes: 4_096,
    initialLoad: null,
    lastError: null,
  })
})

test('latency is shown for all stages and for each, now and over the last day', () => {
  expect(describeStatus(parts()).latency).toEqual({
    now: { commitToVisibleMs: { p50: 9, p95: 20, p99: 30 }, stagesMs },
    ...latencyOfDay,
  })
})

test('the archive is shown as it was last seen, with a lag of its own', () => {
  const archiving = { ...mapping, functionName: 'tidemark-local-archive-changes' }
  const archived = parts({ mappings: [mapping, archiving] })
  archived.target.value!.progress.push({
    ...{ consumer: 'tidemark-archive', topic: 'changes', topicPartition: 0 },
    ...{ nextOffset: 4, beacon: null, behindMs: null, beaconAgeMs: null },
  })

  const status = describeStatus(archived)

  expect(status.archive).toEqual(archive)
  expect([status.lagRecords, status.archiveLagRecords]).toEqual([7, 16])
})

const trips: NonNullable<StatusParts['windows']['value']>[number] = {
  ...{ name: 'trips_by_zone', state: 'shown', reason: null, open: 24, final: 34_000, revised: 12, closed: 0 },
  ...{ late: 17_099, future: 0, nullTimes: 0, watermark: '2025-12-31 22:59', percent: null, publishing: null },
  since: '2026-11-29T08:11:59.1+00:00',
}

test('windows are shown as they were last seen, with a lag of their own', () => {
  const maintaining = { ...mapping, functionName: 'tidemark-local-maintain-windows' }
  const maintained = parts({ mappings: [mapping, maintaining], windows: { value: [trips] } })
  maintained.target.value!.progress.push({
    ...{ consumer: 'tidemark-windows', topic: 'changes', topicPartition: 1 },
    ...{ nextOffset: 2, beacon: null, behindMs: null, beaconAgeMs: null },
  })

  const status = describeStatus(maintained)

  expect(status.windows).toEqual([trips])
  expect([status.lagRecords, status.windowsLagRecords]).toEqual([7, 18])
  expect(isAllWell(status)).toBe(true)
})

test('a definition of windows that is stopped is not well', () => {
  const stopped = { ...trips, state: 'stopped' as const, reason: 'column fare of public.trip was dropped' }

  expect(isAllWell(describeStatus(parts({ windows: { value: [trips, stopped] } })))).toBe(false)
})

test('a definition of windows whose topic does not have all of it is not well', () => {
  const unpublished = { ...trips, publishing: 'topic trips-by-zone exists with cleanup.policy=delete' }

  expect(isAllWell(describeStatus(parts({ windows: { value: [unpublished] } })))).toBe(false)
})

test('every topic counts in the lag, from where its consumer is, or from where the topic begins', () => {
  const userEvents = { ...mapping, topic: 'user-events' }

  const status = describeStatus(parts({ mappings: [mapping, userEvents] }))

  expect(status.lagRecords).toBe(11)
  expect(status.lags[1]).toEqual({
    ...{ topic: 'user-events', work: 'apply', records: 4, behindMs: null },
    topicPartitions: [{ topicPartition: 0, nextOffset: 5, endOffset: 9, records: 4 }],
  })
})

test('the lag is that of the target, also while the mapping is disabled', () => {
  expect(describeStatus(parts({ mappings: [{ ...mapping, state: 'Disabled' }] })).lagRecords).toBe(7)
})

test('the lag is unknown until the topics were looked at', () => {
  const early = parts()
  early.target.value!.topics = undefined

  expect(describeStatus(early)).toMatchObject({ lagRecords: null, archiveLagRecords: null, lagMs: null, lags: [] })
})

test('an archive that cannot be looked at is the last error when nothing else is', () => {
  expect(describeStatus(parts({ archive: { error: 'the catalog does not answer' } }))).toMatchObject({
    archive: null,
    lastError: 'archive: the catalog does not answer',
  })
})

test('a table is shown as the source and as the target have it', () => {
  expect(describeStatus(parts()).tables).toEqual([
    {
      name: 'public.trip',
      state: 'captured',
      source: { rows: 200, isEstimate: false },
      target: { rows: 150, isEstimate: false },
      changedSecondsAgo: 2,
    },
  ])
})

test('until a beacon is applied in every topic partition, the initial snapshot is under way', () => {
  const first = parts()
  first.target.value!.progress = [
    { ...latest, topicPartition: 0, nextOffset: 10, beacon: 9, behindMs: 300, beaconAgeMs: 300 },
  ]

  expect(describeStatus(first)).toMatchObject({
    visibleUntilMsAgo: null,
    initialLoad: { rows: 150, expectedRows: 200, percent: 75 },
  })
})

test('a table that is read later is an initial load of its own', () => {
  const reading = parts()
  reading.source.value!.tables.push({ ...table('public.big', 1_000), state: 'snapshotting' })

  expect(describeStatus(reading).initialLoad).toEqual({ rows: 0, expectedRows: 1_000, percent: 0 })
})

test('a table that has left the publication is shown from the target alone, with the SQL where the source answers', () => {
  const left = parts()
  left.target.value!.notCaptured = [{ name: 'public.trip', reason: 'it has left the publication' }]
  expect(describeStatus(left).notCaptured).toEqual([
    { name: 'public.trip', reason: 'it has left the publication', fix: null },
  ])
  expect(isAllWell(describeStatus(left))).toBe(false)

  const uncaptured = { name: 'public.trip', why: 'its owner cannot write', fix: 'alter …;' }
  left.source.value!.uncaptured = [uncaptured, { ...uncaptured, name: 'public.log' }]

  expect(describeStatus(left)).toMatchObject({
    notCaptured: [{ name: 'public.trip', reason: 'its owner cannot write', fix: 'alter …;' }],
    uncaptured: [{ name: 'public.log' }],
  })
  expect(isAllWell(describeStatus({ ...left, source: { error: 'no answer' } }))).toBe(false)
})

test('what is stopped is shown with its reason: topic partitions first, then tables', () => {
  const stopped = parts()
  const since = '2026-11-29T08:11:59+00:00'
  const place = { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 1 }
  const lost = 'records 17 to 18 are missing: they were lost, or are delivered out of order'
  stopped.target.value!.stops = [
    { ...place, atOffset: 17, reason: 'a lock is held', since, deliveries: 40 },
    { ...place, topicPartition: 2, atOffset: 17, reason: lost, since, deliveries: 40 },
  ]
  const table = { reason: 'a type is missing', automatic: false, isOf: 'captured' as const, since, keptRecords: 5 }
  stopped.target.value!.stopped = [
    { ...table, name: 'public.trip', repair: 'accept' },
    { ...table, name: "public.o'clock", repair: 'resync' },
    { ...table, name: 'public.log', repair: 'resync', automatic: true },
  ]

  const status = describeStatus(stopped)

  const kept = { kind: 'table', since, keptRecords: 5 }
  expect(status.stopped).toEqual([
    {
      ...place,
      ...{ kind: 'topic partition', offset: 17, since, deliveries: 40, command: null },
      reason: 'a lock is held; it goes on by itself once the cause is gone',
    },
    {
      ...{ ...place, topicPartition: 2 },
      ...{ kind: 'topic partition', offset: 17, since, deliveries: 40, command: 'npm run recover', reason: lost },
    },
    { ...kept, table: 'public.trip', reason: 'a type is missing', command: 'npm run accept -- public.trip' },
    {
      ...kept,
      table: "public.o'clock",
      reason: 'a type is missing',
      command: `npm run resync -- 'public.o'\\''clock'`,
    },
    {
      ...{ ...kept, table: 'public.log', command: null },
      reason: 'a type is missing; a resync of the table begins by itself',
    },
  ])
  expect(isAllWell(status)).toBe(false)
  expect(status.tables[0]?.state).toBe('stopped')
})

test('a stopped table is read again only if the source has it; otherwise its records are discarded', () => {
  const stopped = parts()
  const table = { reason: 'it is none', repair: 'resync' as const, automatic: false, since: '', keptRecords: 0 }
  stopped.target.value!.stopped = [
    { ...table, name: 'public.ghost', isOf: 'unknown' },
    { ...table, name: 'public.trip', isOf: 'unknown' },
    { ...table, name: 'public.trip', isOf: 'dropped' },
  ]

  expect(describeStatus(stopped).stopped.map(({ command }) => command)).toEqual([
    'npm run quarantine -- discard public.ghost',
    'npm run resync -- public.trip',
    'npm run quarantine -- discard public.trip',
  ])
})

test('records in quarantine are counted by topic and table, with the command that lists them', () => {
  const group = { topic: 'user-events', table: null, records: 3, newestReason: 'ts is no time', newestAt: '' }
  const quarantined = parts()
  expect(isAllWell(describeStatus(quarantined))).toBe(true)
  quarantined.target.value!.quarantined = [group]

  const status = describeStatus(quarantined)

  expect(status.quarantined).toEqual([{ ...group, command: 'npm run quarantine -- list' }])
  expect(isAllWell(status)).toBe(false)
})

test('a connector is failing when its task is, whatever it says of itself', () => {
  const failed = { id: 0, state: 'FAILED' as const, trace: 'ConnectException: slot is gone\n\tat io.debezium' }
  const status = describeStatus(parts({ connector: { value: { connector: { state: 'RUNNING' }, tasks: [failed] } } }))

  expect(status.components.find(({ name }) => name === 'connector')).toMatchObject({
    state: 'failing',
    lastError: 'ConnectException: slot is gone',
  })
  expect(status.lastError).toBe('connector: ConnectException: slot is gone')
})

test('a mapping that cannot get its records applied is failing, with the reason', () => {
  const status = describeStatus(parts({ mappings: [{ ...mapping, lastError: 'the function timed out' }] }))

  expect(status.components).toContainEqual(
    expect.objectContaining({
      name: 'changes to apply-latest-state',
      state: 'failing',
      lastError: 'the function timed out',
    }),
  )
})

test.each([
  ['Disabled', 'stopped'],
  ['Reconnecting', 'restarting'],
  ['Updating', 'starting'],
] as const)('a mapping that is %s is %s', (state, expected) => {
  const status = describeStatus(parts({ mappings: [{ ...mapping, state }] }))

  expect(status.components.find(({ kind }) => kind === 'mapping')?.state).toBe(expected)
})

test('the last error is of what fails now rather than of what has recovered', () => {
  const services = [
    { name: 'kafka', state: 'healthy' as const, restarts: 1, lastError: 'killed' },
    { name: 'connect', state: 'restarting' as const, restarts: 1, lastError: 'out of memory' },
  ]

  expect(describeStatus(parts({ services })).lastError).toBe('connect: out of memory')
  expect(describeStatus(parts({ services: services.slice(0, 1) })).lastError).toBe('kafka, which runs again: killed')
})

test('the error of a part that has recovered is not the last error while anything is wrong', () => {
  const services = [{ name: 'kafka', state: 'healthy' as const, restarts: 1, lastError: 'killed' }]
  const stopped = parts({ services })
  const place = { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 1 }
  stopped.target.value!.stops = [{ ...place, atOffset: 17, reason: 'missing', since: '', deliveries: 4 }]

  expect(describeStatus(stopped).lastError).toBe(null)
})

test('a function whose newest invocation failed is failing, with its error and since when', () => {
  const name = 'tidemark-local-commit-archive'
  const failing = { error: 'the catalog does not answer', since: '2026-11-29T08:00:00.000Z' }

  const status = describeStatus(parts({ functions: [{ name, errors: 3, isIdle: false, failing }] }))

  expect(status.components).toContainEqual({
    ...{ kind: 'function', name: 'commit-archive', state: 'failing', restarts: 0, errors: 3 },
    ...{ lastError: 'the catalog does not answer', failingSince: '2026-11-29T08:00:00.000Z' },
  })
  expect(status.lastError).toBe('commit-archive: the catalog does not answer')
  expect(isAllWell(status)).toBe(false)
})

test('a problem of the archive is shown with its command, and the status is not well', () => {
  const problem = { kind: 'table' as const, reason: 'it is not in the catalog', command: 'recover', since: '' }
  const wrong = parts({ services: [{ name: 'kafka', state: 'healthy', restarts: 1, lastError: 'killed' }] })
  wrong.target.value!.archiveProblems = [problem]

  const status = describeStatus(wrong)

  expect(status.archiveProblems).toEqual([problem])
  expect(status.lastError).toBe('archive: it is not in the catalog')
  expect(isAllWell(status)).toBe(false)
})

test('a database that does not answer leaves what was seen before, and is not well', () => {
  const source = { ...parts().source, error: 'connection refused' }

  const status = describeStatus(parts({ source }))

  expect(status).toMatchObject({ lastError: 'source: connection refused', tables: [{ name: 'public.trip' }] })
  expect(isAllWell(status)).toBe(false)
})

test('while nothing is captured the lag is unknown, no table is captured, and nothing is well', () => {
  const trace = 'org.Error: the slot is gone\n\tat X.java'
  const failed = parts({
    connector: { value: { connector: { state: 'RUNNING' }, tasks: [{ id: 0, state: 'FAILED', trace }] } },
  })

  const status = describeStatus(failed)

  expect(status).toMatchObject({
    capture: {
      ...{ state: 'down', cause: "the connector's task failed: org.Error: the slot is gone" },
      command: 'npm run recover',
    },
    ...{ lagRecords: null, archiveLagRecords: null, lagMs: null },
    tables: [{ name: 'public.trip', state: 'capture is down' }],
  })
  expect(isAllWell(status)).toBe(false)
})

/** The status parts of a stack that has applied everything, with a newest beacon of this age. */
function idle(beaconAgeMs: number): StatusParts {
  const silent = parts()
  silent.target.value!.progress = [0, 1].map((topicPartition) => ({
    ...{ ...latest, topicPartition, nextOffset: 10, beacon: 9, behindMs: beaconAgeMs, beaconAgeMs },
  }))
  return silent
}

test('a beacon that is overdue while the connector says that it runs is an error', () => {
  const status = describeStatus(idle(40_000))

  expect(status.capture).toMatchObject({ state: 'down', cause: expect.stringContaining('no beacon has come for 40 s') })
  expect(isAllWell(status)).toBe(false)
  expect(describeStatus(idle(20_000)).capture.state).toBe('running')
})

test('a beacon is not overdue while records wait, a table is read, or a topic partition is stopped', () => {
  const waiting = idle(40_000)
  waiting.target.value!.progress[1]!.nextOffset = 9
  const reading = idle(40_000)
  reading.source.value!.tables[0]!.state = 'snapshotting'
  const stopped = idle(40_000)
  stopped.target.value!.stops.push({
    ...{ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0, atOffset: 10 },
    ...{ reason: 'it waits for a lock', since: '2026-11-29T14:00:00Z', deliveries: 3 },
  })

  for (const each of [waiting, reading, stopped]) expect(describeStatus(each).capture.state).toBe('running')
  // A table cannot be read while no process reads the slot.
  reading.source.value!.isSlotRead = false
  expect(describeStatus(reading).capture.state).toBe('down')
})
