import { describe, expect, test } from 'vitest'
import type { Component } from '#core/status/components.ts'
import type { Status, TableStatus } from '#core/status/status.ts'
import { displayWidth } from '#terminal/display-width.ts'
import { rowsOf, type ScreenLine, textOf } from '#terminal/live-screen.ts'
import { colours, noColours } from '#terminal/style.ts'
import { renderStatus } from './status-screen.ts'

const component = (kind: Component['kind'], name: string, changes: Partial<Component> = {}): Component => ({
  ...{ kind, name, state: 'healthy', restarts: 0, errors: 0 },
  ...changes,
})

const table = (name: string, changes: Partial<TableStatus> = {}): TableStatus => ({
  name,
  state: 'captured',
  source: { rows: 12_345, isEstimate: false },
  target: { rows: 12_345, isEstimate: false },
  changedSecondsAgo: 0,
  ...changes,
})

const lag = (topic: string, records: number): Status['lags'][number] => ({
  ...{ topic, work: 'apply', records, behindMs: null, topicPartitions: [] },
})

const noLatency: Status['latency']['now'] = {
  commitToVisibleMs: null,
  stagesMs: { capture: null, topic: null, mapping: null, apply: null },
}

const status = (changes: Partial<Status> = {}): Status => ({
  uptimeSeconds: 133,
  residentBytes: 1_181_116_006,
  components: [
    component('server', 'kafka'),
    component('server', 'connect', { restarts: 1 }),
    component('mapping', 'changes to apply-latest-state'),
    component('function', 'producer', { state: 'idle' }),
  ],
  capture: { state: 'running', cause: null, follows: null, command: null, since: null },
  capturedPerSecond: 100.4,
  appliedPerSecond: 99.6,
  lagRecords: 1,
  archiveLagRecords: 0,
  windowsLagRecords: 0,
  lagMs: 12,
  lags: [lag('changes', 1), lag('user-events', 0)],
  visibleUntilMsAgo: 412,
  commitToVisibleMs: { p50: 9.5, p95: 20, p99: 30 },
  latency: { now: noLatency, lastDay: noLatency, series: [] },
  retainedWalBytes: 1_258_291,
  archive: {
    ...{ rows: 12_345, files: 4, bytes: 1_258_291, tableSnapshots: 9 },
    ...{ waitingRecords: 0, oldestWaitingMs: null, committedMsAgo: 2_000 },
  },
  windows: [],
  initialLoad: null,
  tables: [table('public.green_trips'), table('public.taxi_zones', { changedSecondsAgo: null })],
  notCaptured: [],
  uncaptured: [],
  emptyViews: [],
  indexProblems: [],
  missing: [],
  stopped: [],
  archiveProblems: [],
  quarantined: [],
  lastError: null,
  ...changes,
})

const footer = { source: 'postgres://a@h/source', reader: 'postgres://b@h/target' }
const page = { width: 110, height: 40, style: noColours }

const texts = (lines: ScreenLine[]) => lines.map(textOf)

const stoppedTable = (name: string): Status['stopped'][number] => ({
  ...{ kind: 'table', table: name, keptRecords: 1_200, since: '2026-11-29T08:11:59.1+00:00' },
  ...{ reason: 'a type is missing', command: `npm run accept -- ${name}` },
})

const stoppedTopicPartition: Status['stopped'][number] = {
  ...{ kind: 'topic partition', consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 2, offset: 17 },
  ...{ since: '2026-11-29T08:11:59.1+00:00', deliveries: 3_400, command: null },
  reason: 'records 17 to 18 are missing: they were lost, or are delivered out of order',
}

test('a stack that is well is one calm screen', () => {
  const lines = renderStatus(
    status(),
    { ...footer, feed: '300 of 64,215 trips, 100 a second', hint: 'Ctrl-C stops everything' },
    page,
  )

  expect(`\n${texts(lines).join('\n')}\n`).toBe(`
Tidemark  running 2 min 13 s, 1.1 GB of memory

lag                1 record, 12 ms
commit to visible  p50 9.5 ms   p95 20 ms   p99 30 ms
visible            all that was committed until 412 ms ago
captured           100 changes/s
applied            100 changes/s
log kept           1.2 MB
archive            committed 2.0 s ago, 0 records waiting; 12,345 rows in 4 files of 1.2 MB, 9 table snapshots
feed               300 of 64,215 trips, 100 a second

servers    ● kafka   ● connect (restarted 1×)
mappings   ● changes to apply-latest-state
functions  ● producer (idle)

table               source  target  state     last change
public.green_trips  12,345  12,345  captured  now
public.taxi_zones   12,345  12,345  captured  -

source  psql 'postgres://a@h/source'
target  psql 'postgres://b@h/target'
try     npm run invoke -- producer '{"mode":"rows","seconds":10,"eventsPerSecond":50}'
Ctrl-C stops everything
`)
})

