import { expect, test } from 'vitest'
import { isIn, placeBeside, placeOf } from './table-place.ts'

test.each([
  ['s3://bucket/changes', 's3://bucket/changes', 's3://bucket/changes_from_20261129140500'],
  ['s3://b/changes_from_20261127000000/', 's3://b/changes_from_20261127000000', 's3://b/changes_from_20261129140500'],
  ['s3://b/w/tidemark/changes', 's3://b/w/tidemark/changes', 's3://b/w/tidemark/changes_from_20261129140500'],
  // Each table of S3 Tables has its own bucket, which the catalog chooses.
  ['s3://63a8e430-6e0b--table-s3', '', ''],
])('in place of a table at %s one is made at %j, beside it at %j', (location, place, beside) => {
  expect(placeOf(location)).toBe(place)
  expect(placeBeside(location, 'changes_until_20261129140500')).toBe(beside)
})

test('a place is in itself and in what is above it, and not in one whose name begins the same', () => {
  expect(isIn('s3://b/changes', 's3://b/changes/')).toBe(true)
  expect(isIn('s3://b/changes/data', 's3://b/changes')).toBe(true)
  expect(isIn('s3://b/changes_from_20261129140500', 's3://b/changes')).toBe(false)
})
