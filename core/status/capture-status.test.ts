import { expect, test } from 'vitest'
import type { RunState } from '../recovery/capture-facts.ts'
import { type CaptureSigns, describeCapture } from './capture-status.ts'
import type { ConnectorStatus } from './health.ts'

const connector = (state: RunState, task?: RunState, trace?: string): { value: ConnectorStatus } => ({
  value: {
    connector: { state },
    tasks: task === undefined ? [] : [{ id: 0, state: task, ...(trace !== undefined && { trace }) }],
  },
})

const found = {
  ...{ state: 'down' as const, cause: 'the replication slot tidemark_e1 is gone', follows: 'No change arrives.' },
  ...{ command: 'npm run recover', since: '2026-11-29T14:00:00+00:00' },
}

const signs = (changes: Partial<CaptureSigns> = {}): CaptureSigns => ({
  connector: connector('RUNNING', 'RUNNING'),
  health: null,
  isStopped: false,
  isSlotRead: true,
  beaconAgeMs: 400,
  ...changes,
})

const isDown: [string, Partial<CaptureSigns>, string][] = [
  [
    'its task failed',
    { connector: connector('RUNNING', 'FAILED', 'org.Error: no\n\tat X') },
    "the connector's task failed: org.Error: no",
  ],
  ['it is stopped', { connector: connector('STOPPED') }, 'the connector is stopped'],
  ['it was deleted', { connector: { value: undefined } }, 'no connector is registered with Kafka Connect'],
  [
    'it says that it runs and sends nothing',
    { beaconAgeMs: 31_000 },
    'no beacon has come for 31 s, though the connector says that it runs',
  ],
]

test.each(isDown)(
  'capture is down where %s, at once, and with the cause that the last look found',
  (_name, changes, cause) => {
    expect(describeCapture(signs(changes))).toMatchObject({
      state: 'down',
      cause,
      command: 'npm run recover',
      since: null,
    })
    expect(describeCapture(signs({ ...changes, health: found }))).toEqual({ ...found })
  },
)

test('capture is not down when the problem that was found has been repaired since', () => {
  expect(describeCapture(signs({ health: found })).state).toBe('running')
})

test('a slot that nobody reads is a capture that is down where the last look says so', () => {
  expect(describeCapture(signs({ isSlotRead: false, health: found })).state).toBe('down')
  expect(describeCapture(signs({ isSlotRead: false })).state).toBe('running')
})

test('a topic partition that is stopped is a capture that is down where the last look says so, and else one that goes on', () => {
  expect(describeCapture(signs({ isStopped: true, health: found })).state).toBe('down')
  expect(describeCapture(signs({ isStopped: true })).state).toBe('running')
})

test('a connector that does not get beyond starting is down where the last look says so', () => {
  const stuck = { ...found, cause: 'no beacon has come for 701 s, and the connector is still starting' }
  const unassigned = { connector: connector('UNASSIGNED') }

  expect(describeCapture(signs({ ...unassigned, health: stuck }))).toMatchObject({
    ...{ state: 'down', cause: stuck.cause, command: 'npm run recover' },
  })
  expect(describeCapture(signs({ ...unassigned, health: found })).state).toBe('starting')
})

const isStarting: [string, CaptureSigns['connector']][] = [
  ['was not looked at yet', {}],
  ['does not answer', { error: 'Connect does not answer' }],
  ['has no task yet', connector('RUNNING')],
  ['is being started again', connector('RUNNING', 'RESTARTING')],
]

test.each(isStarting)('a connector that %s is starting: no command is needed', (_name, state) => {
  expect(describeCapture(signs({ connector: state }))).toMatchObject({ state: 'starting', command: null })
})
