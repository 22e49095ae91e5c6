import { describe, expect, test } from 'vitest'
import { wellStatus } from '#test-support/console/well-status.ts'
import type { Status } from '../status/status.ts'
import { problemsOf } from './problems.ts'

const since = '2026-11-30T14:05:03.000001Z'

const only = (changes: Partial<Status>) => {
  const problems = problemsOf({ ...wellStatus, ...changes })
  expect(problems).toHaveLength(1)
  return problems[0]!
}

test('a stack in which all is well has no problem', () => {
  expect(problemsOf(wellStatus)).toEqual([])
})

describe('capture', () => {
  const down: Status['capture'] = {
    state: 'down',
    cause: 'the replication slot is gone',
    follows: 'Nothing is captured.',
    command: 'npm run recover',
    since,
  }

  test('capture that is down is recovered, and says what follows', () => {
    expect(only({ capture: down })).toEqual({
      severity: 'stopped',
      what: 'capture',
      why: 'the replication slot is gone',
      follows: 'Nothing is captured.',
      since,
      command: 'npm run recover',
      sql: null,
      action: { name: 'capture.recover', target: 'all' },
      path: '/connectors',
    })
  })

  test('capture that is down and comes back by itself has no action', () => {
    expect(only({ capture: { ...down, command: null } })).toMatchObject({ command: null, action: null })
  })

  test('the connector is not a second problem while capture is down', () => {
    const connector = { kind: 'server', name: 'connector', state: 'failing', restarts: 0, errors: 0 } as const
    expect(only({ capture: down, components: [connector] }).what).toBe('capture')
    expect(only({ components: [connector] })).toMatchObject({
      what: 'connector',
      severity: 'failing',
      path: '/connectors',
    })
  })
})

describe('components', () => {
  const part = { restarts: 0, errors: 0 }

  test('a function that fails says since when, and that no record is lost', () => {
    const failing = { ...part, kind: 'function', name: 'archive-changes', state: 'failing' } as const
    expect(only({ components: [{ ...failing, lastError: 'no disk', failingSince: since }] })).toMatchObject({
      severity: 'failing',
      what: 'function archive-changes',
      why: 'no disk',
      follows: expect.stringContaining('none is lost'),
      since,
      path: '/consumers',
    })
  })

  test.each([
    ['mapping', 'stopped', 'stopped', 'mapping changes to archive'],
    ['server', 'starting', 'attention', 'changes to archive'],
    ['server', 'restarting', 'attention', 'changes to archive'],
  ] as const)('a %s that is %s is %s', (kind, state, severity, what) => {
    const component = { ...part, kind, name: 'changes to archive', state }
    expect(only({ components: [component] })).toMatchObject({ severity, what, why: `it is ${state}` })
  })
})

describe('stopped parts', () => {
  const partition = {
    kind: 'topic partition',
    ...{ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 2, offset: 17 },
    ...{ deliveries: 3, since, reason: 'a gap' },
  } as const

  test.each([
    ['npm run recover', { name: 'capture.recover', target: 'all' }],
    ['npm run quarantine -- discard all', { name: 'quarantine.discard', target: 'all' }],
    ['npm run archive -- recover', null],
    [null, null],
  ] as const)('a topic partition that %s resolves has the action for it', (command, action) => {
    expect(only({ stopped: [{ ...partition, command }] })).toMatchObject({
      severity: 'stopped',
      what: 'changes-2 at offset 17',
      command,
      action,
      path: '/consumers',
    })
  })

  test.each([
    ["npm run resync -- 'public.Größe'", { name: 'table.resync', target: 'public.Größe' }],
    ["npm run accept -- 'public.Größe'", { name: 'table.accept', target: 'public.Größe' }],
    ["npm run quarantine -- discard 'public.Größe'", { name: 'quarantine.discard', target: 'public.Größe' }],
    [null, null],
  ] as const)('a table that %s resolves has the action for it, with its unquoted name', (command, action) => {
    const table = { kind: 'table', table: 'public.Größe', keptRecords: 4, since, reason: 'why', command } as const
    expect(only({ stopped: [table] })).toMatchObject({ action, path: '/tables/public.Gr%C3%B6%C3%9Fe' })
  })

  test('what a problem of the archive stops is shown once', () => {
    const problem = {
      kind: 'table',
      reason: 'the table is gone',
      command: 'npm run archive -- recover',
      since,
    } as const
    const stopped = [{ ...partition, reason: 'the table is gone; more', command: null }]
    expect(only({ archiveProblems: [problem], stopped })).toMatchObject({ what: 'archive', severity: 'stopped' })
  })
})

test('data files that are gone do not stop the archive', () => {
  const problem = {
    kind: 'data files',
    reason: '2 files are gone',
    command: 'npm run archive -- recover',
    since,
  } as const
  expect(only({ archiveProblems: [problem] })).toMatchObject({ severity: 'failing', path: '/archive' })
})