const trips: Status['windows'][number] = {
  ...{ name: 'trips_by_zone', state: 'shown', reason: null, open: 24, final: 34_000, revised: 12, closed: 0 },
  ...{ late: 17_099, future: 3, nullTimes: 0, watermark: '2025-12-31 22:59', percent: null, publishing: null },
  since: '2026-11-29T08:11:59.1+00:00',
}

test('each definition of windows has a line with what is in its windows, and a query to try is ready', () => {
  const windows: Status['windows'] = [
    trips,
    { ...trips, name: 'fares', state: 'awaiting table', reason: 'public.fares' },
    { ...trips, name: 'tips', state: 'backfilling', percent: 34 },
  ]

  const lines = texts(renderStatus(status({ windows, windowsLagRecords: 5 }), footer, { ...page, width: 140 }))

  expect(lines.filter((line) => /^(windows| {19}|query)/.test(line))).toEqual([
    'windows            trips_by_zone  24 open, 34,000 final, 12 revised, 17,099 late, 3 ahead; watermark 2025-12-31 22:59; lag 5 records',
    '                   fares  awaiting table: public.fares',
    '                   tips  is filled from the rows that are there, 34 %',
    'query   select * from tidemark_windows.trips_by_zone order by window_start desc limit 10;',
  ])
})

test('a definition whose topic does not have all of it is a problem with its reason', () => {
  const unpublished = { ...trips, publishing: 'topic trips-by-zone exists with cleanup.policy=delete' }

  const lines = texts(renderStatus(status({ windows: [unpublished] }), footer, page))

  expect(lines[0]).toContain('1 definition of windows not published')
  expect(lines).toContain(
    '● windows trips_by_zone  not published: topic trips-by-zone exists with cleanup.policy=delete',
  )
})

test('a definition that is stopped is a problem with its reason, and what is too much for the screen is counted', () => {
  const stopped = { ...trips, state: 'stopped' as const, reason: 'public.green_trips has no column fare any more' }

  const lines = texts(renderStatus(status({ windows: [stopped, trips, trips, trips, trips] }), footer, page))

  expect(lines[0]).toContain('1 definition of windows stopped')
  expect(lines.slice(2, 5)).toEqual([
    '● windows trips_by_zone  stopped since 2026-11-29 08:11: public.green_trips has no column fare any more',
    '    npm run windows -- rebuild trips_by_zone',
    '',
  ])
  expect(lines).toContain('                   2 more definitions: npm run windows -- list')
})

