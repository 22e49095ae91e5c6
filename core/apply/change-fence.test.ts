import { expect, test } from 'vitest'
import type { RowChange } from '../wire/change.ts'
import { ChangeFence, type FenceState } from './change-fence.ts'

const change = (lsn: number, { epoch = 1, at = 0, op = 'create' as RowChange['op'] } = {}): RowChange => ({
  op,
  schema: 'public',
  table: 'orders',
  position: { epoch, phase: 1, lsn },
  txId: 5,
  before: null,
  after: null,
  otherKey: undefined,
  committedAtMs: 1_700_000_000_000 + at,
})
const pass = (fence: ChangeFence, changes: readonly RowChange[]) => changes.map((one) => fence.pass(one))
const begin = (...changes: RowChange[]): ChangeFence => {
  const fence = new ChangeFence()
  pass(fence, changes)
  return new ChangeFence(JSON.parse(JSON.stringify(fence.state)) as FenceState)
}

test('a change behind all others is new for certain, in the order of commits and not of lsns', () => {
  expect(pass(begin(change(20)), [change(10, { at: 0.001 }), change(5, { at: 2 }), change(6, { at: 2 })])).toEqual([
    true,
    true,
    true,
  ])
})

test('a change that was passed before is never new, whatever came between', () => {
  const all = [change(20), change(10, { at: 1 }), change(5, { at: 2 })]
  expect(pass(begin(...all), all)).toEqual([false, false, false])
})

test('a change is not new when a clock that was set back puts it before others', () => {
  expect(pass(begin(change(20, { at: 5 })), [change(30, { at: 4 }), change(31, { at: 6 })])).toEqual([false, true])
})

test('the second half of a key change is, and rows of one COPY are as the first of them', () => {
  const halves = [change(30, { op: 'delete' }), change(30)]
  expect(pass(begin(change(20)), halves)).toEqual([true, true])
  expect(pass(begin(change(20)), [change(30), change(30), change(30)])).toEqual([true, true, true])
  expect(pass(begin(change(30)), [change(30), change(30)])).toEqual([false, false])
})

test('rows of one COPY are not after a start of capture, which may send them again', () => {
  const fence = new ChangeFence()
  pass(fence, [change(30)])
  fence.restart()
  expect(pass(fence, [change(30), change(31)])).toEqual([false, true])
})

test('how far times were set back is kept, those of reads too', () => {
  const read = { ...change(0, { at: 90 }), position: { epoch: 1, phase: 0, lsn: 0 }, op: 'later read' } as const
  const fence = begin(change(20, { at: 5 }), change(21, { at: 3 }), change(22, { at: 4 }))
  expect(fence.state).toMatchObject({ backMs: 2, newest: { lsn: 20 } })
  expect(pass(fence, [read, change(23, { at: 20 })])).toEqual([true, true])
  expect(fence.state).toMatchObject({ backMs: 70, newest: { lsn: 23 } })
})

test('a later epoch is behind every earlier one', () => {
  expect(pass(begin(change(20, { at: 9 })), [change(1, { epoch: 2 }), change(30, { at: 10 })])).toEqual([true, false])
})
