import { expect, test } from 'vitest'
import { colours, noColours } from '../terminal/style.ts'
import type { Component, Status, TableStatus } from './status.ts'
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

const status = (changes: Partial<Status> = {}): Status => ({
  uptimeSeconds: 133,
  residentBytes: 1_181_116_006,
  components: [
    component('server', 'kafka'),
    component('server', 'connect', { restarts: 1 }),
    component('mapping', 'changes to apply-latest-state'),
    component('function', 'producer', { state: 'idle' }),
  ],
  capturedPerSecond: 100.4,
  appliedPerSecond: 99.6,
  lagRecords: 1,
  lagMs: 12,
  visibleUntilMsAgo: 412,
  commitToVisibleMs: { p50: 9.5, p95: 20, p99: 30 },
  retainedWalBytes: 1_258_291,
  archive: {
    ...{ rows: 12_345, files: 4, bytes: 1_258_291, tableSnapshots: 9 },
    ...{ waitingRecords: 0, oldestWaitingMs: null, committedMsAgo: 2_000 },
  },
  initialLoad: null,
  tables: [table('public.green_trips'), table('public.taxi_zones', { changedSecondsAgo: null })],
  uncaptured: [],
  stopped: [],
  quarantinedRecords: 0,
  lastError: null,
  ...changes,
})

const footer = { source: 'postgres://a@h/source', reader: 'postgres://b@h/target' }
const page = { width: 100, height: 40, style: noColours }

test('a stack that is well is one calm screen', () => {
  const lines = renderStatus(
    status(),
    { ...footer, feed: '300 of 64,215 trips, 100 a second', hint: 'Ctrl-C stops everything' },
    page,
  )

  expect(`\n${lines.join('\n')}\n`).toBe(`
Tidemark  running 2 min 13 s, 1.1 GB of memory

servers    ● kafka   ● connect (restarted 1×)
mappings   ● changes to apply-latest-state
functions  ● producer (idle)

captured           100 changes/s
applied            100 changes/s
lag                1 record, 12 ms
commit to visible  p50 9.5 ms   p95 20 ms   p99 30 ms
visible            all that was committed until 412 ms ago
log kept           1.2 MB
archive            12,345 rows in 4 files of 1.2 MB, 9 table snapshots, committed 2.0 s ago
feed               300 of 64,215 trips, 100 a second

table               source  target  state     last change
public.green_trips  12,345  12,345  captured  now
public.taxi_zones   12,345  12,345  captured  -

source  psql 'postgres://a@h/source'
target  psql 'postgres://b@h/target'
try     npm run invoke -- producer '{"mode":"rows","seconds":10,"eventsPerSecond":50}'

Ctrl-C stops everything
`)
})

test('what is not well is told with its reason and what to run', () => {
  const lines = renderStatus(
    status({
      components: [component('server', 'connect', { state: 'restarting', lastError: 'killed\nby a signal' })],
      commitToVisibleMs: null,
      visibleUntilMsAgo: null,
      initialLoad: { rows: 1_200, expectedRows: 5_000, percent: 24 },
      tables: [table('public.big', { state: 'reading', source: { rows: 5e6, isEstimate: true }, target: null })],
      stopped: [{ name: 'public.track', reason: 'a column was added' }],
      uncaptured: [
        { name: 'public.log', why: 'it has no primary key', fix: 'alter table public.log add primary key (id);' },
      ],
      quarantinedRecords: 3,
      lastError: 'connect: killed\nby a signal',
    }),
    footer,
    page,
  )

  expect(`\n${lines.join('\n')}\n`).toBe(`
Tidemark  running 2 min 13 s, 1.1 GB of memory, 3 records in quarantine

● connect restarting: killed

captured           100 changes/s
applied            100 changes/s
lag                1 record, 12 ms
commit to visible  -
visible            initial snapshot
log kept           1.2 MB
archive            12,345 rows in 4 files of 1.2 MB, 9 table snapshots, committed 2.0 s ago
initial load       1,200 of 5,000 rows (24 %)

table           source  target  state    last change
public.big  ~5,000,000       -  reading  now

stopped
  public.track  a column was added

not captured
  public.log  it has no primary key
    alter table public.log add primary key (id);

last error  connect: killed

source  psql 'postgres://a@h/source'
target  psql 'postgres://b@h/target'
try     npm run invoke -- producer '{"mode":"rows","seconds":10,"eventsPerSecond":50}'
`)
})

test('more tables than fit: those that are not captured and those that changed last, and how many more there are', () => {
  const tables = Array.from({ length: 60 }, (_, n) =>
    table(`public.t${String(n).padStart(2, '0')}`, { changedSecondsAgo: 100 + n }),
  )
  tables[40] = table('public.t40', { state: 'reading', changedSecondsAgo: null })
  tables[50] = table('public.t50', { changedSecondsAgo: 1 })

  const lines = renderStatus(status({ tables }), footer, { ...page, height: 30 })

  expect(lines.length).toBeLessThanOrEqual(30)
  const listed = lines.filter((line) => line.startsWith('public.')).map((line) => line.slice(7, 10))
  expect(listed).toEqual(['t00', 't01', 't02', 't03', 't04', 't05', 't06', 't07', 't40', 't50'])
  expect(lines).toContain('and 50 more')
})

test('colours do not move the columns', () => {
  const plain = renderStatus(status(), footer, page)

  const coloured = renderStatus(status(), footer, { ...page, style: colours })

  // biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one
  expect(coloured.map((line) => line.replace(/\u001b\[[0-9]*m/g, '').trimEnd())).toEqual(plain)
  expect(coloured.join('')).toContain('\u001b[32m●')
})
