import { expect, test } from 'vitest'
import {
  type Changes,
  facts,
  failed,
  gap,
  group,
  nowMs,
  place,
  slot,
  stopped,
} from '#test-support/capture/capture-facts.ts'
import { CHANGES_ARE_MISSING, SOURCE_WENT_BACK } from '../keyless/beacon-log.ts'
import type { CaptureFacts } from './capture-facts.ts'
import { diagnose, needsRestartOnly } from './diagnosis.ts'
import { planRecovery } from './recovery-plan.ts'
import { fullQuarantine } from './stop-reasons.ts'

test('a stack that runs has nothing wrong and nothing to do', () => {
  const diagnosis = diagnose(facts())

  expect(diagnosis).toEqual({ state: 'running', findings: [] })
  expect(planRecovery(diagnosis, facts())).toEqual([])
})

const onlyEpoch: [string, Changes, RegExp][] = [
  ['slot dropped', { connector: failed, source: { slot: null } }, /slot tidemark_e1 is gone/],
  [
    'slot advanced, or dropped and created again',
    { connector: failed, source: { slot: { ...slot, active: false, confirmedLsn: 560 } } },
    /advanced, or dropped and created again: it begins at 0\/230, and capture has read up to 0\/1F4/,
  ],
  [
    'log of the slot removed, on any major',
    { connector: failed, source: { slot: { ...slot, active: false, walStatus: 'lost' } } },
    /max_slot_wal_keep_size/,
  ],
  [
    'slot idle for too long',
    { connector: failed, source: { slot: { ...slot, active: false, invalidationReason: 'idle_timeout' } } },
    /idle_replication_slot_timeout/,
  ],
  [
    'source restored with its slot: its log ends before what was read',
    { source: { currentLsn: 450, beacon: { number: 5, lsn: 440 } } },
    /restored to an earlier state \(timeline 1\): the connector has read its log up to 0\/1F4, and the log ends at 0\/1C2/,
  ],
  [
    'source restored, its log has grown past that and its beacons have not',
    { source: { currentLsn: 9_000, beacon: { number: 5, lsn: 8_000 } } },
    /the target has applied beacon 9, and the newest one of the source is 5/,
  ],
  [
    "source restored, of which Connect's offsets say nothing any more",
    { connector: { storedLsn: null }, source: { currentLsn: 520 } },
    /the target has applied a beacon of 0\/226, and the log of the source ends at 0\/208/,
  ],
  [
    'source restored without its slot',
    { connector: failed, source: { slot: null, currentLsn: 450, beacon: { number: 5, lsn: 440 } } },
    /restored to an earlier state/,
  ],
  [
    'source restored to before the epoch',
    {
      connector: { ...failed, epoch: 3 },
      source: { slot: null },
      target: { progress: [{ ...place(0, 10), beacon: { number: 1, lsn: 2, atMs: 0, epoch: 3 } }] },
    },
    /the target has applied epoch 3, and the source is in epoch 1/,
  ],
  [
    'source restored to before an epoch of which no beacon was applied yet',
    {
      connector: { ...failed, epoch: 3 },
      source: { slot: null },
      target: { epochs: [{ epoch: 3, hasBegun: true }] },
    },
    /the target has applied epoch 3, and the source is in epoch 1/,
  ],
  [
    'a stop that says so',
    { target: { stops: [stopped(`${SOURCE_WENT_BACK}: it emits beacon 7`)] } },
    /the source went back: it emits beacon 7/,
  ],
  [
    'a stop for changes that are missing',
    { target: { stops: [stopped(`${CHANGES_ARE_MISSING}: after beacon 7 comes beacon 9`)] } },
    /changes of the source are missing: after beacon 7/,
  ],
  ['source exchanged', { source: { systemIdentifier: '78' } }, /another database cluster \(system identifier 78\)/],
  ['publication dropped', { connector: failed, source: { hasPublication: false } }, /publication tidemark is gone/],
  [
    'publication dropped, and created again by the next capture',
    { source: { publicationLsn: 450, tablesBeingSnapshotted: 1, slot: { ...slot, active: false } } },
    /publication tidemark was dropped, and created again at 0\/1C2: the log between 0\/190, where capture stopped, and that place cannot/,
  ],
  [
    'an epoch that was begun in the source and not finished',
    { connector: { state: 'STOPPED', tasks: [] }, source: { setting: { epoch: 2, topicPartitions: 2 }, slot: null } },
    /epoch 2 was begun and not finished/,
  ],
  [
    'an epoch that was ordered in the target and not finished',
    { connector: { state: 'STOPPED', tasks: [] }, target: { epochs: [{ epoch: 2, hasBegun: false }] } },
    /epoch 2 was begun and not finished/,
  ],
  [
    'records expired before they were applied',
    {
      ranges: [
        [12, 15],
        [0, 20],
      ],
    },
    /offsets 10 to 11 of topic partition 0/,
  ],
  [
    'target replaced by an empty one, the first records gone',
    {
      target: { progress: [] },
      ranges: [
        [3, 10],
        [2, 20],
      ],
    },
    /offsets 0 to 2 of topic partition 0, 0 to 1 of topic partition 1/,
  ],
  [
    'records lost between what was applied and what is delivered',
    {
      target: { stops: [stopped(gap)] },
      ranges: [
        [0, 15],
        [0, 20],
      ],
    },
    /missing in the middle of changes: offsets 10 to 12 of topic partition 0 were lost/,
  ],
  [
    'records lost at the beginning of the topic',
    {
      target: {
        progress: [place(1, 20)],
        stops: [stopped('the first record is at offset 4, not 0: earlier records are gone from the topic')],
      },
      groups: [group([null, 20])],
    },
    /offsets 0 to 3 of topic partition 0 were lost/,
  ],
  [
    'topic re-created and shorter',
    {
      ranges: [
        [0, 3],
        [0, 2],
      ],
    },
    /deleted and created again/,
  ],
  [
    'topic re-created and longer than before',
    {
      ranges: [
        [0, 30],
        [0, 20],
      ],
      target: {
        stops: [
          stopped('the record at offset 9 is not the one applied before: the topic was re-created or its log diverged'),
        ],
      },
    },
    /deleted and created again/,
  ],
  [
    'topic given more topic partitions',
    {
      ranges: [
        [0, 10],
        [0, 20],
        [0, 0],
      ],
    },
    /has 3 topic partitions, and capture was set up for 2/,
  ],
]

