import { describe, expect, test } from 'vitest'
import { columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { UNAVAILABLE_PLACEHOLDER, unavailable } from '../codecs/unavailable.ts'
import { ValueError } from '../column-codec.ts'
import type { TableContract } from '../contract.ts'
import { type AppliedTable, TableRegister } from '../tables/table-register.ts'
import type { RowChange } from '../wire/change.ts'
import { type Arrival, RowChanges, type Segment, type TableWrites, withoutTruncated } from './row-changes.ts'

const tableOf = (changes: Partial<TableContract> = {}): AppliedTable => {
  const register = new TableRegister()
  register.enter(ordersContract(changes), { epoch: 1, phase: 1, lsn: 1 })
  return [...register.applied()][0]!
}
const orders = tableOf()
const row = (id: number, name: string | null) => ({ id, name, amount: null })
const unchanged = UNAVAILABLE_PLACEHOLDER

const change = (op: RowChange['op'], lsn: number, more: Partial<RowChange>): RowChange => ({
  ...{ op, schema: 'public', table: 'orders', txId: 5, before: null, after: null, otherKey: undefined },
  ...{ position: { epoch: 1, phase: op.endsWith('read') ? 0 : 1, lsn }, committedAtMs: 1_700_000_000_000 },
  ...more,
})
const create = (lsn: number, id: number, name: string) => change('create', lsn, { after: row(id, name) })
const update = (lsn: number, id: number, name: string) => change('update', lsn, { after: row(id, name) })
const remove = (lsn: number, id: number) => change('delete', lsn, { before: row(id, null) })
const read = (lsn: number, id: number, name: string) => change('initial read', lsn, { after: row(id, name) })
const later = (id: number, name: string) => change('later read', 0, { after: row(id, name) })

/** The writes of changes that come one after the other. */
function reduced(changes: readonly RowChange[], arrival: Partial<Arrival> = {}, table = orders): RowChanges {
  const rows = new RowChanges()
  changes.forEach((one, offset) => {
    rows.add(table, one, { offset, certain: true, logged: false, ...arrival })
  })
  return rows
}
const writesOf = (segment: Segment): TableWrites => [...segment.values()][0]!
/** By segment and row: the second column of the row, or 'gone' for a delete. */
const stated = ({ segments }: RowChanges) =>
  segments.map((segment) =>
    Object.fromEntries([...writesOf(segment).rows].map(([key, { live, values }]) => [key, live ? values[1] : 'gone'])),
  )
const logged = ({ segments }: RowChanges) =>
  segments.map((segment) => writesOf(segment).log.map(({ ordinal, prior, values }) => [ordinal, values[1], prior]))

describe('changes of a row', () => {
  test('are one write, the newest', () => {
    expect(stated(reduced([create(10, 1, 'a'), create(11, 2, 'b'), update(12, 1, 'c'), remove(13, 2)]))).toEqual([
      { 1: 'c', 2: 'gone' },
    ])
  })

  test('that come late or again change nothing', () => {
    const late = [update(12, 1, 'c'), create(10, 1, 'a'), update(12, 1, 'c'), remove(11, 1), read(90, 1, 'read')]
    expect(stated(reduced(late))).toEqual([{ 1: 'c' }])
  })

  test('at one position leave the row there: its key was changed to one that is equal', () => {
    expect(stated(reduced([remove(20, 1), create(20, 1, 'a')]))).toEqual([{ 1: 'a' }])
    expect(stated(reduced([create(20, 1, 'a'), remove(20, 1)]))).toEqual([{ 1: 'a' }])
  })

  test('are changes of one row when Postgres considers their keys equal', () => {
    const columns = [columnContract(1, 'id', 'numeric', { key: 1 }), ...orders.contract.columns.slice(1)]
    const byNumeric = tableOf({ columns })
    const [one, same] = ['1.0', '1.00'].map((id, i) =>
      change('create', 10 + i, { after: { id, name: id, amount: null } }),
    )
    expect(writesOf(reduced([one!, same!], {}, byNumeric).segments[0]!).rows.size).toBe(1)
  })

  test('that do not have the columns of the contract are refused', () => {
    const wrong = [{ id: 1, name: 'a' }, { ...row(1, 'a'), more: 1 }, row(null as never, 'a')]
    for (const after of wrong) {
      expect(() => reduced([change('create', 10, { after })])).toThrow(ValueError)
    }
  })
})

describe('a row that a later snapshot reads', () => {
  test('stands for itself: whether what came before it is newer depends on the row as stored', () => {
    expect(stated(reduced([update(12, 1, 'a'), later(1, 'read'), update(13, 1, 'b')]))).toEqual([
      { 1: 'a' },
      { 1: 'read' },
      { 1: 'b' },
    ])
  })

  test('replaces one that a snapshot read before it', () => {
    expect(stated(reduced([later(1, 'read'), later(1, 'again')]))).toEqual([{ 1: 'again' }])
  })
})

describe('a value that an update leaves as it was', () => {
  test('is that of the change before it in the batch', () => {
    expect(stated(reduced([create(10, 1, 'a'), update(11, 1, unchanged)]))).toEqual([{ 1: 'a' }])
  })

  test('is that of the stored row where no change of the batch has it', () => {
    const { rows } = writesOf(reduced([update(11, 1, unchanged)]).segments[0]!)
    expect(rows.get('1')).toMatchObject({ values: ['1', unavailable, null], lacking: [1], movedFrom: undefined })
  })

  test('is not taken from a change that may have been applied before', () => {
    const rows = reduced([create(10, 1, 'a'), update(11, 1, unchanged)], { certain: false })
    expect(stated(rows)).toEqual([{ 1: 'a' }, { 1: unavailable }])
  })

  test('is not taken from a row that was deleted', () => {
    expect(stated(reduced([remove(10, 1), update(11, 1, unchanged)]))).toEqual([{ 1: unavailable }])
  })
})

describe('a change of the key', () => {
  const halves = (name: string) => [
    change('delete', 20, { before: row(1, null), otherKey: { id: 2 } }),
    change('create', 20, { after: row(2, name), otherKey: { id: 1 } }),
  ]

  test('that names both keys ends one row and makes the other', () => {
    const both = change('update', 20, { before: row(1, null), after: row(2, 'b') })
    expect(stated(reduced([both]))).toEqual([{ 1: 'gone', 2: 'b' }])
  })

  test('takes values that it leaves as they were from the row under the former key, which is written first', () => {
    const rows = reduced([create(10, 1, 'a'), ...halves(unchanged)])

    expect(stated(rows)).toEqual([{ 1: 'a' }, { 1: 'gone' }, { 2: unavailable }])
    expect(writesOf(rows.segments[2]!).rows.get('2')).toMatchObject({ movedFrom: { key: ['1'], lsn: 20 } })
  })

  test('that says every value needs nothing of the row under the former key', () => {
    expect(stated(reduced(halves('b')))).toEqual([{ 1: 'gone', 2: 'b' }])
  })
})

describe('history', () => {
  test('keeps every change in order, each with the one of its row before it', () => {
    const all = [create(10, 1, 'a'), create(11, 2, 'b'), update(12, 1, unchanged)]
    expect(logged(reduced(all, { logged: true }))).toEqual([
      [
        [0, 'a', undefined],
        [2, 'b', undefined],
        [4, 'a', 0],
      ],
    ])
  })

  test('keeps both halves of a change of the key, in order', () => {
    const both = change('update', 20, { before: row(1, null), after: row(2, 'b') })
    expect(logged(reduced([both], { logged: true }))).toEqual([
      [
        [0, null, undefined],
        [1, 'b', undefined],
      ],
    ])
  })

  test('does not keep what came late', () => {
    expect(logged(reduced([update(12, 1, 'c'), create(10, 1, 'a')], { logged: true }))).toEqual([[[0, 'c', undefined]]])
  })
})

test('two versions of a contract are written one after the other', () => {
  const rows = reduced([create(10, 1, 'a')])
  rows.add(tableOf({ version: 2 }), update(20, 1, 'b'), { offset: 9, certain: true, logged: false })
  expect(stated(rows)).toEqual([{ 1: 'a' }, { 1: 'b' }])
})

describe('a truncate', () => {
  const truncatedAt = { epoch: 1, phase: 1, lsn: 15 } as const

  test('takes back what came before it, not what came behind it', () => {
    const rows = reduced([create(10, 1, 'a'), create(20, 2, 'b')])

    expect(rows.truncate(orders, truncatedAt)).toEqual([])

    expect(stated(rows)).toEqual([{ 2: 'b' }])
  })

  test('gives back what history keeps from before it, to be written first', () => {
    const rows = reduced([create(10, 1, 'a')], { logged: true })

    const preceding = rows.truncate(orders, truncatedAt)

    expect(preceding.map((segment) => [...writesOf(segment).rows.keys()])).toEqual([['1']])
    expect(rows.segments[0]!.size).toBe(0)
  })

  test('is preceded by what history keeps of former generations, in which a change may have come before', () => {
    const rows = reduced([create(10, 1, 'a')], { logged: true })
    const again = tableOf({ version: 2, generation: 2 })
    rows.add(again, create(10, 1, 'a'), { offset: 9, certain: false, logged: true })

    const preceding = rows.truncate(again, truncatedAt)

    expect(preceding.map((segment) => [...segment.keys()])).toEqual([['4711 1', '4711 2']])
  })

  test('by another topic partition leaves out what came before it, and changes no plan', () => {
    const writes = writesOf(reduced([create(10, 1, 'a'), create(20, 2, 'b'), later(3, 'c')]).segments[0]!)

    const left = withoutTruncated(writes, truncatedAt)

    expect([[...left.rows.keys()], [...writes.rows.keys()]]).toEqual([
      ['2', '3'],
      ['1', '2', '3'],
    ])
  })

  test('by another topic partition that is past leaves the writes as they are', () => {
    const writes = writesOf(reduced([create(20, 2, 'b'), later(3, 'c')]).segments[0]!)
    expect(withoutTruncated(writes, truncatedAt)).toBe(writes)
  })

  test('by another topic partition leaves out what is read of a table that is not complete', () => {
    const reading = tableOf({ complete: false })
    const writes = writesOf(reduced([later(3, 'c'), create(20, 2, 'b')], {}, reading).segments[0]!)
    expect([...withoutTruncated(writes, truncatedAt).rows.keys()]).toEqual(['2'])
  })
})
