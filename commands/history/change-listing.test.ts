import { expect, test } from 'vitest'
import { describeChanges, type ListedChange } from './change-listing.ts'

const change: ListedChange = {
  at: '2026-11-21 12:00:00.000001',
  op: 'update',
  key: '7',
  what: 'status: new → paid',
  who: 'alice',
  application: 'shop',
  why: 'paid\nby card',
  transaction: '712',
}

test('each change is one line, in columns, with who and why where the transaction said so', () => {
  const unsaid = { ...change, op: 'insert', what: 'id: 7', who: null, application: null, why: null }

  expect(describeChanges([change, unsaid], { withKey: false, width: 200 })).toEqual([
    '2026-11-21 12:00:00.000001  update  alice (shop): paid by card  status: new → paid',
    '2026-11-21 12:00:00.000001  insert  transaction 712             id: 7',
    '',
    '2 changes.',
  ])
})

test('of a whole table each line has the key, and no line is wider than the terminal', () => {
  const truncated = { ...change, op: 'truncate', key: null, what: null }

  const lines = describeChanges([change, truncated], { withKey: true, width: 60 })

  expect(lines[0]).toBe('2026-11-21 12:00:00.000001  update    7  alice (shop): paid…')
  expect(lines[1]).toMatch(/^2026-11-21 12:00:00.000001 {2}truncate {5}alice/)
})

test('says so when nothing is kept', () => {
  expect(describeChanges([], { withKey: true, width: 80 })).toEqual(['No changes are kept.'])
})