test.each(onlyEpoch)('%s: a new epoch, and nothing else is done to the connector', (_name, changed, cause) => {
  const seen = facts(changed)

  const diagnosis = diagnose(seen)

  expect(diagnosis.state).toBe('down')
  expect(diagnosis.findings[0]).toMatchObject({ cause: expect.stringMatching(cause), repair: { kind: 'new epoch' } })
  expect(needsRestartOnly(diagnosis)).toBe(false)
  // There is no second finding for a task that failed because of it.
  expect(diagnosis.findings.filter(({ repair }) => repair?.kind === 'restart task')).toEqual([])
  const kinds = planRecovery(diagnosis, seen).map(({ kind }) => kind)
  expect(kinds.filter((kind) => kind !== 'rewind')).toEqual(['new epoch'])
})

const others: [string, Changes, RegExp, object][] = [
  [
    'a task that failed is started again',
    { connector: failed },
    /task failed: org.Error: no \/ Caused by: it/,
    { kind: 'restart task' },
  ],
  [
    'a connector that was deleted is registered again',
    { connector: null },
    /no connector is registered/,
    { kind: 'register connector' },
  ],
  [
    'a connector that was stopped is registered again and started',
    { connector: { state: 'STOPPED', tasks: [] } },
    /connector is stopped/,
    { kind: 'register connector' },
  ],
  [
    'a beacon that is overdue while the connector says that it runs: it is started again',
    { source: { nowMs: nowMs + 40_000 } },
    /no beacon has come for 41 s/,
    { kind: 'restart connector' },
  ],
  [
    'a beacon that is overdue while tables wait to be read by nobody: the connector is started again',
    { source: { nowMs: nowMs + 40_000, tablesBeingSnapshotted: 1, slot: { ...slot, active: false } } },
    /no beacon has come for 41 s/,
    { kind: 'restart connector' },
  ],
  [
    'a connector that does not get beyond starting is started again',
    { connector: { state: 'UNASSIGNED' }, source: { nowMs: nowMs + 700_000 } },
    /no beacon has come for 701 s, and the connector is still starting/,
    { kind: 'restart connector' },
  ],
  [
    'an event source mapping that is disabled is enabled',
    { groups: [{ ...group([10, 20]), isEnabled: false }] },
    /mapping of the consumer group tidemark-latest-state is disabled/,
    { kind: 'enable mapping', group: 'tidemark-latest-state', topic: 'changes' },
  ],
  [
    'a view that somebody dropped in the target is created again',
    { target: { missingViews: [{ schema: 'public', table: 'orders' }] } },
    /the view of public.orders was dropped in the target/,
    { kind: 'restore views', views: [{ schema: 'public', table: 'orders' }] },
  ],
  [
    'rows that somebody dropped in the target are read again',
    { target: { missingRows: [{ schema: 'public', table: 'orders' }] } },
    /the rows of public.orders were dropped in the target/,
    { kind: 'resync tables', tables: [{ schema: 'public', table: 'orders' }] },
  ],
  [
    'group offsets that were set forward go back to what the target has',
    {
      groups: [group([10, 28])],
      ranges: [
        [0, 10],
        [0, 30],
      ],
    },
    /goes on at offset 28 of topic partition 1 instead of 20/,
    { kind: 'rewind', group: 'tidemark-latest-state', topic: 'changes', offsets: [{ topicPartition: 1, offset: 20 }] },
  ],
  [
    'a target of an older backup: its group goes back to what it has',
    { target: { progress: [place(0, 4), place(1, 20)] } },
    /restored from an older backup/,
    { kind: 'rewind', group: 'tidemark-latest-state', topic: 'changes', offsets: [{ topicPartition: 0, offset: 4 }] },
  ],
  [
    'an empty target with every record still in the topic: its group begins again',
    { target: { progress: [] } },
    /or replaced/,
    {
      ...{ kind: 'rewind', group: 'tidemark-latest-state', topic: 'changes' },
      offsets: [
        { topicPartition: 0, offset: 0 },
        { topicPartition: 1, offset: 0 },
      ],
    },
  ],
]