test('problems come first, the worst at the top, each with its reason and what to run', () => {
  const lines = renderStatus(
    status({
      components: [component('server', 'connect', { state: 'restarting', lastError: 'killed\nby a signal' })],
      commitToVisibleMs: null,
      visibleUntilMsAgo: null,
      lagRecords: 5,
      archiveLagRecords: 7,
      lags: [lag('changes', 2), lag('user-events', 3)],
      initialLoad: { rows: 1_200, expectedRows: 5_000, percent: 24 },
      tables: [table('public.big', { state: 'snapshotting', source: { rows: 5e6, isEstimate: true }, target: null })],
      stopped: [stoppedTopicPartition, stoppedTable('public.track')],
      uncaptured: [
        { name: 'public.log', why: 'it has no primary key', fix: 'alter table public.log add primary key (id);' },
      ],
      quarantined: [
        {
          ...{ topic: 'user-events', table: null, records: 3, newestReason: 'ts is no time', newestAt: '' },
          command: 'npm run quarantine -- list',
        },
      ],
      lastError: 'connect: killed\nby a signal',
    }),
    footer,
    page,
  )

  expect(`\n${texts(lines).join('\n')}\n`).toBe(`
Tidemark  1 not well, 2 stopped, 3 records in quarantine, 1 table not captured  running 2 min 13 s, 1.1 GB of…

● connect  restarting: killed
● changes-2 at offset 17  stopped since 2026-11-29 08:11 for tidemark-latest-state, tried 3,400 times:
  records 17 to 18 are missing: they were lost, or are delivered out of order
● public.track  stopped since 2026-11-29 08:11, 1,200 records quarantined: a type is missing
    npm run accept -- public.track
● user-events  3 records in quarantine: ts is no time
    npm run quarantine -- list
● public.log  not captured: it has no primary key
    alter table public.log add primary key (id);

lag                5 records (2 of changes, 3 of user-events), 12 ms
commit to visible  -
visible            initial snapshot
captured           100 changes/s
applied            100 changes/s
log kept           1.2 MB
archive            committed 2.0 s ago, 7 records waiting; 12,345 rows in 4 files of 1.2 MB, 9 table snapshots
initial load       1,200 of 5,000 rows (24 %)
last error         connect: killed

table           source  target  state         last change
public.big  ~5,000,000       -  snapshotting  now

source  psql 'postgres://a@h/source'
target  psql 'postgres://b@h/target'
try     npm run invoke -- producer '{"mode":"rows","seconds":10,"eventsPerSecond":50}'
`)
})

const local = {
  source: 'postgres://postgres:OP36jcuItjxS0sYnzCyoVItUxudFCp@127.0.0.1:15432/source',
  reader: 'postgres://tidemark_read:C53GfYCSQUyBz1m1KIgMnz4r1APaZ7wfCdj76G2A@127.0.0.1:15433/target',
  feed: '300 of 64,215 trips, 100 a second',
  hint: 'Ctrl-C stops everything',
}

const wholeStack = ['object-store', 'iceberg-catalog', 'postgres source', 'postgres target', 'kafka', 'connect']
const servers = wholeStack.map((name) => component('server', name))
const functions = ['producer', 'apply-latest-state', 'archive-changes', 'capture-tables', 'migrate-schema']
const everything = [
  ...servers,
  ...['changes', 'user-events'].map((topic) => component('mapping', `${topic} to apply-latest-state`)),
  ...functions.map((name) => component('function', name)),
]

const manyTables = Array.from({ length: 50 }, (_, n) =>
  table(
    [`public.注文明細_${n}`, `public.t${n}`, `warehouse.${'a_very_long_name_'.repeat(6)}${n}`, `public.line\nfeed${n}`][
      n % 4
    ]!,
    { changedSecondsAgo: n },
  ),
)

const states: [string, Partial<Status>][] = [
  ['is well', { components: everything }],
  ['has no tables', { components: everything, tables: [] }],
  ['has 50 tables', { components: everything, tables: manyTables }],
  ['loads', { components: everything, initialLoad: { rows: 1, expectedRows: 2, percent: 50 }, tables: manyTables }],
  [
    'has 50 stopped tables',
    {
      components: everything,
      tables: manyTables,
      stopped: [stoppedTopicPartition, ...manyTables.map(({ name }) => stoppedTable(name))],
    },
  ],
  [
    'has everything wrong',
    {
      components: everything.map((each) => ({ ...each, state: 'failing', lastError: 'x'.repeat(300) })),
      tables: manyTables,
      stopped: [stoppedTopicPartition],
      uncaptured: manyTables.map(({ name }) => ({
        name,
        why: 'it has no key',
        fix: `alter table ${name}\n  add key;`,
      })),
      emptyViews: [{ name: 'public.gone', dependents: 'view public.report', droppedBy: 'drop view public.report;' }],
      lastError: 'connect: \u001b[2Jkilled',
    },
  ],
  ['has definitions of windows', { components: everything, windows: Array.from({ length: 9 }, () => trips) }],
]
const sizes: [number, number][] = [
  [80, 24],
  [80, 60],
  [120, 40],
  [131, 25],
  [200, 60],
]

