import { expect, test } from 'vitest'
import type { Beacon } from '../wire/change.ts'
import { anotherSource } from './known-source.ts'

const beacon = (epoch: number, systemIdentifier: string): Beacon => ({
  ...{ epoch, systemIdentifier, number: 1, slot: 0, lsn: '0/10', topicPartitions: 1, emittedAt: '' },
  ...{ confirmedLsn: null, contractsMissing: false },
})
const known = { systemIdentifier: '7001', beaconEpoch: 2 }

test('a beacon of another cluster is refused within its epoch, and taken with a later one', () => {
  expect(anotherSource(beacon(2, '7002'), known)).toContain('(7002) than before (7001)')
  expect(anotherSource(beacon(1, '7002'), known)).toContain('(7002) than before (7001)')
  expect(anotherSource(beacon(3, '7002'), known)).toBeUndefined()
})

test('the first beacon may be of any cluster, and later ones of the same', () => {
  expect(anotherSource(beacon(1, '7002'), { systemIdentifier: null, beaconEpoch: null })).toBeUndefined()
  expect(anotherSource(beacon(2, '7001'), known)).toBeUndefined()
  expect(anotherSource(undefined, known)).toBeUndefined()
})