test.each(others)('%s', (_name, changed, cause, repair) => {
  const seen = facts(changed)
  const { kind } = repair as { kind: string }

  const diagnosis = diagnose(seen)

  expect(diagnosis).toMatchObject({ findings: [{ cause: expect.stringMatching(cause), repair }] })
  const isCaptured = ['enable mapping', 'restore views', 'resync tables'].includes(kind)
  expect(diagnosis.state).toBe(isCaptured ? 'running' : 'down')
  expect(planRecovery(diagnosis, seen)).toEqual([repair])
  expect(needsRestartOnly(diagnosis)).toBe(kind === 'restart task')
})

const passing: [string, Changes, string][] = [
  [
    "Connect's offsets lost: Debezium begins by itself",
    { connector: { storedLsn: null }, source: { slot: null } },
    'running',
  ],
  ['group offsets set back', { groups: [group([1, 2])] }, 'running'],
  ['a group that has committed nothing yet', { groups: [group([null, null])] }, 'running'],
  [
    'a new stack',
    {
      target: { progress: [] },
      groups: [group([null, null])],
      ranges: [
        [0, 0],
        [0, 0],
      ],
    },
    'running',
  ],
  ['a task that is starting', { connector: { tasks: [] } }, 'starting'],
  [
    'a connector that waits for a worker, which Connect gives it after five minutes',
    { connector: { state: 'UNASSIGNED', tasks: [{ state: 'UNASSIGNED' }] }, source: { nowMs: nowMs + 330_000 } },
    'starting',
  ],
  ['a publication that was created again and passed', { source: { publicationLsn: 450 } }, 'running'],
  ['a slot that a running task has confirmed since', { source: { slot: { ...slot, confirmedLsn: 560 } } }, 'running'],
  [
    'a beacon that is late because records wait',
    {
      source: { nowMs: nowMs + 40_000 },
      ranges: [
        [0, 11],
        [0, 20],
      ],
    },
    'running',
  ],
  [
    'a beacon that is late because a table is read',
    { source: { nowMs: nowMs + 40_000, tablesBeingSnapshotted: 1 } },
    'running',
  ],
  [
    'a stop that a recovery has lifted',
    {
      target: {
        progress: [{ ...place(0, 10), isRebased: true }, place(1, 20)],
        stops: [stopped(`${SOURCE_WENT_BACK}: it emits beacon 7`)],
      },
      groups: [group([15, 20])],
    },
    'running',
  ],
  [
    'a beacon that is late because a topic partition is stopped',
    { source: { nowMs: nowMs + 40_000 }, target: { stops: [stopped('waits for a lock')] } },
    'running',
  ],
  [
    'a record that was delivered out of its turn once',
    {
      target: { stops: [stopped(gap, 'tidemark-latest-state', 1)] },
      ranges: [
        [0, 15],
        [0, 20],
      ],
    },
    'running',
  ],
  [
    'a gap behind which the topic partition has come since',
    {
      target: { progress: [place(0, 13), place(1, 20)], stops: [stopped(gap)] },
      ranges: [
        [0, 15],
        [0, 20],
      ],
    },
    'running',
  ],
  ['a stop that goes on by itself', { target: { stops: [stopped('waits for a lock')] } }, 'running'],
]