describe.each(sizes)('a screen of %i × %i', (width, height) => {
  test.each(states)(
    'of a stack that %s shows each line on its own rows, none too wide, the URLs whole',
    (_, changes) => {
      const lines = renderStatus(status(changes), local, { width, height, style: noColours })

      expect(lines.reduce((sum, line) => sum + rowsOf(line, width), 0)).toBeLessThanOrEqual(height)
      for (const line of lines) if (typeof line === 'string') expect(displayWidth(line)).toBeLessThanOrEqual(width)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none may reach the terminal
      for (const line of lines) expect(textOf(line)).not.toMatch(/[\u0000-\u001f]/)
      for (const url of [local.source, local.reader]) {
        expect(lines.filter((line) => typeof line !== 'string' && line.whole.endsWith(`psql '${url}'`))).toHaveLength(1)
      }
      expect(texts(lines).join('\n')).toContain('Ctrl-C stops')
      expect(texts(lines)).toContainEqual(expect.stringMatching(/^lag /))
      expect(texts(lines)).toContainEqual(expect.stringMatching(/^(table|no captured tables) /))
    },
  )

  test('says how many problems it has no room for, and always shows the first one', () => {
    const lines = texts(renderStatus(status(states[4]![1]), local, { width, height, style: noColours }))

    expect(lines[0]).toMatch(/^Tidemark {2}51 stopped/)
    expect(lines.find((line) => line.startsWith('●'))).toMatch(/^● changes-2 at offset 17/)
    const shown = lines.filter((line) => /^● (changes-2|public|warehouse)/.test(line)).length
    expect(lines).toContain(`and ${51 - shown} more: npm run status`)
  })
})

test('a table that left the publication is shown with the SQL that the source needs', () => {
  const notCaptured = [{ name: 'public.trip', reason: 'its owner cannot write', fix: 'grant update;\ngrant delete;' }]

  const lines = texts(renderStatus(status({ notCaptured }), footer, { ...page, height: Infinity }))

  expect(lines[0]).toContain('1 table not captured any more')
  expect(lines).toContain('● public.trip  not captured any more: its owner cannot write')
  expect(lines).toEqual(expect.arrayContaining(['    grant update;', '    grant delete;']))
})

test('a view that outlives its table is shown with the statements that drop the objects which depend on it', () => {
  const emptyViews = [
    {
      name: 'public.gone',
      dependents: 'view report and view sums',
      droppedBy: 'drop view public.sums;\ndrop view public.report;',
    },
  ]

  const lines = texts(renderStatus(status({ emptyViews }), footer, { ...page, height: Infinity }))

  const at = lines.findIndex((line) => line.startsWith('● public.gone'))
  expect(lines.slice(at, at + 3)).toEqual([
    '● public.gone  dropped in the source; its view stays without rows because of view report and view sums',
    '    drop view public.sums;',
    '    drop view public.report;',
  ])
})

test('a declared index that could not be created is shown with the reason and the command', () => {
  const indexProblems = [
    {
      table: 'public.trip',
      name: 'trip_a_idx',
      reason: 'it does not fit',
      command: 'npm run index -- build public.trip',
    },
  ]

  const lines = texts(renderStatus(status({ indexProblems }), footer, { ...page, height: Infinity }))

  expect(lines).toContain('● public.trip  index trip_a_idx is not made: it does not fit')
  expect(lines).toContain('    npm run index -- build public.trip')
})

test('a height without end shows every problem and every table', () => {
  const lines = texts(renderStatus(status(states[4]![1]), local, { width: 80, height: Infinity, style: noColours }))

  expect(lines.filter((line) => line.includes('npm run accept'))).toHaveLength(50)
  expect(lines.filter((line) => line.includes('npm run status'))).toEqual([])
  expect(lines.filter((line) => line.endsWith('captured  30 s ago'))).toHaveLength(1)
})

test.each([
  [79, 24],
  [80, 23],
  [20, 5],
])('a screen of %i × %i says what it needs, after what is wrong', (width, height) => {
  const lines = renderStatus(status(states[4]![1]), local, { width, height, style: noColours })

  const text = texts(lines).join(' ')
  expect(text).toMatch(/^51 stopped/)
  expect(text).toContain('takes 80')
  expect(lines.length).toBeLessThanOrEqual(height)
  for (const line of texts(lines)) expect(displayWidth(line)).toBeLessThanOrEqual(width)
})