test('a table that is not captured any more has the SQL for the source', () => {
  const sql = 'alter table public.orders replica identity full;'
  expect(only({ notCaptured: [{ name: 'public.orders', reason: 'no key', fix: sql }] })).toMatchObject({
    ...{ severity: 'stopped', what: 'public.orders', sql, command: null, action: null, path: '/tables/public.orders' },
  })
})

test('rows or a view that were dropped in the target are restored by recovery', () => {
  const command = 'npm run recover'
  const action = { name: 'capture.recover', target: 'all' }
  expect(only({ missing: [{ name: 'public.orders', part: 'view' }] })).toMatchObject({
    severity: 'failing',
    command,
    action,
  })
})

describe('windows', () => {
  const definition: Status['windows'][number] = {
    ...{ name: 'trips_by_zone', state: 'shown', reason: null, since, publishing: null, percent: null },
    ...{ open: 1, final: 1, revised: 0, closed: 0, late: 0, future: 0, nullTimes: 0, watermark: null },
  }

  test('a definition that is stopped is rebuilt', () => {
    expect(only({ windows: [{ ...definition, state: 'stopped', reason: 'no column zone' }] })).toMatchObject({
      severity: 'stopped',
      what: 'windows trips_by_zone',
      why: 'no column zone',
      command: 'npm run windows -- rebuild trips_by_zone',
      path: '/windows/trips_by_zone',
    })
  })

  test('a definition that is not published resolves by itself', () => {
    expect(only({ windows: [{ ...definition, publishing: 'too large' }] })).toMatchObject({
      severity: 'failing',
      why: 'too large',
      command: null,
    })
  })
})

test('records in quarantine are counted, and the table is in the path', () => {
  const group = { topic: 'changes', records: 1, newestReason: 'no JSON', newestAt: since, command: 'list' }
  expect(only({ quarantined: [{ ...group, table: 'public.a b' }] })).toMatchObject({
    severity: 'attention',
    what: 'public.a b of changes',
    why: '1 record in quarantine: no JSON',
    path: '/quarantine?table=public.a%20b',
  })
  expect(only({ quarantined: [{ ...group, table: null, records: 2 }] })).toMatchObject({
    what: 'changes',
    why: '2 records in quarantine: no JSON',
    path: '/quarantine',
  })
})

test('tables that were never captured, empty views and indexes need attention only', () => {
  const problems = problemsOf({
    ...wellStatus,
    uncaptured: [{ name: 'public.log', why: 'unlogged', fix: 'alter table public.log set logged;' }],
    emptyViews: [{ name: 'public.old', dependents: 'view report', droppedBy: 'drop view public.report;' }],
    indexProblems: [{ table: 'public.orders', name: 'by_day', reason: 'no column day', command: 'npm run index' }],
  })
  expect(problems.map(({ severity, what, sql, command }) => [severity, what, sql, command])).toEqual([
    ['attention', 'public.log', 'alter table public.log set logged;', null],
    ['attention', 'public.old', 'drop view public.report;', null],
    ['attention', 'public.orders', null, 'npm run index'],
  ])
})

test('the most severe problems come first', () => {
  const problems = problemsOf({
    ...wellStatus,
    components: [{ kind: 'server', name: 'kafka', state: 'restarting', restarts: 1, errors: 0 }],
    missing: [{ name: 'public.orders', part: 'rows' }],
    notCaptured: [{ name: 'public.trip', reason: 'no key', fix: null }],
  })
  expect(problems.map(({ severity }) => severity)).toEqual(['stopped', 'failing', 'attention'])
})

describe('a replication slot near its limit', () => {
  const limitBytes = 10_240 * 2 ** 20
  const at = (part: number, changes: Partial<Status> = {}) =>
    problemsOf({ ...wellStatus, ...changes }, { retainedBytes: limitBytes * part, limitBytes })

  test('needs attention from 80 % on, with what follows and what gives time', () => {
    expect(at(0.79)).toEqual([])
    expect(problemsOf(wellStatus, { retainedBytes: limitBytes, limitBytes: null })).toEqual([])
    expect(at(0.81)).toMatchObject([
      {
        severity: 'attention',
        what: 'replication slot',
        why: 'it retains more than 80 % of the WAL at which the source gives it up (max_slot_wal_keep_size, 10240 MB)',
        command: 'npm run status',
        sql: `alter system set max_slot_wal_keep_size = '20480MB'; select pg_reload_conf();`,
        action: null,
      },
    ])
    expect(at(0.81)[0]!.follows).toContain('every table')
    expect(at(0.98)[0]!.why).toContain('95 %')
  })

  test('is resolved by the recovery while capture is down', () => {
    const capture = { ...wellStatus.capture, state: 'down' as const, command: 'npm run recover' }

    expect(at(0.9, { capture }).at(-1)).toMatchObject({
      command: 'npm run recover',
      action: { name: 'capture.recover', target: 'all' },
    })
  })
})
