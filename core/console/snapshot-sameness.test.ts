import { expect, test } from 'vitest'
import { wellStatus } from '#test-support/console/well-status.ts'
import type { Status } from '../status/status.ts'
import type { Snapshot } from './overview.ts'
import { samenessOf } from './snapshot-sameness.ts'

const table: Status['tables'][number] = {
  ...{ name: 'public.orders', state: 'captured', changedSecondsAgo: 4 },
  ...{ source: { rows: 3, isEstimate: false }, target: { rows: 3, isEstimate: false } },
}
const lag: Status['lags'][number] = {
  ...{ topic: 'changes', work: 'apply', records: 2, behindMs: 100 },
  topicPartitions: [{ topicPartition: 0, nextOffset: 10, endOffset: 12, records: 2 }],
}

const snapshot = (at: string, changes: Partial<Status> = {}): Snapshot => ({
  ...{ version: 1, at, unreachable: [], problems: [], slot: null, equality: null },
  status: { ...wellStatus, tables: [table], lags: [lag], ...changes },
})
const first = snapshot('2026-11-30T14:00:00Z')

test('what beacons and the clock move in an idle stack makes no other snapshot', () => {
  const later = snapshot('2026-11-30T14:00:09Z', {
    uptimeSeconds: 69,
    visibleUntilMsAgo: 900,
    retainedWalBytes: 90_000,
    lagRecords: 1,
    tables: [{ ...table, changedSecondsAgo: 9 }],
    lags: [{ ...lag, records: 0, topicPartitions: [{ ...lag.topicPartitions[0]!, nextOffset: 20, endOffset: 20 }] }],
  })
  expect(samenessOf({ ...later, slot: null })).toBe(samenessOf(first))
})

test.each<[string, Partial<Status>]>([
  ['a row of a table', { tables: [{ ...table, target: { rows: 4, isEstimate: false } }] }],
  ['the state of a table', { tables: [{ ...table, state: 'stopped' }] }],
  ['a lag that grows', { lags: [{ ...lag, records: 5_000 }] }],
  ['a rate', { appliedPerSecond: 12 }],
  ['the state of capture', { capture: { ...wellStatus.capture, state: 'starting' } }],
  ['freshness that is lost', { visibleUntilMsAgo: 45_000 }],
])('%s makes another snapshot at once', (_, changes) => {
  expect(samenessOf(snapshot(first.at, changes))).not.toBe(samenessOf(first))
})

test('a problem and a limit of the slot make another snapshot', () => {
  const slot = { retainedBytes: 10, limitBytes: 100 }
  expect(samenessOf({ ...first, slot })).not.toBe(samenessOf(first))
  expect(samenessOf({ ...first, slot: { ...slot, retainedBytes: 20 } })).toBe(samenessOf({ ...first, slot }))
})