test('more tables than fit: those that are not captured and those that changed last, and how many more there are', () => {
  const tables = Array.from({ length: 60 }, (_, n) =>
    table(`public.t${String(n).padStart(2, '0')}`, { changedSecondsAgo: 100 + n }),
  )
  tables[40] = table('public.t40', { state: 'snapshotting', changedSecondsAgo: null })
  tables[50] = table('public.t50', { changedSecondsAgo: 1 })

  const lines = texts(renderStatus(status({ tables }), footer, { ...page, height: 32 }))

  expect(lines.length).toBeLessThanOrEqual(32)
  const listed = lines.filter((line) => line.startsWith('public.')).map((line) => line.slice(7, 10))
  expect(listed.slice(-3)).toEqual([`t0${listed.length - 3}`, 't40', 't50'])
  expect(lines).toContain(`and ${60 - listed.length} more`)
})

test('colours do not move the columns', () => {
  const plain = renderStatus(status(), footer, page)

  const coloured = renderStatus(status(), footer, { ...page, style: colours })

  // biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one
  expect(texts(coloured).map((line) => line.replace(/\u001b\[[0-9]*m/g, '').trimEnd())).toEqual(texts(plain))
  expect(texts(coloured).join('')).toContain('\u001b[32m●')
})

test('a problem of the archive comes first with its command, then functions that fail, with their error', () => {
  const failing = component('function', 'commit-archive', {
    ...{ state: 'failing', lastError: 'the catalog does not answer', failingSince: '2026-11-29T08:11:59.100Z' },
  })
  const archiveProblems: Status['archiveProblems'] = [
    {
      ...{ kind: 'table', reason: 'the archive table is not in the catalog', command: 'npm run archive -- recover' },
      since: '2026-11-29T08:10:00+00:00',
    },
  ]

  const because = { consumer: 'tidemark-archive', reason: `${archiveProblems[0]!.reason}. Nothing is archived` }
  const stopped = [{ ...stoppedTopicPartition, ...because } as Status['stopped'][number]]

  const lines = texts(renderStatus(status({ components: [failing], archiveProblems, stopped }), footer, page))

  expect(lines.slice(0, 6)).toEqual([
    'Tidemark  1 not well, archive has a problem, 1 stopped  running 2 min 13 s, 1.1 GB of memory',
    '',
    '● archive  stopped since 2026-11-29 08:10: the archive table is not in the catalog',
    '    npm run archive -- recover',
    '● commit-archive  failing since 2026-11-29 08:11: the catalog does not answer',
    '',
  ])
})

test('capture that is down comes first, with its cause and the command; lag is unknown and no table is captured', () => {
  const down = status({
    capture: {
      ...{ state: 'down', cause: 'the replication slot tidemark_e1 is gone', follows: 'No change arrives.' },
      ...{ command: 'npm run recover', since: '2026-11-29T14:05:00+00:00' },
    },
    components: [
      component('server', 'kafka'),
      component('server', 'connector', { state: 'failing', lastError: 'Java' }),
    ],
    ...{ lagRecords: null, archiveLagRecords: null, lagMs: null },
    tables: [table('public.green_trips', { state: 'capture is down' })],
  })

  const lines = renderStatus(down, footer, { width: 120, height: 40, style: noColours }).map(textOf)

  expect(lines[0]).toContain('capture is down')
  expect(lines[2]).toBe(
    '● capture  down since 2026-11-29 14:05: the replication slot tidemark_e1 is gone. No change arrives.',
  )
  expect(lines[3]).toBe('    npm run recover')
  expect(lines.find((line) => line.startsWith('lag'))).toMatch(/^lag +unknown: nothing is captured$/)
  expect(lines.find((line) => line.startsWith('public.green_trips'))).toContain('capture is down')
  expect(lines.join('\n')).not.toContain('Java')
})

test('a table whose rows or view somebody dropped in the target is shown with the command that restores it', () => {
  const missing = [
    { name: 'public.orders', part: 'rows' as const },
    { name: 'public.riders', part: 'view' as const },
  ]

  const lines = texts(renderStatus(status({ missing }), footer, { ...page, height: Infinity }))

  expect(lines[0]).toContain('2 tables missing in the target')
  expect(lines.slice(2, 6)).toEqual([
    '● public.orders  somebody dropped its rows in the target, so that nobody can read it',
    '    npm run recover',
    '● public.riders  somebody dropped its view in the target, so that nobody can read it',
    '    npm run recover',
  ])
})