test.each(passing)('%s: nothing is to be done', (_name, changed, state) => {
  const seen = facts(changed)

  const diagnosis = diagnose(seen)

  expect(diagnosis.state).toBe(state)
  expect(planRecovery(diagnosis, seen)).toEqual([])
})

const full = fullQuarantine('changes-0', 1_000_000, 'the record is no change: it has no op')

test('a topic partition that is stopped because the quarantine is full says who has to make room, and with which command', () => {
  const seen = facts({ target: { stops: [stopped(full)] } })

  const diagnosis = diagnose(seen)

  expect(diagnosis).toMatchObject({
    state: 'down',
    findings: [
      {
        cause: `topic partition 0 of changes is stopped for tidemark-latest-state: ${full}`,
        action: expect.stringContaining('run npm run quarantine -- discard all'),
      },
    ],
  })
  expect(planRecovery(diagnosis, seen)).toEqual([])
})

test('events of another topic that the quarantine has no room for do not stop capture', () => {
  const ofUsers = { ...stopped(full, 'tidemark-user-state'), topic: 'user-events' }

  expect(diagnose(facts({ target: { stops: [ofUsers] } }))).toMatchObject({
    state: 'running',
    findings: [{ cause: expect.stringContaining('topic partition 0 of user-events is stopped') }],
  })
})

test('a task that failed is started again also while the quarantine is full', () => {
  expect(needsRestartOnly(diagnose(facts({ connector: failed, target: { stops: [stopped(full)] } })))).toBe(true)
})

test('a stop that goes on by itself is named with its reason, and one of the archive is left to its own recovery', () => {
  const stops = [stopped('waits for a lock'), stopped('the catalog does not answer', 'tidemark-archive')]

  expect(diagnose(facts({ target: { stops } })).findings).toMatchObject([
    { cause: 'topic partition 0 of changes is stopped for tidemark-latest-state: waits for a lock' },
  ])
})

test('a server that does not answer is reported, and no step is planned for it', () => {
  const seen: CaptureFacts = {
    ...facts(),
    ...{ connector: { error: 'no answer' }, source: { error: 'refused' }, brokers: { error: 'gone' } },
  }

  const diagnosis = diagnose(seen)

  expect(diagnosis.state).toBe('starting')
  expect(diagnosis.findings.map(({ cause }) => cause)).toEqual([
    'the source is out of reach: refused',
    'the Kafka brokers are out of reach: gone',
    'Kafka Connect is out of reach: no answer',
  ])
  expect(planRecovery(diagnosis, seen)).toEqual([])
})

test('a source that is not set up, and a topic that is gone, are a capture that is down until somebody acts', () => {
  const seen: CaptureFacts = {
    ...facts({ source: { setting: null, slot: null, beacon: null } }),
    brokers: { value: { topics: new Map(), groups: [] } },
  }
  const withSetting: CaptureFacts = { ...facts(), brokers: { value: { topics: new Map(), groups: [] } } }

  expect(diagnose(seen)).toMatchObject({
    state: 'down',
    findings: [{ cause: expect.stringContaining('is not set up for capture'), repair: { kind: 'by hand' } }],
  })
  expect(diagnose(withSetting)).toMatchObject({
    state: 'down',
    findings: [{ cause: 'the topic changes is gone', action: expect.stringContaining('with 2 topic partitions') }],
  })
  for (const each of [seen, withSetting]) expect(planRecovery(diagnose(each), each)).toEqual([])
})
