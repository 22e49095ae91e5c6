import { expect, test } from 'vitest'
import type { UserIndex } from '#adapters/postgres/maintenance/user-indexes.ts'
import { describeIndexes } from './index-listing.ts'

const index: UserIndex = {
  table: 'public.trips',
  name: 'trips_lower_idx',
  definition: 'USING btree (lower(name))',
  madeAs: 't4711_1_i7',
  state: 'made',
  problem: null,
}

test('each declared index is shown with its definition, and with its state on each table of rows', () => {
  const failed = { ...index, madeAs: 't4712_1_i8', state: 'missing', problem: 'value too long\nfor it' } as const
  const dropped = { ...index, table: 'public.gone', madeAs: null, state: 'no table' } as const

  expect(describeIndexes([index, failed, dropped], 200)).toEqual([
    'public.trips  trips_lower_idx',
    '  USING btree (lower(name))',
    '  t4711_1_i7  made',
    '  t4712_1_i8  missing',
    '  value too long for it',
    'public.gone  trips_lower_idx',
    '  USING btree (lower(name))',
    '  –  no captured table has this name now',
  ])
})

test('says so when no index is declared', () => {
  expect(describeIndexes([], 80)).toEqual(['No index is declared.'])
})
