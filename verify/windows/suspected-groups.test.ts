import { expect, test } from 'vitest'
import type { DifferingGroup } from './compare-groups.ts'
import { type Suspect, stillSuspected } from './suspected-groups.ts'

const differing = (groups: Record<string, string | null>): Map<string, DifferingGroup> =>
  new Map(
    Object.entries(groups).map(([hash, kept]) => [
      hash,
      { windowStart: '2024-01-01 10:00:00', keys: ['7'], kept: kept === null ? null : [kept], computed: ['9'] },
    ]),
  )

const after = (...looks: Record<string, string | null>[]): [string, boolean][] => {
  let suspects: Map<string, Suspect> | undefined
  for (const look of looks) suspects = stillSuspected(suspects, differing(look))
  return [...suspects!].map(([hash, { hasStayed }]) => [hash, hasStayed])
}

test('a group that was equal at one look is not suspected, also if it differs again', () => {
  expect(after({ a: '1', b: '1' }, { b: '2' }, { a: '3', b: '3' })).toEqual([['b', false]])
})

test('a group whose result was another one at every look is behind, and one whose result stayed is wrong', () => {
  expect(after({ a: '1', b: '1', c: null }, { a: '2', b: '1', c: null }, { a: '3', b: '2', c: null })).toEqual([
    ['a', false],
    ['b', true],
    ['c', true],
  ])
})
